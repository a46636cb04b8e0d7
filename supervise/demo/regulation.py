"""A regulator's fine on the demo's carrier, claimed back from an agent and a branch; the register's weekly push."""

import datetime as dt
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.demo.cases import Step
from supervise.demo.registers import Registers
from supervise.donotcall.push import push_refusals
from supervise.parties.models import Party
from supervise.penalties.fine_models import FineRecourse
from supervise.penalties.fines import FineFacts, record_fine, record_fine_payment
from supervise.penalties.recourse import ReceiptFacts, approve_recourse, propose_recourse
from supervise.settlement.bank import receive_for_claim

#: So many days ago the decision was received; payment, claims and receipt follow.
_RECEIVED_DAYS, _PAID_DAYS, _CLAIMED_DAYS, _APPROVED_DAYS, _GOT_DAYS = 20, 15, 12, 11, 4
_FINE_FEN, _AGENT_FEN, _BRANCH_FEN, _GOT_FEN = 50_000_00, 30_000_00, 10_000_00, 20_000_00
_PUSH_WEEKS = 3


def regulation_steps(registers: Registers, now: dt.datetime) -> list[Step]:
    """Return the steps up to *now*, in no order."""

    def at(days: int, hour: int) -> dt.datetime:
        return clock.start_of_day(clock.china_day(now) - dt.timedelta(days=days)) + dt.timedelta(hours=hour)

    steps = [
        Step(at(_RECEIVED_DAYS, 16), partial(_record, registers)),
        Step(at(_PAID_DAYS, 10), partial(_pay, registers)),
        Step(at(_CLAIMED_DAYS, 10), partial(_claim, registers)),
        Step(at(_APPROVED_DAYS, 11), partial(_approve, registers)),
        Step(at(_GOT_DAYS, 15), partial(_receive, registers)),
    ]
    steps += [Step(at(7 * week, 2), _push) for week in range(_PUSH_WEEKS)]
    return [step for step in steps if step.at <= now]


def _record(registers: Registers, session: Session) -> None:
    today = clock.today()
    facts = FineFacts(
        authority="省通信管理局",
        decision_number="通管罚字2026第12号",
        decided_on=today - dt.timedelta(days=4),
        received_on=today,
        unit_id=registers.units["YZ"],
        subject="所属代理商未经用户同意拨打营销电话，公司未尽到管理责任",
        legal_basis="《中华人民共和国消费者权益保护法》第五十六条",
        amount_fen=_FINE_FEN,
        due_on=today + dt.timedelta(days=15),
        respondent_ids=(registers.parties["HT"],),
    )
    record_fine(session, facts, actor_id=registers.users["finance"])


def _pay(registers: Registers, session: Session) -> None:
    record_fine_payment(session, 1, clock.today(), "缴款书20260012", actor_id=registers.users["finance"])


def _claim(registers: Registers, session: Session) -> None:
    finance = registers.users["finance"]
    branch_id = session.scalars(select(Party.id).where(Party.org_unit_id == registers.units["YZ-CX"])).one()
    propose_recourse(
        session, 1, registers.parties["HT"], _AGENT_FEN, "代理合同第十二条：违规外呼致罚由乙方承担", actor_id=finance
    )
    propose_recourse(session, 1, branch_id, _BRANCH_FEN, "考核办法第八条：属地监督责任", actor_id=finance)


def _approve(registers: Registers, session: Session) -> None:
    for line_id in session.scalars(select(FineRecourse.id).order_by(FineRecourse.id)).all():
        approve_recourse(session, line_id, actor_id=registers.users["supervisor"])


def _receive(registers: Registers, session: Session) -> None:
    facts = ReceiptFacts(_GOT_FEN, "追偿进账单0001", clock.today())
    receive_for_claim(session, 1, facts, actor_id=registers.users["finance"])


def _push(session: Session) -> None:
    push_refusals(session, actor_id=None)
