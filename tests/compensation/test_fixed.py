"""What was promised, approved or frozen is not changed by anybody, not even by SQL."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise.compensation.batches import freeze_batch
from tests.factories.compensation import make_approved_credit, make_policy, make_undertaking, make_victim


@pytest.fixture
def frozen(session: Session) -> Session:
    """A credit that was approved and sent, under an undertaking in force, beside a policy in force."""
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim, lump_fen=100_00)
    make_policy(session)
    credit = make_approved_credit(session, subscriber=victim)
    freeze_batch(session, [credit.id], locale="en", anchor="1 abc", actor_id=21)
    session.flush()
    return session


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credit SET amount_fen = amount_fen + 1",
        "UPDATE credit SET subscriber_id = subscriber_id + 1",
        "UPDATE credit SET nature = 'reward'",
        "UPDATE credit SET maker_id = 99",
        "UPDATE credit SET approver_id = 99",
        "UPDATE credit SET state = 'proposed', approver_id = NULL, approved_at = NULL",
        "DELETE FROM credit",
        "UPDATE undertaking SET per_call_fen = 99900",
        "UPDATE undertaking SET lump_fen = 99900",
        "UPDATE undertaking SET state = 'draft'",
        "DELETE FROM undertaking",
        "UPDATE compensation_policy SET per_call_fen = 99900",
        "UPDATE credit_batch SET total_fen = total_fen + 1",
        "UPDATE credit_batch SET number = 'PCPC209901-0001'",
        "DELETE FROM credit_batch",
        "UPDATE credit_batch_line SET amount_fen = 1",
        "UPDATE credit_batch_line SET frozen = '{}'",
        "DELETE FROM credit_batch_line",
    ],
)
def test_the_database_refuses(frozen: Session, statement: str) -> None:
    with pytest.raises(DBAPIError), frozen.begin_nested():
        frozen.execute(sa.text(statement))


def test_an_answer_of_billing_is_kept_as_it_came(frozen: Session) -> None:
    frozen.execute(sa.text("UPDATE credit_batch_line SET result = 'accepted'"))

    with pytest.raises(DBAPIError), frozen.begin_nested():
        frozen.execute(sa.text("UPDATE credit_batch_line SET result = 'rejected', failure_code = 'E1'"))
