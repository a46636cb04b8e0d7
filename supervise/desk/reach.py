"""What of tickets and incidents a user may reach: by the unit of the ticket, everywhere alike."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.models import Attribution, ReattributionProposal
from supervise.attribution.watching.queries import is_opened
from supervise.complaints.models import Incident, IncidentState, Ticket, TicketIncident
from supervise.errors import NotFoundError
from supervise.parties.scope import Scope


def ticket_in_reach(session: Session, scope: Scope, ticket_id: int) -> Ticket:
    """Return the ticket.

    Raises:
        NotFoundError: if there is none, or it lies outside the scope.
    """
    query = scope.limit(select(Ticket).where(Ticket.id == ticket_id), unit=Ticket.unit_id)
    ticket = session.scalars(query).one_or_none()
    if ticket is None:
        raise NotFoundError
    return ticket


def incident_in_reach(session: Session, scope: Scope, incident_id: int) -> Incident:
    """Return the incident, if a ticket in scope reports it, or did before it was merged, or records in scope led to it.

    Raises:
        NotFoundError: if there is none, or no ticket within the scope reports it and no record.
    """
    incident = session.get(Incident, incident_id)
    if incident is None:
        raise NotFoundError
    reported_id = incident.merged_into_id if incident.state is IncidentState.MERGED else incident_id
    reporting = (
        select(TicketIncident.id)
        .join(Ticket, Ticket.id == TicketIncident.ticket_id)
        .where(TicketIncident.incident_id == reported_id)
    )
    is_reported = session.scalars(scope.limit(reporting, unit=Ticket.unit_id).limit(1)).first() is not None
    if not (is_reported or is_opened(session, scope, reported_id or incident_id)):
        raise NotFoundError
    return incident


def incident_of_attribution(session: Session, scope: Scope, attribution_id: int) -> Incident:
    """Return the incident that a verdict is about.

    Raises:
        NotFoundError: if there is no such verdict, or its incident lies outside the scope.
    """
    attribution = session.get(Attribution, attribution_id)
    if attribution is None:
        raise NotFoundError
    return incident_in_reach(session, scope, attribution.incident_id)


def incident_of_proposal(session: Session, scope: Scope, proposal_id: int) -> Incident:
    """Return the incident that a proposal to look again is about.

    Raises:
        NotFoundError: if there is no such proposal, or its incident lies outside the scope.
    """
    proposal = session.get(ReattributionProposal, proposal_id)
    if proposal is None:
        raise NotFoundError
    return incident_in_reach(session, scope, proposal.incident_id)


def incidents_by_ticket(session: Session, scope: Scope, ticket_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the ids of the incidents of each ticket in scope, by time; a ticket without incidents has none."""
    reached = scope.limit(select(Ticket.id).where(Ticket.id.in_(ticket_ids)), unit=Ticket.unit_id)
    found: dict[int, list[int]] = {ticket_id: [] for ticket_id in session.scalars(reached)}
    query = (
        select(TicketIncident.ticket_id, TicketIncident.incident_id)
        .join(Incident, Incident.id == TicketIncident.incident_id)
        .where(TicketIncident.ticket_id.in_(found))
        .order_by(TicketIncident.ticket_id, Incident.occurred_at, Incident.id)
    )
    for ticket_id, incident_id in session.execute(query):
        found[ticket_id].append(incident_id)
    return found
