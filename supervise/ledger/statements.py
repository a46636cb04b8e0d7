"""Statements of an account: what stood before, what moved, what stands after; and who it is split by."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from supervise.ledger.chart import AccountCode, DimensionKind
from supervise.ledger.models import Account, JournalEntry, Posting, Seal, SealEntry
from supervise.ledger.queries import DimensionBalance


class StatementTotals(NamedTuple):
    """Some months of an account, in fen: ``opening + debit - credit = closing``."""

    opening_fen: int
    debit_fen: int
    credit_fen: int

    @property
    def closing_fen(self) -> int:
        """What stands at the end of the last month."""
        return self.opening_fen + self.debit_fen - self.credit_fen


def statement_totals(
    session: Session, account: AccountCode, dimension_id: int | None = None, *, months: tuple[str, str]
) -> StatementTotals:
    """Return the totals of *account* from the first to the last of *months*, both included."""
    first, last = months
    before = JournalEntry.period < first
    within = JournalEntry.period.between(first, last)
    query = (
        select(
            _sum(before),
            _sum(within & (Posting.amount_fen > 0)),
            _sum(within & (Posting.amount_fen < 0)),
        )
        .select_from(Posting)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(Account, Account.id == Posting.account_id)
        .where(Account.code == account)
    )
    if dimension_id is not None:
        query = query.where(Posting.dimension_id == dimension_id)
    opening, debit, credit = session.execute(query).one()
    return StatementTotals(int(opening), int(debit), -int(credit))


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(Posting.amount_fen).filter(condition), 0)


def dimension_balances(
    session: Session, account: AccountCode, *, after_id: int = 0, limit: int = 100
) -> Sequence[DimensionBalance]:
    """Return up to *limit* dimensions after *after_id* whose balance on *account* is not zero, by dimension."""
    total = func.sum(Posting.amount_fen)
    query = (
        select(Posting.dimension_id, total)
        .join(Account, Account.id == Posting.account_id)
        .where(Account.code == account, Posting.dimension_id > after_id)
        .group_by(Posting.dimension_id)
        .having(total != 0)
        .order_by(Posting.dimension_id)
        .limit(limit)
    )
    return [DimensionBalance(dimension_id, int(fen)) for dimension_id, fen in session.execute(query)]


def dimension_kind_of(session: Session, account: AccountCode) -> DimensionKind:
    """Return by what *account* is split."""
    return session.scalars(select(Account.dimension_kind).where(Account.code == account)).one()


def entries_by_month(session: Session) -> dict[str, int]:
    """Return how many entries each month holds; months without any are left out."""
    query = select(JournalEntry.period, func.count()).group_by(JournalEntry.period)
    return {row[0]: row[1] for row in session.execute(query)}


class SealOfEntry(NamedTuple):
    """The link of the hash chain that holds an entry."""

    seal_id: int
    sealed_at: dt.datetime


def seal_of_entry(session: Session, entry_id: int) -> SealOfEntry | None:
    """Return the seal that holds the entry; None while no seal does."""
    query = (
        select(Seal.id, Seal.sealed_at)
        .join(SealEntry, SealEntry.seal_id == Seal.id)
        .where(SealEntry.entry_id == entry_id)
    )
    row = session.execute(query).one_or_none()
    return SealOfEntry._make(row) if row else None


class BookSize(NamedTuple):
    """How much there is to verify, and how much of it is not sealed yet."""

    entries: int
    seals: int
    unsealed: int


def book_size(session: Session) -> BookSize:
    """Return how many entries and seals there are."""
    entries = session.scalars(select(func.count(JournalEntry.id))).one()
    sealed = session.scalars(select(func.count(SealEntry.entry_id))).one()
    return BookSize(entries, session.scalars(select(func.count(Seal.id))).one(), entries - sealed)
