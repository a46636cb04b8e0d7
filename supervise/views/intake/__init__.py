"""The page where a complaint is written down: one ticket with its calls, claims and refusal."""

import secrets

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import SCOPED_ROLES, Permission
from supervise.complaints.queries import ticket_by_row_key, units_to_choose
from supervise.donotcall.intake import receive_ticket
from supervise.errors import RefusalError
from supervise.labels import _, ngettext
from supervise.parties.scope import Scope
from supervise.views.intake.forms import CallForm, DemandForm, TicketForm
from supervise.views.settings import current_keyring

bp = Blueprint("intake", __name__, url_prefix="/intake")


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.CREATE_TICKETS)
def new() -> ResponseReturnValue:
    """Take a complaint in; what was typed stays on every error."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        units = list(units_to_choose(session, scope))
    form = TicketForm(units, needs_unit=me.role in SCOPED_ROLES)
    if request.method == "GET":
        form.nonce.data, form.received_at.data = secrets.token_urlsafe(24), clock.now()
    if not form.validate_on_submit():
        return _page(form)
    report = form.report()
    if report.unit_id is not None or not scope.sees_everything:
        scope.check(report.unit_id)
    with db.reading() as session:
        sent_before = ticket_by_row_key(session, report.row_key or "")
    if sent_before is not None:
        return redirect(url_for("tickets.detail", ticket_id=sent_before.id), code=303)
    try:
        received = db.decide(receive_ticket, current_keyring(), report, actor_id=me.id)
    except RefusalError as error:
        # The draft is an hour's work: it stays, with the reason above it.
        form.form_errors.append(str(error))
        return _page(form)
    flash(_("Ticket %(reference)s is taken in", reference=received.reference), "success")
    if received.matched:
        flash(ngettext("%(n)d call was known already", "%(n)d calls were known already", received.matched), "info")
    return redirect(url_for("tickets.detail", ticket_id=received.ticket_id), code=303)


def _page(form: TicketForm) -> ResponseReturnValue:
    page = render_template(
        "intake/new.html",
        form=form,
        blank_call=CallForm(formdata=None, prefix="calls-__n__-"),
        blank_demand=DemandForm(formdata=None, prefix="demands-__n__-"),
    )
    return page, 400 if form.errors else 200
