"""Keeping what was found, by party and day.

A day is looked through again when it got more records, or when a register behind what was found was corrected.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import EvidenceRound
from supervise.attribution.rounds import WATCH
from supervise.attribution.watching.corrections import Corrections, Days, corrections_since
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
    """Return the kinds that may find something else than they did on each day, the newest day first."""
    there = _partitions(session)
    looked = {(row.kind, row.on_day): row for row in session.scalars(select(WatchDay))}
    corrections = corrections_since(session, _corrected_until(session, looked.values()))
    due: dict[dt.date, list[Irregularity]] = {}
    for day in sorted({day for days in there.values() for day in days}, reverse=True):
        watch = Watch(session, day)
        for kind, basis in BASES.items():
            if day not in there[basis.records] or not watch.is_watched(kind):
                continue
            before, reads = looked.get((kind, day)), watch.reads(kind)
            if before is None or _has_more(before, _seen(there, reads)) or _is_corrected(before, reads, corrections):
                due.setdefault(day, []).append(kind)
    return due


def _has_more(before: WatchDay, now: Seen) -> bool:
    return now.partitions > before.partitions or now.newest_id > before.newest_partition_id


def _is_corrected(before: WatchDay, reads: Sequence[Read], corrections: Corrections) -> bool:
    of_kind = [read for read in reads if read.records is BASES[before.kind].records]
    days = Days(min(read.first for read in of_kind), max(read.last for read in of_kind) + dt.timedelta(days=1))
    return corrections.concern(before.kind, days, before.computed_at)


def _corrected_until(session: Session, looked: Collection[WatchDay]) -> dt.datetime:
    """Return the moment until which corrections are in what was found; what came after it may be."""
    last = session.get(EvidenceRound, WATCH, populate_existing=True)
    if last is not None:
        return last.begun_at
    return min((day.computed_at for day in looked), default=clock.now())


def look(session: Session, kind: Irregularity, day: dt.date) -> Looked | None:
    """Look through a day; None if the kind is not watched that day."""
    watch = Watch(session, day)
    if not watch.is_watched(kind):
        return None
    at, threshold = clock.now(), watch.threshold(kind)
    seen = _seen(_partitions(session), watch.reads(kind))
    return Looked(kind, day, threshold.id if threshold else None, seen, at, parties_of(watch, kind).to_pylist())


def keep(session: Session, looked: Looked) -> None:
    """Put what was found in the place of what was found before; the line of a party keeps its id, and its address.

    A line of which nothing is left stays, with nothing in it: people may have worked on it.
    """
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
        # Its address still leads to what was opened from it.
        gone.records = gone.subscribers = 0
        gone.looked_at = None if gone.looked_at is None else 0
        gone.is_suspected = False
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
