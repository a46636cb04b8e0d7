"""The bytes that are sealed: one spelling of each row, the same on both engines and in every year.

ASCII JSON with sorted keys; integers; days as ISO; moments in UTC with microseconds. Rows are read as the
driver gives them, not through our types, so that a damaged value shows as different instead of failing.
"""

import datetime as dt
from collections.abc import Generator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, FromClause, Row, Select, literal_column, null, select
from sqlalchemy.orm import InstrumentedAttribute, join

from supervise.ledger.models import Account, JournalEntry, Period, PeriodReopening, Posting, ReopeningState, SealEntry
from supervise.sealing import encode, moment, raw

_BATCH = 5_000

#: Columns of an entry in a stored picture; ``postings`` stands beside them.
ENTRY_COLUMNS: tuple[InstrumentedAttribute[Any], ...] = (
    JournalEntry.id,
    JournalEntry.lines,
    JournalEntry.idempotency_key,
    JournalEntry.content_sha256,
    JournalEntry.event,
    JournalEntry.effective_on,
    JournalEntry.period,
    JournalEntry.recorded_at,
    JournalEntry.actor_id,
    JournalEntry.approver_id,
    JournalEntry.reverses_id,
    JournalEntry.reversal_no,
    JournalEntry.reason,
)
_POSTING_COLUMNS = (
    Posting.line,
    Posting.lines,
    Posting.account_id,
    Account.code,
    Posting.dimension_id,
    Posting.amount_fen,
)


class StoredEntry(NamedTuple):
    """An entry as it stands in the database now."""

    entry_id: int
    #: By column, spelt canonically; ``postings`` holds lists of line, lines, account id, code, dimension, fen.
    picture: dict[str, Any]
    #: The seal that holds it, and the bytes sealed; None if it is not sealed.
    seal_id: int | None
    sealed: bytes | None


def day(value: Any) -> Any:
    """Spell a day; what is none stays as it is."""
    return value.isoformat() if isinstance(value, dt.date) else value


def sealed_entries(connection: Connection, last_seal: int) -> Generator[StoredEntry]:
    """Stream what the seals up to *last_seal* hold, by seal and entry; a lost entry has an empty picture."""
    source = join(SealEntry, JournalEntry, JournalEntry.id == SealEntry.entry_id, isouter=True)
    query = (
        _select(source, SealEntry.seal_id, SealEntry.entry_id, SealEntry.content)
        .where(SealEntry.seal_id <= last_seal)
        .order_by(SealEntry.seal_id, SealEntry.entry_id, Posting.line)
    )
    return _entries(connection, query)


def unsealed_entries(connection: Connection, *, after_id: int = 0, limit: int | None = None) -> Generator[StoredEntry]:
    """Stream the closed entries that no seal holds, by id, at most *limit*.

    *after_id* pages within one run; it never says what an earlier run has sealed, since a late committer
    may come with a lower id.
    """
    free = (
        select(JournalEntry.id)
        .where(JournalEntry.id > after_id)
        .where(~select(literal_column("1")).where(SealEntry.entry_id == JournalEntry.id).exists())
        .order_by(JournalEntry.id)
        .limit(limit)
        .subquery()
    )
    source = join(JournalEntry, free, free.c.id == JournalEntry.id)
    query = _select(source, null(), JournalEntry.id, null()).order_by(JournalEntry.id, Posting.line)
    return _entries(connection, query)


def _select(source: FromClause, *place: Any) -> Select[*tuple[Any, ...]]:
    return (
        select(*(raw(column) for column in (*place, *ENTRY_COLUMNS, *_POSTING_COLUMNS)))
        .select_from(source)
        .outerjoin(Posting, Posting.entry_id == JournalEntry.id)
        .outerjoin(Account, Account.id == Posting.account_id)
    )


def _entries(connection: Connection, query: Select[*tuple[Any, ...]]) -> Generator[StoredEntry]:
    # Closed even if the reader stops early: PostgreSQL holds a cursor for it.
    with connection.execute(query.execution_options(yield_per=_BATCH)) as rows:
        for (seal_id, entry_id), group in groupby(rows, key=_place):
            postings = list(group)
            head = postings[0]
            sealed = None if head[2] is None else bytes(head[2])
            yield StoredEntry(entry_id, _picture(head, postings), seal_id, sealed)


def _place(row: Row[*tuple[Any, ...]]) -> tuple[Any, Any]:
    return row[0], row[1]


def _picture(head: Row[*tuple[Any, ...]], postings: Sequence[Row[*tuple[Any, ...]]]) -> dict[str, Any]:
    columns = head[3 : 3 + len(ENTRY_COLUMNS)]
    if columns[0] is None:
        return {}
    picture = {column.key: value for column, value in zip(ENTRY_COLUMNS, columns, strict=True)}
    picture["effective_on"] = day(picture["effective_on"])
    picture["recorded_at"] = moment(picture["recorded_at"])
    first = 3 + len(ENTRY_COLUMNS)
    picture["postings"] = [list(row[first:]) for row in postings if row[first] is not None]
    return picture


def chart_picture(connection: Connection) -> list[list[Any]]:
    """Return every account: id, code, family, type, dimension kind."""
    columns = (Account.id, Account.code, Account.family, Account.type, Account.dimension_kind)
    rows = connection.execute(select(*(raw(column) for column in columns)).order_by(Account.id))
    return [list(row) for row in rows]


def periods_picture(connection: Connection) -> list[list[Any]]:
    """Return every period: month, opened at and by, state, closed at and by."""
    columns = (Period.month, Period.opened_at, Period.opened_by, Period.state, Period.closed_at, Period.closed_by)
    rows = connection.execute(select(*(raw(column) for column in columns)).order_by(Period.month))
    return [[month, moment(opened_at), by, state, moment(at), who] for month, opened_at, by, state, at, who in rows]


#: What the HMAC of a confirmed reopening covers.
_REOPENING_COLUMNS: tuple[InstrumentedAttribute[Any], ...] = (
    PeriodReopening.id,
    PeriodReopening.month,
    PeriodReopening.closed_at,
    PeriodReopening.reason,
    PeriodReopening.asked_by,
    PeriodReopening.asked_at,
    PeriodReopening.decided_by,
    PeriodReopening.decided_at,
    PeriodReopening.refusal,
)


class StoredReopening(NamedTuple):
    """A confirmed reopening as it stands in the database now."""

    id: int
    #: By column, spelt canonically.
    picture: dict[str, Any]
    mac: Any

    @property
    def closing(self) -> tuple[Any, Any]:
        """The month and the moment of the closing that it opened again."""
        return self.picture["month"], self.picture["closed_at"]


def confirmed_reopenings(connection: Connection) -> list[StoredReopening]:
    """Return the reopenings that opened a closed period again, by id."""
    columns = (PeriodReopening.mac, *_REOPENING_COLUMNS)
    query = select(*(raw(column) for column in columns)).where(PeriodReopening.state == ReopeningState.CONFIRMED)
    return [
        StoredReopening(values[0], _reopening_picture(values), mac)
        for mac, *values in connection.execute(query.order_by(PeriodReopening.id))
    ]


def reopening_content(reopening: PeriodReopening) -> bytes:
    """Return the bytes of a reopening that is being confirmed: of which closing, who asked, who confirmed, and why."""
    return encode(_reopening_picture([getattr(reopening, column.key) for column in _REOPENING_COLUMNS]))


def _reopening_picture(values: Sequence[Any]) -> dict[str, Any]:
    keys = [column.key for column in _REOPENING_COLUMNS]
    return {key: moment(value) if key.endswith("_at") else value for key, value in zip(keys, values, strict=True)}
