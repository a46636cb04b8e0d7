"""Figures above the queue and on the home pages: what waits, what is late, what this month cost, who causes it."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import IncidentVerdict
from supervise.compensation.models import Credit
from supervise.compensation.queries import LIVE_CREDIT_STATES
from supervise.complaints.models import Incident, Ticket, TicketState
from supervise.desk.models import OPEN_TICKETS
from supervise.labels import _
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.parties.tree import tree_at
from supervise.penalties.models import Penalty, PenaltyFamily, PenaltyState

WEEKS = 7
#: As many branches as the chart has colours, the last of which stands for all others.
_SERIES_MAX = 6
_WEEK = dt.timedelta(days=7)
_BOOKED_PENALTIES = (PenaltyState.APPROVED, PenaltyState.FINAL)


class Waiting(NamedTuple):
    """How many open tickets have no answer yet, how many of them are late, due today or due tomorrow."""

    unanswered: int
    late: int
    soon: int


class Sum(NamedTuple):
    """Amounts in fen, and how many they are."""

    total_fen: int
    rows: int


class Weeks(NamedTuple):
    """Complaints received in each of the last weeks, by branch; the busiest branches first."""

    #: The Monday of each week.
    firsts: tuple[dt.date, ...]
    series: tuple[tuple[str, tuple[int, ...]], ...]


class Ranked(NamedTuple):
    """A party and how many calls of the last weeks it answers for."""

    party_id: int
    code: str
    name: str
    calls: int


def waiting_tickets(session: Session, scope: Scope, today: dt.date) -> Waiting:
    """Return what waits for an answer; read from the index of open tickets alone."""
    late = func.coalesce(func.sum(case((Ticket.due_on < today, 1), else_=0)), 0)
    soon = func.coalesce(func.sum(case((Ticket.due_on.between(today, today + dt.timedelta(days=1)), 1), else_=0)), 0)
    query = select(func.count(), late, soon).where(OPEN_TICKETS, Ticket.state != TicketState.REPLIED)
    row = session.execute(scope.limit(query, unit=Ticket.unit_id)).one()
    return Waiting(*(int(value) for value in row))


def penalties_approved(session: Session, scope: Scope, since: dt.datetime, family: PenaltyFamily | None = None) -> Sum:
    """Return the penalties, of one *family* or of both, that were approved since the moment and still stand."""
    query = select(func.coalesce(func.sum(Penalty.amount_fen - Penalty.lifted_fen), 0), func.count()).where(
        Penalty.approved_at >= since, Penalty.state.in_(_BOOKED_PENALTIES)
    )
    if family is not None:
        query = query.where(Penalty.family == family)
    return _sum(session, scope.limit(query, unit=Penalty.unit_id, party=Penalty.party_id))


def credits_approved(session: Session, scope: Scope, since: dt.datetime) -> Sum:
    """Return the credits that were approved since the moment and still stand."""
    query = select(func.coalesce(func.sum(Credit.amount_fen), 0), func.count()).where(
        Credit.approved_at >= since, Credit.state.in_(LIVE_CREDIT_STATES)
    )
    return _sum(session, scope.limit(query, unit=Credit.unit_id))


def _sum(session: Session, query: Select[int, int]) -> Sum:
    total, rows = session.execute(query).one()
    return Sum(int(total), int(rows))


def month_start(today: dt.date) -> dt.datetime:
    """Return the first moment of this month in China."""
    return clock.start_of_day(today.replace(day=1))


def weeks_by_branch(session: Session, scope: Scope, today: dt.date) -> Weeks:
    """Return the complaints of the last seven weeks by branch; a unit counts for the topmost branch it is below.

    The topmost are the children of the one root, or what the user sees topmost.
    """
    monday = today - dt.timedelta(days=today.weekday())
    firsts = tuple(monday - _WEEK * back for back in reversed(range(WEEKS)))
    parts = [_one_week(scope, place, first) for place, first in enumerate(firsts)]
    counts: dict[int | None, Counter[int]] = {}
    branch_of = _branches(session, scope, today)
    for place, unit_id, count in session.execute(union_all(*parts)):
        counts.setdefault(branch_of.get(unit_id), Counter())[place] += count
    names = _unit_names(session, [unit_id for unit_id in counts if unit_id is not None])
    busiest = sorted(counts, key=lambda unit_id: (-counts[unit_id].total(), unit_id or 0))
    shown, others = busiest[:_SERIES_MAX], busiest[_SERIES_MAX:]
    series = [
        (names.get(unit_id or 0, _("No branch")), tuple(counts[unit_id][place] for place in range(WEEKS)))
        for unit_id in shown
    ]
    if others:
        rest = tuple(sum(counts[unit_id][place] for unit_id in others) for place in range(WEEKS))
        series.append((_("Others"), rest))
    return Weeks(firsts, tuple(series))


def _one_week(scope: Scope, place: int, first: dt.date) -> Select[int, int | None, int]:
    # Seven ranges of one index instead of a calculation for every row.
    query = select(literal(place), Ticket.unit_id, func.count()).where(
        Ticket.received_at >= clock.start_of_day(first), Ticket.received_at < clock.start_of_day(first + _WEEK)
    )
    return scope.limit(query, unit=Ticket.unit_id).group_by(Ticket.unit_id)


def _branches(session: Session, scope: Scope, today: dt.date) -> dict[int | None, int]:
    within = None if scope.sees_everything else scope.unit_ids
    rows = tree_at(session, today, within=within)
    roots = [row for row in rows if row.depth == 0]
    # Below a single root the branches are what people compare.
    level = 1 if len(roots) == 1 and len(rows) > 1 else 0
    branch_of: dict[int | None, int] = {}
    for row in rows:
        above = branch_of.get(row.parent_id) if row.depth > level else None
        branch_of[row.unit.id] = above if above is not None else row.unit.id
    return branch_of


def _unit_names(session: Session, unit_ids: Sequence[int]) -> dict[int, str]:
    query = select(OrgUnit.id, OrgUnit.name).where(OrgUnit.id.in_(unit_ids))
    return {row.id: row.name for row in session.execute(query)}


def most_complained(session: Session, scope: Scope, since: dt.date, *, limit: int = 5) -> Sequence[Ranked]:
    """Return the parties that answer for most calls since the day, the most first."""
    calls = func.count()
    query = (
        select(IncidentVerdict.party_id, calls.label("calls"))
        .join(Incident, Incident.id == IncidentVerdict.incident_id)
        .where(Incident.occurred_on >= since, IncidentVerdict.party_id.is_not(None))
        .group_by(IncidentVerdict.party_id)
    )
    busiest = scope.limit(query, unit=Incident.unit_id).order_by(calls.desc()).limit(limit).subquery()
    rows = session.execute(
        select(Party.id, Party.code, Party.name, busiest.c.calls)
        .join(busiest, busiest.c.party_id == Party.id)
        .order_by(busiest.c.calls.desc(), Party.name)
    )
    return [Ranked._make(row) for row in rows]
