"""What follows from the demo's penalties: points, sanctions, figures, deposits, and two settled months.

The agent 恒通 reaches the third tier and its monthly cap, is suspended by its points, calls again, and is settled
from its commission and then its deposit.
"""

import datetime as dt
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.models import Contract
from supervise.demo.cases import Step
from supervise.demo.registers import Registers
from supervise.parties.sanction_models import Sanction, SanctionState
from supervise.penalties.ladder import propose_for_late_top_up, propose_sanctions
from supervise.penalties.monthly_figures import FigureFacts, record_figure
from supervise.penalties.points import enter_points
from supervise.penalties.pricing import FigureKind
from supervise.penalties.recoveries import approve_recoveries, propose_recoveries
from supervise.penalties.recovery_models import Recovery, RecoveryState
from supervise.penalties.recovery_queries import due_recoveries
from supervise.penalties.sanctions import approve_sanction
from supervise.settlement.commissions import CommissionFacts, record_commission
from supervise.settlement.deposits import DepositFacts, receive_deposit
from supervise.settlement.models import RunState, Settlement, SettlementRun, TopUpCall
from supervise.settlement.notices import acknowledge_notice, deem_delivered
from supervise.settlement.posting import post_next
from supervise.settlement.runs import NothingToSettleError, approve_run, propose_run
from supervise.settlement.top_ups import late_top_ups

#: Party: deposit paid in, commission of a month (fen), answered calls and orders of a month.
_MONEY = {
    "HX": (30_000_00, 12_345_67, 18_400, 620),
    "HT": (2_000_00, 1_200_00, 6_200, 140),
    "YY": (10_000_00, 5_400_00, 9_800, 260),
    "XH": (20_000_00, 9_900_00, 21_000, 0),
    "RD": (5_000_00, 2_150_50, 4_300, 95),
}
#: A month is settled on these days of the next one: statements, run and approval, notice, deposits topped up.
_STATEMENTS_DAY, _RUN_DAY, _ARRIVED_DAY, _TOPPED_UP_DAY = 2, 3, 5, 9


def collecting_steps(registers: Registers, since: dt.date, now: dt.datetime) -> list[Step]:
    """Return the steps from *since* to *now*, in no order."""
    steps = [Step(clock.start_of_day(since) + dt.timedelta(hours=11), partial(_pay_deposits, registers))]
    for month in _months(since, now):
        _first, next_first = clock.month_bounds(month)

        def at(day: int, hour: int, begin: dt.date = next_first) -> dt.datetime:
            return clock.start_of_day(begin.replace(day=day)) + dt.timedelta(hours=hour)

        steps += [
            Step(at(_STATEMENTS_DAY, 10), partial(_record_figures, registers, month)),
            Step(at(_RUN_DAY, 10), partial(_propose_run, registers, month)),
            Step(at(_RUN_DAY, 15), partial(_approve_and_post, registers)),
            Step(at(_ARRIVED_DAY, 9), partial(_let_notice_arrive, registers)),
            Step(at(_TOPPED_UP_DAY, 14), partial(_top_up, registers)),
        ]
    day = clock.china_day(now) - dt.timedelta(weeks=7)
    while day <= clock.china_day(now):
        steps.append(Step(clock.start_of_day(day) + dt.timedelta(hours=3), _do_what_is_due))
        steps.append(
            Step(clock.start_of_day(day) + dt.timedelta(hours=10), partial(_approve_sanctions, registers, now))
        )
        steps += [
            Step(clock.start_of_day(day) + dt.timedelta(hours=14), partial(_propose_recoveries, registers)),
            Step(clock.start_of_day(day) + dt.timedelta(hours=16), partial(_approve_recoveries, registers)),
        ]
        day += dt.timedelta(weeks=1)
    return [step for step in steps if step.at <= now]


def _months(since: dt.date, now: dt.datetime) -> list[str]:
    """Return the last months that are over."""
    month, months = clock.month_of(since), []
    while month < clock.month_of(clock.china_day(now)):
        months.append(month)
        month = clock.next_month(month)
    return months[-3:]


def _pay_deposits(registers: Registers, session: Session) -> None:
    for place, (party, (deposit_fen, *_rest)) in enumerate(_MONEY.items(), start=1):
        facts = DepositFacts(registers.parties[party], deposit_fen, f"保证金进账单{place:04d}", clock.today())
        receive_deposit(session, facts, actor_id=registers.users["finance"])


def _record_figures(registers: Registers, month: str, session: Session) -> None:
    """What the commission statement and the platforms' monthly reports say."""
    finance = registers.users["finance"]
    for party, (_deposit_fen, due_fen, answered, orders) in _MONEY.items():
        party_id = registers.parties[party]
        contract_id = session.scalars(select(Contract.id).where(Contract.party_id == party_id)).one()
        record_commission(session, CommissionFacts(contract_id, month, due_fen), actor_id=finance)
        for kind, amount in ((FigureKind.ANSWERED_CALLS, answered), (FigureKind.ORDERS, orders)):
            if amount:
                facts = FigureFacts(kind, month, amount, "渠道运营月报", party_id=party_id)
                record_figure(session, facts, actor_id=finance)


def _propose_run(registers: Registers, month: str, session: Session) -> None:
    try:
        propose_run(session, month, actor_id=registers.users["finance"])
    except NothingToSettleError:
        return  # the first months had no final penalty yet


def _approve_and_post(registers: Registers, session: Session) -> None:
    for run in session.scalars(select(SettlementRun).where(SettlementRun.state == RunState.DRAFT)).all():
        approve_run(session, run.id, run.content_sha256, actor_id=registers.users["supervisor"])
        while (standing := post_next(session, run.id)).done < standing.total:
            pass


def _let_notice_arrive(registers: Registers, session: Session) -> None:
    waiting = select(Settlement.id).where(
        Settlement.notice_at.is_not(None),
        Settlement.delivery.is_(None),
        Settlement.party_id == registers.parties["HT"],
    )
    for settlement_id in session.scalars(waiting).all():
        acknowledge_notice(session, settlement_id, actor_id=registers.users["partner2"])


def _top_up(registers: Registers, session: Session) -> None:
    """Everybody who was called answers the call, but for the agent of the story."""
    calls = select(TopUpCall).where(TopUpCall.met_on.is_(None), TopUpCall.party_id != registers.parties["HT"])
    for call in session.scalars(calls.order_by(TopUpCall.id)).all():
        facts = DepositFacts(call.party_id, call.amount_fen, f"保证金补足{call.id:04d}", clock.today())
        receive_deposit(session, facts, actor_id=registers.users["finance"])


def _do_what_is_due(session: Session) -> None:
    """What the worker does every day, once a week: notices count as delivered, points are taken, the ladder looks."""
    while deem_delivered(session, clock.today()):
        pass
    while enter_points(session):
        pass
    today = clock.today()
    propose_sanctions(session, today)
    propose_for_late_top_up(session, late_top_ups(session, today), today)


def _propose_recoveries(registers: Registers, session: Session) -> None:
    due = [one.incident_id for one in due_recoveries(session)]
    propose_recoveries(session, due, actor_id=registers.users["triager"])


def _approve_recoveries(registers: Registers, session: Session) -> None:
    waiting = select(Recovery.id, Recovery.content_sha256).where(Recovery.state == RecoveryState.PROPOSED)
    shown = [(row.id, row.content_sha256) for row in session.execute(waiting.order_by(Recovery.id))]
    approve_recoveries(session, shown, actor_id=registers.users["supervisor"])


def _approve_sanctions(registers: Registers, now: dt.datetime, session: Session) -> None:
    """The second supervisor approves what was proposed until last week; the rest waits for who looks at the demo."""
    if clock.now() > now - dt.timedelta(days=7):
        return
    waiting = select(Sanction.id).where(Sanction.state == SanctionState.PROPOSED).order_by(Sanction.id)
    for sanction_id in session.scalars(waiting).all():
        approve_sanction(session, sanction_id, note=None, actor_id=registers.users["supervisor2"])
