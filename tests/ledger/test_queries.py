import datetime as dt

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise.errors import NotFoundError
from supervise.ledger.chart import AccountCode
from supervise.ledger.errors import FutureDateError
from supervise.ledger.models import Period, PeriodState
from supervise.ledger.post import post
from supervise.ledger.queries import (
    account_statement,
    balance_fen,
    balances_by_dimension,
    entries_of_keys,
    entry_by_id,
    trial_balance,
    unexplained_dimensions,
)
from tests.factories.ledger import make_draft, make_entry, make_period

RECEIVABLE, DEFERRED = AccountCode.PENALTY_CONTESTABLE, AccountCode.PENALTY_DEFERRED
OCTOBER, NOVEMBER = dt.datetime(2026, 10, 20, 4, tzinfo=dt.UTC), dt.datetime(2026, 11, 20, 4, tzinfo=dt.UTC)


@pytest.fixture
def months(session: Session) -> Session:
    """October closed with 100 yuan, November open with 200 and a late 30 yuan of October."""
    with time_machine.travel(OCTOBER, tick=False):
        make_entry(session, key="a:1", amount_fen=10000)
    october = session.get_one(Period, "2026-10")
    october.state, october.closed_at = PeriodState.CLOSED, OCTOBER
    session.flush()
    with time_machine.travel(NOVEMBER, tick=False):
        make_entry(session, key="a:2", amount_fen=20000)
        make_entry(session, key="b:1", amount_fen=3000, effective_on=dt.date(2026, 10, 20))
    return session


@time_machine.travel(NOVEMBER, tick=False)
@pytest.mark.parametrize(
    ("day", "balance"),
    [
        (dt.date(2026, 10, 19), 0),
        (dt.date(2026, 10, 20), 10000),
        (dt.date(2026, 10, 31), 10000),
        (dt.date(2026, 11, 1), 13000),
        (dt.date(2026, 11, 19), 13000),
        (dt.date(2026, 11, 20), 33000),
    ],
)
def test_a_balance_at_a_day_goes_by_period_then_by_effect(months: Session, day: dt.date, balance: int) -> None:
    assert balance_fen(months, RECEIVABLE, as_of=day) == balance
    total = next(row for row in trial_balance(months, day) if row.account is RECEIVABLE)
    assert (total.debit_fen, total.credit_fen, total.balance_fen) == (balance, 0, balance)
    assert sum(row.balance_fen for row in trial_balance(months, day)) == 0


@time_machine.travel(NOVEMBER, tick=False)
def test_a_day_that_has_not_come_has_no_balance(months: Session) -> None:
    with pytest.raises(FutureDateError):
        trial_balance(months, dt.date(2026, 11, 21))
    with pytest.raises(FutureDateError):
        balance_fen(months, RECEIVABLE, as_of=dt.date(2026, 11, 21))


@time_machine.travel(NOVEMBER, tick=False)
def test_the_trial_balance_shows_the_whole_chart_by_code(months: Session) -> None:
    assert [row.account for row in trial_balance(months, dt.date(2026, 11, 20))] == sorted(AccountCode)


def test_balances_are_kept_apart_by_dimension(session: Session) -> None:
    make_entry(session, key="a:1", dimension_id=1, amount_fen=100)
    make_entry(session, key="a:2", dimension_id=2, amount_fen=250)
    make_entry(session, key="a:3", dimension_id=2, amount_fen=250, debit=DEFERRED, credit=RECEIVABLE)

    assert balance_fen(session, RECEIVABLE, 1) == 100
    assert balance_fen(session, RECEIVABLE, 2) == 0
    assert balance_fen(session, RECEIVABLE, 3) == 0
    assert balances_by_dimension(session, RECEIVABLE) == [(1, 100)]
    assert balances_by_dimension(session, RECEIVABLE, [2, 3]) == []


def test_a_statement_turns_its_pages_without_losing_a_fen(session: Session) -> None:
    make_period(session)
    post(session, [make_draft(key=f"a:{n}", amount_fen=n) for n in range(1, 8)])
    make_entry(session, key="other:1", dimension_id=99, amount_fen=1000)

    first = account_statement(session, RECEIVABLE, 17, limit=3)
    second = account_statement(session, RECEIVABLE, 17, limit=3, after=first.after)
    third = account_statement(session, RECEIVABLE, 17, limit=3, after=second.after)

    assert [row.key for row in (*first.rows, *second.rows, *third.rows)] == [f"a:{n}" for n in range(1, 8)]
    assert [page.opening_fen for page in (first, second, third)] == [0, 6, 21]
    assert [row.balance_fen for row in second.rows] == [10, 15, 21]
    assert third.rows[-1].balance_fen == balance_fen(session, RECEIVABLE, 17) == 28
    assert third.after is None


def test_a_statement_of_months_opens_with_what_was_before(months: Session) -> None:
    november = account_statement(months, RECEIVABLE, months=("2026-11", "2026-11"))
    october = account_statement(months, RECEIVABLE, months=("2026-10", "2026-10"))
    paged = account_statement(months, RECEIVABLE, months=("2026-11", "2026-11"), after=november.rows[0].place)

    assert (november.opening_fen, [row.amount_fen for row in november.rows]) == (10000, [20000, 3000])
    assert (october.opening_fen, [row.amount_fen for row in october.rows]) == (0, [10000])
    assert (paged.opening_fen, [row.key for row in paged.rows]) == (30000, ["b:1"])


def test_an_empty_statement_is_a_page(session: Session) -> None:
    page = account_statement(session, AccountCode.BANK)

    assert (page.opening_fen, list(page.rows), page.after) == (0, [], None)


def test_dimensions_whose_balance_is_not_what_was_expected_are_named(session: Session) -> None:
    make_entry(session, key="a:1")
    [row] = balances_by_dimension(session, RECEIVABLE)
    assert row.dimension_id is not None
    nobody = row.dimension_id + 1

    assert unexplained_dimensions(session, RECEIVABLE, {row.dimension_id: row.balance_fen}) == set()
    assert unexplained_dimensions(session, RECEIVABLE, {row.dimension_id: row.balance_fen - 1}) == {row.dimension_id}
    assert unexplained_dimensions(session, RECEIVABLE, {}) == {row.dimension_id}
    assert unexplained_dimensions(session, RECEIVABLE, {row.dimension_id: row.balance_fen, nobody: 1}) == {nobody}


def test_entries_are_found_by_their_keys(session: Session) -> None:
    entry_id = make_entry(session, key="a:1")

    assert entries_of_keys(session, ["a:1", "a:2"]) == {"a:1": entry_id}


def test_an_entry_that_is_not_there_is_not_found(session: Session) -> None:
    with pytest.raises(NotFoundError):
        entry_by_id(session, 1)
