"""A person decides what intake could not: link a ticket to an incident, part them, merge two incidents."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among
from supervise.complaints.incidents import CallKey, KnownCalls
from supervise.complaints.models import (
    Incident,
    IncidentFlag,
    IncidentState,
    LinkHow,
    Ticket,
    TicketIncident,
)
from supervise.complaints.receive import INTAKE_TURN
from supervise.complaints.reported import ReportedCall
from supervise.db import take_turn
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_


class OtherSubscriberError(InvalidInputError):
    """Calls to two subscribers, or a call and a message, are never one."""

    message = N_("These are not the same call: subscriber or kind differ")


class AlreadyLinkedError(ConflictError):
    """The ticket reports this incident already."""

    message = N_("The ticket is linked to this incident already")


class LastTicketError(ConflictError):
    """An incident that nobody reports cannot be."""

    message = N_("This is the only ticket that reports the incident; withdraw the ticket instead")


class VerifiedError(AlreadyDecidedError):
    """What was verified is not merged away."""

    message = N_("The incident has been verified already; it can no longer be merged")


def link_incident(session: Session, ticket_id: int, incident_id: int, *, reason: str, actor_id: int) -> None:
    """Say that *ticket_id* reports *incident_id* as well.

    Raises:
        NotFoundError: if one of them does not exist, or the incident was merged away.
        OtherSubscriberError: if they are about different subscribers.
        AlreadyLinkedError: if they are linked.
    """
    take_turn(session, INTAKE_TURN)
    ticket, incident = session.get(Ticket, ticket_id), _live_incident(session, incident_id)
    if ticket is None:
        raise NotFoundError
    if ticket.number_id is None or ticket.number_id != incident.number_id:
        raise OtherSubscriberError
    if _link(session, ticket_id, incident_id) is not None:
        raise AlreadyLinkedError
    session.add(
        TicketIncident(
            ticket_id=ticket_id,
            incident_id=incident_id,
            how=LinkHow.LINKED,
            linked_by=actor_id,
            linked_at=clock.now(),
        )
    )
    session.flush()
    _record(session, "incident.linked", incident_id, {"ticket_id": ticket_id}, reason=reason, actor_id=actor_id)


def unlink_incident(session: Session, ticket_id: int, incident_id: int, *, reason: str, actor_id: int) -> None:
    """Say that *ticket_id* does not report *incident_id* after all.

    Raises:
        NotFoundError: if they are not linked.
        LastTicketError: if no other ticket reports the incident.
    """
    take_turn(session, INTAKE_TURN)
    link = _link(session, ticket_id, incident_id)
    if link is None:
        raise NotFoundError
    links = sa.select(sa.func.count()).where(TicketIncident.incident_id == incident_id)
    if session.scalar(links) == 1:
        raise LastTicketError
    session.delete(link)
    session.flush()
    _record(session, "incident.unlinked", incident_id, {"ticket_id": ticket_id}, reason=reason, actor_id=actor_id)


def merge_incidents(session: Session, merged_id: int, into_id: int, *, reason: str, actor_id: int) -> None:
    """Make two incidents of one call one: the tickets of *merged_id* report *into_id* from now on.

    What was merged into *merged_id* before is merged into *into_id* too: a merged incident names the one that lives.

    Raises:
        NotFoundError: if one of them does not exist, or was merged away.
        OtherSubscriberError: if subscriber or kind differ: never merged across subscribers.
        VerifiedError: if *merged_id* was verified already: its verdict would hang in the air.
    """
    take_turn(session, INTAKE_TURN)
    merged, into = _live_incident(session, merged_id), _live_incident(session, into_id)
    if merged_id == into_id or merged.number_id is None:
        raise OtherSubscriberError
    if (merged.number_id, merged.kind) != (into.number_id, into.kind):
        raise OtherSubscriberError
    if merged.state is not IncidentState.REPORTED:
        raise VerifiedError
    there = sa.select(TicketIncident.ticket_id).where(TicketIncident.incident_id == into_id)
    both = TicketIncident.incident_id == merged_id
    session.execute(sa.delete(TicketIncident).where(both, TicketIncident.ticket_id.in_(there)))
    session.execute(sa.update(TicketIncident).where(both).values(incident_id=into_id, how=LinkHow.LINKED))
    session.execute(sa.update(Incident).where(Incident.merged_into_id == merged_id).values(merged_into_id=into_id))
    merged.state, merged.merged_into_id = IncidentState.MERGED, into_id
    merged.version += 1
    for incident in (merged, into):
        incident.flags = [flag for flag in incident.flags if flag != IncidentFlag.PROBABLE_DUPLICATE.value]
    session.flush()
    _record(session, "incident.merged", merged_id, {"into_id": into_id}, reason=reason, actor_id=actor_id)


def merged_into(session: Session, incident_ids: Collection[int]) -> dict[int, int]:
    """Return what was merged into the incidents: by id of the one that was merged away, the one that lives."""
    query = sa.select(Incident.id, Incident.merged_into_id).where(among(session, Incident.merged_into_id, incident_ids))
    return {row.id: row.merged_into_id for row in session.execute(query.order_by(Incident.id))}


def living_ids(session: Session, incident_ids: Collection[int]) -> set[int]:
    """Return the incidents that these are: one that was merged away is the one that lives."""
    query = sa.select(sa.func.coalesce(Incident.merged_into_id, Incident.id))
    return set(session.scalars(query.where(among(session, Incident.id, incident_ids))))


def clear_duplicate_flag(session: Session, incident_id: int, *, reason: str, actor_id: int) -> None:
    """Decide that a probable duplicate is a call of its own.

    Raises:
        NotFoundError: if there is no such incident, or it carries no such flag.
    """
    incident = _live_incident(session, incident_id)
    if IncidentFlag.PROBABLE_DUPLICATE.value not in incident.flags:
        raise NotFoundError
    incident.flags = [flag for flag in incident.flags if flag != IncidentFlag.PROBABLE_DUPLICATE.value]
    incident.version += 1
    session.flush()
    _record(session, "incident.kept_apart", incident_id, {}, reason=reason, actor_id=actor_id)


def duplicate_candidates(session: Session, incident: Incident) -> list[Incident]:
    """Return the other live incidents that can be the same call as *incident*, oldest first."""
    if incident.number_id is None or incident.caller_number is None:
        return []
    call = ReportedCall(kind=incident.kind, occurred_at=incident.occurred_at, precision=incident.precision)
    known = KnownCalls.load(session, [incident.number_id], [call])
    key = CallKey(incident.number_id, incident.caller_number, incident.kind)
    ids = known.match(key, call, taken=[incident.id]).candidates
    return list(session.scalars(sa.select(Incident).where(Incident.id.in_(ids)).order_by(Incident.id)))


def _live_incident(session: Session, incident_id: int) -> Incident:
    incident = session.get(Incident, incident_id, with_for_update=True, populate_existing=True)
    if incident is None or incident.state is IncidentState.MERGED:
        raise NotFoundError
    return incident


def _link(session: Session, ticket_id: int, incident_id: int) -> TicketIncident | None:
    query = sa.select(TicketIncident).where(
        TicketIncident.ticket_id == ticket_id, TicketIncident.incident_id == incident_id
    )
    return session.scalars(query).one_or_none()


def _record(
    session: Session, action: str, incident_id: int, changes: dict[str, object], *, reason: str, actor_id: int
) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="incident",
        subject_id=incident_id,
        changes=changes,
        reason=reason,
    )
