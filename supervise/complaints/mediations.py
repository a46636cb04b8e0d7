"""Mediation by an authority: opened with its term, told event by event, ended with its terms (domain F85, R17)."""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.dispute_models import Mediation, MediationEvent, MediationState, Mediator
from supervise.complaints.mediation_terms import term_days
from supervise.complaints.models import OPEN_TICKET_STATES, DayType, Ticket, TicketState
from supervise.complaints.ticket_objections import locked_ticket, renew_due
from supervise.complaints.tickets import StepError, move_ticket
from supervise.complaints.workdays import DayInCalendar, load_calendar
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_
from supervise.money import FEN_MAX


class MediationCase(NamedTuple):
    """What the mediator's letter says."""

    mediator: Mediator
    #: As the mediator numbers it.
    number: str
    opened_on: dt.date
    #: The last day of the term; None: by the mediator's dated row, if there is one. The day of the letter wins.
    due_on: dt.date | None


class MediationEnding(NamedTuple):
    """How a mediation ended."""

    state: MediationState
    ended_on: dt.date
    #: The terms, or why there is no agreement.
    outcome: str
    #: What the carrier agreed to credit once; None: nothing.
    agreed_fen: int | None


class NoMediationError(ConflictError):
    """Somebody was faster, or there never was one."""

    message = N_("No mediation of this ticket is open")


class MediationOpenError(ConflictError):
    """A ticket has one mediation at a time."""

    message = N_("A mediation of this ticket is open already: %(case_number)s")


def open_mediation(
    session: Session,
    ticket_id: int,
    case: MediationCase,
    *,
    version: int,
    actor_id: int,
) -> Mediation:
    """Record that somebody mediates; a closed ticket is open again until it ends.

    Source: docs/rules.md, O-2.

    Raises:
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*, or the case number is known.
        MediationOpenError: if one is open already.
        StepError: if the ticket was refused, handed on or withdrawn.
        InvalidInputError: for days that cannot be, or no day where no rule gives one.
    """
    ticket = locked_ticket(session, ticket_id, version)
    due = _due(session, case)
    _refuse_known(session, ticket_id, case)
    _keep_open(session, ticket, case.number, actor_id)
    mediation = Mediation(
        ticket_id=ticket_id,
        mediator=case.mediator,
        case_number=case.number,
        opened_on=case.opened_on,
        due_on=due.day,
        due_provisional=due.provisional,
        recorded_by=actor_id,
        recorded_at=clock.now(),
    )
    session.add(mediation)
    session.flush()
    renew_due(session, ticket)
    changes = {"mediator": case.mediator, "case_number": case.number, "due_on": due.day}
    _record(session, mediation, "mediation.opened", actor_id, changes)
    return mediation


def _due(session: Session, case: MediationCase) -> DayInCalendar:
    if case.opened_on > clock.today():
        raise InvalidInputError(N_("The day lies in the future"))
    if case.due_on is not None:
        if case.due_on < case.opened_on:
            raise InvalidInputError(N_("The term cannot end before it begins"))
        return DayInCalendar(case.due_on, provisional=False)
    days = term_days(session, case.mediator, case.opened_on)
    if days is None:
        raise InvalidInputError(N_("No rule gives this mediator's term: enter the day that its letter names"))
    return load_calendar(session).add_days(case.opened_on, days, DayType.WORKING)


def _refuse_known(session: Session, ticket_id: int, case: MediationCase) -> None:
    other = live_mediation(session, ticket_id)
    if other is not None:
        raise MediationOpenError(case_number=other.case_number)
    known = select(Mediation.id).where(Mediation.mediator == case.mediator, Mediation.case_number == case.number)
    if session.scalar(known) is not None:
        raise ConflictError(N_("This case number of the mediator is recorded already"))


def _keep_open(session: Session, ticket: Ticket, case_number: str, actor_id: int) -> None:
    if ticket.state is TicketState.CLOSED:
        move_ticket(session, ticket.id, TicketState.INVESTIGATING, actor_id=actor_id, reason=case_number)
    elif ticket.state in OPEN_TICKET_STATES:
        ticket.version += 1
    else:
        raise StepError(state=ticket.state.label, to_state=MediationState.OPEN.label)


def add_mediation_event(
    session: Session, ticket_id: int, on_day: dt.date, words: str, *, version: int, actor_id: int
) -> MediationEvent:
    """Keep what happened in the open mediation of a ticket.

    Raises:
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*.
        NoMediationError: if none is open.
        InvalidInputError: for a day before it began, or in the future.
    """
    ticket = locked_ticket(session, ticket_id, version)
    mediation = _live(session, ticket_id)
    if not mediation.opened_on <= on_day <= clock.today():
        raise InvalidInputError(N_("The day lies before the mediation, or in the future"))
    event = MediationEvent(mediation_id=mediation.id, on_day=on_day, words=words, made_by=actor_id, made_at=clock.now())
    session.add(event)
    ticket.version += 1
    session.flush()
    _record(session, mediation, "mediation.told", actor_id, {"on": on_day})
    return event


def end_mediation(
    session: Session,
    ticket_id: int,
    ending: MediationEnding,
    *,
    version: int,
    actor_id: int,
) -> Mediation:
    """End the open mediation of a ticket with its terms; the ticket can be answered and closed again.

    What was agreed to be credited becomes a promise by ``compensation.mediated``, which two people make.

    Raises:
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*.
        NoMediationError: if none is open.
        InvalidInputError: for an amount without an agreement, or a day that cannot be.
    """
    ticket = locked_ticket(session, ticket_id, version)
    mediation = _live(session, ticket_id)
    _check_ending(mediation, ending)
    mediation.state, mediation.ended_on, mediation.outcome, mediation.agreed_fen = ending
    mediation.ended_by, mediation.ended_at = actor_id, clock.now()
    ticket.version += 1
    session.flush()
    renew_due(session, ticket)
    changes = {"ended_on": ending.ended_on, "agreed_fen": ending.agreed_fen}
    _record(session, mediation, f"mediation.{ending.state.value}", actor_id, changes)
    return mediation


def _check_ending(mediation: Mediation, ending: MediationEnding) -> None:
    if ending.state is MediationState.OPEN:
        raise InvalidInputError(N_("Say how it ended"))
    if not mediation.opened_on <= ending.ended_on <= clock.today():
        raise InvalidInputError(N_("The day lies before the mediation, or in the future"))
    if ending.agreed_fen is None:
        return
    if ending.state is not MediationState.AGREED:
        raise InvalidInputError(N_("Only an agreement has an amount"))
    if not 0 < ending.agreed_fen <= FEN_MAX:
        raise InvalidInputError(N_("The amount is out of range"))


def live_mediation(session: Session, ticket_id: int) -> Mediation | None:
    """Return the mediation of the ticket that has not ended, if there is one."""
    return session.scalar(
        select(Mediation).where(Mediation.ticket_id == ticket_id, Mediation.state == MediationState.OPEN)
    )


def _live(session: Session, ticket_id: int) -> Mediation:
    mediation = live_mediation(session, ticket_id)
    if mediation is None:
        raise NoMediationError
    return mediation


def _record(session: Session, mediation: Mediation, action: str, actor_id: int, changes: Mapping[str, object]) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="ticket",
        subject_id=mediation.ticket_id,
        changes=changes,
    )
