"""Reading the ledger: balances, statements, entries. Nothing here writes.

A posting counts on a day by its period first: what took effect in October but is booked in November counts
from the first of November on, so the totals of a closed month never change.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from supervise import clock
from supervise.errors import NotFoundError
from supervise.ledger.chart import AccountCode, AccountFamily, AccountType
from supervise.ledger.errors import FutureDateError
from supervise.ledger.models import Account, JournalEntry, Posting
from supervise.ledger.sets import in_set


class AccountTotal(NamedTuple):
    """An account's turnover since the beginning, in fen."""

    account: AccountCode
    family: AccountFamily
    type: AccountType
    debit_fen: int
    credit_fen: int
    balance_fen: int


class DimensionBalance(NamedTuple):
    """What stands on one account for one dimension, in fen."""

    dimension_id: int | None
    balance_fen: int


class Place(NamedTuple):
    """Where a statement row stands; the next page begins after it."""

    entry_id: int
    line: int


class StatementRow(NamedTuple):
    """A posting with its entry, and the balance after it."""

    place: Place
    dimension_id: int | None
    effective_on: dt.date
    period: str
    event: str
    key: str
    reason: str | None
    reverses_id: int | None
    amount_fen: int
    balance_fen: int


class StatementPage(NamedTuple):
    """Rows in the order of posting; ``opening_fen`` is the balance before the first of them."""

    opening_fen: int
    rows: Sequence[StatementRow]
    #: Where the next page begins; None on the last page.
    after: Place | None


class EntryLine(NamedTuple):
    """A line of an entry."""

    account: AccountCode
    dimension_id: int | None
    amount_fen: int


class Entry(NamedTuple):
    """A journal entry with its lines and the reversals that it has."""

    head: JournalEntry
    lines: Sequence[EntryLine]
    reversal_ids: Sequence[int]


def booked_by(day: dt.date) -> ColumnElement[bool]:
    """Return the condition that an entry counts at the end of *day*."""
    month = clock.month_of(day)
    return or_(JournalEntry.period < month, and_(JournalEntry.period == month, JournalEntry.effective_on <= day))


def balance_fen(
    session: Session, account: AccountCode, dimension_id: int | None = None, as_of: dt.date | None = None
) -> int:
    """Return the balance of *account* in fen, debit positive; of one dimension, or of all.

    *as_of*: at the end of that day; None: of everything posted.

    Raises:
        FutureDateError: if *as_of* has not come yet.
    """
    query = select(func.coalesce(func.sum(Posting.amount_fen), 0)).where(Posting.account_id == _account_id(account))
    if dimension_id is not None:
        query = query.where(Posting.dimension_id == dimension_id)
    if as_of is not None:
        query = query.join(JournalEntry, JournalEntry.id == Posting.entry_id).where(_until(as_of))
    return int(session.scalars(query).one())


def balances_by_dimension(
    session: Session, account: AccountCode, dimension_ids: Sequence[int] | None = None
) -> Sequence[DimensionBalance]:
    """Return one row for each dimension of *account* whose balance is not zero, by dimension."""
    total = func.sum(Posting.amount_fen)
    query = select(Posting.dimension_id, total).where(Posting.account_id == _account_id(account))
    if dimension_ids is not None:
        query = query.where(Posting.dimension_id.in_(dimension_ids))
    rows = session.execute(query.group_by(Posting.dimension_id).having(total != 0).order_by(Posting.dimension_id))
    return [DimensionBalance(dimension_id, int(fen)) for dimension_id, fen in rows]


def unexplained_dimensions(session: Session, account: AccountCode, expected: Mapping[int, int]) -> set[int]:
    """Return the dimensions of *account* whose balance is not as *expected* (fen, debit positive; 0 if left out)."""
    booked = {row.dimension_id: row.balance_fen for row in balances_by_dimension(session, account)}
    dimensions = {dimension_id for dimension_id in (*booked, *expected) if dimension_id is not None}
    return {one for one in dimensions if booked.get(one, 0) != expected.get(one, 0)}


def trial_balance(session: Session, at: dt.date) -> Sequence[AccountTotal]:
    """Return one row for each account of the chart at the end of *at*, by code; balances sum to zero.

    Raises:
        FutureDateError: if *at* has not come yet.
    """
    debit = func.sum(Posting.amount_fen).filter(Posting.amount_fen > 0)
    credit = func.sum(Posting.amount_fen).filter(Posting.amount_fen < 0)
    sums = (
        select(Posting.account_id, debit.label("debit_fen"), credit.label("credit_fen"))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(_until(at))
        .group_by(Posting.account_id)
        .subquery()
    )
    query = (
        select(Account, func.coalesce(sums.c.debit_fen, 0), func.coalesce(sums.c.credit_fen, 0))
        .outerjoin(sums, sums.c.account_id == Account.id)
        .order_by(Account.code)
    )
    return [
        AccountTotal(
            AccountCode(account.code),
            account.family,
            account.type,
            int(debited),
            -int(credited),
            int(debited + credited),
        )
        for account, debited, credited in session.execute(query)
    ]


def account_statement(
    session: Session,
    account: AccountCode,
    dimension_id: int | None = None,
    *,
    months: tuple[str, str] | None = None,
    after: Place | None = None,
    limit: int = 100,
) -> StatementPage:
    """Return a page of the postings of *account*, in the order of posting, each with the balance after it.

    *months*: only entries booked from the first to the last of these, both included; the opening balance
    then holds all months before.
    """
    first, last = months or ("", "9999-12")
    of_account = Posting.account_id == _account_id(account)
    if dimension_id is not None:
        of_account &= Posting.dimension_id == dimension_id
    within = JournalEntry.period.between(first, last)
    before = JournalEntry.period < first
    rows = _statement_rows().where(of_account, within)
    if after is not None:
        position = tuple_(Posting.entry_id, Posting.line)
        rows = rows.where(position > tuple_(literal(after.entry_id), literal(after.line)))
        before |= within & (position <= tuple_(literal(after.entry_id), literal(after.line)))
    opening = (
        select(func.coalesce(func.sum(Posting.amount_fen), 0))
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(of_account, before)
    )
    opening_fen = int(session.scalars(opening).one())
    found = session.execute(rows.order_by(Posting.entry_id, Posting.line).limit(limit + 1)).all()
    page = _with_balances(opening_fen, found[:limit])
    return StatementPage(opening_fen, page, page[-1].place if len(found) > limit else None)


def entry_by_id(session: Session, entry_id: int) -> Entry:
    """Return one entry with its lines in order.

    Raises:
        NotFoundError: if it does not exist.
    """
    head = session.get(JournalEntry, entry_id)
    if head is None:
        raise NotFoundError
    lines = session.execute(
        select(Account.code, Posting.dimension_id, Posting.amount_fen)
        .join(Account, Account.id == Posting.account_id)
        .where(Posting.entry_id == entry_id)
        .order_by(Posting.line)
    )
    reversals = session.scalars(
        select(JournalEntry.id).where(JournalEntry.reverses_id == entry_id).order_by(JournalEntry.reversal_no)
    )
    return Entry(
        head, [EntryLine(AccountCode(code), dimension_id, fen) for code, dimension_id, fen in lines], reversals.all()
    )


def entries_of_keys(session: Session, keys: Sequence[str]) -> dict[str, int]:
    """Return the entry's id for each of *keys* that was posted."""
    of_keys = in_set(session.connection(), JournalEntry.idempotency_key, keys)
    query = select(JournalEntry.idempotency_key, JournalEntry.id).where(of_keys)
    return {row.idempotency_key: row.id for row in session.execute(query)}


def _account_id(account: AccountCode) -> ColumnElement[int]:
    return select(Account.id).where(Account.code == account).scalar_subquery()


def _until(day: dt.date) -> ColumnElement[bool]:
    if day > clock.today():
        raise FutureDateError(day=str(day))
    return booked_by(day)


def _statement_rows() -> Select[*tuple[Any, ...]]:
    return select(
        Posting.entry_id,
        Posting.line,
        Posting.dimension_id,
        JournalEntry.effective_on,
        JournalEntry.period,
        JournalEntry.event,
        JournalEntry.idempotency_key,
        JournalEntry.reason,
        JournalEntry.reverses_id,
        Posting.amount_fen,
    ).join(JournalEntry, JournalEntry.id == Posting.entry_id)


def _with_balances(opening_fen: int, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[StatementRow]:
    page = []
    for row in rows:
        opening_fen += row.amount_fen
        page.append(
            StatementRow(
                place=Place(row.entry_id, row.line),
                dimension_id=row.dimension_id,
                effective_on=row.effective_on,
                period=row.period,
                event=row.event,
                key=row.idempotency_key,
                reason=row.reason,
                reverses_id=row.reverses_id,
                amount_fen=row.amount_fen,
                balance_fen=opening_fen,
            ),
        )
    return page
