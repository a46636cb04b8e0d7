"""A month of a city branch and one of its agents, told once through: from the first call to the settled yuan.

The agent reaches the third tier and its monthly cap, objects to one penalty in time and to one too late, loses the
first and wins the second after settlement, is put on points and suspended, calls again, is settled from its
commission and then its deposit, and gets a statement whose last line is what the ledger says.
"""

import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.attribution.findings import suggested_offences
from supervise.attribution.suspended_calls import CALL_WHILE_SUSPENDED
from supervise.complaints.models import Incident
from supervise.contracts.models import SettlementOrder
from supervise.desk.consistency import discrepancies
from supervise.errors import NotFoundError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.sanction_models import SanctionKind
from supervise.parties.scope import Scope
from supervise.penalties.adjust import adjustments_to_decide, take_adjustment
from supervise.penalties.admission import admit_late
from supervise.penalties.finalise import finalise_due
from supervise.penalties.ladder import propose_sanctions
from supervise.penalties.models import ObjectionState, Penalty, PenaltyState
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.points import enter_points, points_left
from supervise.penalties.queries import PenaltyFilter, penalties_in_scope
from supervise.penalties.sanctions import approve_sanction
from supervise.penalties.statement import party_statement
from supervise.penalties.windows import acknowledge
from supervise.settlement.bank import PaymentFacts, pay_refund
from supervise.settlement.commissions import CommissionFacts, record_commission
from supervise.settlement.notices import acknowledge_notice
from supervise.settlement.runs import propose_run
from tests.factories.access import make_user
from tests.factories.attribution import attribute, find, make_proven_incident
from tests.factories.complaints import make_incident
from tests.factories.ledger import make_period
from tests.factories.parties import give_scope
from tests.factories.penalties import (
    Charged,
    approve_all,
    make_charged_partner,
    make_contact,
    make_supervisor,
    propose,
)
from tests.factories.settlement import FINANCE, make_deposit, posted, settlement_of

CONTACT = 931
EVERYTHING = Scope.everything()
RULE = {
    "basis": "per_offence",
    "amount_fen": 200_00,
    "tiers": {
        "window": "calendar_month",
        "steps": [
            {"from_count": 1, "amount_fen": 200_00},
            {"from_count": 3, "amount_fen": 300_00},
            {"from_count": 5, "amount_fen": 500_00},
        ],
    },
    "caps": [{"per": "month", "limit_fen": 2_300_00}],
    "points": {"each": 8, "months": 12},
}


@pytest.fixture
def clockwork() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(dt.datetime(2026, 10, 9, 2, tzinfo=dt.UTC), tick=True) as traveller:
        yield traveller


def on(clockwork: time_machine.Traveller, month: int, day: int) -> None:
    """Ten in the morning in China."""
    clockwork.move_to(dt.datetime(2026, month, day, 2, tzinfo=dt.UTC))


def calls(session: Session, agent: Charged) -> list[Incident]:
    """Seven calls after a refusal, on the first seven days of October."""
    return [
        make_proven_incident(
            session,
            party=agent.party,
            unit=agent.unit,
            occurred_at=clock.start_of_day(dt.date(2026, 10, day)) + dt.timedelta(hours=10),
        )
        for day in range(1, 8)
    ]


def lost_in_time(session: Session, penalty: Penalty) -> None:
    objection = file_objection(session, penalty.id, "用户事先同意", EVERYTHING, actor_id=CONTACT)
    judge = make_supervisor(session, username="judge")
    decide_objection(session, objection.id, ObjectionState.REJECTED, note="无同意记录", actor_id=judge.id)


def suspended(session: Session, agent: Charged, judge: User) -> None:
    enter_points(session)
    assert points_left(session, [agent.party.id], clock.today()) == {agent.party.id: 44}
    proposed = propose_sanctions(session, clock.today())
    assert {one.kind for one in proposed} == {SanctionKind.OUTBOUND_SUSPENSION, SanctionKind.ENTRY_RESTRICTION}
    for sanction in proposed:
        approve_sanction(session, sanction.id, note=None, actor_id=judge.id)


def test_a_month_of_a_branch_and_its_agent(session: Session, clockwork: time_machine.Traveller) -> None:
    agent = make_charged_partner(
        session,
        parameters=RULE,
        deposit_required_fen=3_000_00,
        settlement_order=SettlementOrder.COMMISSION_DEPOSIT_CASH,
    )
    other = make_charged_partner(session)
    make_contact(session, agent)
    judge = make_supervisor(session, username="judge")
    manager = make_user(session, username="manager", role=Role.BRANCH_MANAGER)
    give_scope(session, user_id=manager.id, unit=agent.unit)
    make_deposit(session, charged=agent, amount_fen=3_000_00)

    # Seven offences: the third tier from the fifth on, and the cap cuts the last.
    penalties = propose(session, *calls(session, agent))
    assert [one.amount_fen for one in penalties] == [20000, 20000, 30000, 30000, 50000, 50000, 30000]
    assert (penalties[-1].gross_fen, penalties[-1].capped_fen) == (500_00, 200_00)
    assert {result.refusal for result in approve_all(session, *penalties)} == {None}
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, agent.party.id) == 2_300_00

    # The notice is opened on the 12th: five working days, so the 19th is the last. One objection in time, lost.
    on(clockwork, 10, 12)
    acknowledge(session, [penalties[0].id], EVERYTHING, actor_id=CONTACT)
    assert {one.objection_until_on for one in penalties} == {dt.date(2026, 10, 19)}
    on(clockwork, 10, 14)
    lost_in_time(session, penalties[6])
    on(clockwork, 10, 20)
    finalise_due(session, clock.today())
    assert {one.state for one in penalties} == {PenaltyState.FINAL}

    # 56 points are gone: suspended for three months, from the day after the approval.
    suspended(session, agent, judge)

    # It calls again: an offence of its own, above the month's cap, so it costs nothing but its points.
    on(clockwork, 10, 27)
    again = make_incident(session, unit=agent.unit, occurred_at=clock.now() - dt.timedelta(hours=1))
    attribute(session, incident=again, party=agent.party)
    assert CALL_WHILE_SUSPENDED in suggested_offences(session, [again])[again.id]
    find(session, incident=again, code=CALL_WHILE_SUSPENDED)
    [while_suspended] = propose(session, again)
    assert (while_suspended.gross_fen, while_suspended.amount_fen) == (200_00, 0)

    # One objection comes too late and is admitted; before it is decided, October is settled.
    late = file_objection(session, penalties[1].id, "通话为其他公司所拨", EVERYTHING, actor_id=CONTACT)
    assert late.state is ObjectionState.LATE
    on(clockwork, 11, 3)
    make_period(session)
    settle(session, agent)

    # Won after settlement: what was collected is owed back, and what counted it as a repeat is proposed for less.
    on(clockwork, 11, 5)
    admit_late(session, late.id, admitted=True, reason="新证据", actor_id=judge.id)
    decide_objection(session, late.id, ObjectionState.UPHELD, note="话单证明非该方所拨", actor_id=judge.id)
    assert penalties[1].state is PenaltyState.REVERSED
    assert balance_fen(session, AccountCode.REFUND_DUE, agent.party.id) == -200_00
    less = {row.penalty.id: row.adjustment.amount_fen for row in adjustments_to_decide(session)}
    assert less == {penalties[2].id: 100_00, penalties[4].id: 200_00}
    for row in adjustments_to_decide(session):
        take_adjustment(session, row.adjustment.id, actor_id=judge.id)
    assert balance_fen(session, AccountCode.REFUND_DUE, agent.party.id) == -500_00
    facts = PaymentFacts(agent.party.id, 500_00, "PAY-1", clock.today())
    pay_refund(session, facts, actor_id=FINANCE)

    # The statement ends with what the ledger says, and everything adds up.
    statement = party_statement(session, EVERYTHING, agent.party.id, first_month="2026-10", last_month="2026-11")
    assert statement.closing_fen == statement.ledger_fen == 0
    assert discrepancies(session) == []
    own_and_nobody_elses(session, manager, agent, other)


def settle(session: Session, agent: Charged) -> None:
    """Settle October: 1,500 of commission first, the rest of 2,300 from the deposit, which is called for again."""
    record_commission(session, CommissionFacts(agent.contract.id, "2026-10", 1_500_00, 0), actor_id=FINANCE)
    run = posted(session, propose_run(session, "2026-10", actor_id=FINANCE))
    settlement = settlement_of(session, run, agent)
    acknowledge_notice(session, settlement.id, actor_id=CONTACT)
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, agent.party.id) == 0
    assert balance_fen(session, AccountCode.DEPOSITS_HELD, agent.party.id) == -2_200_00


def own_and_nobody_elses(session: Session, manager: User, agent: Charged, other: Charged) -> None:
    """The branch manager sees the penalties of the own branch's agent, and none of another branch's."""
    scope = Scope.of(session, manager)
    page = penalties_in_scope(session, scope, PenaltyFilter(listed_only=True))
    assert {row.party_id for row in page.rows} == {agent.party.id}
    with pytest.raises(NotFoundError):
        party_statement(session, scope, other.party.id, first_month="2026-10", last_month="2026-11")
