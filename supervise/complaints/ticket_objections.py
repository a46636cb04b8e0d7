"""A subscriber objects to the reply: the ticket is open again, its first reply keeps its date (domain F85)."""

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.deadlines import Deadlines
from supervise.complaints.dispute_models import Mediation, MediationState, TicketObjection, TicketObjectionState
from supervise.complaints.models import Channel, Ticket, TicketState
from supervise.complaints.tickets import StepError, move_ticket
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_

#: An answered ticket in one of these states can be objected to.
_OBJECTED_TO = frozenset({TicketState.REPLIED, TicketState.CLOSED, TicketState.INVESTIGATING})


class NotAnsweredError(ConflictError):
    """Before the first reply there is nothing to object to."""

    message = N_("The ticket has not been answered yet; an objection is to a reply")


class ObjectionOpenError(ConflictError):
    """A ticket has one live objection."""

    message = N_("An objection to this ticket is open already; answer it first")


class NoObjectionError(ConflictError):
    """Somebody was faster, or there never was one."""

    message = N_("No objection to this ticket is open")


def record_objection(
    session: Session,
    ticket_id: int,
    channel: Channel,
    received_at: dt.datetime,
    reason: str,
    *,
    version: int,
    actor_id: int,
) -> TicketObjection:
    """Record that the subscriber does not accept the reply; the ticket is under investigation again.

    Its deadline is that of the channel it came through; the first reply and its due date stay what they were.
    Source: docs/rules.md, O-1.

    Raises:
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*.
        NotAnsweredError: if it was never answered.
        ObjectionOpenError: if one is open already.
        StepError: if the ticket was refused, handed on or withdrawn.
        InvalidInputError: if it came before the first reply, or lies in the future.
    """
    ticket = locked_ticket(session, ticket_id, version)
    _check(session, ticket, received_at)
    _reopen(session, ticket, reason, actor_id)
    due = Deadlines.load(session).due(channel, ticket.unit_id, received_at)
    before = session.scalar(select(func.count()).where(TicketObjection.ticket_id == ticket_id)) or 0
    objection = TicketObjection(
        ticket_id=ticket_id,
        number=before + 1,
        channel=channel,
        received_at=received_at,
        reason=reason,
        due_on=due.on,
        due_provisional=due.provisional,
        recorded_by=actor_id,
        recorded_at=clock.now(),
    )
    session.add(objection)
    session.flush()
    renew_due(session, ticket)
    record_event(
        session,
        actor_id=actor_id,
        action="ticket.objected",
        subject="ticket",
        subject_id=ticket_id,
        changes={"objection_number": objection.number, "due_on": due.on},
    )
    return objection


def _check(session: Session, ticket: Ticket, received_at: dt.datetime) -> None:
    if ticket.first_replied_at is None:
        raise NotAnsweredError
    if received_at > clock.now():
        raise InvalidInputError(N_("The time lies in the future"))
    # People enter minutes; a reply is kept to the microsecond.
    if received_at < ticket.first_replied_at.replace(second=0, microsecond=0):
        raise InvalidInputError(N_("The objection cannot be older than the first reply"))
    if open_objection(session, ticket.id) is not None:
        raise ObjectionOpenError


def _reopen(session: Session, ticket: Ticket, reason: str, actor_id: int) -> None:
    if ticket.state not in _OBJECTED_TO:
        raise StepError(state=ticket.state.label, to_state=TicketState.INVESTIGATING.label)
    if ticket.state is TicketState.INVESTIGATING:
        ticket.version += 1
        return
    move_ticket(session, ticket.id, TicketState.INVESTIGATING, actor_id=actor_id, reason=reason)


def answer_objection(session: Session, ticket: Ticket, *, actor_id: int, at: dt.datetime) -> None:
    """End the open objection to *ticket*, if there is one, with the reply that is being kept."""
    objection = open_objection(session, ticket.id)
    if objection is not None:
        _end(session, objection, TicketObjectionState.ANSWERED, actor_id, at)
    renew_due(session, ticket)


def withdraw_objection(session: Session, ticket_id: int, reason: str, *, version: int, actor_id: int) -> None:
    """Take the open objection back for the subscriber, saying why; the last reply stands.

    Raises:
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*.
        NoObjectionError: if none is open.
    """
    ticket = locked_ticket(session, ticket_id, version)
    objection = open_objection(session, ticket_id)
    if objection is None:
        raise NoObjectionError
    objection.end_reason = reason
    _end(session, objection, TicketObjectionState.WITHDRAWN, actor_id, clock.now())
    move_ticket(session, ticket_id, TicketState.REPLIED, actor_id=actor_id)
    renew_due(session, ticket)
    record_event(
        session,
        actor_id=actor_id,
        action="ticket.objection_withdrawn",
        subject="ticket",
        subject_id=ticket_id,
        changes={"objection_number": objection.number},
        reason=reason,
    )


def _end(
    session: Session, objection: TicketObjection, state: TicketObjectionState, actor_id: int, at: dt.datetime
) -> None:
    objection.state, objection.ended_by, objection.ended_at = state, actor_id, at
    session.flush()


def open_objection(session: Session, ticket_id: int) -> TicketObjection | None:
    """Return the objection to the ticket that waits for an answer, if there is one."""
    return session.scalar(
        select(TicketObjection).where(
            TicketObjection.ticket_id == ticket_id, TicketObjection.state == TicketObjectionState.OPEN
        )
    )


def renew_due(session: Session, ticket: Ticket) -> None:
    """Let an answered ticket be due when its objection or its mediation is, whichever comes first.

    When its first reply was due stays in ``first_due_on``.
    """
    if ticket.first_replied_at is None:
        return
    objections = select(TicketObjection.due_on, TicketObjection.due_provisional).where(
        TicketObjection.ticket_id == ticket.id, TicketObjection.state == TicketObjectionState.OPEN
    )
    mediations = select(Mediation.due_on, Mediation.due_provisional).where(
        Mediation.ticket_id == ticket.id, Mediation.state == MediationState.OPEN
    )
    dues = [*session.execute(objections), *session.execute(mediations)]
    if not dues:
        return
    ticket.first_due_on = ticket.first_due_on or ticket.due_on
    ticket.due_on, ticket.due_provisional = min(tuple(due) for due in dues)


def locked_ticket(session: Session, ticket_id: int, version: int) -> Ticket:
    """Return the ticket, locked, as the user saw it.

    Raises:
        NotFoundError: if there is none.
        ConflictError: if it changed since *version*.
    """
    ticket = session.get(Ticket, ticket_id, with_for_update=True, populate_existing=True)
    if ticket is None:
        raise NotFoundError
    if ticket.version != version:
        raise ConflictError
    return ticket
