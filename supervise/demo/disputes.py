"""Subscribers who do not accept a reply, and an authority that mediates: answered, still open, settled by agreement."""

import datetime as dt
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.mediated import promise_agreed_amount
from supervise.complaints.dispute_models import Mediation, MediationState, Mediator, TicketObjection
from supervise.complaints.mediations import (
    MediationCase,
    MediationEnding,
    add_mediation_event,
    end_mediation,
    open_mediation,
)
from supervise.complaints.models import Channel, Ticket, TicketState
from supervise.complaints.subscribers import holders_at
from supervise.complaints.ticket_objections import record_objection
from supervise.demo.cases import Step
from supervise.demo.registers import Registers
from supervise.desk.replies import reply_to_ticket

_AGREED_FEN = 300_00


def dispute_steps(registers: Registers, now: dt.datetime) -> list[Step]:
    """Return the steps up to *now*, in no order."""

    def at(days: int, hour: int) -> dt.datetime:
        return clock.start_of_day(clock.china_day(now) - dt.timedelta(days=days)) + dt.timedelta(hours=hour)

    steps = [
        Step(at(12, 10), partial(_mediate, registers, "扬市监调〔2026〕118号")),
        Step(at(9, 11), partial(_object, registers)),
        Step(at(7, 15), partial(_answer, registers)),
        Step(at(6, 10), partial(_hear, registers)),
        Step(at(5, 16), partial(_agree, registers)),
        Step(at(5, 17), partial(_promise, registers)),
        Step(at(3, 10), partial(_mediate, registers, "扬市监调〔2026〕131号")),
        Step(at(1, 9), partial(_object, registers)),
    ]
    return [step for step in steps if step.at <= now]


def _next_ticket(session: Session) -> Ticket | None:
    """Return a closed ticket of a registered subscriber that nobody disputes yet."""
    disputed = select(TicketObjection.ticket_id).union(select(Mediation.ticket_id))
    closed = select(Ticket).where(Ticket.state == TicketState.CLOSED, Ticket.id.not_in(disputed))
    for ticket in session.scalars(closed.order_by(Ticket.id)):
        if ticket.number_id is not None and holders_at(session, [(ticket.number_id, clock.now())]):
            return ticket
    return None


def _mediate(registers: Registers, case_number: str, session: Session) -> None:
    ticket = _next_ticket(session)
    if ticket is not None:
        case = MediationCase(Mediator.CONSUMER_12315, case_number, clock.today(), None)
        open_mediation(session, ticket.id, case, version=ticket.version, actor_id=registers.users["clerk"])


def _object(registers: Registers, session: Session) -> None:
    ticket = _next_ticket(session)
    if ticket is not None:
        words = "用户不认可处理结果：只登记了免打扰，没有说明是谁拨打的。"
        clerk = registers.users["clerk"]
        record_objection(
            session, ticket.id, Channel.HOTLINE, clock.now(), words, version=ticket.version, actor_id=clerk
        )


def _answer(registers: Registers, session: Session) -> None:
    for ticket_id in session.scalars(select(TicketObjection.ticket_id)).all():
        ticket = session.get_one(Ticket, ticket_id)
        words = "您好，来电系合作代理商外呼，已对其依合同处理，并已停止对您号码的营销外呼。"
        clerk = registers.users["clerk"]
        reply_to_ticket(session, ticket_id, words, "redressed", version=ticket.version, actor_id=clerk)


def _hear(registers: Registers, session: Session) -> None:
    for ticket in _mediated(session):
        words = "市场监管所组织双方电话调解，用户要求一次性补偿。"
        clerk = registers.users["clerk"]
        add_mediation_event(session, ticket.id, clock.today(), words, version=ticket.version, actor_id=clerk)


def _agree(registers: Registers, session: Session) -> None:
    for ticket in _mediated(session):
        terms = "一次性补偿话费，停止对该号码的一切营销外呼，双方不再争议。"
        ending = MediationEnding(MediationState.AGREED, clock.today(), terms, _AGREED_FEN)
        end_mediation(session, ticket.id, ending, version=ticket.version, actor_id=registers.users["clerk"])


def _promise(registers: Registers, session: Session) -> None:
    for ticket_id in session.scalars(select(Mediation.ticket_id).where(Mediation.agreed_fen > 0)).all():
        ticket = session.get_one(Ticket, ticket_id)
        promise_agreed_amount(session, ticket_id, version=ticket.version, actor_id=registers.users["triager"])


def _mediated(session: Session) -> list[Ticket]:
    ids = session.scalars(select(Mediation.ticket_id).where(Mediation.state == MediationState.OPEN)).all()
    return [session.get_one(Ticket, ticket_id) for ticket_id in ids]
