from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.ledger.chart import AccountCode
from supervise.ledger.errors import InvalidEntryError, KeyReusedError, ReversalError
from supervise.ledger.models import JournalEntry
from supervise.ledger.post import post
from supervise.ledger.queries import balance_fen, entry_by_id
from supervise.ledger.reverse import ReversalDraft, reverse
from tests.factories.ledger import PARTY, make_draft, make_entry

RECEIVABLE, DEFERRED = AccountCode.PENALTY_CONTESTABLE, AccountCode.PENALTY_DEFERRED


def reversal(entry_id: int, *, key: str = "reversal:1", amount_fen: int | None = None) -> ReversalDraft:
    return ReversalDraft(
        entry_id=entry_id,
        key=key,
        event="penalty.reversed",
        effective_on=clock.today(),
        reason="申诉成立",
        amount_fen=amount_fen,
        actor_id=1,
        approver_id=2,
    )


def test_a_whole_reversal_takes_everything_back(session: Session) -> None:
    entry_id = make_entry(session, amount_fen=20000)

    (reversal_id,) = reverse(session, [reversal(entry_id)])

    assert balance_fen(session, RECEIVABLE, PARTY) == balance_fen(session, DEFERRED, PARTY) == 0
    head = session.get_one(JournalEntry, reversal_id)
    assert (head.reverses_id, head.reversal_no, head.reason) == (entry_id, 1, "申诉成立")
    assert entry_by_id(session, entry_id).reversal_ids == [reversal_id]


def test_parts_add_up_to_the_whole_and_not_a_fen_more(session: Session) -> None:
    entry_id = make_entry(session, amount_fen=20000)

    reverse(session, [reversal(entry_id, amount_fen=8000), reversal(entry_id, key="reversal:2", amount_fen=1999)])
    with pytest.raises(ReversalError):
        reverse(session, [reversal(entry_id, key="reversal:3", amount_fen=10002)])
    (rest_id,) = reverse(session, [reversal(entry_id, key="reversal:4")])

    assert balance_fen(session, RECEIVABLE, PARTY) == 0
    assert session.get_one(JournalEntry, rest_id).reversal_no == 3
    assert [line.amount_fen for line in entry_by_id(session, rest_id).lines] == [-10001, 10001]
    with pytest.raises(ReversalError):
        reverse(session, [reversal(entry_id, key="reversal:5")])


def test_the_same_reversal_twice_is_one_even_when_nothing_is_left(session: Session) -> None:
    entry_id = make_entry(session)

    first = reverse(session, [reversal(entry_id)])
    again = reverse(session, [reversal(entry_id), reversal(entry_id)])

    assert again == first * 2


def test_an_earlier_part_comes_back_after_a_later_one(session: Session) -> None:
    entry_id = make_entry(session, amount_fen=20000)
    first = reverse(session, [reversal(entry_id, amount_fen=20)])
    reverse(session, [reversal(entry_id, key="reversal:2")])

    assert reverse(session, [reversal(entry_id, amount_fen=20)]) == first


def test_a_reversals_key_cannot_be_used_for_another_entry_or_amount(session: Session) -> None:
    entry_id, other_id = make_entry(session), make_entry(session, key="penalty:approved:2")
    reverse(session, [reversal(entry_id, amount_fen=100)])

    for draft in (reversal(other_id, amount_fen=100), reversal(entry_id, amount_fen=101), reversal(entry_id)):
        with pytest.raises(KeyReusedError):
            reverse(session, [draft])


def test_a_part_of_many_lines_is_spread_to_the_fen(session: Session) -> None:
    deposit, receivable = AccountCode.DEPOSITS_HELD, AccountCode.PENALTY_RECEIVABLE
    entry_id = make_entry(
        session, lines=[(deposit, 1, 20000), (receivable, 1, -6667), (receivable, 2, -6667), (receivable, 3, -6666)]
    )

    (part_id,) = reverse(session, [reversal(entry_id, amount_fen=10000)])

    amounts = [line.amount_fen for line in entry_by_id(session, part_id).lines]
    assert amounts == [-10000, 3334, 3333, 3333]


def test_a_reversal_is_never_reversed(session: Session) -> None:
    entry_id = make_entry(session)
    (reversal_id,) = reverse(session, [reversal(entry_id)])

    with pytest.raises(ReversalError):
        reverse(session, [reversal(reversal_id, key="reversal:2")])


@pytest.mark.parametrize("amount_fen", [0, -1, 20001])
def test_an_amount_that_is_not_there_is_refused(session: Session, amount_fen: int) -> None:
    entry_id = make_entry(session, amount_fen=20000)

    with pytest.raises(ReversalError):
        reverse(session, [reversal(entry_id, amount_fen=amount_fen)])


def test_what_does_not_exist_is_not_reversed(session: Session) -> None:
    make_entry(session)

    with pytest.raises(ReversalError):
        reverse(session, [reversal(10**9)])


@pytest.mark.parametrize(
    "lines",
    [
        [(RECEIVABLE, PARTY, 100), (DEFERRED, PARTY, -100)],
        [(RECEIVABLE, PARTY + 1, -100), (DEFERRED, PARTY + 1, 100)],
        [(RECEIVABLE, PARTY, -100), (AccountCode.PENALTY_INCOME, PARTY, 100)],
        [(RECEIVABLE, PARTY, -20001), (DEFERRED, PARTY, 20001)],
        [(RECEIVABLE, PARTY, -15000), (RECEIVABLE, PARTY, -15000), (DEFERRED, PARTY, 30000)],
    ],
)
def test_a_reversal_posted_by_hand_is_held_to_the_original(
    session: Session, lines: list[tuple[AccountCode, int, int]]
) -> None:
    entry_id = make_entry(session, amount_fen=20000)

    with pytest.raises(ReversalError):
        post(session, [make_draft(key="reversal:1", lines=lines, reverses_id=entry_id, reason="by hand")])


def test_a_reversal_needs_a_reason_and_two_different_people(session: Session) -> None:
    entry_id = make_entry(session)
    draft = reversal(entry_id)

    with pytest.raises(InvalidEntryError):
        reverse(session, [replace(draft, reason="")])
    with pytest.raises(InvalidEntryError):
        reverse(session, [replace(draft, approver_id=1)])
