"""What intake could not tell: which tickets report this call, and which two calls are one."""

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints import link
from supervise.complaints.models import Ticket
from supervise.desk.merging import merge_calls
from supervise.desk.reach import incident_in_reach, ticket_in_reach
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.views.incidents.blueprint import bp
from supervise.views.incidents.forms import LinkForm, ReasonForm, RowForm
from supervise.views.incidents.page import incident_page


@bp.post("/<int:incident_id>/link")
@require(Permission.TRIAGE, Permission.CREATE_TICKETS)
def link_ticket(incident_id: int) -> ResponseReturnValue:
    """Say that another ticket reports this call as well."""
    me, form = current_user(), LinkForm()
    with db.reading() as session:
        scope = Scope.of(session, me)
        incident_in_reach(session, scope, incident_id)
        ticket_id = None
        if form.validate():
            query = select(Ticket.id).where(Ticket.reference == form.reference.data.strip())
            ticket_id = session.scalar(scope.limit(query, unit=Ticket.unit_id))
            if ticket_id is None:
                form.reference.errors = [_("There is no ticket of that number")]
    if ticket_id is None:
        return incident_page(incident_id, {"link": form})
    db.decide(link.link_incident, ticket_id, incident_id, reason=form.reason.data, actor_id=me.id)
    flash(_("The ticket is linked"), "success")
    return redirect(url_for(".detail", incident_id=incident_id), code=303)


@bp.post("/<int:incident_id>/unlink")
@require(Permission.TRIAGE, Permission.CREATE_TICKETS)
def unlink_ticket(incident_id: int) -> ResponseReturnValue:
    """Say that a ticket does not report this call after all."""
    me, form = current_user(), RowForm()
    with db.reading() as session:
        scope = Scope.of(session, me)
        incident_in_reach(session, scope, incident_id)
        if not form.validate():
            return incident_page(incident_id, {"row": form})
        ticket_id = ticket_in_reach(session, scope, int(form.row_id.data)).id
    db.decide(link.unlink_incident, ticket_id, incident_id, reason=form.reason.data, actor_id=me.id)
    flash(_("The ticket is no longer linked"), "success")
    return redirect(url_for(".detail", incident_id=incident_id), code=303)


@bp.post("/<int:incident_id>/merge")
@require(Permission.TRIAGE, Permission.CREATE_TICKETS)
def merge(incident_id: int) -> ResponseReturnValue:
    """Say that this call is another known one: its tickets report that from now on."""
    me, form = current_user(), RowForm()
    with db.reading() as session:
        scope = Scope.of(session, me)
        incident_in_reach(session, scope, incident_id)
        if not form.validate():
            return incident_page(incident_id, {"row": form})
        into_id = incident_in_reach(session, scope, int(form.row_id.data)).id
    db.decide(merge_calls, incident_id, into_id, reason=form.reason.data, actor_id=me.id)
    flash(_("The two are one call now"), "success")
    return redirect(url_for(".detail", incident_id=into_id), code=303)


@bp.post("/<int:incident_id>/keep-apart")
@require(Permission.TRIAGE, Permission.CREATE_TICKETS)
def keep_apart(incident_id: int) -> ResponseReturnValue:
    """Decide that a probable duplicate is a call of its own."""
    me, form = current_user(), ReasonForm()
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
    if not form.validate():
        return incident_page(incident_id, {"row": form})
    db.decide(link.clear_duplicate_flag, incident_id, reason=form.reason.data, actor_id=me.id)
    flash(_("It stays a call of its own"), "success")
    return redirect(url_for(".detail", incident_id=incident_id), code=303)
