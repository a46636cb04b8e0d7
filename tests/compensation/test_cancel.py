"""An approved credit is cancelled by two people, before billing has it, and never twice."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from supervise.compensation.batches import LineOutcome, freeze_batch, mark_lines
from supervise.compensation.cancel import (
    NotCancellableError,
    confirm_cancellation,
    propose_cancellation,
    withdraw_cancellation,
)
from supervise.compensation.models import Credit, CreditBatchLine, CreditCancellation, CreditState
from supervise.compensation.propose import propose_credits
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotPermittedError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen, entries_of_keys, entry_by_id
from tests.factories.access import make_deputy, make_user
from tests.factories.compensation import MAKER, make_approved_credit, make_undertaking, make_victim
from tests.factories.ledger import out_of_balance_fen

REASON = "用户已销户,改由营业厅退现"


@pytest.fixture
def credit(session: Session) -> Credit:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    return make_approved_credit(session, subscriber=victim)


@pytest.fixture
def finance_id(session: Session) -> int:
    return make_user(session, role=Role.FINANCE).id


@pytest.fixture
def supervisor_id(session: Session) -> int:
    return make_user(session, role=Role.SUPERVISOR).id


def test_a_confirmed_cancellation_takes_the_amount_back_out_of_the_ledger(
    session: Session, credit: Credit, finance_id: int, supervisor_id: int
) -> None:
    propose_cancellation(session, credit.id, REASON, actor_id=finance_id)

    confirm_cancellation(session, credit.id, actor_id=supervisor_id)

    assert credit.state is CreditState.CANCELLED
    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE, credit.subscriber_id) == 0
    assert balance_fen(session, AccountCode.COMPENSATION_EXPENSE, credit.unit_id) == 0
    assert out_of_balance_fen(session) == 0
    key = f"credit:cancelled:{credit.id}"
    reversal = entry_by_id(session, entries_of_keys(session, [key])[key]).head
    assert (reversal.actor_id, reversal.approver_id, reversal.reason) == (finance_id, supervisor_id, REASON)
    assert (
        reversal.reverses_id
        == entries_of_keys(session, [f"credit:approved:{credit.id}"])[f"credit:approved:{credit.id}"]
    )


def test_who_proposed_it_cannot_confirm_it(session: Session, credit: Credit, supervisor_id: int) -> None:
    propose_cancellation(session, credit.id, REASON, actor_id=supervisor_id)

    with pytest.raises(SamePersonError):
        confirm_cancellation(session, credit.id, actor_id=supervisor_id)

    assert credit.state is CreditState.APPROVED
    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE, credit.subscriber_id) == -50_00


def test_a_deputy_confirms_up_to_the_limit_only(session: Session, credit: Credit, supervisor_id: int) -> None:
    deputy = make_user(session, role=Role.TRIAGER)
    delegator = make_user(session, username="away", role=Role.SUPERVISOR)
    make_deputy(session, delegator=delegator, deputy=deputy, limit_fen=49_99)
    propose_cancellation(session, credit.id, REASON, actor_id=supervisor_id)

    with pytest.raises(NotPermittedError):
        confirm_cancellation(session, credit.id, actor_id=deputy.id)

    assert credit.state is CreditState.APPROVED


def test_a_withdrawn_wish_leaves_the_credit_to_be_sent(
    session: Session, credit: Credit, finance_id: int, supervisor_id: int
) -> None:
    propose_cancellation(session, credit.id, REASON, actor_id=finance_id)

    withdraw_cancellation(session, credit.id, actor_id=finance_id)

    with pytest.raises(AlreadyDecidedError):
        confirm_cancellation(session, credit.id, actor_id=supervisor_id)
    batch = freeze_batch(session, [credit.id], locale="zh_Hans", anchor="", actor_id=finance_id)
    assert batch.lines_total == 1
    [wish] = session.scalars(select(CreditCancellation).where(CreditCancellation.credit_id == credit.id))
    assert wish.decided_by == finance_id


def test_no_batch_takes_a_credit_whose_cancellation_waits(session: Session, credit: Credit, finance_id: int) -> None:
    propose_cancellation(session, credit.id, REASON, actor_id=finance_id)

    with pytest.raises(ConflictError):
        freeze_batch(session, [credit.id], locale="zh_Hans", anchor="", actor_id=finance_id)

    assert credit.state is CreditState.APPROVED


def test_a_credit_with_billing_cannot_be_cancelled(session: Session, credit: Credit, finance_id: int) -> None:
    freeze_batch(session, [credit.id], locale="zh_Hans", anchor="", actor_id=finance_id)

    with pytest.raises(NotCancellableError):
        propose_cancellation(session, credit.id, REASON, actor_id=finance_id)


def test_a_credit_that_billing_rejected_can_be_cancelled(
    session: Session, credit: Credit, finance_id: int, supervisor_id: int
) -> None:
    batch = freeze_batch(session, [credit.id], locale="zh_Hans", anchor="", actor_id=finance_id)
    line_id = session.scalars(select(CreditBatchLine.id).where(CreditBatchLine.batch_id == batch.id)).one()
    mark_lines(session, batch.id, [LineOutcome(line_id, "号码已销户")], actor_id=finance_id)

    propose_cancellation(session, credit.id, REASON, actor_id=finance_id)
    confirm_cancellation(session, credit.id, actor_id=supervisor_id)

    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE) == 0
    assert balance_fen(session, AccountCode.BILLING_CLEARING) == 0


def test_a_second_wish_is_refused(session: Session, credit: Credit, finance_id: int) -> None:
    propose_cancellation(session, credit.id, REASON, actor_id=finance_id)

    with pytest.raises(AlreadyDecidedError):
        propose_cancellation(session, credit.id, REASON, actor_id=finance_id)


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_wish_without_a_reason_is_refused(session: Session, credit: Credit, finance_id: int, reason: str) -> None:
    with pytest.raises(InvalidInputError):
        propose_cancellation(session, credit.id, reason, actor_id=finance_id)


def test_the_call_of_a_cancelled_credit_can_be_proposed_anew(
    session: Session, credit: Credit, finance_id: int, supervisor_id: int
) -> None:
    propose_cancellation(session, credit.id, REASON, actor_id=finance_id)
    confirm_cancellation(session, credit.id, actor_id=supervisor_id)
    assert credit.incident_id is not None

    [result] = propose_credits(session, [credit.incident_id], actor_id=MAKER)

    assert result.refusal is None
