"""What moved on some accounts in some months, each posting with the key of the fact that it belongs to."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from supervise.ledger.chart import AccountCode
from supervise.ledger.models import Account, JournalEntry, Posting
from supervise.ledger.sets import in_set

_PORTION = 2_000

#: A row of the journal as later stages hold it: read, shown, never selected from the table by them.
EntryRow = JournalEntry


class Movement(NamedTuple):
    """A posting; amounts in fen, debit positive."""

    entry_id: int
    account: AccountCode
    dimension_id: int | None
    effective_on: dt.date
    period: str
    event: str
    #: Key of the entry, or of the original if the entry is a reversal.
    origin_key: str
    reason: str | None
    amount_fen: int


def movements(
    session: Session,
    accounts: Collection[AccountCode],
    *,
    dimension_id: int | None = None,
    first_month: str = "",
    last_month: str,
) -> Iterator[Movement]:
    """Yield the postings of *accounts* booked in the months, both included, by month and order of posting.

    *dimension_id* None: of every dimension.
    """
    original = aliased(JournalEntry)
    query = (
        select(
            Posting.entry_id,
            Account.code,
            Posting.dimension_id,
            JournalEntry.effective_on,
            JournalEntry.period,
            JournalEntry.event,
            func.coalesce(original.idempotency_key, JournalEntry.idempotency_key),
            JournalEntry.reason,
            Posting.amount_fen,
        )
        .join(Account, Account.id == Posting.account_id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(original, original.id == JournalEntry.reverses_id, isouter=True)
        .where(Account.code.in_(accounts), JournalEntry.period.between(first_month, last_month))
        .order_by(JournalEntry.period, Posting.entry_id, Posting.line)
        .execution_options(yield_per=_PORTION)
    )
    if dimension_id is not None:
        query = query.where(Posting.dimension_id == dimension_id)
    for row in session.execute(query):
        yield Movement._make((row[0], AccountCode(row[1]), *row[2:]))


class FactAmount(NamedTuple):
    """What one fact has left on an account by a day, its reversals included; in fen, debit positive."""

    #: Key of the entry, or of the original if the entry is a reversal.
    origin_key: str
    account: AccountCode
    dimension_id: int | None
    #: The first day on which it took effect.
    since: dt.date
    amount_fen: int


def amounts_by_fact(session: Session, accounts: Collection[AccountCode], until: dt.date) -> Sequence[FactAmount]:
    """Return what each fact has left on *accounts* of what took effect by *until*, in the order of posting.

    A fact that took itself back is left out.
    """
    original = aliased(JournalEntry)
    key = func.coalesce(original.idempotency_key, JournalEntry.idempotency_key)
    query = (
        select(
            key, Account.code, Posting.dimension_id, func.min(JournalEntry.effective_on), func.sum(Posting.amount_fen)
        )
        .join(Account, Account.id == Posting.account_id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(original, original.id == JournalEntry.reverses_id, isouter=True)
        .where(Account.code.in_(accounts), JournalEntry.effective_on <= until)
        .group_by(key, Account.code, Posting.dimension_id)
        .having(func.sum(Posting.amount_fen) != 0)
        .order_by(func.min(Posting.entry_id), Posting.dimension_id)
    )
    return [FactAmount(row[0], AccountCode(row[1]), row[2], row[3], int(row[4])) for row in session.execute(query)]


def balances_before(
    session: Session, accounts: Collection[AccountCode], month: str, *, dimension_id: int | None = None
) -> dict[AccountCode, int]:
    """Return the balance of each of *accounts* of all that was booked before *month*, in fen."""
    query = (
        select(Account.code, func.coalesce(func.sum(Posting.amount_fen), 0))
        .join(Posting, Posting.account_id == Account.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(Account.code.in_(accounts), JournalEntry.period < month)
        .group_by(Account.code)
    )
    if dimension_id is not None:
        query = query.where(Posting.dimension_id == dimension_id)
    found = {AccountCode(code): int(fen) for code, fen in session.execute(query)}
    return {account: found.get(account, 0) for account in accounts}


def entries_of_facts(session: Session, keys: Sequence[str]) -> Sequence[JournalEntry]:
    """Return the entries with one of *keys*, and their reversals, in the order of posting."""
    keyed = select(JournalEntry.id).where(in_set(session.connection(), JournalEntry.idempotency_key, keys))
    query = select(JournalEntry).where(or_(JournalEntry.id.in_(keyed), JournalEntry.reverses_id.in_(keyed)))
    return session.scalars(query.order_by(JournalEntry.id)).all()


def periods_of_keys(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """Return the month in which each of *keys* was booked; keys that were never posted are left out."""
    query = select(JournalEntry.idempotency_key, JournalEntry.period)
    rows = session.execute(query.where(in_set(session.connection(), JournalEntry.idempotency_key, keys)))
    return {row.idempotency_key: row.period for row in rows}


def debits_of(session: Session, entry_ids: Collection[int]) -> dict[int, int]:
    """Return the sum of the debits of each entry, in fen."""
    query = (
        select(Posting.entry_id, func.sum(Posting.amount_fen))
        .where(Posting.entry_id.in_(entry_ids), Posting.amount_fen > 0)
        .group_by(Posting.entry_id)
    )
    return {entry_id: int(fen) for entry_id, fen in session.execute(query)}
