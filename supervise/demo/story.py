"""Who called? Five cases that a visitor finds by searching 演示案例: each has ended once, and most wait once more.

Told from the complaint and the platforms' files to the verdict, through the decisions that people take.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.attribution.conflicts import settle_conflict
from supervise.attribution.decide import accept_suggestions, decide_verdict
from supervise.attribution.findings import Proof, record_findings
from supervise.attribution.inquiries import Answer, answer_inquiry, ask
from supervise.attribution.inquiry_models import AnswerConflict, AnswerKind, ConflictState, Inquiry, InquiryState
from supervise.attribution.models import IncidentVerdict, Verdict
from supervise.attribution.proof_models import VerificationKind
from supervise.attribution.traceback_models import TracebackTask
from supervise.attribution.tracebacks import ask_hop
from supervise.cipher import Keyring
from supervise.compensation.propose import propose_credits
from supervise.complaints.models import CallerKind, Channel, IncidentKind, Precision
from supervise.complaints.receive import receive_tickets
from supervise.complaints.reported import ReportedCall, ReportedRefusal, ReportedTicket
from supervise.complaints.tickets import investigate_ticket
from supervise.demo.cases import REDRESSED, Delivery, Step, answer_and_close
from supervise.demo.registers import HANDED_OVER, HANDED_OVER_DAYS, OFFICIAL, Registers
from supervise.demo.story_records import (
    BURST_PORT,
    MOBILE_OFFICIAL,
    OFFER,
    SUB_PORT,
    Story,
    deliver_calls,
    deliver_dialler,
    deliver_dialler_again,
    deliver_handed_over,
    deliver_messages,
    deliver_orders,
)
from supervise.donotcall.record import record_reported_refusals
from supervise.evidence.holds import answer_hold, ask_holds
from supervise.evidence.models import HoldRequest, HoldState
from supervise.parties.scope import Scope
from supervise.penalties.approve import Shown, approve, return_penalties
from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.propose import propose_penalties

_PRIVATE = "18652010088"
_WORDS: Mapping[str, str] = {
    "1": "【演示案例一】私人手机来电称免费升级5G套餐，第三天套餐被改，月租贵了40元。",
    "2": "【演示案例二】10085来电推销流量包，称免费赠送，未说明次月收费。",
    "3": "【演示案例三】来电显示10016，自称客服要求报验证码，怀疑号码被冒用。",
    "4": "【演示案例四】同一号码推销宽带，该号码当日中午换了使用单位。",
    "5": "【演示案例五】同一106端口发营销短信，回复T退订后次日反而连发七条。",
}
_CALLED, _HEARD, _READ = (
    VerificationKind.CALL_BACK,
    VerificationKind.RECORDING_REVIEW,
    VerificationKind.RECORD_CHECK,
)
#: What was found where a case ended: offence type, how it was verified, and what was heard, seen or read.
_ENDS: Mapping[str, tuple[str, VerificationKind, str]] = {
    "1A": ("unauthorised_number", _CALLED, "回拨该手机，接听人为营业厅员工，承认以个人号码外呼。"),
    "2A": ("misleading_free", _HEARD, "录音复核：称“免费赠送”，未告知次月起收费。"),
    "4A": ("misleading_free", _HEARD, "录音复核：称“免费提速”，未告知合约期。"),
    "4B": ("misleading_free", _HEARD, "录音复核：称“免费提速”，未告知合约期。"),
    "5B": ("after_refusal", _READ, "退订记录在先，次日短信在后，网关记录七条。"),
}


class Answered(NamedTuple):
    """What a party answers, and which of its users."""

    party: str
    username: str
    kind: AnswerKind
    body: str


def story_steps(keyring: Keyring, registers: Registers, now: dt.datetime) -> list[Step | Delivery]:
    """Return what happened in the five cases in the last three weeks."""
    story = Story(keyring, registers, clock.china_day(now))

    def step(ago: int, hour: str, do: Callable[..., None], *arguments: Any, **named: Any) -> Step:
        return Step(story.at(ago, hour), partial(do, story, *arguments, **named))

    def delivery(ago: int, hour: str, take: Callable[[Story], None]) -> Delivery:
        return Delivery(story.at(ago, hour), partial(take, story))

    return [
        *_handed_over(step, delivery),
        *_denied_order(step, delivery),
        *_dialled_by_a_worker(step, delivery),
        *_spoofed(step, delivery),
        *_burst(step, delivery),
        step(3, "16:00", _hold, ("1B", "2D"), "10085外呼平台运维组"),
        step(2, "16:00", _hold, ("3B",), "省公司外呼平台运维组"),
        step(1, "10:00", _keep, "1B"),
    ]


_Telling = Callable[..., Any]


def _denied_order(step: _Telling, delivery: _Telling) -> list[Step | Delivery]:
    halls = ("1A", "1B")
    return [
        step(10, "16:00", _take_in, "1A", 40, (_PRIVATE, 10, "14:05")),
        step(10, "17:00", _take_in, "1B", 41, (_PRIVATE, 10, "11:20")),
        delivery(7, "08:00", deliver_orders),
        step(7, "10:00", _ask, halls, "YZ-BJ-SL", "是否贵厅人员以该手机号码外呼？请说明受理订单的来历。"),
        step(
            5,
            "10:00",
            _answer,
            halls,
            Answered("YZ-BJ-SL", "manager2", AnswerKind.NOT_OURS, "我厅未安排外呼，应该是第三方代理打的。"),
        ),
        step(
            4, "10:00", _decide, "1A", "YZ-BJ-SL", "来电次日后该厅渠道即受理升档订单，与推销内容一致，以订单记录为准。"
        ),
        step(4, "15:00", _settle, "1A"),
        step(4, "16:00", _prove, ("1A",)),
    ]


def _dialled_by_a_worker(step: _Telling, delivery: _Telling) -> list[Step | Delivery]:
    return [
        *(
            step(6, f"{hour}:50", _take_in, key, place, (MOBILE_OFFICIAL, 6, f"{hour}:20"))
            for key, place, hour in (("2A", 42, 15), ("2B", 43, 16), ("2C", 44, 17))
        ),
        step(5, "17:30", _take_in, "2D", 45, (MOBILE_OFFICIAL, 5, "17:05")),
        delivery(4, "08:00", deliver_dialler),
        step(4, "10:30", _accept, ("2A",)),
        step(4, "16:00", _prove, ("2A",)),
    ]


def _spoofed(step: _Telling, delivery: _Telling) -> list[Step | Delivery]:
    return [
        step(9, "21:00", _take_in, "3A", 46, (OFFICIAL, 9, "20:10")),
        delivery(8, "08:00", partial(deliver_calls, ago=9)),
        step(3, "21:00", _take_in, "3B", 47, (OFFICIAL, 3, "20:30")),
        delivery(2, "08:00", partial(deliver_calls, ago=3)),
        delivery(1, "08:00", deliver_dialler_again),
        step(3, "11:00", _decide, "3A", None, "当日各平台话单齐全，均无此呼叫，号码系被冒用，已发起溯源。"),
        step(2, "10:00", _trace, "3A"),
    ]


def _handed_over(step: _Telling, delivery: _Telling) -> list[Step | Delivery]:
    days, second, day = HANDED_OVER_DAYS, Precision.SECOND, Precision.DAY
    question = "用户只记得日期，不记得时刻。该号码当日是否由贵方使用、何时移交？"
    return [
        step(days, "15:00", _take_in, "4A", 48, (HANDED_OVER, days, "11:59:59"), precision=second),
        step(days, "15:30", _take_in, "4B", 49, (HANDED_OVER, days, "12:00:00"), precision=second),
        delivery(days - 2, "08:00", deliver_handed_over),
        step(days - 2, "10:00", _accept, ("4A", "4B")),
        step(days - 2, "16:00", _prove, ("4A", "4B")),
        step(days - 4, "10:00", _close, ("4A", "4B")),
        step(3, "15:00", _propose_anew, "4A"),
        step(3, "16:00", _approve, ("4A", "4B")),
        step(7, "14:00", _take_in, "4C", 50, (HANDED_OVER, days, "00:00"), precision=day),
        step(7, "14:30", _take_in, "4D", 51, (HANDED_OVER, days, "00:00"), precision=day),
        step(7, "15:00", _ask, ("4C", "4D"), "HT", question),
        step(7, "15:10", _ask, ("4C", "4D"), "XH", question),
        step(
            4,
            "09:00",
            _answer,
            ("4C", "4D"),
            Answered("HT", "partner2", AnswerKind.HANDED_ON, "当日上午未用该号外呼，中午已移交。"),
        ),
        step(4, "11:00", _answer, ("4C",), Answered("XH", "partner3", AnswerKind.OURS, "系我司下午所拨。")),
        step(3, "10:00", _decide, "4C", "XH", "星河自认系其所拨，恒通中午已移交该号码，以双方答复为准。"),
    ]


def _burst(step: _Telling, delivery: _Telling) -> list[Step | Delivery]:
    return [
        step(8, "11:00", _take_in, "5A", 52, (BURST_PORT, 8, "10:00"), opts_out=True),
        step(7, "11:00", _take_in, "5B", 52, (BURST_PORT, 7, "09:00")),
        delivery(6, "08:00", deliver_messages),
        step(5, "10:00", _accept, ("5A", "5B")),
        step(5, "16:00", _prove, ("5B",)),
    ]


# What people do


def _take_in(
    story: Story,
    key: str,
    place: int,
    called: tuple[str, int, str],
    session: Session,
    *,
    precision: Precision = Precision.MINUTE,
    opts_out: bool = False,
) -> None:
    caller, ago, clock_time = called
    number, _subscriber_id, unit_id = story.registers.subscribers[place]
    at, clerk = story.at(ago, clock_time), story.registers.users["clerk"]
    reported = _reported(caller, at, precision)
    report = ReportedTicket(
        channel=Channel.HOTLINE,
        received_at=clock.now(),
        content=_WORDS[key[0]],
        number=number,
        external_ref=f"演示案例-{key}",
        unit_id=unit_id,
        calls=(reported,),
        refusal=ReportedRefusal(said_at=at + dt.timedelta(minutes=2), how="回复T退订") if opts_out else None,
    )
    received = receive_tickets(session, story.keyring, [report], actor_id=clerk)
    record_reported_refusals(session, received, actor_id=clerk)
    [story.incidents[key]] = received[0].incident_ids
    story.tickets[key] = received[0].ticket_id
    investigate_ticket(session, received[0].ticket_id, actor_id=story.registers.users["triager"])


def _reported(caller: str, at: dt.datetime, precision: Precision) -> ReportedCall:
    is_message = caller.startswith(SUB_PORT)
    return ReportedCall(
        kind=IncidentKind.SMS if is_message else IncidentKind.CALL,
        occurred_at=at,
        precision=precision,
        caller_number=caller,
        caller_class=phone.classify(caller),
        answered=None if is_message else True,
        seconds=None if is_message else 75,
        caller_kind=CallerKind.UNKNOWN if is_message else CallerKind.HUMAN,
        sms_text=OFFER if is_message else None,
        opt_out_sent=True if is_message else None,
    )


def _accept(story: Story, keys: Sequence[str], session: Session) -> None:
    accept_suggestions(session, [story.incidents[key] for key in keys], actor_id=story.registers.users["triager"])


def _decide(story: Story, key: str, party: str | None, reason: str, session: Session) -> None:
    decide_verdict(
        session,
        story.incidents[key],
        Verdict.ATTRIBUTED if party else Verdict.SPOOFED,
        story.registers.parties[party] if party else None,
        reason=reason,
        shown_id=None,
        actor_id=story.registers.users["triager"],
    )


def _prove(story: Story, keys: Sequence[str], session: Session) -> None:
    """Find what was proven, and propose what follows."""
    triager = story.registers.users["triager"]
    for key in keys:
        code, how, note = _ENDS[key]
        checklist = {"earlier_refusal": True} if code == "after_refusal" else None
        proof = Proof(code, proven=True, evidence_note=note, checklist=checklist, verified_by=how)
        record_findings(session, story.incidents[key], [proof], actor_id=triager)
    ids = [story.incidents[key] for key in keys]
    propose_penalties(session, ids, actor_id=triager)
    propose_credits(session, ids, actor_id=triager)


def _propose_anew(story: Story, key: str, session: Session) -> None:
    """Other offences of its party were approved meanwhile, so that another tier applies: returned, priced again."""
    ids = [penalty.id for penalty in _waiting(session, story, (key,))]
    reason = "同一责任方的其他违规已先行审批，适用档位变化，请重新提出。"
    return_penalties(session, ids, reason, actor_id=story.registers.users["supervisor"])
    propose_penalties(session, [story.incidents[key]], actor_id=story.registers.users["triager"])


def _approve(story: Story, keys: Sequence[str], session: Session) -> None:
    shown = [Shown(penalty.id, penalty.content_sha256) for penalty in _waiting(session, story, keys)]
    approve(session, shown, actor_id=story.registers.users["supervisor"])


def _waiting(session: Session, story: Story, keys: Sequence[str]) -> Sequence[Penalty]:
    of_calls = Penalty.incident_id.in_([story.incidents[key] for key in keys])
    return session.scalars(select(Penalty).where(of_calls, Penalty.state == PenaltyState.PROPOSED)).all()


def _close(story: Story, keys: Sequence[str], session: Session) -> None:
    for key in keys:
        answer_and_close(session, story.registers, story.tickets[key], REDRESSED, "redressed")


def _ask(story: Story, keys: Sequence[str], party: str, question: str, session: Session) -> None:
    ids = [story.incidents[key] for key in keys]
    ask(session, ids, story.registers.parties[party], question, 7, actor_id=story.registers.users["triager"])


def _answer(story: Story, keys: Sequence[str], said: Answered, session: Session) -> None:
    party_id, unit_id = story.registers.parties[said.party], story.registers.units.get(said.party)
    scope = Scope(
        sees_everything=False,
        unit_ids=frozenset({unit_id} if unit_id else ()),
        party_ids=frozenset({party_id}),
    )
    handed_on_at = story.at(HANDED_OVER_DAYS, "12:00") if said.kind is AnswerKind.HANDED_ON else None
    named = "星河呼叫中心有限公司" if said.kind is AnswerKind.HANDED_ON else None
    answer = Answer(said.kind, said.body, named_text=named, handed_on_at=handed_on_at)
    for key in keys:
        waiting = select(Inquiry.id).where(
            Inquiry.incident_id == story.incidents[key],
            Inquiry.party_id == party_id,
            Inquiry.state == InquiryState.OPEN,
        )
        user_id = story.registers.users[said.username]
        answer_inquiry(session, session.scalars(waiting).one(), answer, scope, shown_number=0, actor_id=user_id)


def _hold(story: Story, keys: Sequence[str], asked_of: str, session: Session) -> None:
    """Ask for the recordings of what is not decided, before they are gone."""
    ids = [story.incidents[key] for key in keys]
    ask_holds(session, ids, asked_of=asked_of, actor_id=story.registers.users["triager"])


def _keep(story: Story, key: str, session: Session) -> None:
    hold_id = session.scalars(select(HoldRequest.id).where(HoldRequest.incident_id == story.incidents[key])).one()
    triager = story.registers.users["triager"]
    answer_hold(session, hold_id, state=HoldState.KEPT, answer="录音已另存，保留至处理完毕。", actor_id=triager)


def _settle(story: Story, key: str, session: Session) -> None:
    """The supervisor reads the denial beside the order; the verdict stands."""
    incident_id = story.incidents[key]
    open_ = (AnswerConflict.incident_id == incident_id, AnswerConflict.state == ConflictState.OPEN)
    settle_conflict(
        session,
        incident_id,
        None,
        None,
        reason="订单渠道编码即该厅，答复未附任何依据，维持定责。",
        shown_conflict_id=session.scalars(select(AnswerConflict.id).where(*open_)).one(),
        shown_id=session.get_one(IncidentVerdict, incident_id).attribution_id,
        actor_id=story.registers.users["supervisor"],
    )


def _trace(story: Story, key: str, session: Session) -> None:
    query = select(TracebackTask.id).where(TracebackTask.incident_id == story.incidents[key])
    task_id = session.scalars(query).one()
    ask_hop(session, task_id, "省际关口局", clock.today(), actor_id=story.registers.users["triager"])
