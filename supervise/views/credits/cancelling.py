"""Cancelling an approved credit: finance asks, a supervisor decides."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation import cancel
from supervise.desk.credit_story import credit_story
from supervise.errors import InvalidInputError
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.views.credits.blueprint import bp
from supervise.views.credits.forms import CancellationForm
from supervise.views.credits.page import credit_page


@bp.post("/<int:credit_id>/cancellation")
@require(Permission.PROPOSE_REVERSALS)
def propose_cancellation(credit_id: int) -> ResponseReturnValue:
    """Ask that an approved credit be never paid."""
    _load(credit_id)
    form = CancellationForm()
    if not form.validate_on_submit():
        return credit_page(credit_id, form)
    db.decide(cancel.propose_cancellation, credit_id, form.reason.data, actor_id=current_user().id)
    flash(_("Proposed; a supervisor confirms or refuses it"), "success")
    return redirect(url_for(".detail", credit_id=credit_id), code=303)


@bp.post("/<int:credit_id>/cancellation/withdrawal")
@require(Permission.PROPOSE_REVERSALS)
def withdraw_cancellation(credit_id: int) -> ResponseReturnValue:
    """Take the wish back."""
    _load(credit_id)
    db.decide(cancel.withdraw_cancellation, credit_id, actor_id=current_user().id)
    flash(_("Withdrawn; the credit can be sent"), "success")
    return redirect(url_for(".detail", credit_id=credit_id), code=303)


@bp.post("/<int:credit_id>/cancellation/decision")
@require(Permission.APPROVE_REVERSALS)
def decide_cancellation(credit_id: int) -> ResponseReturnValue:
    """Cancel the credit as the second person, or refuse that."""
    _load(credit_id)
    action = request.form.get("action")
    if action not in {"approve", "return"}:
        raise InvalidInputError
    if action == "approve":
        db.decide(cancel.confirm_cancellation, credit_id, actor_id=current_user().id)
        flash(_("The credit is cancelled; its entry in the ledger is reversed"), "success")
    else:
        db.decide(cancel.withdraw_cancellation, credit_id, actor_id=current_user().id)
        flash(_("Refused; the credit can be sent"), "success")
    return redirect(url_for(".detail", credit_id=credit_id), code=303)


def _load(credit_id: int) -> None:
    with db.reading() as session:
        credit_story(session, Scope.of(session, current_user()), credit_id)
