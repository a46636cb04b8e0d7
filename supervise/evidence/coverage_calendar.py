"""A month of coverage, platform by day: what was delivered, what is missing, what was dropped, what is not due."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.evidence.models import RecordKind, RecordPartition, RecordSource
from supervise.labels import N_, LabelledEnum

_DAY = dt.timedelta(days=1)


class DayState(LabelledEnum):
    """What a platform has of a day."""

    DELIVERED = "delivered", N_("Delivered")
    EMPTY = "without_rows", N_("Delivered, no rows")
    MISSING = "missing", N_("Missing")
    DROPPED = "dropped", N_("Dropped")
    NOT_IN_SERVICE = "not_in_service", N_("Not in service")
    NOT_YET = "not_yet", N_("Not due yet")


class CoveredDay(NamedTuple):
    """A day of a platform."""

    day: dt.date
    state: DayState
    rows: int


class PlatformMonth(NamedTuple):
    """A month of a platform, its days in order."""

    source: RecordSource
    days: Sequence[CoveredDay]

    @property
    def missing(self) -> Sequence[dt.date]:
        """The days that are due and were not delivered."""
        return [one.day for one in self.days if one.state is DayState.MISSING]

    @property
    def missing_ranges(self) -> Sequence[tuple[dt.date, dt.date]]:
        """The missing days as stretches from a first to a last day."""
        stretches: list[tuple[dt.date, dt.date]] = []
        for day in self.missing:
            if stretches and stretches[-1][1] == day - _DAY:
                stretches[-1] = (stretches[-1][0], day)
            else:
                stretches.append((day, day))
        return stretches


def coverage_of_month(session: Session, kind: RecordKind, month: str) -> list[PlatformMonth]:
    """Return every platform of *kind* that is in service in *month* or delivered for it, by code."""
    first, end = clock.month_bounds(month)
    sources = session.scalars(select(RecordSource).where(RecordSource.kind == kind).order_by(RecordSource.code)).all()
    held = _held_in(session, [source.id for source in sources], first, end)
    days = [first + n * _DAY for n in range((end - first).days)]
    today = clock.today()
    found = []
    for source in sources:
        covered = [_covered(source, day, held.get((source.id, day)), today) for day in days]
        if any(one.state is not DayState.NOT_IN_SERVICE for one in covered):
            found.append(PlatformMonth(source, covered))
    return found


class _Held(NamedTuple):
    current: int
    dropped: int
    rows: int


def _held_in(
    session: Session, source_ids: Sequence[int], first: dt.date, end: dt.date
) -> dict[tuple[int, dt.date], _Held]:
    kept, gone = RecordPartition.dropped_at.is_(None), RecordPartition.dropped_at.is_not(None)
    counts = and_(kept, RecordPartition.superseded_by_id.is_(None))
    query = (
        select(
            RecordPartition.source_id,
            RecordPartition.on_day,
            func.sum(case((counts, 1), else_=0)),
            func.sum(case((gone, 1), else_=0)),
            func.sum(case((counts, RecordPartition.rows), else_=0)),
        )
        .where(RecordPartition.source_id.in_(source_ids), RecordPartition.on_day >= first, RecordPartition.on_day < end)
        .group_by(RecordPartition.source_id, RecordPartition.on_day)
    )
    return {(row[0], row[1]): _Held(*map(int, row[2:])) for row in session.execute(query)}


def _covered(source: RecordSource, day: dt.date, held: _Held | None, today: dt.date) -> CoveredDay:
    if held is not None and held.current:
        return CoveredDay(day, DayState.DELIVERED if held.rows else DayState.EMPTY, held.rows)
    if held is not None and held.dropped:
        return CoveredDay(day, DayState.DROPPED, 0)
    if day < source.valid_from or (source.valid_to is not None and day >= source.valid_to):
        return CoveredDay(day, DayState.NOT_IN_SERVICE, 0)
    return CoveredDay(day, DayState.NOT_YET if day >= today else DayState.MISSING, 0)
