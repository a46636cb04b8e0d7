"""What is done with one ticket: answered, closed, refused, handed on, taken back, taken up again."""

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints import tickets
from supervise.complaints.add_call import add_call
from supervise.desk.reach import ticket_in_reach
from supervise.desk.replies import close_ticket, reply_to_ticket
from supervise.desk.story import reply_choices
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.views.settings import current_keyring
from supervise.views.tickets.blueprint import bp
from supervise.views.tickets.forms import CallForm, ReasonedForm, ReplyForm, StepForm, TransferForm
from supervise.views.tickets.page import ticket_page


@bp.post("/<int:ticket_id>/accept")
@require(Permission.ANSWER_TICKETS)
def accept(ticket_id: int) -> ResponseReturnValue:
    """Accept a new ticket."""
    return take(ticket_id, "step", StepForm(), tickets.accept_ticket, _("The ticket is accepted"))


@bp.post("/<int:ticket_id>/investigate")
@require(Permission.ANSWER_TICKETS)
def investigate(ticket_id: int) -> ResponseReturnValue:
    """Begin to verify what the ticket reports."""
    return take(ticket_id, "step", StepForm(), tickets.investigate_ticket, _("The ticket is under investigation"))


@bp.post("/<int:ticket_id>/reply")
@require(Permission.ANSWER_TICKETS)
def reply(ticket_id: int) -> ResponseReturnValue:
    """Keep what was answered."""
    with db.reading() as session:
        form = ReplyForm(reply_choices(session))
    return take(ticket_id, "reply", form, reply_to_ticket, _("The reply is kept"))


@bp.post("/<int:ticket_id>/close")
@require(Permission.ANSWER_TICKETS)
def close(ticket_id: int) -> ResponseReturnValue:
    """Close an answered ticket whose calls all have a result."""
    return take(ticket_id, "step", StepForm(), close_ticket, _("The ticket is closed"))


@bp.post("/<int:ticket_id>/refuse")
@require(Permission.ANSWER_TICKETS)
def refuse(ticket_id: int) -> ResponseReturnValue:
    """Do not accept a new ticket."""
    return take(ticket_id, "refuse", ReasonedForm(), tickets.refuse_ticket, _("The ticket is not accepted"))


@bp.post("/<int:ticket_id>/transfer")
@require(Permission.ANSWER_TICKETS)
def transfer(ticket_id: int) -> ResponseReturnValue:
    """Hand the ticket to the body that must answer it."""
    return take(ticket_id, "transfer", TransferForm(), tickets.transfer_ticket, _("The ticket is handed on"))


@bp.post("/<int:ticket_id>/withdraw")
@require(Permission.ANSWER_TICKETS)
def withdraw(ticket_id: int) -> ResponseReturnValue:
    """Close a ticket that the complainant or the channel took back."""
    return take(ticket_id, "withdraw", ReasonedForm(), tickets.withdraw_ticket, _("The ticket is withdrawn"))


@bp.post("/<int:ticket_id>/reopen")
@require(Permission.ANSWER_TICKETS)
def reopen(ticket_id: int) -> ResponseReturnValue:
    """Take up a closed ticket again."""
    return take(ticket_id, "reopen", ReasonedForm(), tickets.reopen_ticket, _("The ticket is open again"))


def take(ticket_id: int, name: str, form: StepForm, decision: Callable[..., Any], done: str) -> ResponseReturnValue:
    """Load within scope, check the form, decide, say so and go back to the page."""
    me = current_user()
    with db.reading() as session:
        ticket_in_reach(session, Scope.of(session, me), ticket_id)
    if not form.validate():
        return ticket_page(ticket_id, {name: form})
    db.decide(decision, ticket_id, **form.arguments(), actor_id=me.id)
    flash(done, "success")
    return redirect(url_for(".detail", ticket_id=ticket_id), code=303)


@bp.route("/<int:ticket_id>/calls", methods=["GET", "POST"])
@require(Permission.ANSWER_TICKETS)
def new_call(ticket_id: int) -> ResponseReturnValue:
    """Add a call or message that the report did not name."""
    me = current_user()
    with db.reading() as session:
        ticket = ticket_in_reach(session, Scope.of(session, me), ticket_id)
    form = CallForm(version=ticket.version)
    if not form.validate_on_submit():
        return render_template("tickets/call.html", form=form, ticket=ticket), 400 if form.errors else 200
    db.decide(add_call, current_keyring(), ticket_id, form.call(), **form.arguments(), actor_id=me.id)
    flash(_("The call is added"), "success")
    return redirect(url_for(".detail", ticket_id=ticket_id), code=303)
