"""The states of a ticket: which step may follow which, who took it and why."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.models import OPEN_TICKET_STATES, Ticket, TicketState, TicketStep
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
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


class StepError(ConflictError):
    """The ticket's state does not allow the step."""

    message = N_("A ticket that is “%(state)s” cannot become “%(to_state)s”")


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
