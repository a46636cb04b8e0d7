"""The states of a ticket: which step may follow which, who took it and why."""

import datetime as dt
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event, record_events
from supervise.complaints.dispute_models import Mediation, MediationState, TicketObjection, TicketObjectionState
from supervise.complaints.models import OPEN_TICKET_STATES, Ticket, TicketState, TicketStep
from supervise.errors import ConflictError, InvalidInputError, NotFoundError, RefusalError, RowResult
from supervise.labels import N_

_S = TicketState

#: From which states a state is reached (domain 6.4). A closed ticket is reopened into INVESTIGATING.
SOURCES: Mapping[TicketState, frozenset[TicketState]] = MappingProxyType(
    {
        _S.ACCEPTED: frozenset({_S.NEW}),
        _S.INVESTIGATING: frozenset({_S.NEW, _S.ACCEPTED, _S.REPLIED, _S.CLOSED}),
        _S.REPLIED: frozenset({_S.NEW, _S.ACCEPTED, _S.INVESTIGATING}),
        _S.CLOSED: frozenset({_S.REPLIED}),
        _S.REFUSED: frozenset({_S.NEW}),
        _S.TRANSFERRED: frozenset({_S.NEW, _S.ACCEPTED, _S.INVESTIGATING}),
        _S.WITHDRAWN: frozenset(OPEN_TICKET_STATES),
    }
)
#: These steps tell the complainant no, or undo an answer: they need a reason.
_NEED_REASON = frozenset({_S.REFUSED, _S.TRANSFERRED, _S.WITHDRAWN})

#: These steps end our work on it.
_PUT_AWAY = frozenset({_S.CLOSED, _S.TRANSFERRED, _S.WITHDRAWN})

#: Steps that many tickets may take at once.
_IN_BULK = frozenset({_S.ACCEPTED, _S.INVESTIGATING})


class StepError(ConflictError):
    """The ticket's state does not allow the step."""

    message = N_("A ticket that is “%(state)s” cannot become “%(to_state)s”")


class DisputeOpenError(ConflictError):
    """A ticket that is objected to or in mediation is not put away."""

    message = N_("An objection or a mediation of this ticket is open; end it first")


class ReasonError(InvalidInputError):
    """A refusal, a transfer, a withdrawal or a reopening says why."""

    message = N_("Give a reason")


def move_ticket(
    session: Session,
    ticket_id: int,
    to_state: TicketState,
    *,
    actor_id: int,
    reason: str | None = None,
    version: int | None = None,
    at: dt.datetime | None = None,
) -> Ticket:
    """Take a ticket to *to_state* and keep the step; with *version*, only if nobody changed it since.

    What else a state demands (a reply, a resolution code) its own decision sees to before.

    Raises:
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*.
        StepError: if the present state does not lead there.
        ReasonError: if the step needs a reason and has none.
        DisputeOpenError: if it would put away what is objected to or in mediation.
    """
    ticket = session.get(Ticket, ticket_id, with_for_update=True, populate_existing=True)
    if ticket is None:
        raise NotFoundError
    if version is not None and ticket.version != version:
        raise ConflictError
    if ticket.state not in SOURCES.get(to_state, ()):
        raise StepError(state=ticket.state.label, to_state=to_state.label)
    words = (reason or "").strip() or None
    if words is None and (to_state in _NEED_REASON or ticket.state is _S.CLOSED):
        raise ReasonError
    if to_state in _PUT_AWAY:
        _refuse_in_dispute(session, ticket_id)
    before, ticket.state = ticket.state, to_state
    ticket.version += 1
    if before is _S.CLOSED:
        ticket.closed_at = None
    moment = at or clock.now()
    session.add(TicketStep(ticket_id=ticket_id, at=moment, actor_id=actor_id, to_state=to_state, reason=words))
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action=f"ticket.{to_state.value}",
        subject="ticket",
        subject_id=ticket_id,
        changes={"state": [before, to_state]},
    )
    return ticket


def _refuse_in_dispute(session: Session, ticket_id: int) -> None:
    objected = select(TicketObjection.id).where(
        TicketObjection.ticket_id == ticket_id, TicketObjection.state == TicketObjectionState.OPEN
    )
    mediated = select(Mediation.id).where(Mediation.ticket_id == ticket_id, Mediation.state == MediationState.OPEN)
    if session.scalar(objected) is not None or session.scalar(mediated) is not None:
        raise DisputeOpenError


def move_tickets(
    session: Session, ticket_ids: Sequence[int], to_state: TicketState, *, actor_id: int
) -> list[RowResult]:
    """Take each ticket whose state allows it to *to_state*, all at once; return a result for every id, in order.

    For the steps that need neither reason nor reply: a new ticket is accepted, an accepted one investigated.

    Raises:
        ReasonError: for any other step: that is taken one by one.
    """
    if to_state not in _IN_BULK:
        raise ReasonError
    ids = list(dict.fromkeys(ticket_ids))
    # In the order of ids, so that two bulk decisions never wait for each other in a circle.
    query = select(Ticket.id, Ticket.state).where(Ticket.id.in_(ids)).order_by(Ticket.id).with_for_update()
    states = {row.id: row.state for row in session.execute(query)}
    refusals = {ticket_id: _step_refusal(states.get(ticket_id), to_state) for ticket_id in ids}
    moved = [ticket_id for ticket_id in ids if refusals[ticket_id] is None]
    if moved:
        now = clock.now()
        session.execute(update(Ticket).where(Ticket.id.in_(moved)).values(state=to_state, version=Ticket.version + 1))
        step = {"at": now, "actor_id": actor_id, "to_state": to_state, "reason": None}
        session.execute(insert(TicketStep), [{"ticket_id": ticket_id, **step} for ticket_id in moved])
        record_events(
            session,
            actor_id=actor_id,
            action=f"ticket.{to_state.value}",
            subject="ticket",
            changes=[(ticket_id, {"state": [states[ticket_id], to_state]}) for ticket_id in moved],
        )
    return [RowResult(ticket_id, refusals[ticket_id]) for ticket_id in ids]


def _step_refusal(state: TicketState | None, to_state: TicketState) -> RefusalError | None:
    if state is None:
        return NotFoundError()
    # Reopening says why, one by one.
    if state is _S.CLOSED or state not in SOURCES.get(to_state, ()):
        return StepError(state=state.label, to_state=to_state.label)
    return None


def accept_ticket(session: Session, ticket_id: int, *, actor_id: int, version: int | None = None) -> Ticket:
    """Accept a new ticket: it is ours to answer."""
    return move_ticket(session, ticket_id, _S.ACCEPTED, actor_id=actor_id, version=version)


def investigate_ticket(session: Session, ticket_id: int, *, actor_id: int, version: int | None = None) -> Ticket:
    """Begin to verify what the ticket reports."""
    return move_ticket(session, ticket_id, _S.INVESTIGATING, actor_id=actor_id, version=version)


def reopen_ticket(
    session: Session, ticket_id: int, *, reason: str, actor_id: int, version: int | None = None
) -> Ticket:
    """Take up a closed ticket again; its first reply keeps its date.

    Raises:
        StepError: if the ticket is not closed.
    """
    ticket = session.get(Ticket, ticket_id)
    if ticket is not None and ticket.state is not _S.CLOSED:
        raise StepError(state=ticket.state.label, to_state=_S.INVESTIGATING.label)
    return move_ticket(session, ticket_id, _S.INVESTIGATING, actor_id=actor_id, reason=reason, version=version)


def refuse_ticket(
    session: Session, ticket_id: int, *, reason: str, actor_id: int, version: int | None = None
) -> Ticket:
    """Do not accept a new ticket, for instance since it is time-barred (domain R3)."""
    return move_ticket(session, ticket_id, _S.REFUSED, actor_id=actor_id, reason=reason, version=version)


def transfer_ticket(
    session: Session, ticket_id: int, *, to_whom: str, reason: str, actor_id: int, version: int | None = None
) -> Ticket:
    """Hand a ticket to the body that must answer it; *to_whom* names it (domain F38).

    Raises:
        ReasonError: if the body or the reason is missing.
    """
    if not to_whom.strip() or not reason.strip():
        raise ReasonError
    words = f"{to_whom.strip()}: {reason.strip()}"
    return move_ticket(session, ticket_id, _S.TRANSFERRED, actor_id=actor_id, reason=words, version=version)


def withdraw_ticket(
    session: Session, ticket_id: int, *, reason: str, actor_id: int, version: int | None = None
) -> Ticket:
    """Close a ticket that the complainant or the channel took back; its incidents stay (domain 4.9)."""
    return move_ticket(session, ticket_id, _S.WITHDRAWN, actor_id=actor_id, reason=reason, version=version)
