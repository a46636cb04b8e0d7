"""Keeping what was found, by party and day; a day is looked through again when it got more records."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watching.kinds import BASES, Irregularity
from supervise.attribution.watching.looking import Read, Watch, parties_of
from supervise.attribution.watching.models import WatchDay, WatchFindingDay
from supervise.bulk import insert_rows
from supervise.db import take_turn
from supervise.evidence.models import RecordKind, RecordPartition
from supervise.parties.chain import chains_at, sponsoring_unit


class Seen(NamedTuple):
    """Which partitions there were: how many, and the newest."""

    partitions: int
    newest_id: int


class Looked(NamedTuple):
    """What looking through a day for a kind came to."""

    kind: Irregularity
    on_day: dt.date
    threshold_id: int | None
    seen: Seen
    at: dt.datetime
    #: A row for each party (``looking.parties_of``).
    parties: Sequence[Mapping[str, Any]]


def due_days(session: Session) -> dict[dt.date, list[Irregularity]]:
    """Return the kinds that may find more than they did on each day, the newest day first."""
    there = _partitions(session)
    looked = {
        (row.kind, row.on_day): Seen(row.partitions, row.newest_partition_id)
        for row in session.scalars(select(WatchDay))
    }
    due: dict[dt.date, list[Irregularity]] = {}
    for day in sorted({day for days in there.values() for day in days}, reverse=True):
        watch = Watch(session, day)
        for kind, basis in BASES.items():
            if day not in there[basis.records] or not watch.is_watched(kind):
                continue
            now = _seen(there, watch.reads(kind))
            before = looked.get((kind, day))
            if before is None or now.partitions > before.partitions or now.newest_id > before.newest_id:
                due.setdefault(day, []).append(kind)
    return due


def look(session: Session, kind: Irregularity, day: dt.date) -> Looked | None:
    """Look through a day; None if the kind is not watched that day."""
    watch = Watch(session, day)
    if not watch.is_watched(kind):
        return None
    at, threshold = clock.now(), watch.threshold(kind)
    seen = _seen(_partitions(session), watch.reads(kind))
    return Looked(kind, day, threshold.id if threshold else None, seen, at, parties_of(watch, kind).to_pylist())


def keep(session: Session, looked: Looked) -> None:
    """Put what was found in the place of what was found before; the line of a party keeps its id, and its address."""
    take_turn(session, f"watch:{looked.kind.value}:{looked.on_day}")
    day = session.scalars(
        select(WatchDay).where(WatchDay.kind == looked.kind, WatchDay.on_day == looked.on_day)
    ).one_or_none()
    if day is None:
        day = WatchDay(kind=looked.kind, on_day=looked.on_day)
        session.add(day)
    day.threshold_id, day.computed_at = looked.threshold_id, looked.at
    day.partitions, day.newest_partition_id = looked.seen
    session.flush()
    of_day = (WatchFindingDay.kind == looked.kind, WatchFindingDay.on_day == looked.on_day)
    before = {row.party_id: row for row in session.scalars(select(WatchFindingDay).where(*of_day))}
    new = []
    for facts in _facts(session, looked):
        row = before.pop(facts["party_id"], None)
        if row is None:
            new.append(facts)
        else:
            for name, value in facts.items():
                setattr(row, name, value)
    for gone in before.values():
        session.delete(gone)
    insert_rows(session, WatchFindingDay.__table__, new)


def _facts(session: Session, looked: Looked) -> Iterator[dict[str, Any]]:
    known = [(row["party_id"], looked.on_day) for row in looked.parties if row["party_id"] is not None]
    chains = chains_at(session, known)
    for row in looked.parties:
        chain = chains.get((row["party_id"], looked.on_day), [])
        yield {"kind": looked.kind, "on_day": looked.on_day, "unit_id": sponsoring_unit(chain), **row}


def _partitions(session: Session) -> dict[RecordKind, dict[dt.date, Seen]]:
    """Return the partitions that count, by kind of record and day."""
    query = (
        select(
            RecordPartition.kind, RecordPartition.on_day, func.count(RecordPartition.id), func.max(RecordPartition.id)
        )
        .where(RecordPartition.superseded_by_id.is_(None), RecordPartition.dropped_at.is_(None))
        .group_by(RecordPartition.kind, RecordPartition.on_day)
    )
    found: dict[RecordKind, dict[dt.date, Seen]] = defaultdict(dict)
    for kind, day, count, newest in session.execute(query):
        found[kind][day] = Seen(count, newest)
    return found


def _seen(there: Mapping[RecordKind, Mapping[dt.date, Seen]], reads: Sequence[Read]) -> Seen:
    every = [
        seen for read in reads for day, seen in there.get(read.records, {}).items() if read.first <= day <= read.last
    ]
    return Seen(sum(seen.partitions for seen in every), max((seen.newest_id for seen in every), default=0))
