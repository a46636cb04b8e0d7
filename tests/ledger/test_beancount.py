"""A proof by software that is not ours: Beancount loads the whole book, checks it and adds it up."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from beancount import loader
from beancount.core import data
from sqlalchemy.orm import Session

from supervise.ledger.beancount import beancount_account, beancount_lines
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import Account
from supervise.ledger.post import post
from supervise.ledger.queries import balance_fen, balances_by_dimension
from supervise.ledger.reverse import ReversalDraft, reverse
from tests.factories.ledger import make_draft, make_entry, make_period

NOVEMBER_20 = dt.datetime(2026, 11, 20, 4, tzinfo=dt.UTC)


@pytest.fixture
def book(session: Session) -> Iterator[Session]:
    """Every account used, several dimensions, part of an entry reversed, a late fact, words that need quoting."""
    with time_machine.travel(NOVEMBER_20, tick=False):
        make_period(session, month="2026-11")
        accounts = session.scalars(sa.select(Account).order_by(Account.code)).all()
        for family in ("external", "internal"):
            chain = [account for account in accounts if account.family == family]
            for number, (debit, credit) in enumerate(zip(chain, [*chain[1:], chain[0]], strict=True), start=1):
                lines = [
                    (AccountCode(debit.code), None if debit.dimension_kind == "none" else number % 3 + 1, 100 * number),
                    (AccountCode(credit.code), None if credit.dimension_kind == "none" else 2, -100 * number),
                ]
                post(session, [make_draft(key=f"{family}:{number}", lines=lines)])
        entry_id = make_entry(
            session, amount_fen=20001, effective_on=dt.date(2026, 10, 31), reason='他说:"不要"\n路径 C:\\x'
        )
        draft = ReversalDraft(
            entry_id=entry_id,
            key="r:1",
            event="penalty.voided",
            effective_on=dt.date(2026, 11, 2),
            reason="申诉",
            amount_fen=7,
        )
        reverse(session, [draft])
        yield session


def load(path: Path, session: Session) -> list[Any]:
    path.write_text("\n".join(beancount_lines(session)), encoding="utf-8")
    entries, errors, _options = loader.load_file(str(path))
    assert errors == []
    return list(entries)


def totals_of(entries: list[Any]) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for entry in entries:
        if isinstance(entry, data.Transaction):
            postings: list[Any] = entry.postings
            for posting in postings:
                totals[posting.account] += int(posting.units.number * 100)
    return {name: fen for name, fen in totals.items() if fen}


def test_beancount_accepts_the_book_and_finds_every_balance(book: Session, tmp_path: Path) -> None:
    theirs = totals_of(load(tmp_path / "book.beancount", book))

    ours = {
        beancount_account(account, dimension_id): fen
        for account in book.scalars(sa.select(Account))
        for dimension_id, fen in balances_by_dimension(book, AccountCode(account.code))
    }
    assert theirs == ours
    assert len(ours) > 20
    assert sum(fen for name, fen in theirs.items() if ":Internal:" in name) == 0
    assert theirs["Assets:External:1221-01:Party-17"] == balance_fen(book, AccountCode.PENALTY_CONTESTABLE, 17) == 19994


def test_the_book_carries_the_whole_story(book: Session, tmp_path: Path) -> None:
    entries = load(tmp_path / "book.beancount", book)

    late = next(entry for entry in entries if getattr(entry, "narration", "") == "penalty:approved:1")
    reversal = next(entry for entry in entries if getattr(entry, "narration", "") == "r:1")
    assert (late.date, late.meta["period"], late.payee) == (dt.date(2026, 10, 31), "2026-11", "penalty.approved")
    assert late.meta["reason"] == '他说:"不要"\n路径 C:\\x'
    assert reversal.meta["reverses"] == late.meta["entry"]
    assert reversal.postings[0].units.number == Decimal("-0.07")


def test_every_balance_is_asserted_in_the_file_itself(book: Session, tmp_path: Path) -> None:
    path = tmp_path / "book.beancount"
    entries = load(path, book)
    assert sum(isinstance(entry, data.Balance) for entry in entries) == sum(
        isinstance(entry, data.Open) for entry in entries
    )

    lines = path.read_text(encoding="utf-8").splitlines()
    forged = [line.replace("200.01 CNY", "200.02 CNY") if line.startswith("  ") else line for line in lines]
    path.write_text("\n".join(forged), encoding="utf-8")
    _entries, errors, _options = loader.load_file(str(path))

    assert [type(error).__name__ for error in errors] == ["BalanceError", "BalanceError"]


def test_an_empty_book_is_a_file_that_loads(session: Session, tmp_path: Path) -> None:
    assert totals_of(load(tmp_path / "empty.beancount", session)) == {}
