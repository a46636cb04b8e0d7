"""Several people at the same moment, judged by SQL and not by our own reading."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.db import Database, is_retryable
from supervise.errors import RefusalError
from supervise.ledger.errors import KeyReusedError, ReversalError
from supervise.ledger.post import post
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
