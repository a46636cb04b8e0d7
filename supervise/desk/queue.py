"""The work queue: tickets by due date, filtered and searched, a page at a time, never counted, never skipped over.

A page is found on narrow indexes first; what its rows show besides is read for those fifty alone.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, select, tuple_
from sqlalchemy.orm import Session

from supervise.attribution.models import IncidentVerdict, Verdict
from supervise.compensation.models import Credit
from supervise.compensation.queries import LIVE_CREDIT_STATES
from supervise.complaints.dispute_queries import Dispute, tickets_in
from supervise.complaints.models import (
    OPEN_TICKET_STATES,
    Channel,
    Incident,
    SubscriberNumber,
    Ticket,
    TicketIncident,
    TicketState,
)
from supervise.complaints.search import holding, reporting
from supervise.desk.models import OPEN_TICKETS
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.models import LIVE_PENALTY_STATES, Penalty

PAGE_ROWS = 50


class SoughtNumber(NamedTuple):
    """A full number that is searched for: who called, or who was called."""

    digits: str
    #: The number as a subscriber's; None if it is known as nobody's.
    number_id: int | None


class Lateness(Enum):
    """Which due dates a view shows."""

    LATE = "late"
    TODAY = "today"
    WEEK = "week"


@dataclass(frozen=True)
class QueueFilters:
    """What the queue is narrowed to; the address of a view holds the same."""

    words: str = ""
    #: Tickets about every one of them.
    numbers: tuple[SoughtNumber, ...] = ()
    #: Empty: every open state.
    states: tuple[TicketState, ...] = ()
    channels: tuple[Channel, ...] = ()
    lateness: Lateness | None = None
    #: A branch with everything below it; None: every branch.
    unit_ids: frozenset[int] | None = None
    party_id: int | None = None
    received_from: dt.datetime | None = None
    received_before: dt.datetime | None = None
    #: Tickets with an incident that nobody has decided on.
    undecided: bool = False
    #: Tickets that are objected to, or in mediation.
    dispute: Dispute | None = None


class Place(NamedTuple):
    """Where a page begins or ends: the sort key of a row."""

    due_on: dt.date
    ticket_id: int


class QueueRow(NamedTuple):
    """A ticket as the queue shows it; amounts in fen."""

    id: int
    reference: str
    external_ref: str | None
    channel: Channel
    state: TicketState
    received_at: dt.datetime
    due_on: dt.date
    due_provisional: bool
    first_replied_at: dt.datetime | None
    #: When what is due was done; None while an objection or a mediation keeps an answered ticket open.
    met_at: dt.datetime | None
    sensitive: bool
    unit: str | None
    number_mask: str | None
    claimed_party: str | None
    #: Caller numbers of its incidents, at most three, and how many incidents there are.
    callers: tuple[str, ...]
    incidents: int
    undecided: int
    #: Parties found to answer.
    parties: tuple[str, ...]
    penalties_fen: int
    credits_fen: int


class QueuePage(NamedTuple):
    """Fifty rows by due date and id, and where the pages beside them begin."""

    rows: Sequence[QueueRow]
    next_place: Place | None
    previous_place: Place | None


def queue_page(
    session: Session,
    scope: Scope,
    filters: QueueFilters,
    today: dt.date,
    *,
    after: Place | None = None,
    before: Place | None = None,
) -> QueuePage:
    """Return the page that follows *after*, or the one that ends before *before*; the first without either."""
    key = tuple_(Ticket.due_on, Ticket.id)
    query = narrowed(session, scope, filters, today)
    if before is not None:
        query = query.where(key < before).order_by(Ticket.due_on.desc(), Ticket.id.desc())
    else:
        query = query.order_by(Ticket.due_on, Ticket.id)
    if after is not None:
        query = query.where(key > after)
    places = [Place(due_on, ticket_id) for ticket_id, due_on in session.execute(query.limit(PAGE_ROWS + 1))]
    more, places = len(places) > PAGE_ROWS, places[:PAGE_ROWS]
    if before is not None:
        places.reverse()
    has_next, has_previous = (True, more) if before is not None else (more, after is not None)
    rows = rows_of(session, [place.ticket_id for place in places])
    return QueuePage(
        rows,
        places[-1] if places and has_next else None,
        places[0] if places and has_previous else None,
    )


def ticket_ids(session: Session, scope: Scope, filters: QueueFilters, today: dt.date, limit: int) -> list[int]:
    """Return the ids of at most *limit* tickets of a view, by due date: what "all of this view" means."""
    query = narrowed(session, scope, filters, today).order_by(Ticket.due_on, Ticket.id).limit(limit)
    return [ticket_id for ticket_id, _due_on in session.execute(query)]


def narrowed(session: Session, scope: Scope, filters: QueueFilters, today: dt.date) -> Select[int, dt.date]:
    """Return (id, due day) of the tickets in *scope* that *filters* leave, in no order."""
    query = scope.limit(select(Ticket.id, Ticket.due_on), unit=Ticket.unit_id)
    if filters.states:
        query = query.where(Ticket.state.in_(filters.states))
    if set(filters.states) <= set(OPEN_TICKET_STATES):
        # Also where only some open states are asked for: the condition by which the indexes of open tickets are found.
        query = query.where(OPEN_TICKETS)
    if filters.channels:
        query = query.where(Ticket.channel.in_(filters.channels))
    if filters.unit_ids is not None:
        query = query.where(Ticket.unit_id.in_(filters.unit_ids))
    if filters.lateness is not None:
        query = query.where(_due_in(filters.lateness, today))
    if filters.received_from is not None:
        query = query.where(Ticket.received_at >= filters.received_from)
    if filters.received_before is not None:
        query = query.where(Ticket.received_at < filters.received_before)
    if filters.party_id is not None:
        query = query.where(Ticket.id.in_(_tickets_of_party(filters.party_id)))
    if filters.undecided:
        query = query.where(_has_undecided())
    ticket_id = Ticket.__table__.c.id
    found = [holding(session, filters.words, ticket_id), _in_dispute(filters.dispute)]
    found += [reporting(session, number.digits, number.number_id, ticket_id) for number in filters.numbers]
    return query.where(*(condition for condition in found if condition is not None))


def _in_dispute(dispute: Dispute | None) -> ColumnElement[bool] | None:
    return None if dispute is None else Ticket.id.in_(tickets_in(dispute))


def _due_in(lateness: Lateness, today: dt.date) -> ColumnElement[bool]:
    if lateness is Lateness.LATE:
        return Ticket.due_on < today
    days = 1 if lateness is Lateness.TODAY else 7
    return and_(Ticket.due_on >= today, Ticket.due_on < today + dt.timedelta(days=days))


def _tickets_of_party(party_id: int) -> Select[int]:
    return (
        select(TicketIncident.ticket_id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == TicketIncident.incident_id)
        .where(IncidentVerdict.party_id == party_id)
    )


def _has_undecided() -> ColumnElement[bool]:
    return (
        select(TicketIncident.id)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == TicketIncident.incident_id)
        .where(TicketIncident.ticket_id == Ticket.id, IncidentVerdict.incident_id.is_(None))
        # Keeps a planner from collecting every undecided incident before it looks for fifty tickets.
        .offset(0)
        .exists()
    )


class _Calls(NamedTuple):
    callers: tuple[str, ...]
    incidents: int
    undecided: int
    parties: tuple[str, ...]
    penalties_fen: int
    credits_fen: int


#: What a row shows of the ticket itself: columns, not objects, since fifty of them are made for every page.
_SHOWN = (
    Ticket.id,
    Ticket.reference,
    Ticket.external_ref,
    Ticket.channel,
    Ticket.state,
    Ticket.received_at,
    Ticket.due_on,
    Ticket.due_provisional,
    Ticket.first_replied_at,
    case(
        (and_(Ticket.first_due_on.is_not(None), Ticket.state == TicketState.INVESTIGATING), None),
        else_=Ticket.first_replied_at,
    ),
    Ticket.sensitive,
    OrgUnit.name,
    SubscriberNumber.number_mask,
    Ticket.claimed_party,
)


def rows_of(session: Session, ids: Sequence[int]) -> list[QueueRow]:
    """Return the tickets with what the queue shows of them, by due date and id."""
    query = (
        select(*_SHOWN)
        .outerjoin(OrgUnit, OrgUnit.id == Ticket.unit_id)
        .outerjoin(SubscriberNumber, SubscriberNumber.id == Ticket.number_id)
        .where(Ticket.id.in_(ids))
        .order_by(Ticket.due_on, Ticket.id)
    )
    calls = _calls_of(session, ids)
    nothing = _Calls((), 0, 0, (), 0, 0)
    return [QueueRow._make((*row, *calls.get(row.id, nothing))) for row in session.execute(query)]


def _calls_of(session: Session, ticket_ids_: Sequence[int]) -> dict[int, _Calls]:
    penalties = (
        select(func.coalesce(func.sum(Penalty.amount_fen - Penalty.lifted_fen), 0))
        .where(Penalty.incident_id == Incident.id, Penalty.state.in_(LIVE_PENALTY_STATES))
        .scalar_subquery()
    )
    credits_ = (
        select(func.coalesce(func.sum(Credit.amount_fen), 0))
        .where(Credit.incident_id == Incident.id, Credit.state.in_(LIVE_CREDIT_STATES))
        .scalar_subquery()
    )
    query = (
        select(
            TicketIncident.ticket_id,
            Incident.caller_number,
            IncidentVerdict.verdict,
            Party.name,
            penalties,
            credits_,
        )
        .join(Incident, Incident.id == TicketIncident.incident_id)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .outerjoin(Party, Party.id == IncidentVerdict.party_id)
        .where(TicketIncident.ticket_id.in_(ticket_ids_))
        .order_by(TicketIncident.ticket_id, Incident.occurred_at, Incident.id)
    )
    grouped: dict[int, list[tuple[str | None, Verdict | None, str | None, int, int]]] = {}
    for ticket_id, *facts in session.execute(query):
        grouped.setdefault(ticket_id, []).append(tuple(facts))
    return {ticket_id: _summed(facts) for ticket_id, facts in grouped.items()}


def _summed(facts: Sequence[tuple[str | None, Verdict | None, str | None, int, int]]) -> _Calls:
    callers = dict.fromkeys(caller for caller, *_rest in facts if caller)
    parties = dict.fromkeys(party for _caller, _verdict, party, *_rest in facts if party)
    return _Calls(
        callers=tuple(callers)[:3],
        incidents=len(facts),
        undecided=sum(verdict is None for _caller, verdict, *_rest in facts),
        parties=tuple(parties),
        # PostgreSQL sums whole numbers into decimals; an amount is an int.
        penalties_fen=sum(int(fact[3]) for fact in facts),
        credits_fen=sum(int(fact[4]) for fact in facts),
    )
