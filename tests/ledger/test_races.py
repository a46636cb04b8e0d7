"""Several people at the same moment, judged by SQL and not by our own reading."""

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.db import Database, is_retryable
from supervise.errors import AlreadyDecidedError, RefusalError
from supervise.ledger.errors import KeyReusedError, PeriodStateError, ReversalError
from supervise.ledger.models import PeriodState
from supervise.ledger.periods import close_period, soft_close_period
from supervise.ledger.post import post
from supervise.ledger.reopen import ask_reopening, confirm_reopening
from supervise.ledger.reverse import ReversalDraft, reverse
from supervise.ledger.seal import seal_closed_entries
from supervise.ledger.verify import verify
from tests.factories.ledger import make_draft, make_entry, make_period

THREADS = 8


def race(database: Database, decisions: Sequence[Callable[[Session], Any]]) -> list[Any]:
    """Run all *decisions* at once, each as a page would; return what each gave or refused."""
    barrier = threading.Barrier(len(decisions))
    outcomes: list[Any] = [None] * len(decisions)

    def run(place: int) -> None:
        barrier.wait()
        for _attempt in range(10):
            try:
                with database.session(writes=True) as session:
                    outcomes[place] = decisions[place](session)
            except RefusalError as refusal:
                outcomes[place] = refusal
            except sa.exc.DBAPIError as error:
                outcomes[place] = error
                if is_retryable(error):
                    continue
            return

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(decisions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def one(database: Database, query: str) -> Any:
    with database.engine.connect() as connection:
        return connection.exec_driver_sql(query).scalar_one()


@pytest.fixture
def month(database: Database) -> Database:
    """A ledger whose present month is open."""
    with database.session(writes=True) as session:
        make_period(session)
    return database


def test_one_key_posted_by_eight_people_is_one_entry(month: Database) -> None:
    outcomes = race(month, [lambda session: post(session, [make_draft()])] * THREADS)

    assert len({entry_id for (entry_id,) in outcomes}) == 1
    assert one(month, "SELECT count(*) FROM journal_entry") == 1
    assert one(month, "SELECT sum(amount_fen) FROM posting WHERE amount_fen > 0") == 20000


def test_one_key_with_eight_contents_is_one_entry_and_seven_refusals(month: Database) -> None:
    def posting(amount_fen: int) -> Callable[[Session], list[int]]:
        return lambda session: post(session, [make_draft(amount_fen=amount_fen)])

    outcomes = race(month, [posting(100 + place) for place in range(THREADS)])

    assert sum(isinstance(outcome, KeyReusedError) for outcome in outcomes) == THREADS - 1
    assert one(month, "SELECT count(*) FROM journal_entry") == 1


def test_batches_that_share_keys_in_opposite_order_are_all_posted_once(month: Database) -> None:
    drafts = [make_draft(key=f"batch:{n:03}") for n in range(100)]
    batches = [drafts, drafts[::-1], drafts[50:] + drafts[:50], drafts[:60]] * 2

    def posting(batch: list[Any]) -> Callable[[Session], list[int]]:
        return lambda session: post(session, batch)

    outcomes = race(month, [posting(batch) for batch in batches])

    assert [len(outcome) for outcome in outcomes] == [100, 100, 100, 60] * 2
    assert one(month, "SELECT count(*) FROM journal_entry") == 100
    assert one(month, "SELECT count(*) FROM posting") == 200


def test_the_same_whole_reversal_by_eight_people_is_one(month: Database) -> None:
    with month.session(writes=True) as session:
        entry_id = make_entry(session)

    outcomes = race(month, [lambda session: reverse(session, [_reversal(entry_id, "r:1")])] * THREADS)

    assert len({reversal_id for (reversal_id,) in outcomes}) == 1
    assert one(month, "SELECT sum(amount_fen) FROM posting WHERE account_id = 4") == 0


def test_eight_parts_of_an_entry_that_has_five_are_five(month: Database) -> None:
    with month.session(writes=True) as session:
        entry_id = make_entry(session, amount_fen=500)

    def part(place: int) -> Callable[[Session], list[int]]:
        return lambda session: reverse(session, [_reversal(entry_id, f"r:{place}", 100)])

    outcomes = race(month, [part(place) for place in range(THREADS)])

    assert sum(isinstance(outcome, ReversalError) for outcome in outcomes) == 3
    assert one(month, "SELECT sum(amount_fen) FROM posting WHERE account_id = 4") == 0
    assert one(month, "SELECT max(reversal_no) FROM journal_entry") == 5


def _reversal(entry_id: int, key: str, amount_fen: int | None = None) -> ReversalDraft:
    return ReversalDraft(
        entry_id=entry_id,
        key=key,
        event="penalty.reversed",
        effective_on=clock.today(),
        reason="x",
        amount_fen=amount_fen,
    )


def test_posting_and_sealing_at_once_forks_nothing_and_loses_nothing(month: Database, keyring: Keyring) -> None:
    def posting(place: int) -> Callable[[Session], list[int]]:
        return lambda session: post(session, [make_draft(key=f"p:{place}:{n}") for n in range(20)])

    sealing: Callable[[Session], Any] = lambda session: seal_closed_entries(session, keyring)  # noqa: E731
    race(month, [sealing if place % 2 else posting(place) for place in range(THREADS)])

    with month.session(writes=True) as session:
        seal_closed_entries(session, keyring)
        report = verify(session, keyring)
    assert (report.fault, report.entries, report.unsealed) == (None, 80, 0)
    assert one(month, "SELECT count(*) FROM seal_entry") == 80
    assert one(month, "SELECT count(*) - max(id) FROM seal") == 0


def test_posting_while_a_month_is_held_books_each_fact_once_in_one_of_the_two_months(
    database: Database, keyring: Keyring
) -> None:
    day = dt.date(2026, 11, 20)
    with time_machine.travel(dt.datetime(2026, 12, 2, 4, tzinfo=dt.UTC), tick=True):
        with database.session(writes=True) as session:
            make_period(session, month="2026-11")
            make_period(session, month="2026-12")

        def posting(place: int) -> Callable[[Session], list[int]]:
            return lambda session: post(
                session, [make_draft(key=f"p:{place}:{n}", effective_on=day) for n in range(20)]
            )

        holding: Callable[[Session], Any] = lambda session: soft_close_period(session, "2026-11", actor_id=8)  # noqa: E731
        closing: Callable[[Session], Any] = lambda session: close_period(  # noqa: E731
            session, "2026-11", actor_id=8, keyring=keyring
        )
        outcomes = race(database, [*(posting(place) for place in range(THREADS - 2)), holding, closing])

        assert [len(outcome) for outcome in outcomes[:-2]] == [20] * (THREADS - 2)
        assert outcomes[-1].state is PeriodState.CLOSED
        with database.session(writes=True) as session:
            sealed = verify(session, keyring)
            seal_closed_entries(session, keyring)
            report = verify(session, keyring)
    assert (sealed.fault, report.fault, report.entries, report.unsealed) == (None, None, 120, 0)
    assert one(database, "SELECT count(*) FROM journal_entry WHERE period NOT IN ('2026-11', '2026-12')") == 0
    # What the closed month holds was there when it closed, and so was sealed with it.
    late = "SELECT count(*) FROM journal_entry WHERE period = '2026-11' AND id NOT IN (SELECT entry_id FROM seal_entry)"
    assert one(database, late) == 0


def test_one_of_eight_requests_to_reopen_a_month_is_taken_and_one_of_eight_confirmations(
    database: Database, keyring: Keyring
) -> None:
    with time_machine.travel(dt.datetime(2026, 12, 2, 4, tzinfo=dt.UTC), tick=True):
        with database.session(writes=True) as session:
            make_period(session, month="2026-11")
            close_period(session, "2026-11", actor_id=1, keyring=keyring)

        def asking(actor_id: int) -> Callable[[Session], Any]:
            return lambda session: ask_reopening(session, "2026-11", "漏记退费", actor_id=actor_id)

        def confirming(actor_id: int) -> Callable[[Session], Any]:
            return lambda session: confirm_reopening(session, 1, actor_id=actor_id, keyring=keyring)

        asked = race(database, [asking(place) for place in range(THREADS)])
        confirmed = race(database, [confirming(20 + place) for place in range(THREADS)])
        with database.session(writes=False) as session:
            report = verify(session, keyring)

    assert sum(isinstance(outcome, PeriodStateError) for outcome in asked) == THREADS - 1
    assert sum(isinstance(outcome, AlreadyDecidedError) for outcome in confirmed) == THREADS - 1
    assert one(database, "SELECT state FROM period") == "open"
    assert report.fault is None


def test_a_month_is_never_reopened_under_one_that_closes(database: Database, keyring: Keyring) -> None:
    with time_machine.travel(dt.datetime(2027, 1, 5, 4, tzinfo=dt.UTC), tick=True):
        with database.session(writes=True) as session:
            for month in ("2026-11", "2026-12"):
                make_period(session, month=month)
            close_period(session, "2026-11", actor_id=1, keyring=keyring)
            request_id = ask_reopening(session, "2026-11", "漏记退费", actor_id=1).id

        outcomes = race(
            database,
            [
                lambda session: confirm_reopening(session, request_id, actor_id=2, keyring=keyring),
                lambda session: close_period(session, "2026-12", actor_id=1, keyring=keyring),
            ],
        )

    assert sum(isinstance(outcome, PeriodStateError) for outcome in outcomes) == 1
    states = "SELECT count(*) FROM period WHERE (month, state) IN (('2026-11', 'open'), ('2026-12', 'closed'))"
    assert one(database, states) == 1
