"""Writing thousands of rows at once, as fast as each engine takes them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text


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


def _arrays(table: str, columns: Sequence[str]) -> str:
    # One statement, however many rows: PostgreSQL takes a list for each column.
    lists = ", ".join(f"CAST(:{name} AS {_KINDS.get(name, 'bigint')}[])" for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({lists})"  # noqa: S608 - our names


_PLAIN_POSTINGS = _plain("posting", PostingRow._fields)
_PLAIN_ENTRIES = _plain("journal_entry", EntryRow._fields)
_POSTING_ARRAYS = text(_arrays("posting", PostingRow._fields))
_ENTRY_ARRAYS = text(_arrays("journal_entry", EntryRow._fields))


def insert_rows(connection: Connection, postings: Sequence[PostingRow], entries: Sequence[EntryRow]) -> None:
    """Insert *postings*, then *entries* in their order: the other way round the triggers refuse."""
    if connection.dialect.name == "postgresql":
        connection.execute(_POSTING_ARRAYS, _columns(PostingRow._fields, postings))
        connection.execute(_ENTRY_ARRAYS, _columns(EntryRow._fields, entries))
        return
    connection.exec_driver_sql(_PLAIN_POSTINGS, list(postings))
    connection.exec_driver_sql(_PLAIN_ENTRIES, [_sqlite_entry(entry) for entry in entries])


def _columns(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> Mapping[str, list[object]]:
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _sqlite_entry(entry: EntryRow) -> EntryRow:
    # As SQLAlchemy's Date and our UTCDateTime store them; the driver's own adapters are deprecated.
    return entry._replace(
        effective_on=entry.effective_on.isoformat(),  # type: ignore[arg-type]
        recorded_at=entry.recorded_at.strftime("%Y-%m-%d %H:%M:%S.%f"),  # type: ignore[arg-type]
    )
