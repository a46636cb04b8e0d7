"""Putting records and registers together for some incidents: what was found, what it is a ground for, what it comes to.

Set-based: one incident and a hundred thousand take the same few questions. Nothing here writes, and nothing decides.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution import patterns, registers, said
from supervise.attribution.grounds import DENIED, GROUNDS_QUERY, SAID
from supervise.attribution.holder_words import BLUR
from supervise.attribution.outcomes import OUTCOMES_QUERY
from supervise.attribution.watch_models import WatchKind
from supervise.attribution.watch_thresholds import ThresholdRow, threshold_periods
from supervise.bulk import among
from supervise.complaints.models import Incident, IncidentKind, Precision, SubscriberNumber
from supervise.evidence.coverage import covered_days
from supervise.evidence.engine import DuckDBEngine, Engine
from supervise.evidence.matching import MATCHING_QUERIES, AskedIncident, Found, asked_table, matching_records
from supervise.evidence.models import RecordKind
from supervise.evidence.store import store_of
from supervise.parties.holders import PORT
from supervise.parties.models import Party
from supervise.parties.officials import official_uses_at


class Weighed(NamedTuple):
    """What the records and registers say about some incidents."""

    #: ``evidence.matching.INCIDENTS``.
    asked: pa.Table
    found: Found
    #: ``grounds.GROUNDS``, by incident, the strongest first.
    grounds: pa.Table
    #: ``outcomes.OUTCOMES_QUERY``, a row for each incident.
    outcomes: pa.Table
    #: (incident id, party id) of the answers that deny.
    denied: Sequence[said.Denied]


class WholeRegisters(NamedTuple):
    """The registers of one moment."""

    tables: registers.Registers
    lineage: pa.Table


class _Thresholds:
    """The figures of each day."""

    def __init__(self, session: Session) -> None:
        self._periods: dict[WatchKind, list[ThresholdRow]] = {}
        for row in threshold_periods(session):
            self._periods.setdefault(row.kind, []).append(row)

    def on(self, kind: WatchKind, day: dt.date) -> ThresholdRow | None:
        for row in self._periods.get(kind, ()):
            if row.valid_from <= day and (row.valid_to is None or day < row.valid_to):
                return row
        return None

    def value(self, kind: WatchKind, day: dt.date) -> int:
        """Return the figure of the day; 0: there is none, so nothing is tolerated or looked for."""
        row = self.on(kind, day)
        return row.value if row is not None and row.value is not None else 0


class Asked(NamedTuple):
    """Some incidents, and what our own database says of them: everything but registers and records."""

    #: ``evidence.matching.INCIDENTS``.
    incidents: pa.Table
    #: ``grounds.SAID``.
    said: pa.Table
    denied: Sequence[said.Denied]
    #: ``registers.COVERED``.
    covered: pa.Table


def compile_questions() -> None:
    """Compile what every page of an incident asks, as a process does once; the compiler takes a third of a second."""
    for query in (*MATCHING_QUERIES, GROUNDS_QUERY, OUTCOMES_QUERY):
        query.sql(DuckDBEngine.name)


def weigh(session: Session, incident_ids: Collection[int], *, whole: WholeRegisters | None = None) -> Weighed:
    """Return what records and registers say about these incidents; unknown ids are left out.

    *whole* are the registers of a run over many incidents, read once; without them, only what these incidents need
    is read.
    """
    return judge(session, ask(session, incident_ids), whole)


def ask(session: Session, incident_ids: Collection[int]) -> Asked:
    """Return the incidents as records are asked about them; unknown ids are left out."""
    thresholds = _Thresholds(session)
    incidents = _asked_incidents(session, incident_ids, thresholds)
    named, denied = _words(session, incidents, thresholds)
    days = pc.unique(incidents["on_day"]).to_pylist()
    covered = ((day,) for day in covered_days(session, RecordKind.CALLS, days))
    return Asked(incidents, registers.table_of(named, SAID), denied, registers.table_of(covered, registers.COVERED))


def judge(session: Session, asked: Asked, whole: WholeRegisters | None) -> Weighed:
    """Return what the records and registers say about incidents that were asked about."""
    found = matching_records(session, asked.incidents)
    signed = registers.table_of(said.signatures(session, found.messages), SAID)
    asked = asked._replace(said=pa.concat_tables([asked.said, signed]))
    tables = _registers(session, asked.incidents, found, whole)
    engine = store_of(session).local
    grounds = grounds_of(engine, asked, found, tables)
    if whole is not None:
        lineage = whole.lineage
    else:
        lineage = registers.lineage_of(session, pc.unique(grounds["party_id"]).to_pylist())
    outcomes = engine.run(
        OUTCOMES_QUERY,
        {
            "incidents": asked.incidents,
            "grounds": grounds,
            "found_calls": found.calls,
            "officials": tables.officials,
            "lineage": lineage,
            "denied": registers.table_of(asked.denied, DENIED),
            "covered": asked.covered,
        },
    )
    return Weighed(asked.incidents, found, grounds, outcomes, asked.denied)


def grounds_of(engine: Engine, asked: Asked, found: Found, tables: registers.Registers) -> pa.Table:
    """Return every ground (``GROUNDS_QUERY``) that the records found, the registers and what was said come to."""
    records = {"found_calls": found.calls, "found_messages": found.messages, "found_orders": found.orders}
    return engine.run(GROUNDS_QUERY, {"incidents": asked.incidents, "said": asked.said, **records, **tables._asdict()})


def _asked_incidents(session: Session, incident_ids: Collection[int], thresholds: _Thresholds) -> pa.Table:
    """Return the incidents as the queries take them, with the tolerances of their day."""
    query = (
        select(
            Incident.id,
            Incident.kind,
            Incident.caller_number,
            SubscriberNumber.number_index,
            Incident.occurred_at,
            Incident.occurred_on,
            Incident.precision,
        )
        .outerjoin(SubscriberNumber, SubscriberNumber.id == Incident.number_id)
        .where(among(session, Incident.id, incident_ids))
        .order_by(Incident.id)
    )
    spans = _Spans(thresholds)
    return asked_table(_asked(row, *spans.on(row.occurred_on, row.precision)) for row in session.execute(query))


class _Spans:
    """How far from an incident a record may have begun, and how long after it an order is traced, by its day."""

    def __init__(self, thresholds: _Thresholds) -> None:
        self._thresholds = thresholds
        self._by_day: dict[dt.date, tuple[dt.timedelta, dt.timedelta]] = {}

    def on(self, day: dt.date, precision: Precision) -> tuple[dt.timedelta, dt.timedelta]:
        """Return tolerance and trace; a day that was reported as a day is taken as it is."""
        if day not in self._by_day:
            self._by_day[day] = (
                dt.timedelta(seconds=self._thresholds.value(WatchKind.MATCH_TOLERANCE, day)),
                dt.timedelta(days=self._thresholds.value(WatchKind.ORDER_TRACE, day)),
            )
        tolerance, trace = self._by_day[day]
        return (dt.timedelta() if precision is Precision.DAY else tolerance), trace


def _asked(row: Any, tolerance: dt.timedelta, trace: dt.timedelta) -> AskedIncident:
    at, end = row.occurred_at, row.occurred_at + BLUR[row.precision]
    return AskedIncident(
        incident_id=row.id,
        is_call=row.kind is IncidentKind.CALL,
        caller=row.caller_number,
        subscriber_index=row.number_index,
        occurred_at=at,
        occurred_to=end,
        on_day=row.occurred_on,
        from_at=at - tolerance,
        to_at=end + tolerance,
        order_from=at,
        order_to=at + trace,
    )


def whole_registers(session: Session) -> WholeRegisters:
    """Return every register as it stands, for a run over many incidents."""
    tables = registers.registers_for(session, numbers=())
    return WholeRegisters(tables, registers.lineage_of(session, session.scalars(select(Party.id)).all()))


def _registers(session: Session, asked: pa.Table, found: Found, whole: WholeRegisters | None) -> registers.Registers:
    numbers = (asked["caller"], found.calls["caller"], found.messages["port"])
    if whole is not None:
        ports = _values(*(column.filter(pc.starts_with(column, PORT)) for column in numbers))
        return registers.with_ports(session, whole.tables, ports)
    return registers.registers_for(
        session,
        numbers=_values(*numbers),
        staff_numbers=_values(found.calls["staff_number"], found.orders["staff_number"]),
        channel_codes=_values(found.orders["channel_code"]),
    )


def _values(*columns: pa.ChunkedArray) -> set[str]:
    """Return the distinct values of the columns, without NULL."""
    return {value for column in columns for value in pc.unique(column).to_pylist() if value is not None}


def _words(
    session: Session, asked: pa.Table, thresholds: _Thresholds
) -> tuple[Iterable[said.Said], Sequence[said.Denied]]:
    names = ("incident_id", "is_call", "caller", "on_day")
    cases = [
        patterns.Case(incident_id, IncidentKind.CALL if is_call else IncidentKind.SMS, caller, day)
        for incident_id, is_call, caller, day in zip(*(asked[name].to_pylist() for name in names), strict=True)
    ]
    ids = [one.id for one in cases]
    named, denied = said.answers(session, ids)
    named += said.claims(session, ids)
    # Many dial from an official number, and anybody may show one: whose it was before says nothing.
    officials = official_uses_at(session, {(one.caller, one.day) for one in cases if one.caller is not None})
    own = [one for one in cases if (one.caller, one.day) not in officials]
    figures = {day: _figures(thresholds, day) for day in {one.day for one in own}}
    named += patterns.of_numbers(session, own, figures)
    named += patterns.of_subscribers(session, own, figures)
    return named, denied


def _figures(thresholds: _Thresholds, day: dt.date) -> patterns.Figures:
    per_day = {
        IncidentKind.CALL: thresholds.value(WatchKind.CALLS_PER_SUBSCRIBER, day),
        IncidentKind.SMS: thresholds.value(WatchKind.SMS_PER_SUBSCRIBER, day),
    }
    return patterns.Figures(
        number=_within(thresholds.on(WatchKind.NUMBER_PATTERN, day)),
        rotation=_within(thresholds.on(WatchKind.NUMBER_ROTATION, day)),
        per_day={kind: figure for kind, figure in per_day.items() if figure},
    )


def _within(row: ThresholdRow | None) -> patterns.Within | None:
    if row is None or row.value is None or row.within_days is None:
        return None
    return patterns.Within(row.value, dt.timedelta(days=row.within_days))
