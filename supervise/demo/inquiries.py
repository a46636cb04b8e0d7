"""What the demo's parties were asked about calls: answered, silent, overdue, and contradicting the register."""

import datetime as dt
from collections.abc import Sequence
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.inquiries import Answer, answer_inquiry, ask, deem_silent
from supervise.attribution.inquiry_models import AnswerKind, Inquiry, InquiryState
from supervise.complaints.models import Incident, IncidentState
from supervise.demo.cases import Step
from supervise.demo.registers import NUMBERS, Registers
from supervise.parties.scope import Scope
from supervise.parties.units import party_of_unit

_QUESTION = "用户投诉该号码营销外呼。该号码当时是否由贵方使用？如为代理商使用，请注明，并附外呼台账或录音。"
_DAY = dt.timedelta(days=1)


def inquiry_steps(registers: Registers, now: dt.datetime) -> list[Step]:
    """Return what was asked and answered in the last two weeks before *now*."""
    return [
        Step(now - 13 * _DAY, partial(_ask, registers, "HX", "HX", calls=2, days=3)),
        Step(now - 6 * _DAY, _note_silence),
        Step(now - 5 * _DAY, partial(_ask, registers, "HX", "HX", calls=3, days=5)),
        Step(now - 5 * _DAY, partial(_ask, registers, "YZ-CD", "LD", calls=2, days=5)),
        Step(now - 4 * _DAY, partial(_answer_as_agent, registers)),
        Step(now - 3 * _DAY, partial(_answer_as_branch, registers)),
        # Its deadline has passed, and nobody has noted that yet.
        Step(now - 4 * _DAY, partial(_ask, registers, "YZ-CD", "YZ-CD", calls=1, days=1)),
        Step(now - _DAY / 8, partial(_ask, registers, "YZ-CD", "HX", calls=2, days=5)),
    ]


def _ask(registers: Registers, asked: str, caller: str, session: Session, *, calls: int, days: int) -> None:
    """Ask a party about the last calls from a party's numbers that it was not asked about."""
    party_id = _party(session, registers, asked)
    known = select(Inquiry.incident_id).where(Inquiry.party_id == party_id)
    query = (
        select(Incident.id)
        .where(
            Incident.caller_number.in_(NUMBERS[caller]),
            Incident.state != IncidentState.MERGED,
            Incident.id.not_in(known),
        )
        .order_by(Incident.occurred_at.desc(), Incident.id)
        .limit(calls)
    )
    ids = session.scalars(query).all()
    ask(session, ids, party_id, _QUESTION, days, actor_id=registers.users["triager"])


def _note_silence(session: Session) -> None:
    while deem_silent(session, clock.today()):
        pass


def _answer_as_agent(registers: Registers, session: Session) -> None:
    """The agent owns up to one call, denies another that the register says is its own, and lets one wait."""
    party_id = registers.parties["HX"]
    scope = Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({party_id}))
    answers = (
        Answer(AnswerKind.OURS, "系我司外呼席位所拨，已对当班坐席停岗培训，录音已封存。"),
        Answer(AnswerKind.NOT_OURS, "我司当日该线路停机检修，无外呼记录，请核对主叫是否被冒用。"),
    )
    _answer_waiting(session, party_id, answers, scope, registers.users["partner"])


def _answer_as_branch(registers: Registers, session: Session) -> None:
    """The branch names the outsourcer that works for its agent, and denies a call of the same outsourcer."""
    unit_id = registers.units["YZ-CD"]
    party_id = _party(session, registers, "YZ-CD")
    scope = Scope(sees_everything=False, unit_ids=frozenset({unit_id}), party_ids=frozenset({party_id}))
    answers = (
        Answer(
            AnswerKind.AGENT,
            "系代理商华信的外包商联达所拨，营业厅未参与。",
            named_party_id=registers.parties["LD"],
        ),
        Answer(AnswerKind.NOT_OURS, "城东分公司未安排此次外呼，应该是第三方代理给用户打的电话。"),
    )
    _answer_waiting(session, party_id, answers, scope, registers.users["manager"])


def _answer_waiting(session: Session, party_id: int, answers: Sequence[Answer], scope: Scope, user_id: int) -> None:
    waiting = select(Inquiry.id).where(Inquiry.party_id == party_id, Inquiry.state == InquiryState.OPEN)
    for inquiry_id, answer in zip(session.scalars(waiting.order_by(Inquiry.id)).all(), answers, strict=False):
        answer_inquiry(session, inquiry_id, answer, scope, shown_number=0, actor_id=user_id)


def _party(session: Session, registers: Registers, code: str) -> int:
    if code in registers.parties:
        return registers.parties[code]
    return party_of_unit(session, registers.units[code]).id
