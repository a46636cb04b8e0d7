"""Sparing a call an amount, with a reason; the list of what is spared; bringing it back."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.desk.parties import names_of
from supervise.desk.reach import incident_in_reach
from supervise.labels import _, _l
from supervise.parties.scope import Scope
from supervise.penalties.spare import agree_to_sparing, bring_back_call, spare_call
from supervise.penalties.spare_models import SpareReason
from supervise.penalties.spare_queries import PAGE, spared_calls
from supervise.views.forms import Form, MemberField
from supervise.views.incidents.blueprint import SPARERS, bp
from supervise.views.registers import form_page

_REASON = (InputRequired(_l("Give a reason")), Length(min=4, max=500))


class SpareForm(Form):
    """Why nobody is charged for a call."""

    because = MemberField(_l("Reason code"), SpareReason, validators=[InputRequired()])
    reason = TextAreaField(
        _l("Reason"),
        description=_l("It stays with the call, and whoever audits reads it"),
        validators=_REASON,
        render_kw={"rows": 3},
    )


class BringBackForm(Form):
    """Why a spared call is to be charged after all."""

    reason = TextAreaField(_l("Reason"), validators=_REASON, render_kw={"rows": 3})


@bp.get("/spared")
@require(*SPARERS)
def spared() -> ResponseReturnValue:
    """List the calls that are spared now."""
    after_id = request.args.get("after", default=0, type=int)
    with db.reading() as session:
        found = spared_calls(session, Scope.of(session, current_user()), after_id=after_id, limit=PAGE + 1)
        more, rows = len(found) > PAGE, found[:PAGE]
        names = names_of(session, {row.party_id for row in rows if row.party_id is not None})
        people = display_names(session, [who for row in rows for who in (row.spared_by, row.agreed_by)])
    return render_template(
        "incidents/spared.html",
        rows=rows,
        names=names,
        people=people,
        me=current_user(),
        next_url=url_for(".spared", after=rows[-1].incident_id) if more else None,
        first_url=url_for(".spared") if after_id else None,
    )


@bp.route("/<int:incident_id>/spare", methods=["GET", "POST"])
@require(*SPARERS)
def spare(incident_id: int) -> ResponseReturnValue:
    """Take a call off the list of those without an amount."""
    me, form = current_user(), SpareForm()
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
    back = url_for(".detail", incident_id=incident_id, _anchor="money")
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Spare this call"),
            words=_("Spare it"),
            cancel_url=back,
            hint=_(
                "The offence stays proven and counts as a case, but no amount is proposed until the call is brought"
                " back. What the subscriber is due does not change."
            ),
        )
    db.decide(spare_call, incident_id, form.because.data, form.reason.data, actor_id=me.id)
    flash(_("The call is spared"), "success")
    return redirect(back, code=303)


@bp.post("/<int:incident_id>/agree-to-sparing")
@require(Permission.APPROVE_MONEY)
def agree_to_spare(incident_id: int) -> ResponseReturnValue:
    """Agree, as the second person, that nobody is charged for a call."""
    me = current_user()
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
    db.decide(agree_to_sparing, incident_id, actor_id=me.id)
    flash(_("Agreed: nobody is charged for this call until it is brought back"), "success")
    return redirect(url_for(".detail", incident_id=incident_id, _anchor="money"), code=303)


@bp.route("/<int:incident_id>/bring-back", methods=["GET", "POST"])
@require(*SPARERS)
def bring_back(incident_id: int) -> ResponseReturnValue:
    """Put a spared call back on the list of those without an amount."""
    me, form = current_user(), BringBackForm()
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
    back = url_for(".detail", incident_id=incident_id, _anchor="money")
    if not form.validate_on_submit():
        return form_page(form, title=_("Bring this call back"), words=_("Bring back"), cancel_url=back)
    db.decide(bring_back_call, incident_id, form.reason.data, actor_id=me.id)
    flash(_("The call can be charged again"), "success")
    return redirect(back, code=303)
