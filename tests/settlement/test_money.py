"""Money beside the runs: deposits, payments by bank reference, commissions that confirm, write-offs by two more."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.roles import Role
from supervise.desk.consistency import discrepancies
from supervise.errors import InvalidInputError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.money import FEN_MAX
from supervise.penalties.collecting import NotCollectableError
from supervise.penalties.models import Penalty
from supervise.settlement.ageing import Age, ageing
from supervise.settlement.bank import NoRefundDueError, PaymentFacts, ReferenceKnownError, pay_refund, receive_payment
from supervise.settlement.commissions import (
    BelowSetOffError,
    CommissionFacts,
    DeductionUnknownError,
    record_commission,
)
from supervise.settlement.deposits import (
    DepositFacts,
    DepositTooSmallError,
    EvidenceKnownError,
    receive_deposit,
    return_deposit,
)
from supervise.settlement.models import DepositKind, DepositMovement, WriteOffState
from supervise.settlement.notices import acknowledge_notice
from supervise.settlement.write_offs import InternalError, WriteOffOpenError, approve_write_off, propose_write_off
from tests.factories.access import make_user
from tests.factories.penalties import (
    Charged,
    make_approved_penalty,
    make_charged_branch,
    make_charged_partner,
    make_supervisor,
)
from tests.factories.settlement import (
    FINANCE,
    draft_run,
    make_commission,
    make_deposit,
    make_final_penalty,
    posted,
    settlement_of,
    this_month,
)


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session)


def payment(charged: Charged, amount_fen: int, reference: str = "ICBC-1") -> PaymentFacts:
    return PaymentFacts(charged.party.id, amount_fen, reference, clock.today())


def test_a_payment_pays_the_oldest_first_and_owes_back_what_is_left_over(session: Session, charged: Charged) -> None:
    first = make_final_penalty(session, charged=charged, amount_fen=200_00)
    second = make_final_penalty(session, charged=charged, amount_fen=200_00)

    receive_payment(session, payment(charged, 250_00), actor_id=FINANCE)
    session.expire_all()
    assert (first.open_fen, second.open_fen) == (0, 150_00)

    receive_payment(session, payment(charged, 170_00, "ICBC-2"), actor_id=FINANCE)
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 0
    assert balance_fen(session, AccountCode.REFUND_DUE, charged.party.id) == -20_00
    with pytest.raises(NoRefundDueError):
        pay_refund(session, payment(charged, 20_01, "ICBC-3"), actor_id=FINANCE)
    pay_refund(session, payment(charged, 20_00, "ICBC-4"), actor_id=FINANCE)
    assert balance_fen(session, AccountCode.REFUND_DUE, charged.party.id) == 0
    assert discrepancies(session) == []


@pytest.mark.parametrize("amount_fen", [0, -1, FEN_MAX + 1])
def test_an_absurd_payment_and_a_known_reference_are_refused(
    session: Session, charged: Charged, amount_fen: int
) -> None:
    receive_payment(session, payment(charged, 1_00), actor_id=FINANCE)

    with pytest.raises(ReferenceKnownError):
        receive_payment(session, payment(charged, 1_00), actor_id=FINANCE)
    with pytest.raises(InvalidInputError):
        receive_payment(session, payment(charged, amount_fen, "ICBC-9"), actor_id=FINANCE)


def test_a_deposit_is_returned_only_as_far_as_nothing_is_owed(session: Session, charged: Charged) -> None:
    make_deposit(session, charged=charged, amount_fen=1_000_00)
    make_final_penalty(session, charged=charged, amount_fen=300_00)
    facts = DepositFacts(charged.party.id, 700_01, "BACK-1", clock.today())

    with pytest.raises(DepositTooSmallError):
        return_deposit(session, facts, actor_id=FINANCE)
    return_deposit(session, facts._replace(amount_fen=700_00), actor_id=FINANCE)

    assert balance_fen(session, AccountCode.DEPOSITS_HELD, charged.party.id) == -300_00
    known = facts._replace(evidence="IN-1")
    receive_deposit(session, known, actor_id=FINANCE)
    with pytest.raises(EvidenceKnownError):
        receive_deposit(session, known, actor_id=FINANCE)


def test_the_database_itself_refuses_an_overdrawn_deposit(session: Session, charged: Charged) -> None:
    make_deposit(session, charged=charged, amount_fen=100_00)
    drawn = sa.insert(DepositMovement).values(
        party_id=charged.party.id,
        kind=DepositKind.RETURNED,
        amount_fen=100_01,
        evidence="by hand",
        effective_on=clock.today(),
        made_by=FINANCE,
        made_at=clock.now(),
    )

    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(drawn)


def test_the_commission_statement_confirms_what_was_set_off_and_no_more(session: Session, charged: Charged) -> None:
    make_final_penalty(session, charged=charged, amount_fen=200_00)
    make_commission(session, charged=charged, due_fen=500_00)
    run = posted(session, draft_run(session))
    facts = CommissionFacts(charged.contract.id, this_month(), 500_00, 200_00)
    with pytest.raises(DeductionUnknownError):
        record_commission(session, facts, actor_id=FINANCE)
    acknowledge_notice(session, settlement_of(session, run, charged).id, actor_id=931)

    with pytest.raises(BelowSetOffError):
        record_commission(session, facts._replace(due_fen=199_99), actor_id=FINANCE)
    record_commission(session, facts, actor_id=FINANCE)
    record_commission(session, facts, actor_id=FINANCE)

    assert balance_fen(session, AccountCode.COMMISSION_CLEARING, charged.party.id) == 0
    assert balance_fen(session, AccountCode.BILLING_CONTROL) == 200_00
    assert discrepancies(session) == []


def test_a_write_off_takes_two_supervisors_who_did_not_propose_it(session: Session, charged: Charged) -> None:
    penalty = make_final_penalty(session, charged=charged, amount_fen=200_00)
    first, second = make_supervisor(session), make_user(session, username="supervisor2", role=Role.SUPERVISOR)
    wish = propose_write_off(session, penalty.id, amount_fen=None, reason="公司已注销", actor_id=FINANCE)

    with pytest.raises(SamePersonError):
        approve_write_off(session, wish.id, actor_id=FINANCE)
    assert approve_write_off(session, wish.id, actor_id=first.id).state is WriteOffState.ENDORSED
    with pytest.raises(SamePersonError):
        approve_write_off(session, wish.id, actor_id=first.id)
    assert balance_fen(session, AccountCode.WRITE_OFF, charged.party.id) == 0
    approve_write_off(session, wish.id, actor_id=second.id)

    assert balance_fen(session, AccountCode.WRITE_OFF, charged.party.id) == 200_00
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 0
    assert session.get_one(Penalty, penalty.id).open_fen == 0
    assert discrepancies(session) == []


def test_a_write_off_over_the_balance_or_of_an_assessment_is_refused(session: Session, charged: Charged) -> None:
    penalty = make_final_penalty(session, charged=charged, amount_fen=200_00)
    of_branch = make_approved_penalty(session, charged=make_charged_branch(session))

    with pytest.raises(InvalidInputError):
        propose_write_off(session, penalty.id, amount_fen=200_01, reason="注销", actor_id=FINANCE)
    with pytest.raises(InternalError):
        propose_write_off(session, of_branch.id, amount_fen=None, reason="注销", actor_id=FINANCE)
    propose_write_off(session, penalty.id, amount_fen=1_00, reason="注销", actor_id=FINANCE)
    with pytest.raises(WriteOffOpenError):
        propose_write_off(session, penalty.id, amount_fen=1_00, reason="注销", actor_id=FINANCE)
    receive_payment(session, payment(charged, 200_00), actor_id=FINANCE)
    with pytest.raises(NotCollectableError):
        propose_write_off(session, penalty.id, amount_fen=None, reason="注销", actor_id=FINANCE)


def test_debts_are_listed_by_age_and_never_for_a_day_to_come(session: Session, charged: Charged) -> None:
    old = make_final_penalty(session, charged=charged, amount_fen=100_00)
    make_final_penalty(session, charged=charged, amount_fen=200_00)
    long_ago = clock.now() - dt.timedelta(days=91)
    session.execute(sa.update(Penalty).where(Penalty.id == old.id).values(finalised_at=long_ago))

    [row] = ageing(session)

    assert row.fen == {Age.TO_30: 200_00, Age.TO_90: 0, Age.TO_180: 100_00, Age.OVER: 0}
    with pytest.raises(InvalidInputError):
        ageing(session, clock.today() + dt.timedelta(days=1))
