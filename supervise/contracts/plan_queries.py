"""Named reads of the plan catalogue: published facts, which everybody who reads reference rows sees alike."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import slices
from supervise.contracts.models import Plan, PlanChannel
from supervise.parties.models import SalesChannelKind
from supervise.parties.periods import holds_at
from supervise.parties.queries import AT_ONCE, contains, found


class PlanFilters(NamedTuple):
    """What the list is narrowed by; *text* fits code and name."""

    text: str = ""
    kind: SalesChannelKind | None = None
    #: True: only those published today.
    present: bool = False


class PlanLine(NamedTuple):
    """A period of a plan and where it may be sold; with neither kinds nor codes, everywhere."""

    plan: Plan
    kinds: tuple[SalesChannelKind, ...]
    channel_codes: tuple[str, ...]


class PlanPeriod(NamedTuple):
    """What was published under a code from when until when; with neither kinds nor codes it may be sold everywhere."""

    code: str
    name: str
    monthly_price_fen: int
    published_from: dt.date
    published_to: dt.date | None
    kinds: frozenset[SalesChannelKind]
    channel_codes: frozenset[str]


def plan_periods(session: Session) -> list[PlanPeriod]:
    """Return every period of every plan, by code and first day."""
    return [_period(line) for line in _with_channels(session, select(Plan).order_by(Plan.code, Plan.published_from))]


def plans_by_code(
    session: Session, filters: PlanFilters, *, after: tuple[str, int] | None = None, limit: int = AT_ONCE
) -> list[PlanLine]:
    """Return up to *limit* plans after (code, id) *after*, by code, each period a row."""
    query = select(Plan).order_by(Plan.code, Plan.id).limit(limit)
    if after is not None:
        code, plan_id = after
        query = query.where(or_(Plan.code > code, and_(Plan.code == code, Plan.id > plan_id)))
    if filters.text:
        query = query.where(or_(contains(Plan.code, filters.text), contains(Plan.name, filters.text)))
    if filters.kind is not None:
        narrowed = select(PlanChannel.plan_id)
        allowed = narrowed.where(PlanChannel.kind == filters.kind)
        query = query.where(or_(Plan.id.in_(allowed), Plan.id.not_in(narrowed)))
    if filters.present:
        query = query.where(holds_at(Plan.published_from, Plan.published_to, clock.today()))
    return _with_channels(session, query)


def plan_by_id(session: Session, plan_id: int) -> PlanLine:
    """Return the plan.

    Raises:
        NotFoundError: if there is none.
    """
    found(session.get(Plan, plan_id))
    return _with_channels(session, select(Plan).where(Plan.id == plan_id))[0]


def periods_of_plan(session: Session, code: str) -> list[PlanLine]:
    """Return every period of the code, the latest first."""
    return _with_channels(session, select(Plan).where(Plan.code == code).order_by(Plan.published_from.desc()))


def plans_with_codes(session: Session, codes: Collection[str]) -> list[PlanLine]:
    """Return every period of these codes, by code and first day."""
    lines: list[PlanLine] = []
    for some in slices(sorted(codes)):
        query = select(Plan).where(Plan.code.in_(some)).order_by(Plan.code, Plan.published_from)
        lines += _with_channels(session, query)
    return lines


def _with_channels(session: Session, query: Select[Plan]) -> list[PlanLine]:
    plans = session.scalars(query).all()
    kinds: dict[int, list[SalesChannelKind]] = defaultdict(list)
    codes: dict[int, list[str]] = defaultdict(list)
    for some in slices([plan.id for plan in plans]):
        allowed = select(PlanChannel).where(PlanChannel.plan_id.in_(some)).order_by(PlanChannel.id)
        for one in session.scalars(allowed):
            if one.kind is not None:
                kinds[one.plan_id].append(one.kind)
            if one.channel_code is not None:
                codes[one.plan_id].append(one.channel_code)
    return [PlanLine(plan, tuple(kinds[plan.id]), tuple(codes[plan.id])) for plan in plans]


def _period(line: PlanLine) -> PlanPeriod:
    plan = line.plan
    return PlanPeriod(
        plan.code,
        plan.name,
        plan.monthly_price_fen,
        plan.published_from,
        plan.published_to,
        frozenset(line.kinds),
        frozenset(line.channel_codes),
    )
