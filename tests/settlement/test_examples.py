"""The worked examples of domain 7.9 and 7.6 (3), with their numbers, from the draft of the run to the ledger."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import Finding
from supervise.contracts.models import SettlementOrder
from supervise.contracts.terms import SettlementMethod
from supervise.desk.consistency import discrepancies
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.penalties.debts import DebtKey, DebtKind
from supervise.penalties.lift import LiftReason, lift_amount
from supervise.penalties.locks import lock_penalty
from supervise.penalties.models import Penalty
from supervise.settlement.models import Settlement, TopUpCall
from supervise.settlement.notices import acknowledge_notice
from supervise.settlement.queries import recourses
from supervise.settlement.waterfall import Debt, Means, share_out
from tests.factories.ledger import out_of_balance_fen
from tests.factories.penalties import Charged, make_charged_partner
from tests.factories.settlement import (
    draft_run,
    make_commission,
    make_deposit,
    make_final_penalty,
    posted,
    settlement_of,
)

CONTACT = 931


def taken(settlement: Settlement) -> tuple[int, int, int]:
    return settlement.deposit_fen, settlement.commission_fen, settlement.cash_fen


def owed_fen(session: Session, charged: Charged) -> int:
    return balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id)


def test_example_1_the_deposit_first_then_the_commission(session: Session) -> None:
    charged = make_charged_partner(session, deposit_required_fen=30_000_00, top_up_days=10)
    make_final_penalty(session, charged=charged, amount_fen=35_000_00)
    make_deposit(session, charged=charged, amount_fen=30_000_00)
    make_commission(session, charged=charged, due_fen=12_000_00)

    run = posted(session, draft_run(session))

    settlement = settlement_of(session, run, charged)
    assert taken(settlement) == (30_000_00, 5_000_00, 0)
    call = session.scalars(sa.select(TopUpCall).where(TopUpCall.party_id == charged.party.id)).one()
    assert (call.amount_fen, call.met_on) == (30_000_00, None)
    assert balance_fen(session, AccountCode.DEPOSITS_HELD, charged.party.id) == 0
    # The set-off waits for its notice (R29).
    assert owed_fen(session, charged) == 5_000_00
    acknowledge_notice(session, settlement.id, actor_id=CONTACT)
    assert owed_fen(session, charged) == 0
    # Net commission 12,000 - 5,000 = 7,000: what the clearing account takes off it.
    assert balance_fen(session, AccountCode.COMMISSION_CLEARING, charged.party.id) == 5_000_00
    assert out_of_balance_fen(session) == 0
    # What comes in answers the call.
    make_deposit(session, charged=charged, amount_fen=29_999_99)
    assert call.met_on is None
    make_deposit(session, charged=charged, amount_fen=1)
    assert call.met_on == clock.today()


def test_example_2_the_commission_first_leaves_the_deposit_untouched(session: Session) -> None:
    charged = make_charged_partner(session, settlement_order=SettlementOrder.COMMISSION_DEPOSIT_CASH)
    make_final_penalty(session, charged=charged, amount_fen=3_000_00)
    make_deposit(session, charged=charged, amount_fen=30_000_00)
    make_commission(session, charged=charged, due_fen=10_000_00)

    run = draft_run(session)

    assert taken(settlement_of(session, run, charged)) == (0, 3_000_00, 0)


def test_a_contract_that_says_cash_alone_leaves_deposit_and_commission_alone() -> None:
    means = {7: Means(deposit_fen=30_000_00, commission_fen={1: 10_000_00})}

    shared = share_out([Debt(DebtKey(DebtKind.PENALTY, 1), 7, 1, 3_000_00)], {1: (SettlementMethod.CASH,)}, means, {})

    assert [(take.source.value, take.fen) for take in shared.takes] == [("cash", 3_000_00)]
    assert (means[7].deposit_fen, means[7].commission_fen) == (30_000_00, {1: 10_000_00})


def test_example_3_what_an_ended_contract_cannot_cover_is_asked_for_in_cash(session: Session) -> None:
    charged = make_charged_partner(session)
    make_final_penalty(session, charged=charged, amount_fen=800_00)
    make_commission(session, charged=charged, due_fen=500_00)

    run = draft_run(session)

    assert taken(settlement_of(session, run, charged)) == (0, 500_00, 300_00)


def penalties_of(session: Session, finding: Finding) -> list[Penalty]:
    return list(session.scalars(sa.select(Penalty).where(Penalty.finding_id == finding.id)))


def joint_shares(session: Session) -> tuple[Charged, Charged, Finding]:
    """200 yuan joint and several: agent 60 percent, outsourcer 40; either can be made to pay all of it."""
    agent, outsourcer = make_charged_partner(session), make_charged_partner(session)
    share = {"mode": "joint", "limit_fen": 200_00}
    first = make_final_penalty(session, charged=agent, amount_fen=120_00, share=share)
    finding = session.get_one(Finding, first.finding_id)
    make_final_penalty(session, charged=outsourcer, amount_fen=80_00, finding=finding, share=share)
    return agent, outsourcer, finding


def test_joint_example_one_debtor_pays_all_and_has_recourse(session: Session) -> None:
    agent, outsourcer, _finding = joint_shares(session)
    make_deposit(session, charged=agent, amount_fen=1_000_00)

    run = posted(session, draft_run(session))

    assert (owed_fen(session, agent), owed_fen(session, outsourcer)) == (0, 0)
    # 200, never 400.
    assert balance_fen(session, AccountCode.DEPOSITS_HELD, agent.party.id) == -800_00
    [recourse] = recourses(session, [agent.party.id])
    assert (recourse.payer_id, recourse.debtor_id, recourse.fen) == (agent.party.id, outsourcer.party.id, 80_00)
    assert settlement_of(session, run, agent).joint_fen == 80_00


def test_joint_example_a_waived_debtor_lowers_what_the_others_owe(session: Session) -> None:
    agent, outsourcer, finding = joint_shares(session)
    make_deposit(session, charged=agent, amount_fen=1_000_00)
    share_of_outsourcer = max(line.id for line in penalties_of(session, finding))
    why = LiftReason(key="waiver:approved:1", event="penalty.waived", reason="和解", actor_id=1, approver_id=2)
    lift_amount(session, lock_penalty(session, share_of_outsourcer), 80_00, why)

    posted(session, draft_run(session))

    assert balance_fen(session, AccountCode.DEPOSITS_HELD, agent.party.id) == -880_00
    assert owed_fen(session, outsourcer) == 0


def test_a_joint_share_lifted_after_another_one_paid_it_goes_back_to_who_paid(session: Session) -> None:
    agent, outsourcer, finding = joint_shares(session)
    make_deposit(session, charged=agent, amount_fen=170_00)
    make_deposit(session, charged=outsourcer, amount_fen=30_00)
    posted(session, draft_run(session))
    share_of_outsourcer = max(line.id for line in penalties_of(session, finding))

    for number, lifted_fen in enumerate((20_00, 60_00)):
        why = LiftReason(key=f"waiver:{number}", event="penalty.waived", reason="和解", actor_id=1, approver_id=2)
        lift_amount(session, lock_penalty(session, share_of_outsourcer), lifted_fen, why)

    # Of the 80 the agent had paid 50: all of that goes back to it, and only then 30 to the outsourcer.
    owed_back = [-balance_fen(session, AccountCode.REFUND_DUE, one.party.id) for one in (agent, outsourcer)]
    assert owed_back == [50_00, 30_00]
    assert recourses(session, [agent.party.id]) == []
    assert (owed_fen(session, agent), owed_fen(session, outsourcer)) == (0, 0)
    assert discrepancies(session) == []


@pytest.mark.parametrize(("limit_fen", "deposit_left_fen"), [(150_00, 850_00), (120_00, 880_00)])
def test_a_joint_debtor_pays_no_more_than_the_limit_says(
    session: Session, limit_fen: int, deposit_left_fen: int
) -> None:
    agent, outsourcer = make_charged_partner(session), make_charged_partner(session)
    share = {"mode": "joint", "limit_fen": limit_fen}
    first = make_final_penalty(session, charged=agent, amount_fen=120_00, share=share)
    finding = session.get_one(Finding, first.finding_id)
    make_final_penalty(session, charged=outsourcer, amount_fen=80_00, finding=finding, share=share)
    make_deposit(session, charged=agent, amount_fen=1_000_00)

    posted(session, draft_run(session))

    assert balance_fen(session, AccountCode.DEPOSITS_HELD, agent.party.id) == -deposit_left_fen
