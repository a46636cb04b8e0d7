"""What the charged party, supervisors and finance do with penalties."""

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.desk.penalty_story import PenaltyStory, penalty_story
from supervise.errors import InvalidInputError, RefusalError
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.penalties import waiting
from supervise.penalties.exchange import object_with_files
from supervise.penalties.models import Objection, ObjectionState
from supervise.penalties.objections import ObjectionOpenError, withdraw_objection
from supervise.penalties.objections import decide_objection as decide
from supervise.penalties.queries import objection_by_id, penalty_in_scope
from supervise.penalties.reversals import propose_reversal as propose
from supervise.penalties.windows import acknowledge as acknowledge_penalties
from supervise.views.penalties.blueprint import bp
from supervise.views.penalties.forms import AdditionForm, DecisionForm, ObjectionForm, ReversalForm
from supervise.views.penalties.lists import is_charged_side
from supervise.views.penalties.pages import render_penalty
from supervise.views.picked import picked_ids
from supervise.views.refusals import record_refusal
from supervise.views.vaulting import stored_files


def load(session: Session, penalty_id: int) -> tuple[Scope, PenaltyStory]:
    """Return the user's scope and the penalty in it, for a decision and for the page that an error shows again."""
    me = current_user()
    scope = Scope.of(session, me)
    return scope, penalty_story(session, scope, penalty_id, listed_only=is_charged_side(me))


def objection_in_reach(session: Session, objection_id: int) -> Objection:
    """Return an objection to a penalty that the user sees.

    Raises:
        NotFoundError: if it does not exist, or its penalty is not theirs to see.
    """
    me = current_user()
    objection = objection_by_id(session, objection_id)
    penalty_in_scope(session, Scope.of(session, me), objection.penalty_id, listed_only=is_charged_side(me))
    return objection


def back_to(penalty_id: int) -> ResponseReturnValue:
    """Return to the page of the penalty."""
    return redirect(url_for(".detail", penalty_id=penalty_id), code=303)


@bp.post("/acknowledge")
@require(Permission.ACKNOWLEDGE_PENALTIES)
def acknowledge() -> ResponseReturnValue:
    """Let the charged party acknowledge the chosen penalties, with a result for each."""
    ids, me = picked_ids(), current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
    results = db.decide(acknowledge_penalties, ids, scope, actor_id=me.id)
    refused = [result for result in results if result.refusal is not None]
    if len(ids) == 1 and not refused:
        flash(_("Acknowledged; the window for an objection runs"), "success")
        return back_to(ids[0])
    known = [result.subject_id for result in results if result.refusal is None or result.refusal.status != 404]  # noqa: PLR2004
    with db.reading() as session:
        references = waiting.references_of(session, known)
    rows: list[dict[str, Any]] = [
        {
            "reference": references.get(result.subject_id, str(result.subject_id)),
            "url": url_for(".detail", penalty_id=result.subject_id) if result.subject_id in references else None,
            "is_done": result.refusal is None,
            "words": str(result.refusal or _("Acknowledged")),
        }
        for result in results
    ]
    return render_template("approvals/results.html", rows=rows, back_url=url_for(".index"))


@bp.post("/<int:penalty_id>/objection")
@require(Permission.OBJECT, Permission.OBJECT_FOR_PARTY)
def object_to(penalty_id: int) -> ResponseReturnValue:
    """Object to a penalty, as the charged party or as a supervisor who enters what it wrote."""
    me = current_user()
    with db.reading() as session:
        scope, story = load(session, penalty_id)
    form = ObjectionForm()
    if not form.validate():
        return render_penalty(me, scope, story, objection_form=form), 400
    try:
        files = stored_files(form.uploads)
    except RefusalError as error:
        form.files.errors = [str(error)]
        return render_penalty(me, scope, story, objection_form=form), error.status
    for_party = me.can(Permission.OBJECT_FOR_PARTY)
    try:
        objection = db.decide(
            object_with_files, penalty_id, form.body.data, files, scope, actor_id=me.id, for_party=for_party
        )
    except ObjectionOpenError as error:
        record_refusal(error)
        return _joining(penalty_id, form)
    if objection.state is ObjectionState.LATE:
        flash(_("The objection is filed after the last day: a supervisor decides whether it is heard"), "warning")
    else:
        flash(_("The objection is filed; the penalty does not become final before it is decided"), "success")
    return back_to(penalty_id)


def _joining(penalty_id: int, form: ObjectionForm) -> ResponseReturnValue:
    """Show what a colleague filed meanwhile, with the typed words ready to be added to it."""
    with db.reading() as session:
        scope, story = load(session, penalty_id)
    addition = AdditionForm(formdata=None)
    addition.addition.data = form.body.data
    addition.addition.errors = [
        _("A colleague objected meanwhile; nothing of yours was saved. Add it to that objection, with your files.")
    ]
    return render_penalty(current_user(), scope, story, addition_form=addition), ObjectionOpenError.status


@bp.post("/objections/<int:objection_id>/withdraw")
@require(Permission.OBJECT, Permission.OBJECT_FOR_PARTY)
def withdraw(objection_id: int) -> ResponseReturnValue:
    """Take an open objection back."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        objection_in_reach(session, objection_id)
    objection = db.decide(withdraw_objection, objection_id, scope, actor_id=me.id)
    flash(_("The objection is withdrawn"), "success")
    return back_to(objection.penalty_id)


@bp.post("/objections/<int:objection_id>/decision")
@require(Permission.DECIDE_APPEALS)
def decide_objection(objection_id: int) -> ResponseReturnValue:
    """Uphold an objection, wholly or in part, or reject it."""
    me = current_user()
    with db.reading() as session:
        objection = objection_in_reach(session, objection_id)
        scope, story = load(session, objection.penalty_id)
    form = DecisionForm()
    if not form.validate():
        return render_penalty(me, scope, story, decision_form=form), 400
    decision = ObjectionState(form.decision.data)
    db.decide(
        decide,
        objection_id,
        decision,
        note=form.note.data,
        actor_id=me.id,
        reduced_fen=form.reduced_fen.data if decision is ObjectionState.REDUCED else None,
    )
    flash(_("The objection is decided"), "success")
    return back_to(objection.penalty_id)


@bp.post("/<int:penalty_id>/reversal")
@require(Permission.PROPOSE_REVERSALS)
def propose_reversal(penalty_id: int) -> ResponseReturnValue:
    """Propose to reverse a final penalty, wholly or in part; a supervisor approves it."""
    me = current_user()
    with db.reading() as session:
        scope, story = load(session, penalty_id)
    form = ReversalForm()
    if not form.validate():
        return render_penalty(me, scope, story, reversal_form=form), 400
    try:
        db.decide(propose, penalty_id, amount_fen=form.amount_fen.data, reason=form.reason.data, actor_id=me.id)
    except InvalidInputError as error:
        # More than is left: the reason stays on the page.
        form.amount_fen.errors = [str(error)]
        return render_penalty(me, scope, story, reversal_form=form), 422
    flash(_("The reversal is proposed; a supervisor decides"), "success")
    return back_to(penalty_id)
