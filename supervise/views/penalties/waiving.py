"""The page on which a penalty is waived, wholly or in part: one person proposes, another one decides."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.desk.penalty_story import penalty_story
from supervise.errors import InvalidInputError
from supervise.labels import _, _l
from supervise.money import FEN_MAX
from supervise.parties.scope import Scope
from supervise.penalties.belonging import belongs_to_unit
from supervise.penalties.lift import liftable_fen
from supervise.penalties.models import PenaltyState, WaiverReason, WaiverState
from supervise.penalties.waivers import (
    approve_waiver,
    propose_waiver,
    reject_waiver,
    waiver_by_id,
    waivers_of_penalty,
)
from supervise.views.forms import Form, MemberField, YuanField
from supervise.views.penalties.blueprint import bp

_NOTE_MAX = 500


class WaiverForm(Form):
    """How much is not asked for, and why."""

    amount_fen = YuanField(
        _l("Amount to be waived (yuan)"),
        description=_l("Empty: all that is left"),
        validators=[Optional(), NumberRange(min=1, max=FEN_MAX)],
    )
    because = MemberField(_l("Reason code"), WaiverReason, validators=[InputRequired()])
    reason = StringField(
        _l("Reason"),
        description=_l("Shown to whoever decides, and kept in the books"),
        validators=[InputRequired(_l("Give a reason")), Length(min=4, max=_NOTE_MAX)],
    )


@bp.route("/<int:penalty_id>/waivers", methods=["GET", "POST"])
@require(Permission.APPROVE_MONEY)
def waivers(penalty_id: int) -> ResponseReturnValue:
    """Show the waivers of a penalty, and propose one."""
    form = WaiverForm()
    if not form.validate_on_submit():
        return _page(penalty_id, form), 400 if form.errors else 200
    with db.reading() as session:
        penalty_story(session, Scope.of(session, current_user()), penalty_id, listed_only=False)
    try:
        db.decide(
            propose_waiver,
            penalty_id,
            amount_fen=form.amount_fen.data,
            because=form.because.data,
            reason=form.reason.data,
            actor_id=current_user().id,
        )
    except InvalidInputError as error:
        # More than is left: what was typed stays on the page.
        form.amount_fen.errors = [str(error)]
        return _page(penalty_id, form), 422
    flash(_("The waiver is proposed; a second person decides"), "success")
    return redirect(url_for(".waivers", penalty_id=penalty_id), code=303)


def _page(penalty_id: int, form: WaiverForm) -> str:
    me = current_user()
    with db.reading() as session:
        story = penalty_story(session, Scope.of(session, me), penalty_id, listed_only=False)
        rows = waivers_of_penalty(session, penalty_id)
        people = display_names(session, [id_ for row in rows for id_ in (row.proposed_by, row.decided_by)])
        is_own_unit = belongs_to_unit(session, me.id, story.penalty)
    left_fen = liftable_fen(story.penalty)
    is_charged = story.penalty.state in (PenaltyState.APPROVED, PenaltyState.FINAL)
    return render_template(
        "penalties/waivers.html",
        story=story,
        penalty=story.penalty,
        rows=rows,
        people=people,
        left_fen=left_fen,
        is_own_unit=is_own_unit,
        can_propose=is_charged
        and left_fen > 0
        and not is_own_unit
        and not any(row.state is WaiverState.OPEN for row in rows),
        form=form,
        me=me,
    )


@bp.post("/waivers/<int:waiver_id>/decision")
@require(Permission.APPROVE_MONEY)
def decide_waiver(waiver_id: int) -> ResponseReturnValue:
    """Approve or refuse a proposed waiver, as the second person."""
    me, action = current_user(), request.form.get("action")
    with db.reading() as session:
        waiver = waiver_by_id(session, waiver_id)
        penalty_story(session, Scope.of(session, me), waiver.penalty_id, listed_only=False)
    if action == "approve":
        db.decide(approve_waiver, waiver_id, actor_id=me.id)
        flash(_("The waiver is approved and posted"), "success")
    elif action == "reject":
        db.decide(reject_waiver, waiver_id, request.form.get("note", "")[:_NOTE_MAX], actor_id=me.id)
        flash(_("The waiver is refused; the penalty stays as it is"), "success")
    else:
        raise InvalidInputError
    return redirect(url_for(".waivers", penalty_id=waiver.penalty_id), code=303)
