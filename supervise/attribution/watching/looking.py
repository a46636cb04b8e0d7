"""Looking through the records of a day for one kind of irregularity: whether it is watched, and by which registers."""

import datetime as dt
import functools
from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise.attribution.registers import table_of
from supervise.attribution.watch_models import WatchKind
from supervise.attribution.watch_thresholds import ThresholdRow, thresholds_on
from supervise.attribution.watching import tables
from supervise.attribution.watching.kinds import BASES, Irregularity
from supervise.attribution.watching.questions import (
    ASKED,
    CALLERS,
    CHOSEN,
    PORTS,
    Amount,
    rows_asked,
    rows_chosen,
    summary_of,
)
from supervise.attribution.watching.tables import Days
from supervise.complaints.models import OffenceType
from supervise.contracts.models import Plan
from supervise.evidence.coverage import covered_days
from supervise.evidence.engine import RecordQuery, Rows
from supervise.evidence.models import RecordKind
from supervise.evidence.store import current_files, store_of
from supervise.parties.models import Capability, PartyCapability
from supervise.parties.periods import holds_at

#: A quality check counts that was made on the day of the call or so many days later.
QUALITY_WITHIN = 31

_OF_PLANS = frozenset({Irregularity.PLAN_UNPUBLISHED, Irregularity.PLAN_NOT_ON_CHANNEL, Irregularity.PLAN_UNKNOWN})


class Place(NamedTuple):
    """A row in the order of rows: time, platform, record id."""

    at: dt.datetime
    platform: str
    record_id: str


class Read(NamedTuple):
    """The partitions that a kind reads for a day: of which records, from which day to which, both included."""

    records: RecordKind
    first: dt.date
    last: dt.date


class Watch:
    """What a day is watched by, and its registers, read when they are first asked for."""

    def __init__(self, session: Session, day: dt.date) -> None:
        self._session, self._day = session, day

    @functools.cached_property
    def _thresholds(self) -> Mapping[WatchKind, ThresholdRow]:
        return thresholds_on(self._session, self._day)

    @functools.cached_property
    def _offences(self) -> Mapping[str, OffenceType]:
        in_force = or_(OffenceType.valid_to.is_(None), OffenceType.valid_to > self._day)
        query = select(OffenceType).where(OffenceType.valid_from <= self._day, in_force)
        return {row.code: row for row in self._session.scalars(query)}

    def threshold(self, kind: Irregularity) -> ThresholdRow | None:
        """Return the figure of the day; None: the kind has none, or none that day."""
        watched_by = BASES[kind].threshold
        return None if watched_by is None else self._thresholds.get(watched_by)

    def offence(self, kind: Irregularity) -> OffenceType | None:
        """Return the offence type of the day that it may be."""
        return self._offences.get(BASES[kind].offence or "")

    def is_watched(self, kind: Irregularity) -> bool:
        """Say whether the kind is looked for on the day: figure, duty and register were in force."""
        basis = BASES[kind]
        if basis.threshold is not None and self.threshold(kind) is None:
            return False
        if basis.offence is not None and self.offence(kind) is None:
            return False
        if kind is Irregularity.NO_PERMISSION:
            return self._keeps_permissions
        if kind is Irregularity.NO_QUALITY_CHECK:
            return self._day in covered_days(self._session, RecordKind.QUALITY, [self._day])
        return kind not in _OF_PLANS or self._keeps_plans

    @functools.cached_property
    def _keeps_permissions(self) -> bool:
        """Whether anybody had an outbound permission that day: a register that nobody keeps accuses nobody."""
        present = holds_at(PartyCapability.valid_from, PartyCapability.valid_to, self._day)
        query = select(PartyCapability.id).where(PartyCapability.capability == Capability.OUTBOUND_CALL, present)
        return self._session.scalar(query.limit(1)) is not None

    @functools.cached_property
    def _keeps_plans(self) -> bool:
        return self._session.scalar(select(Plan.id).limit(1)) is not None

    def reads(self, kind: Irregularity) -> list[Read]:
        """Return which partitions the kind reads."""
        day = self._day
        read = [Read(BASES[kind].records, day, day)]
        if kind is Irregularity.NUMBER_ROTATION:
            read.append(Read(RecordKind.CALLS, self._days(kind).first, day))
        if kind is Irregularity.NO_QUALITY_CHECK:
            read.append(Read(RecordKind.QUALITY, day, day + dt.timedelta(days=QUALITY_WITHIN)))
        return read

    def _days(self, kind: Irregularity) -> Days:
        figure = self.threshold(kind)
        back = figure.within_days if kind is Irregularity.NUMBER_ROTATION and figure is not None else None
        return Days(self._day - dt.timedelta(days=(back or 1) - 1), self._day)

    def ask(self, kind: Irregularity, query: RecordQuery, **named: pa.Table) -> pa.Table:
        """Return the answer to a question on *kind* (``questions``); *named* are the tables of the question."""
        return store_of(self._session).engine.run(query, self._tables(kind) | named)

    def _tables(self, kind: Irregularity) -> dict[str, Rows]:
        found: dict[str, Rows] = {"figures": tables.figures_of(self.threshold(kind))}
        records = BASES[kind].records
        found[records.value] = self._files(Read(records, self._day, self._day))
        if records is RecordKind.CALLS:
            return found | self._of_calls(kind)
        if records is RecordKind.MESSAGES:
            return found | {"lines": self._lines(PORTS, {"messages": found["messages"]}, self._days(kind))}
        if kind in _OF_PLANS:
            found["plans"], found["plan_channels"] = self._plans
        days = self._days(kind)
        return found | {"desks": tables.desks(self._session, days), "channels": self._channels}

    def _of_calls(self, kind: Irregularity) -> dict[str, Rows]:
        days = self._days(kind)
        before = self._files(Read(RecordKind.CALLS, days.first, days.on))
        if days.first < days.on:
            lines, desks = self._lines(CALLERS, {"calls": before}, days), tables.desks(self._session, days)
        else:
            lines, desks = self._callers_of_day
        found: dict[str, Rows] = {"lines": lines, "desks": desks}
        if kind in {Irregularity.NUMBER_BURST, Irregularity.NUMBER_ROTATION, Irregularity.UNOFFICIAL_NUMBER}:
            found["officials"] = tables.officials(self._session, days)
        if kind is Irregularity.NUMBER_ROTATION:
            found["calls_before"] = before
        if kind is Irregularity.NO_PERMISSION:
            found["permitted"] = tables.permitted(self._session, days)
        if kind is Irregularity.AFTER_REFUSAL:
            found["words"], found["accounts"] = tables.words(self._session, days)
        if kind is Irregularity.NO_QUALITY_CHECK:
            found["quality"] = self._files(self.reads(kind)[-1])
        return found

    @functools.cached_property
    def _callers_of_day(self) -> tuple[pa.Table, pa.Table]:
        days = Days(self._day, self._day)
        calls = self._files(Read(RecordKind.CALLS, days.first, days.on))
        return self._lines(CALLERS, {"calls": calls}, days), tables.desks(self._session, days)

    @functools.cached_property
    def _plans(self) -> tuple[pa.Table, pa.Table]:
        return tables.plans(self._session, Days(self._day, self._day))

    @functools.cached_property
    def _channels(self) -> pa.Table:
        return tables.channels(self._session, Days(self._day, self._day))

    def _lines(self, senders: RecordQuery, records: Mapping[str, Rows], days: Days) -> pa.Table:
        names = store_of(self._session).engine.run(senders, records)["sender"].to_pylist()
        return tables.lines(self._session, [name for name in names if name is not None], days)

    def _files(self, read: Read) -> Rows:
        days = [read.first + dt.timedelta(days=n) for n in range((read.last - read.first).days + 1)]
        return current_files(self._session, read.records, days)


def parties_of(watch: Watch, kind: Irregularity) -> pa.Table:
    """Return a row for each party with irregular records: how many, about how many subscribers, of how many."""
    return watch.ask(kind, summary_of(kind))


def rows_of(
    watch: Watch, kind: Irregularity, party_id: int | None, after: Place | None = None, amount: Amount = Amount.PAGE
) -> pa.Table:
    """Return the irregular records of a party (None: of nobody known) after a place, in order (``marking.MARKED``).

    As many as *amount* says, and one more if there are.
    """
    asked = table_of([(party_id, *(after or (None, None, None)))], ASKED)
    return watch.ask(kind, rows_asked(kind, amount), asked=asked)


def chosen_rows(watch: Watch, kind: Irregularity, names: list[tuple[str, str]]) -> pa.Table:
    """Return those of the records *names* (platform, record id) that are irregular, in order."""
    return watch.ask(kind, rows_chosen(kind), chosen=table_of(names, CHOSEN))
