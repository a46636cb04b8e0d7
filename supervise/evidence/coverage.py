"""For which days there are records: "no call found" and "no records for that day" are two answers."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.evidence.models import RecordKind, RecordPartition, RecordSource


class Coverage(NamedTuple):
    """What a day has: the platforms that delivered, and those in service that did not."""

    on_day: dt.date
    delivered: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Every platform in service delivered, and there was one."""
        return bool(self.delivered) and not self.missing


def coverage_on(session: Session, kind: RecordKind, days: Collection[dt.date]) -> dict[dt.date, Coverage]:
    """Return for each of *days* which platforms have records of *kind*; a day without calls is delivered as well.

    What was dropped when retention ended is no longer there.
    """
    query = select(RecordPartition.on_day, RecordSource.code).join(
        RecordSource, RecordSource.id == RecordPartition.source_id
    )
    current = query.where(
        RecordPartition.kind == kind,
        RecordPartition.superseded_by_id.is_(None),
        RecordPartition.dropped_at.is_(None),
    )
    delivered: dict[dt.date, set[str]] = defaultdict(set)
    wanted = sorted(set(days))
    if wanted:
        for day, code in session.execute(
            current.where(RecordPartition.on_day.between(wanted[0], wanted[-1])).distinct()
        ):
            delivered[day].add(code)
    sources = session.scalars(select(RecordSource).where(RecordSource.kind == kind)).all()
    found = {}
    for day in wanted:
        due = {one.code for one in sources if one.valid_from <= day and (one.valid_to is None or day < one.valid_to)}
        found[day] = Coverage(day, tuple(sorted(delivered[day])), tuple(sorted(due - delivered[day])))
    return found


def covered_days(session: Session, kind: RecordKind, days: Collection[dt.date]) -> set[dt.date]:
    """Return those of *days* for which every platform in service has delivered its records of *kind*."""
    return {day for day, coverage in coverage_on(session, kind, days).items() if coverage.is_whole}
