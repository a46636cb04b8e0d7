"""Writing thousands of rows at once, as fast as each engine takes them."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import psycopg
from sqlalchemy import Connection

from supervise.bulk import array_literal
from supervise.db import postgres_driver


class PostingRow(NamedTuple):
    """A row of ``posting``; the names are its columns."""

    entry_id: int
    line: int
    lines: int
    account_id: int
    dimension_id: int | None
    amount_fen: int


class EntryRow(NamedTuple):
    """A row of ``journal_entry``; the names are its columns."""

    id: int
    lines: int
    idempotency_key: str
    content_sha256: str
    event: str
    effective_on: dt.date
    period: str
    recorded_at: dt.datetime
    actor_id: int | None
    approver_id: int | None
    reverses_id: int | None
    reversal_no: int | None
    reason: str | None


#: Columns that are not whole numbers, by PostgreSQL's names.
_KINDS = {
    "idempotency_key": "text",
    "content_sha256": "text",
    "event": "text",
    "effective_on": "date",
    "period": "text",
    "recorded_at": "timestamptz",
    "reason": "text",
}


def _plain(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - our names


def _arrays(table: str, columns: Sequence[str]) -> bytes:
    # One statement, however many rows: PostgreSQL takes a list for each column.
    lists = ", ".join(f"CAST(%({name})s AS {_KINDS.get(name, 'bigint')}[])" for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({lists})".encode()  # noqa: S608 - our names


_PLAIN_POSTINGS = _plain("posting", PostingRow._fields)
_PLAIN_ENTRIES = _plain("journal_entry", EntryRow._fields)
_POSTING_ARRAYS = _arrays("posting", PostingRow._fields)
_ENTRY_ARRAYS = _arrays("journal_entry", EntryRow._fields)


def insert_rows(connection: Connection, postings: Sequence[PostingRow], entries: Sequence[EntryRow]) -> None:
    """Insert *postings*, then *entries*: the other way round the triggers refuse.

    Raises:
        IntegrityError: if they refuse; on PostgreSQL nothing was inserted then, and the transaction goes on.
    """
    if connection.dialect.name == "postgresql":
        _send(connection, postings, entries)
        return
    connection.exec_driver_sql(_PLAIN_POSTINGS, list(postings))
    connection.exec_driver_sql(_PLAIN_ENTRIES, list(_as_sqlite_stores(entries)))


def _send(connection: Connection, postings: Sequence[PostingRow], entries: Sequence[EntryRow]) -> None:
    # By key: two batches that share facts wait for each other, and never each for the other.
    in_order = sorted(entries, key=_key_of)
    with postgres_driver(connection) as driver:
        try:
            # One journey to the server for all four: on the way there and back a single entry loses most of its time.
            # Never prepared: where one fails, the server skips the rest, and the driver would count the next one as
            # prepared all the same.
            with driver.pipeline(), driver.cursor() as cursor:
                cursor.execute("SAVEPOINT posting", prepare=False)
                cursor.execute(_POSTING_ARRAYS, _columns(PostingRow._fields, postings), prepare=False)
                cursor.execute(_ENTRY_ARRAYS, _columns(EntryRow._fields, in_order), prepare=False)
                cursor.execute("RELEASE SAVEPOINT posting", prepare=False)
        except psycopg.IntegrityError:
            driver.execute("ROLLBACK TO SAVEPOINT posting")
            driver.execute("RELEASE SAVEPOINT posting")
            raise


def _key_of(entry: EntryRow) -> str:
    return entry.idempotency_key


def _columns(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> Mapping[str, str]:
    return dict(zip(names, map(array_literal, zip(*rows, strict=True)), strict=True))


def _as_sqlite_stores(entries: Sequence[EntryRow]) -> Iterator[tuple[object, ...]]:
    # As SQLAlchemy's Date and our UTCDateTime store them; the driver's own adapters are deprecated.
    days = {day: day.isoformat() for day in {entry.effective_on for entry in entries}}
    moments = {at: f"{at:%Y-%m-%d %H:%M:%S.%f}" for at in {entry.recorded_at for entry in entries}}
    day, at = EntryRow._fields.index("effective_on"), EntryRow._fields.index("recorded_at")
    for entry in entries:
        on_day, at_moment = days[entry.effective_on], moments[entry.recorded_at]
        yield (*entry[:day], on_day, *entry[day + 1 : at], at_moment, *entry[at + 1 :])
