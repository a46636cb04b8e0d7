"""A run is computed once, approved by another person, posted once, and takes only what is still there."""

import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.desk.consistency import discrepancies
from supervise.errors import AlreadyDecidedError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import JournalEntry
from supervise.ledger.queries import balance_fen
from supervise.parties.models import UserScope
from supervise.parties.sanction_models import SanctionKind
from supervise.parties.scope import Scope
from supervise.penalties.belonging import OwnUnitError
from supervise.penalties.models import Penalty
from supervise.penalties.reversals import approve_reversal, propose_reversal
from supervise.penalties.statement import StatementKind, party_statement
from supervise.settlement.bank import PaymentFacts, receive_payment
from supervise.settlement.models import FellOut, LeftOut, RunState, SettlementLine, SettlementState
from supervise.settlement.notices import acknowledge_notice, deem_delivered
from supervise.settlement.posting import NotApprovedError, post_next
from supervise.settlement.runs import (
    NothingToSettleError,
    RunChangedError,
    RunExistsError,
    approve_run,
    cancel_run,
    propose_run,
)
from tests.factories.ledger import out_of_balance_fen
from tests.factories.penalties import Charged, make_charged_partner, make_supervisor
from tests.factories.points import make_sanction
from tests.factories.settlement import (
    FINANCE,
    approved,
    draft_run,
    make_commission,
    make_deposit,
    make_final_penalty,
    posted,
    settlement_of,
    this_month,
)

MONDAY = dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _monday() -> object:
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session)


def lines_of(session: Session, penalty: Penalty) -> list[SettlementLine]:
    query = sa.select(SettlementLine).where(SettlementLine.penalty_id == penalty.id).order_by(SettlementLine.id)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def entries(session: Session) -> int:
    return session.scalars(sa.select(sa.func.count(JournalEntry.id))).one()


def test_posting_again_posts_nothing_more(session: Session, charged: Charged) -> None:
    make_final_penalty(session, charged=charged, amount_fen=200_00)
    make_deposit(session, charged=charged, amount_fen=500_00)
    run = posted(session, draft_run(session))
    before = entries(session)

    post_next(session, run.id)

    assert entries(session) == before
    assert run.state is RunState.POSTED
    assert discrepancies(session) == []


def test_a_month_is_settled_once_and_a_cancelled_run_makes_room(session: Session, charged: Charged) -> None:
    make_final_penalty(session, charged=charged)
    run = draft_run(session)
    with pytest.raises(RunExistsError):
        draft_run(session)

    cancel_run(session, run.id, "酬金尚未导入", actor_id=FINANCE)

    assert draft_run(session).number.endswith("-02")


def test_a_run_of_nothing_is_refused(session: Session, charged: Charged) -> None:
    del charged
    with pytest.raises(NothingToSettleError):
        propose_run(session, this_month(), actor_id=FINANCE)


def test_nobody_approves_their_own_run_nor_another_one_than_was_shown(session: Session, charged: Charged) -> None:
    make_final_penalty(session, charged=charged)
    run = draft_run(session)

    with pytest.raises(SamePersonError):
        approve_run(session, run.id, run.content_sha256, actor_id=FINANCE)
    with pytest.raises(RunChangedError):
        approve_run(session, run.id, "0" * 64, actor_id=make_supervisor(session).id)
    with pytest.raises(NotApprovedError):
        post_next(session, run.id)
    approved(session, run)
    with pytest.raises(AlreadyDecidedError):
        approve_run(session, run.id, run.content_sha256, actor_id=make_supervisor(session).id)


def test_who_belongs_to_a_settled_party_does_not_approve_its_run(session: Session, charged: Charged) -> None:
    make_final_penalty(session, charged=charged)
    run = draft_run(session)
    contact, other = (make_supervisor(session, username=name) for name in ("contact", "other"))
    session.add(UserScope(user_id=contact.id, party_id=charged.party.id))
    session.add(UserScope(user_id=other.id, party_id=make_charged_partner(session).party.id))
    session.flush()

    with pytest.raises(OwnUnitError):
        approve_run(session, run.id, run.content_sha256, actor_id=contact.id)

    assert approve_run(session, run.id, run.content_sha256, actor_id=other.id).state is RunState.APPROVED


def test_what_was_lifted_meanwhile_falls_out_and_the_rest_goes_through(session: Session, charged: Charged) -> None:
    lifted = make_final_penalty(session, charged=charged, amount_fen=200_00)
    stays = make_final_penalty(session, charged=charged, amount_fen=300_00)
    make_deposit(session, charged=charged, amount_fen=500_00)
    run = draft_run(session)
    request = propose_reversal(session, lifted.id, amount_fen=150_00, reason="重复入账", actor_id=FINANCE)
    approve_reversal(session, request.id, actor_id=make_supervisor(session).id)

    posted(session, run)

    [first], [second] = lines_of(session, lifted), lines_of(session, stays)
    assert (first.collected_fen, first.fell_out) == (50_00, FellOut.LIFTED)
    assert (second.collected_fen, second.fell_out) == (300_00, None)
    assert balance_fen(session, AccountCode.DEPOSITS_HELD, charged.party.id) == -150_00
    assert discrepancies(session) == []


def test_a_disputed_penalty_is_left_out_with_the_reason(session: Session, charged: Charged) -> None:
    disputed = make_final_penalty(session, charged=charged)
    make_deposit(session, charged=charged, amount_fen=500_00)
    propose_reversal(session, disputed.id, amount_fen=None, reason="待查", actor_id=FINANCE)

    draft_run(session)

    [line] = lines_of(session, disputed)
    assert (line.source, line.left_out) == (None, LeftOut.REVERSAL)


def test_a_party_whose_settlement_is_stopped_is_held(session: Session, charged: Charged) -> None:
    penalty = make_final_penalty(session, charged=charged)
    make_deposit(session, charged=charged, amount_fen=500_00)
    make_sanction(session, party=charged.party, kind=SanctionKind.SETTLEMENT_STOP, from_on=clock.today())

    run = draft_run(session)

    assert settlement_of(session, run, charged).state is SettlementState.HELD
    [line] = lines_of(session, penalty)
    assert line.left_out is LeftOut.HELD


def test_what_was_collected_and_then_lifted_is_set_against_the_next_debt(session: Session, charged: Charged) -> None:
    first = make_final_penalty(session, charged=charged, amount_fen=200_00)
    make_deposit(session, charged=charged, amount_fen=200_00)
    posted(session, draft_run(session))
    request = propose_reversal(session, first.id, amount_fen=None, reason="申诉成立", actor_id=FINANCE)
    approve_reversal(session, request.id, actor_id=make_supervisor(session).id)
    make_final_penalty(session, charged=charged, amount_fen=150_00)

    run = posted(session, propose_run(session, "2026-09", actor_id=FINANCE))

    settlement = settlement_of(session, run, charged)
    assert (settlement.refund_fen, settlement.payout_fen) == (150_00, 50_00)
    assert balance_fen(session, AccountCode.REFUND_DUE, charged.party.id) == -50_00
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 0
    assert discrepancies(session) == []


def test_a_set_off_takes_effect_when_its_notice_is_deemed_delivered(session: Session, charged: Charged) -> None:
    make_final_penalty(session, charged=charged, amount_fen=200_00)
    make_commission(session, charged=charged, due_fen=500_00)
    run = posted(session, draft_run(session))
    settlement = settlement_of(session, run, charged)
    assert settlement.deemed_on is not None

    assert deem_delivered(session, clock.today()) == 0
    assert balance_fen(session, AccountCode.COMMISSION_CLEARING, charged.party.id) == 0
    with time_machine.travel(clock.start_of_day(settlement.deemed_on)):
        assert deem_delivered(session, clock.today()) == 1

    assert balance_fen(session, AccountCode.COMMISSION_CLEARING, charged.party.id) == 200_00
    with pytest.raises(AlreadyDecidedError):
        acknowledge_notice(session, settlement.id, actor_id=931)
    assert out_of_balance_fen(session) == 0


def test_the_statement_shows_what_took_the_debt_and_equals_the_ledger(session: Session, charged: Charged) -> None:
    make_final_penalty(session, charged=charged, amount_fen=500_00)
    make_deposit(session, charged=charged, amount_fen=100_00)
    make_commission(session, charged=charged, due_fen=150_00)
    run = posted(session, draft_run(session))
    settlement = settlement_of(session, run, charged)
    acknowledge_notice(session, settlement.id, actor_id=931)
    receive_payment(session, PaymentFacts(charged.party.id, 200_00, "ICBC-7", clock.today()), actor_id=FINANCE)

    statement = party_statement(
        session, Scope.everything(), charged.party.id, first_month=this_month(), last_month=this_month()
    )

    assert statement.total_fen(StatementKind.FROM_DEPOSIT) == -100_00
    assert statement.total_fen(StatementKind.FROM_COMMISSION) == -150_00
    assert statement.total_fen(StatementKind.PAID) == -200_00
    assert statement.total_fen(StatementKind.OTHER) == 0
    assert statement.closing_fen == statement.ledger_fen == 50_00
    assert {line.settlement_id for line in statement.lines} == {None, settlement.id}
