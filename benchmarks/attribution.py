"""Who called: 24,134 and 1,000,000 incidents against 5 million call records, and the candidates of one incident.

The world: 5,000 parties under 20 branches, 50,000 numbers with dated holders, 20,000 staff numbers, 5 million calls of
30 days in Parquet as an import leaves them, incidents of which seven in ten were really called. Beside our own
expressions stands a query that was written by hand for DuckDB over the same files and tables: whom the strongest
evidence names (the employer of the staff number of the call's own record, else who held the number), of which grade.
Both give the same answers, which is checked. Aims: at most 2.5 times the hand-written query; at least 50 times the
speed of an ORM that looks up row by row (in a database with one day of the same calls); under 700 MB; the candidates of
one incident within 60 ms (95th percentile) whether there are 5 or 50 million records.

Run: ``python -m benchmarks.attribution`` from the checkout; each measurement has a process of its own.
"""

import dataclasses
import datetime as dt
import importlib.util
import multiprocessing
import random
import re
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from hashlib import md5, sha256
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from supervise import clock
from supervise.attribution.candidates import suggestions
from supervise.attribution.weighing import ask, judge, weigh, whole_registers
from supervise.attribution.weighing_run import PART, keep_suggestions, suggestion_rows, undecided_by_day
from supervise.bulk import slices
from supervise.complaints.models import Incident, SubscriberNumber
from supervise.db import Database
from supervise.evidence import matching
from supervise.evidence.engine import read_parquet
from supervise.evidence.models import RecordKind, RecordPartition
from supervise.evidence.store import SESSION_KEY, current_files, open_store, store_of
from supervise.parties.models import NumberHolder, Party, PhoneNumber, RelationRole, StaffNumber
from tests.databases import clone_sqlite, fast_folder
from tests.factories.parties import make_carrier, make_party, make_relation, make_unit
from tests.factories.records import make_source, write_records

PARTIES, NUMBERS, STAFF, SUBSCRIBERS = 5_000, 50_000, 20_000, 1_500_000
CALLS, DAYS = 5_000_000, 30
FIRST = dt.date(2026, 9, 1)
SIZES = (24_134, 1_000_000)
ORM_ROWS = 2_000
SINGLE_ROWS = 200
TOLERANCE = 300


def say(words: str) -> None:
    """Print a line at once."""
    print(words, flush=True)


# The world


def number(n: int) -> str:
    """Return the n-th calling number."""
    return f"17{n:09d}"


def make_registers(session: Session) -> None:
    """5,000 parties, 50,000 numbers of which one in five changed hands at noon of the 16th day, staff numbers."""
    make_carrier(session, code="CU")
    make_source(session, code="crm")
    agents = [make_party(session, sponsor=make_unit(session)) for _ in range(20)]
    first = (session.scalar(sa.select(sa.func.max(Party.id))) or 0) + 1
    callers = range(first, first + PARTIES - 40)
    since, until = clock.start_of_day(dt.date(2026, 1, 1)), clock.start_of_day(FIRST) + dt.timedelta(days=15, hours=12)
    party = {"kind": "outsourcer", "status": "registered", "is_person": False, "version": 1}
    session.execute(sa.insert(Party), [{"id": n, "code": f"W{n:05d}", "name": f"外包{n}", **party} for n in callers])
    for n in callers[:200]:
        make_relation(session, child=session.get_one(Party, n), parent=agents[n % 20], role=RelationRole.CONTRACTED_BY)
    phone = {"number_class": "mobile", "is_prefix": False, "version": 1}
    session.execute(sa.insert(PhoneNumber), [{"id": n + 1, "digits": number(n), **phone} for n in range(NUMBERS)])
    holder = {"source": "合同", "recorded_at": since, "version": 1}
    rows = []
    for n in range(NUMBERS):
        end = until if n % 5 == 0 else None
        rows.append({"number_id": n + 1, "party_id": callers[n % len(callers)], "held_from": since, "held_to": end})
        if end is not None:
            other = callers[(n * 7 + 3) % len(callers)]
            rows.append({"number_id": n + 1, "party_id": other, "held_from": end, "held_to": None})
    session.execute(sa.insert(NumberHolder), [{**row, **holder} for row in rows])
    staff = {"carrier_code": "CU", "valid_from": dt.date(2026, 1, 1), "version": 1}
    session.execute(
        sa.insert(StaffNumber),
        [{"staff_number": f"{n:06d}", "employer_id": callers[n * 3 % len(callers)], **staff} for n in range(STAFF)],
    )


def calls_between(on_day: dt.date, first: int, end: int) -> str:
    """Return DuckDB's SELECT of the calls with these serial numbers, all on one day; the same in every run."""
    start = clock.start_of_day(on_day).replace(tzinfo=None)
    return f"""
        SELECT 'crm' AS platform, 'R' || i AS record_id, '17' || lpad((hash(i) % {NUMBERS})::VARCHAR, 9, '0') AS caller,
          md5((hash(i * 7) % {SUBSCRIBERS})::VARCHAR) AS subscriber_index,
          (TIMESTAMP '{start}' + INTERVAL 1 SECOND * (hash(i * 5) % 86400))::TIMESTAMPTZ AS started_at,
          NULL::TIMESTAMPTZ AS ended_at, 8::INTEGER AS ring_seconds, (hash(i * 11) % 300)::INTEGER AS talk_seconds,
          true AS answered, 'upgrade' AS campaign,
          CASE WHEN hash(i * 13) % 10 < 6 THEN lpad((hash(i * 17) % {STAFF})::VARCHAR, 6, '0') END AS staff_number,
          'REC' || i AS recording_ref, DATE '{on_day}' AS on_day,
          ((hash(i * 5) % 86400) // 60)::SMALLINT AS minute_of_day
        FROM range({first}, {end}) AS r(i)"""


def make_records(session: Session, times: int = 1) -> None:
    """Write *times* five million calls in 30 partitions, sorted and compressed as an import leaves them."""
    store = store_of(session)
    batch = write_records(session, None, RecordKind.CALLS, [])
    source_id = make_source(session, code="crm").id
    per_day, more = CALLS // DAYS, CALLS // DAYS * (times - 1)
    for day in range(DAYS):
        on_day = FIRST + dt.timedelta(days=day)
        path = f"calls/day={on_day}/crm-{batch.id}-{times}.parquet"
        target = store.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = calls_between(on_day, day * per_day, (day + 1) * per_day)
        if more:
            rows += f" UNION ALL {calls_between(on_day, CALLS * 2 + day * more, CALLS * 2 + (day + 1) * more)}"
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(
                f"COPY (SELECT * FROM ({rows}) ORDER BY subscriber_index) TO '{target}' "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
        line = {"import_id": batch.id, "kind": RecordKind.CALLS, "source_id": source_id, "on_day": on_day, "path": path}
        session.add(RecordPartition(**line, rows=per_day + more, size_bytes=target.stat().st_size, sha256="0" * 64))


def make_incidents(session: Session) -> None:
    """A million incidents: seven in ten a minute of a call that was made, the others at random."""
    per_day, last = CALLS // DAYS, SIZES[-1]
    hidden = {"number_cipher": b"-", "number_mask": "138****0000"}
    session.execute(
        sa.insert(SubscriberNumber),
        [
            {"id": n + 1, "number_index": md5(str(n).encode(), usedforsecurity=False).hexdigest(), **hidden}
            for n in range(SUBSCRIBERS)
        ],
    )
    chosen = f"SELECT i + 1 AS id, CASE WHEN i % 10 < 7 THEN i * 5 ELSE {CALLS} + i END AS call FROM range({last}) r(i)"
    with store_of(session).local.cursor() as cursor:
        cursor.execute(
            f"""SELECT id, (hash(call * 7) % {SUBSCRIBERS}) + 1 AS number_id,
              '17' || lpad((hash(call) % {NUMBERS})::VARCHAR, 9, '0') AS caller,
              (call // {per_day}) % {DAYS} AS day, (hash(call * 5) % 86400) // 60 AS minute
            FROM ({chosen})"""
        )
        while rows := cursor.fetchmany(50_000):
            session.execute(sa.insert(Incident), [incident(*row) for row in rows])


def incident(row_id: int, number_id: int, caller: str, day: int, minute: int) -> dict[str, Any]:
    """Return a reported call as a row."""
    on_day = FIRST + dt.timedelta(days=day)
    at = clock.start_of_day(on_day) + dt.timedelta(minutes=minute)
    return {
        "id": row_id, "kind": "call", "number_id": number_id, "caller_number": caller, "caller_class": "mobile",
        "numbering_plan": "china", "occurred_at": at, "occurred_on": on_day, "precision": "minute",
        "caller_kind": "human",
        "flags": [], "state": "reported", "created_at": at, "version": 1,
    }  # fmt: skip


# The two sides

HAND_WRITTEN = """
    WITH own AS (
      SELECT i.incident_id, c.staff_number, c.caller, c.started_at, c.on_day
      FROM incidents i JOIN calls c
        ON c.subscriber_index = i.subscriber_index AND c.caller = i.caller
        AND c.started_at >= i.from_at AND c.started_at < i.to_at
    ), recorded AS (
      SELECT incident_id, count(DISTINCT party_id) AS parties, min(party_id) AS party_id FROM (
        SELECT own.incident_id, coalesce(s.party_id, h.party_id) AS party_id FROM own
        LEFT JOIN staff s ON s.staff_number = own.staff_number AND own.on_day >= s.from_day AND own.on_day < s.to_day
        LEFT JOIN holders h ON h.name = own.caller AND h.held_from <= own.started_at AND h.held_to > own.started_at
      ) WHERE party_id IS NOT NULL GROUP BY incident_id
    ), held AS (
      SELECT i.incident_id, count(DISTINCT h.party_id) AS parties, min(h.party_id) AS party_id
      FROM incidents i JOIN holders h ON h.name = i.caller AND h.held_from < i.occurred_to AND h.held_to > i.occurred_at
      GROUP BY i.incident_id
    )
    SELECT i.incident_id,
      CASE WHEN coalesce(r.parties, h.parties) = 1 THEN coalesce(r.party_id, h.party_id) END AS party_id,
      CASE WHEN r.parties IS NOT NULL THEN 'A' WHEN h.parties IS NOT NULL THEN 'B' END AS grade
    FROM incidents i LEFT JOIN recorded r USING (incident_id) LEFT JOIN held h USING (incident_id)
    ORDER BY i.incident_id"""


class Side(NamedTuple):
    """Seconds of the questions alone, and of everything from the database and back into it; the answer's hash."""

    questions: float
    everything: float
    answer: str


def opened_world(url: str, folder: str, engine: str = "duckdb") -> Database:
    """Return the database with its records."""
    return Database(url, {SESSION_KEY: open_store(engine, folder, Path(folder) / "scratch")})


def by_our_expressions(url: str, folder: str, count: int, engine: str = "duckdb") -> Side:
    """Weigh the first *count* incidents in parts, and keep the suggestions."""
    database = opened_world(url, folder, engine)
    questions, answers = 0.0, []
    with database.session(writes=False) as session:
        # Libraries are loaded, the engine starts, and each question is compiled once.
        weigh(session, [1])
        started = time.perf_counter()
        whole = whole_registers(session)
        ids = undecided_by_day(session, up_to=count)
        for part in slices(ids, PART):
            asked = ask(session, part)
            begun = time.perf_counter()
            outcomes = judge(session, asked, whole).outcomes
            questions += time.perf_counter() - begun
            answers.append(outcomes.select(["incident_id", "party_id", "grade"]))
            with database.session(writes=True) as other:
                keep_suggestions(other, suggestion_rows(outcomes))
    everything = time.perf_counter() - started
    return Side(questions, everything, digest(pa.concat_tables(answers)))


def by_hand(url: str, folder: str, count: int) -> Side:
    """Ask the hand-written query once, over the same tables."""
    database = opened_world(url, folder)
    started = time.perf_counter()
    with database.session(writes=False) as session:
        whole = whole_registers(session)
        ids = undecided_by_day(session, up_to=count)
        asked = pa.concat_tables([ask(session, part).incidents for part in slices(ids, PART)])
        files = current_files(session, RecordKind.CALLS)
        with store_of(session).local.cursor() as cursor:
            cursor.sql(f"SELECT count(*) FROM {read_parquet(files.paths[:1])}").to_arrow_table()
            cursor.register("incidents", asked)
            cursor.register("holders", whole.tables.holders)
            cursor.register("staff", whole.tables.staff)
            begun = time.perf_counter()
            cursor.execute(f"CREATE TEMP VIEW calls AS SELECT * FROM {read_parquet(files.paths)}")
            answer = cursor.sql(HAND_WRITTEN).to_arrow_table()
            questions = time.perf_counter() - begun
    return Side(questions, time.perf_counter() - started, digest(answer))


def digest(answer: pa.Table) -> str:
    """Return a hash of an answer, whatever the order of its rows."""
    ordered = answer.sort_by("incident_id")
    columns = [ordered[name].to_pylist() for name in ("incident_id", "party_id", "grade")]
    return sha256(repr(columns).encode()).hexdigest()


class Row(DeclarativeBase):
    """Tables of the ORM's side alone."""


class CallRow(Row):
    """A call, in a table with the index that a look-up needs."""

    __tablename__ = "benchmark_call"
    __table_args__ = (sa.Index("ix_benchmark_call", "subscriber_index", "started_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subscriber_index: Mapped[str]
    caller: Mapped[str]
    started_at: Mapped[dt.datetime]
    on_day: Mapped[dt.date]
    staff_number: Mapped[str | None]


def by_orm(url: str, folder: str) -> float:
    """Return the seconds for each incident, looked up one after the other; the calls are those of the first days."""
    database = opened_world(url, folder)
    with database.session(writes=True) as session:
        Row.metadata.create_all(session.connection())
        columns = ("subscriber_index", "caller", "started_at", "on_day", "staff_number")
        files = current_files(session, RecordKind.CALLS, [FIRST])
        with store_of(session).local.cursor() as cursor:
            calls = cursor.sql(f"SELECT * FROM {read_parquet(files.paths)}").to_arrow_table()
        utc = calls["started_at"].cast(pa.timestamp("us"))
        calls = calls.set_column(calls.schema.get_field_index("started_at"), "started_at", utc)
        session.execute(sa.insert(CallRow), calls.select(columns).to_pylist())
    with database.session(writes=False) as session:
        query = sa.select(Incident.id).where(Incident.occurred_on == FIRST).order_by(Incident.id).limit(ORM_ROWS)
        ids = session.scalars(query).all()
        started = time.perf_counter()
        for incident_id in ids:
            look_up(session, incident_id)
        return (time.perf_counter() - started) / len(ids)


def look_up(session: Session, incident_id: int) -> int | None:
    """Return who answers, as one would write it without a second thought."""
    incident = session.get_one(Incident, incident_id, populate_existing=True)
    subscriber = session.get_one(SubscriberNumber, incident.number_id, populate_existing=True)
    at, span = incident.occurred_at.replace(tzinfo=None), dt.timedelta(seconds=TOLERANCE)
    call = session.scalars(
        sa.select(CallRow).where(
            CallRow.subscriber_index == subscriber.number_index,
            CallRow.caller == incident.caller_number,
            CallRow.started_at.between(at - span, at + span + dt.timedelta(minutes=1)),
        )
    ).first()
    if call is not None and call.staff_number is not None:
        staff = session.scalars(
            sa.select(StaffNumber).where(
                StaffNumber.staff_number == call.staff_number, StaffNumber.valid_from <= call.on_day
            )
        ).first()
        if staff is not None:
            return staff.employer_id
    holder = session.scalars(
        sa.select(NumberHolder)
        .join(PhoneNumber, PhoneNumber.id == NumberHolder.number_id)
        .where(PhoneNumber.digits == incident.caller_number, NumberHolder.held_from <= incident.occurred_at)
        .where(NumberHolder.held_to.is_(None) | (NumberHolder.held_to > incident.occurred_at))
    ).first()
    return holder.party_id if holder is not None else None


class Single(NamedTuple):
    """Milliseconds for the candidates of one incident, in words; what the plan says of the files it read."""

    median: float
    p95: float
    plan: str


def one_by_one(url: str, folder: str) -> Single:
    """Ask for the candidates of one incident after the other, as its page does."""
    database = opened_world(url, folder)
    chance = random.Random(7)  # noqa: S311 - the same incidents every time
    times = []
    with database.session(writes=False) as session:
        for n in range(SINGLE_ROWS + 10):
            incident_id = chance.randrange(SIZES[-1]) + 1
            begun = time.perf_counter()
            found = suggestions(session, [incident_id])
            if n >= 10:  # the first ones open the engine
                times.append((time.perf_counter() - begun) * 1000)
            assert incident_id in found
        asked = ask(session, [incident_id]).incidents
        files = current_files(session, RecordKind.CALLS, set(asked["on_day"].to_pylist()))
        files = dataclasses.replace(files, wanted=matching.subscribers_of(asked))
        plan = store_of(session).local.plan(matching.FITTING_CALLS, {"incidents": asked, "calls": files})
    read = re.findall(r"(?:Total Files Read|Row Groups Scanned): [\d/ ]*\d", plan)
    times.sort()
    words = f"{len(files.paths)} file of {DAYS}; {'; '.join(read)}"
    return Single(statistics.median(times), times[int(len(times) * 0.95)], words)


# Telling


def measured(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Run *work* in a process of its own; return its answer and its peak memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(and_peak, (work, arguments))


def and_peak(work: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    """Run *work* and look at what the process took at most."""
    answer = work(*arguments)
    return answer, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(url: str, folder: str) -> None:
    """Print both sizes, the ORM, and one incident."""
    per_row: dict[int, float] = {}
    for count, rounds in zip(SIZES, (5, 1), strict=True):
        # The small size takes tenths of a second: the middle one of several, turn by turn.
        pairs = [
            (measured(by_our_expressions, url, folder, count), measured(by_hand, url, folder, count))
            for _ in range(rounds)
        ]
        pairs.sort(key=lambda pair: pair[0][0].questions / pair[1][0].questions)
        (ours, peak), (hand, hand_peak) = pairs[len(pairs) // 2]
        per_row[count] = ours.questions / count
        same = "the same answers" if ours.answer == hand.answer else "DIFFERENT ANSWERS"
        say(
            f"{count:,} incidents: {ours.questions / hand.questions:.2f} times the hand-written query, {same}\n"
            f"  ours {ours.questions:.2f} s ({ours.everything:.1f} s from the database and kept in it), "
            f"peak {peak:.0f} MB; by hand {hand.questions:.2f} s, peak {hand_peak:.0f} MB"
        )
    say(f"growth from 24,134 to 1,000,000 for each incident: {per_row[SIZES[1]] / per_row[SIZES[0]]:.2f} times")
    by_the_other_engine(url, folder, SIZES[0])
    orm, _peak = measured(by_orm, url, folder)
    for count in SIZES:
        say(f"ORM row by row: {orm * 1000:.2f} ms each, {orm / per_row[count]:.0f} times ours at {count:,}")
    single, peak = measured(one_by_one, url, folder)
    say(
        f"one incident of 5 million records: median {single.median:.0f} ms, p95 {single.p95:.0f} ms, peak {peak:.0f} MB"
    )
    say(f"  {single.plan}")


def by_the_other_engine(url: str, folder: str, count: int) -> None:
    """Print how long Spark takes in local mode, and whether its rows are the same."""
    if shutil.which("java") is None or importlib.util.find_spec("pyspark") is None:
        say("Spark: not asked, Java or pyspark is missing")
        return
    ours, _peak = measured(by_our_expressions, url, folder, count)
    spark, peak = measured(by_our_expressions, url, folder, count, "spark")
    same = "the same answers" if ours.answer == spark.answer else "DIFFERENT ANSWERS"
    say(f"{count:,} incidents by Spark, local mode: {spark.questions:.1f} s, {same}, peak {peak:.0f} MB beside the JVM")


def make_world(url: str, folder: str) -> None:
    """Write registers, incidents and five million records."""
    database = opened_world(url, folder)
    with database.session(writes=True) as session:
        make_registers(session)
        make_records(session)
        make_incidents(session)


def make_denser(url: str, folder: str) -> None:
    """Replace the records by ten times as many on the same days."""
    database = opened_world(url, folder)
    with database.session(writes=True) as session:
        session.execute(sa.update(RecordPartition).values(superseded_by_id=RecordPartition.import_id))
        make_records(session, times=10)


def main() -> None:
    """Build the world once, measure, then make it ten times as dense for the page of one incident."""
    with fast_folder() as databases, tempfile.TemporaryDirectory() as folder:
        url = clone_sqlite(databases)
        measured(make_world, url, folder)
        compare(url, folder)
        measured(make_denser, url, folder)
        single, peak = measured(one_by_one, url, folder)
        say(f"one of 50 million: median {single.median:.0f} ms, p95 {single.p95:.0f} ms, peak {peak:.0f} MB")
        say(f"  {single.plan}")


if __name__ == "__main__":
    main()
