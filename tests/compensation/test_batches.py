"""Credits leave for billing in frozen batches, and come back accepted, rejected or voided."""

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.batches import BatchStateError, LineOutcome, freeze_batch, mark_lines, rows_sha256
from supervise.compensation.models import (
    Credit,
    CreditBatch,
    CreditBatchLine,
    CreditBatchState,
    CreditState,
    LineResult,
)
from supervise.compensation.voids import confirm_void, propose_void, withdraw_void
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, SamePersonError
from supervise.labels import use_locale
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from tests.factories.compensation import make_approved_credit, make_undertaking, make_victim
from tests.factories.complaints import CALLED_AT
from tests.factories.ledger import out_of_balance_fen

FINANCE = 21
SUPERVISOR = 22


def make_credits(session: Session, count: int = 2) -> list[Credit]:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    return [
        make_approved_credit(session, subscriber=victim, occurred_at=CALLED_AT + dt.timedelta(hours=hour))
        for hour in range(count)
    ]


def freeze(session: Session, chosen: list[Credit], locale: str = "zh_Hans") -> CreditBatch:
    return freeze_batch(session, [credit.id for credit in chosen], locale=locale, anchor="1 abc", actor_id=FINANCE)


def lines(session: Session, batch: CreditBatch) -> list[CreditBatchLine]:
    query = select(CreditBatchLine).where(CreditBatchLine.batch_id == batch.id).order_by(CreditBatchLine.line)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def states(session: Session, chosen: list[Credit]) -> list[CreditState]:
    session.expire_all()
    return [credit.state for credit in chosen]


def test_a_batch_takes_credits_from_payable_to_clearing(session: Session) -> None:
    chosen = make_credits(session)

    batch = freeze(session, chosen)

    assert (batch.lines_total, batch.total_fen) == (2, 100_00)
    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE) == 0
    assert balance_fen(session, AccountCode.BILLING_CLEARING, batch.id) == -100_00
    assert out_of_balance_fen(session) == 0
    assert states(session, chosen) == [CreditState.BATCHED] * 2


def test_numbers_of_batches_are_serial_within_the_month(session: Session) -> None:
    first, second = make_credits(session)

    numbers = [freeze(session, [credit]).number for credit in (first, second)]

    month = clock.month_of(clock.today()).replace("-", "")
    assert numbers == [f"PCPC{month}-0001", f"PCPC{month}-0002"]


def test_frozen_rows_stay_what_they_were(session: Session) -> None:
    chosen = make_credits(session, 1)
    batch = freeze(session, chosen)
    frozen = [line.frozen for line in lines(session, batch)]

    chosen[0].gl_account_code = "9999"
    session.flush()

    assert rows_sha256(frozen) == batch.rows_sha256
    assert frozen[0]["gl_account"] == "6711.01"
    assert frozen[0]["nature"] == "赔偿"


def test_a_batch_speaks_the_language_it_was_frozen_in(session: Session) -> None:
    with use_locale("zh_Hans"):
        batch = freeze(session, make_credits(session, 1), "en")

    assert lines(session, batch)[0].frozen["nature"] == "Compensation"


def test_a_credit_is_sent_once(session: Session) -> None:
    chosen = make_credits(session)
    freeze(session, chosen[:1])

    with pytest.raises(ConflictError):
        freeze(session, chosen)

    assert balance_fen(session, AccountCode.BILLING_CLEARING) == -50_00


def test_an_empty_batch_is_refused(session: Session) -> None:
    with pytest.raises(InvalidInputError):
        freeze(session, [])


def test_an_accepted_line_closes_the_clearing(session: Session) -> None:
    chosen = make_credits(session, 1)
    batch = freeze(session, chosen)
    [line] = lines(session, batch)

    mark_lines(session, batch.id, [LineOutcome(line.id, None, "B-77")], actor_id=FINANCE)

    assert balance_fen(session, AccountCode.BILLING_CLEARING) == 0
    assert balance_fen(session, AccountCode.BILLING_CONTROL) == -50_00
    assert states(session, chosen) == [CreditState.ACCEPTED]
    assert batch.state is CreditBatchState.COMPLETED


def test_a_rejected_line_is_payable_again_and_can_be_sent_again(session: Session) -> None:
    chosen = make_credits(session, 1)
    batch = freeze(session, chosen)
    [line] = lines(session, batch)

    mark_lines(session, batch.id, [LineOutcome(line.id, "E02")], actor_id=FINANCE)
    payable_fen = balance_fen(session, AccountCode.COMPENSATION_PAYABLE, chosen[0].subscriber_id)
    again = freeze(session, chosen)

    assert payable_fen == -50_00
    assert lines(session, batch)[0].failure_code == "E02"
    assert chosen[0].rejections == 1
    assert "1" in lines(session, again)[0].frozen["note"]
    assert out_of_balance_fen(session) == 0


def test_a_line_is_marked_once(session: Session) -> None:
    batch = freeze(session, make_credits(session))
    first, _second = lines(session, batch)
    mark_lines(session, batch.id, [LineOutcome(first.id, None)], actor_id=FINANCE)

    with pytest.raises(AlreadyDecidedError):
        mark_lines(session, batch.id, [LineOutcome(first.id, "E01")], actor_id=FINANCE)

    assert balance_fen(session, AccountCode.BILLING_CONTROL) == -50_00


def test_two_people_void_a_batch_and_its_number_stays_used(session: Session) -> None:
    chosen = make_credits(session)
    batch = freeze(session, chosen)
    propose_void(session, batch.id, "文件发错", actor_id=FINANCE)

    confirm_void(session, batch.id, actor_id=SUPERVISOR)
    next_batch = freeze(session, chosen)

    assert batch.state is CreditBatchState.VOIDED
    assert {line.result for line in lines(session, batch)} == {LineResult.VOIDED}
    assert balance_fen(session, AccountCode.BILLING_CLEARING, batch.id) == 0
    assert balance_fen(session, AccountCode.BILLING_CLEARING, next_batch.id) == -100_00
    assert next_batch.number.endswith("-0002")


def test_who_proposed_the_void_cannot_confirm_it(session: Session) -> None:
    chosen = make_credits(session)
    batch = freeze(session, chosen)
    propose_void(session, batch.id, "文件发错", actor_id=FINANCE)

    with pytest.raises(SamePersonError):
        confirm_void(session, batch.id, actor_id=FINANCE)

    assert states(session, chosen) == [CreditState.BATCHED] * 2


def test_a_batch_with_an_accepted_line_is_not_voided(session: Session) -> None:
    batch = freeze(session, make_credits(session))
    mark_lines(session, batch.id, [LineOutcome(lines(session, batch)[0].id, None)], actor_id=FINANCE)

    with pytest.raises(BatchStateError):
        propose_void(session, batch.id, "太迟", actor_id=FINANCE)


def test_a_line_accepted_between_proposal_and_confirmation_stops_the_void(session: Session) -> None:
    batch = freeze(session, make_credits(session))
    propose_void(session, batch.id, "文件发错", actor_id=FINANCE)
    mark_lines(session, batch.id, [LineOutcome(lines(session, batch)[0].id, None)], actor_id=FINANCE)

    with pytest.raises(BatchStateError):
        confirm_void(session, batch.id, actor_id=SUPERVISOR)

    assert balance_fen(session, AccountCode.BILLING_CLEARING, batch.id) == -50_00


def test_nothing_is_voided_that_nobody_proposed(session: Session) -> None:
    batch = freeze(session, make_credits(session))

    with pytest.raises(AlreadyDecidedError):
        confirm_void(session, batch.id, actor_id=SUPERVISOR)


def test_a_void_that_is_withdrawn_can_be_proposed_again(session: Session) -> None:
    batch = freeze(session, make_credits(session))
    propose_void(session, batch.id, "文件发错", actor_id=FINANCE)

    withdraw_void(session, batch.id, actor_id=SUPERVISOR)
    propose_void(session, batch.id, "还是发错", actor_id=FINANCE)

    assert batch.void_reason == "还是发错"
