"""Nine weeks of the demo: complaints come in each week; the older they are, the further they have been taken.

Every step is taken through the decisions that people take, at the time at which they would have taken it.
"""

import datetime as dt
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise import clock, db, phone
from supervise.attribution.candidates import Suggestion, suggestions
from supervise.attribution.decide import accept_suggestions, decide_verdict
from supervise.attribution.findings import Proof, record_findings_for
from supervise.attribution.models import IncidentVerdict, Verdict
from supervise.attribution.proof_models import VerificationKind
from supervise.cipher import Keyring
from supervise.compensation.approve import Shown as ShownCredit
from supervise.compensation.approve import approve_credits
from supervise.compensation.batches import LineOutcome, freeze_batch, mark_lines
from supervise.compensation.models import Credit, CreditBatchLine, CreditState, Undertaking
from supervise.compensation.propose import propose_credits, propose_lump
from supervise.complaints.models import (
    CallerKind,
    Channel,
    Incident,
    IncidentKind,
    Precision,
    Ticket,
    TicketIncident,
    TicketState,
)
from supervise.complaints.receive import receive_tickets
from supervise.complaints.reported import ReportedCall, ReportedRefusal, ReportedTicket
from supervise.complaints.tickets import investigate_ticket
from supervise.demo.notices import contest, deliver_on_paper
from supervise.demo.records import Called, deliver
from supervise.demo.registers import HANDED_OVER, NUMBERS, OFFICIAL, PORT, STRANGERS, Registers
from supervise.desk.replies import close_ticket, reply_to_ticket
from supervise.donotcall.record import record_reported_refusals
from supervise.ledger.seal import newest_anchor, seal_closed_entries
from supervise.parties.scope import Scope
from supervise.penalties.approve import Shown as ShownPenalty
from supervise.penalties.approve import approve as approve_penalties
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import ObjectionState, Penalty, PenaltyFamily, PenaltyState
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.propose import propose_penalties
from supervise.penalties.queries import open_objections
from supervise.penalties.windows import acknowledge

WEEKS = 9
_PER_WEEK = (14, 17, 15, 20, 18, 22, 19, 21, 12)
_SEED = 20_261_122

_PITCHES = (
    "自称运营商客服，说可以免费升级套餐，不加收任何费用，实际月租更高。",
    "每周打来两三次推销流量包，已明确表示不需要仍反复来电。",
    "称积分可以兑换流量包，要求报验证码帮忙操作，怀疑信息泄露。",
    "刚改成保号套餐就不断接到推销电话，能说出我的套餐内容。",
    "机器人语音推销宽带提速，挂断后换号码继续打。",
    "中午休息时间打来推销合约机，态度恶劣。",
    "推销“老用户专享礼包”，不肯说明资费和合约期。",
    "未经同意为我开通了视频会员包，要求恢复原套餐并赔偿。",
)
_MESSAGES = (
    "【云州优惠】老用户升级套餐立享五折，回复T退订",
    "【流量超市】您有一份10GB流量待领取，点击办理，拒收请回复R",
)
_OFFENCES = ("unauthorised_number", "misleading_free", "frequency", "concealment")
#: Of ``concealment``: the price was told, for how long and with which limits was not.
_TOLD = {"price": True, "applicable_scene": True, "validity": False, "limits": False}
_HEARD, _ASKED = VerificationKind.RECORDING_REVIEW, VerificationKind.CALL_BACK
REDRESSED = "您好，您反映的营销来电（编号{reference}）经核查属实，已对责任方按合同处理，并登记营销免打扰。"
_NOT_CONFIRMED = "您好，您反映的来电（编号{reference}）暂无法确认主叫，已登记营销免打扰，如再次接到请告知时间和号码。"
#: A call that was answered has a recording; of others, and of messages, the subscriber was asked.
_EVIDENCE = {
    _HEARD: "录音复核：主叫推销套餐，用户表示未同意；回拨号码确认为营销外呼。",
    _ASKED: "回访用户：确认收到该来电或短信，从未同意接受推销；核对主叫号码确认为营销外呼。",
}


class Step(NamedTuple):
    """What was done, and when."""

    at: dt.datetime
    do: Callable[[Session], None]

    def take(self) -> None:
        """Do it, in one transaction."""
        db.decide(self.do)


class Delivery(NamedTuple):
    """When records came in; an import has transactions of its own."""

    at: dt.datetime
    take: Callable[[], None]


@dataclass(frozen=True)
class Week:
    """A week of the story: its Monday in China, and how many weeks ago that was (0: this week)."""

    monday: dt.date
    ago: int
    tickets: int
    #: Saturday evening, or now.
    end: dt.datetime
    ticket_ids: list[int] = field(default_factory=list)
    called: list[Called] = field(default_factory=list)

    def at(self, weekday: int, hour: int) -> dt.datetime:
        """Return a moment of the week, weekday 0 is Monday, in China time."""
        return clock.start_of_day(self.monday + dt.timedelta(days=weekday)) + dt.timedelta(hours=hour)


def weeks(now: dt.datetime) -> Iterator[Week]:
    """Yield the weeks, the oldest first; the last one is the present."""
    today = clock.china_day(now)
    this_monday = today - dt.timedelta(days=today.weekday())
    for place, tickets in enumerate(_PER_WEEK):
        ago = WEEKS - 1 - place
        monday = this_monday - dt.timedelta(weeks=ago)
        saturday_evening = clock.start_of_day(monday + dt.timedelta(days=5)) + dt.timedelta(hours=18)
        yield Week(monday, ago, tickets, min(saturday_evening, now))


def steps(keyring: Keyring, registers: Registers, now: dt.datetime) -> list[Step | Delivery]:
    """Return what was done in the nine weeks up to *now*, in the order of time."""
    story: list[Step | Delivery] = []
    for week in weeks(now):
        story += [
            Step(week.end, partial(_take_in, keyring, registers, week)),
            Delivery(min(week.at(6, 9), now), partial(_deliver, keyring, registers, week)),
            Step(week.at(6, 10), partial(_triage, registers, week.ticket_ids)),
            Step(week.at(7, 10), partial(_approve, registers)),
            Step(week.at(7, 15), partial(_answer, registers, week.ticket_ids)),
            Step(week.at(9, 9), partial(_hear_the_charged, registers, objecting=bool(week.ago % 2))),
            Step(week.at(9, 11), partial(deliver_on_paper, registers)),
            Step(week.at(14, 10), partial(_decide_one_by_one, registers, week.ticket_ids)),
            Step(week.at(20, 9), partial(_decide_objections, registers)),
            Step(week.at(22, 9), _finalise),
        ]
    story.append(Step(now - dt.timedelta(hours=2), partial(contest, registers)))
    half_way = now - dt.timedelta(weeks=WEEKS // 2)
    story.append(Step(half_way, partial(_settle_lumps, registers)))
    story.append(Step(half_way + dt.timedelta(days=8), partial(_send_batch, keyring, registers)))
    # As the worker does every hour: what is due by now is final.
    story.append(Step(now, _finalise))
    return sorted((step for step in story if step.at <= now), key=lambda step: step.at)


def _take_in(keyring: Keyring, registers: Registers, week: Week, session: Session) -> None:
    """Take in the week's complaints; their ids stay with the week, for its later steps."""
    chance = random.Random(_SEED + week.ago)  # noqa: S311 - a story, not a secret
    reports = [_report(chance, registers, week) for _ in range(week.tickets)]
    received = receive_tickets(session, keyring, reports, actor_id=registers.users["clerk"])
    record_reported_refusals(session, received, actor_id=registers.users["clerk"])
    week.called.extend(Called(report.number, call) for report in reports if report.number for call in report.calls)
    # A few call the mayor's line about the same call too: two tickets, one incident.
    again = [_told_again(report) for report in reports[:: max(1, week.tickets // 3)] if report.number]
    received += receive_tickets(session, keyring, again, actor_id=registers.users["clerk"])
    week.ticket_ids.extend(one.ticket_id for one in received)


def _report(chance: random.Random, registers: Registers, week: Week) -> ReportedTicket:
    number, _subscriber_id, unit_id = chance.choice(registers.subscribers)
    called_at = week.at(chance.randrange(5), 9) + dt.timedelta(minutes=chance.randrange(11 * 60))
    called_at = min(called_at, week.end - dt.timedelta(hours=3))
    channel = chance.choices(
        [Channel.HOTLINE, Channel.REPORT_12321, Channel.REGULATOR_12300, Channel.MAYOR_12345, Channel.HEIMAO],
        weights=[10, 7, 3, 4, 3],
    )[0]
    refused = chance.random() < 0.3  # noqa: PLR2004 - three in ten
    return ReportedTicket(
        channel=channel,
        received_at=called_at + dt.timedelta(minutes=chance.randrange(20, 170)),
        content=chance.choice(_PITCHES),
        number=number,
        external_ref=f"{channel.value.upper()}-{chance.randrange(10**9):09d}",
        unit_id=unit_id,
        claimed_party=chance.choice([None, "云州省公司客服", "10016", "某营业厅"]),
        calls=(_sms(chance, called_at),) if chance.random() < 0.08 else (_call(chance, called_at),),  # noqa: PLR2004
        refusal=ReportedRefusal(said_at=called_at, how="电话中当面拒绝") if refused else None,
    )


def _call(chance: random.Random, at: dt.datetime) -> ReportedCall:
    known = [digits for numbers in NUMBERS.values() for digits in numbers]
    caller = chance.choices([chance.choice(known), chance.choice(STRANGERS), OFFICIAL, HANDED_OVER], [80, 10, 5, 5])[0]
    answered = chance.random() < 0.8  # noqa: PLR2004 - four in five
    return ReportedCall(
        kind=IncidentKind.CALL,
        occurred_at=at,
        precision=Precision.MINUTE,
        caller_number=caller,
        caller_class=phone.classify(caller),
        answered=answered,
        seconds=chance.randrange(8, 150) if answered else None,
        caller_kind=chance.choice([CallerKind.HUMAN, CallerKind.HUMAN, CallerKind.ROBOT]),
    )


def _sms(chance: random.Random, at: dt.datetime) -> ReportedCall:
    port = f"{PORT[1]}{chance.randrange(100):02d}"
    return ReportedCall(
        kind=IncidentKind.SMS,
        occurred_at=at,
        precision=Precision.MINUTE,
        caller_number=port,
        caller_class=phone.classify(port),
        sms_text=chance.choice(_MESSAGES),
        opt_out_sent=True,
    )


def _told_again(report: ReportedTicket) -> ReportedTicket:
    return ReportedTicket(
        channel=Channel.CONSUMER_12315,
        received_at=report.received_at + dt.timedelta(minutes=5),
        content=report.content,
        number=report.number,
        external_ref=f"12315-{report.external_ref}",
        unit_id=report.unit_id,
        calls=report.calls,
    )


def _deliver(keyring: Keyring, registers: Registers, week: Week) -> None:
    """Take over the platforms' records of the week, Monday to Friday; of the present one as far as it has come."""
    covers = (week.monday, min(week.monday + dt.timedelta(days=5), clock.today() + dt.timedelta(days=1)))
    deliver(keyring, registers, week.called, covers, week.ago)


def _triage(registers: Registers, ticket_ids: Sequence[int], session: Session) -> None:
    triager = registers.users["triager"]
    for ticket_id in ticket_ids:
        investigate_ticket(session, ticket_id, actor_id=triager)
    incident_ids = _incidents(session, ticket_ids)
    accept_suggestions(session, incident_ids, actor_id=triager)
    _prove(session, triager, incident_ids)


def _prove(session: Session, triager: int, incident_ids: Sequence[int]) -> None:
    """Find an offence in each call that somebody answers for, and propose what follows."""
    query = select(Incident.id, Incident.answered).join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
    answered = dict(iter(session.execute(query.where(IncidentVerdict.party_id.is_not(None)))))
    chance = random.Random(_SEED)  # noqa: S311 - a story, not a secret
    for incident_id in (incident_id for incident_id in incident_ids if incident_id in answered):
        how = _HEARD if answered[incident_id] else _ASKED
        code = chance.choice(_OFFENCES)
        answers = _TOLD if code == "concealment" else None
        proof = Proof(code, proven=True, evidence_note=_EVIDENCE[how], checklist=answers, verified_by=how)
        record_findings_for(session, [incident_id], [proof], actor_id=triager)
    propose_penalties(session, incident_ids, actor_id=triager)
    propose_credits(session, incident_ids, actor_id=triager)


def _incidents(session: Session, ticket_ids: Sequence[int]) -> list[int]:
    query = select(TicketIncident.incident_id).where(TicketIncident.ticket_id.in_(ticket_ids)).distinct()
    return sorted(session.scalars(query))


def _approve(registers: Registers, session: Session) -> None:
    supervisor = registers.users["supervisor"]
    penalties = session.scalars(select(Penalty).where(Penalty.state == PenaltyState.PROPOSED)).all()
    approve_penalties(session, [ShownPenalty(row.id, row.content_sha256) for row in penalties], actor_id=supervisor)
    waiting = session.scalars(select(Credit).where(Credit.state == CreditState.PROPOSED)).all()
    approve_credits(session, [ShownCredit(row.id, row.content_sha256) for row in waiting], actor_id=supervisor)


def _answer(registers: Registers, ticket_ids: Sequence[int], session: Session) -> None:
    """Answer and close what has a result; the rest stays open, and some of it late."""
    undecided = set(session.scalars(_undecided().with_only_columns(TicketIncident.ticket_id)))
    for ticket_id in ticket_ids:
        if ticket_id not in undecided:
            answer_and_close(session, registers, ticket_id, REDRESSED, "redressed")


def _decide_one_by_one(registers: Registers, ticket_ids: Sequence[int], session: Session) -> None:
    """Decide, two weeks on, what no record proves: by the register, as spoofed, or that it cannot be told."""
    undecided = session.execute(
        _undecided()
        .with_only_columns(TicketIncident.ticket_id, TicketIncident.incident_id)
        .where(TicketIncident.ticket_id.in_(ticket_ids))
    ).all()
    triager = registers.users["triager"]
    found = suggestions(session, {row.incident_id for row in undecided})
    verdicts = {incident_id: _on_its_own_page(suggestion) for incident_id, suggestion in sorted(found.items())}
    for incident_id, (verdict, party_id, reason) in verdicts.items():
        decide_verdict(session, incident_id, verdict, party_id, reason=reason, shown_id=None, actor_id=triager)
    _prove(session, triager, list(verdicts))
    for row in sorted(undecided):
        is_redressed = verdicts[row.incident_id][1] is not None
        code = "redressed" if is_redressed else "not_confirmed"
        answer_and_close(session, registers, row.ticket_id, REDRESSED if is_redressed else _NOT_CONFIRMED, code)


def _on_its_own_page(suggestion: Suggestion) -> tuple[Verdict, int | None, str]:
    """Return how a person decides what cannot be accepted in bulk: verdict, party, reason."""
    if suggestion.verdict is Verdict.SPOOFED and suggestion.leading is None:
        return Verdict.SPOOFED, None, "当日各平台话单齐全，均无此呼叫，主叫号码系被冒用，已发起溯源。"
    if suggestion.leading is None or suggestion.verdict is None:
        return Verdict.INSUFFICIENT, None, "主叫号码无登记持有方，回拨为空号，暂无法认定。"
    return suggestion.verdict, suggestion.leading.party_id, "平台缺该通话单，按号码登记并经回拨核实认定。"


def _undecided() -> Select[int]:
    return (
        select(TicketIncident.id)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == TicketIncident.incident_id)
        .where(IncidentVerdict.incident_id.is_(None))
    )


def answer_and_close(session: Session, registers: Registers, ticket_id: int, body: str, resolution_code: str) -> None:
    """Reply to a ticket that is investigated, and close it."""
    ticket = session.get_one(Ticket, ticket_id)
    if ticket.state is not TicketState.INVESTIGATING:
        return
    clerk = registers.users["clerk"]
    words = body.format(reference=ticket.reference)
    reply_to_ticket(session, ticket_id, words, resolution_code, version=ticket.version, actor_id=clerk)
    close_ticket(session, ticket_id, version=ticket.version, actor_id=clerk)


def _hear_the_charged(registers: Registers, session: Session, *, objecting: bool) -> None:
    """The manager of 城东 and the contact of 华信 acknowledge theirs; one objects each week."""
    for username, unit, party in (("manager", "YZ-CD", None), ("partner", None, "HX")):
        user_id = registers.users[username]
        scope = Scope(
            sees_everything=False,
            unit_ids=frozenset({registers.units[unit]} if unit else ()),
            party_ids=frozenset({registers.parties[party]} if party else ()),
        )
        query = scope.limit(
            select(Penalty.id).where(
                Penalty.state == PenaltyState.APPROVED,
                Penalty.window_start.is_(None),
                Penalty.family == (PenaltyFamily.INTERNAL if unit else PenaltyFamily.EXTERNAL),
            ),
            unit=Penalty.unit_id,
            party=Penalty.party_id,
        )
        mine = list(session.scalars(query.order_by(Penalty.id)))
        acknowledge(session, mine, scope, actor_id=user_id)
        if mine and objecting:
            body = "该号码当日已停用，请核对通话记录后重新认定。"
            file_objection(session, mine[-1], body, scope, actor_id=user_id)


def _decide_objections(registers: Registers, session: Session) -> None:
    """The second supervisor, who approved none of them, decides: every other one is upheld."""
    for place, waiting in enumerate(open_objections(session, Scope.everything())):
        upheld = place % 2 == 0
        decide_objection(
            session,
            waiting.objection_id,
            ObjectionState.UPHELD if upheld else ObjectionState.REJECTED,
            note="经复核通话记录，理由成立，撤销。" if upheld else "通话记录与录音一致，维持原认定。",
            actor_id=registers.users["supervisor2"],
        )


def _finalise(session: Session) -> None:
    while finalise_due(session, clock.today()):
        pass


def _settle_lumps(registers: Registers, session: Session) -> None:
    """Grant what the undertakings promised for history, once."""
    for undertaking_id in session.scalars(select(Undertaking.id).order_by(Undertaking.id)).all():
        propose_lump(session, undertaking_id, actor_id=registers.users["triager"])


def _send_batch(keyring: Keyring, registers: Registers, session: Session) -> None:
    """Send the older half of the approved credits to billing; two lines come back rejected."""
    seal_closed_entries(session, keyring)
    anchor = newest_anchor(session)
    approved = session.scalars(select(Credit.id).where(Credit.state == CreditState.APPROVED).order_by(Credit.id)).all()
    finance = registers.users["finance"]
    half = approved[: max(1, len(approved) // 2)]
    batch = freeze_batch(session, half, locale="zh_Hans", anchor=str(anchor or ""), actor_id=finance)
    line_ids = session.scalars(
        select(CreditBatchLine.id).where(CreditBatchLine.batch_id == batch.id).order_by(CreditBatchLine.line)
    ).all()
    outcomes = [
        LineOutcome(line_id, "E02" if place < 2 else None, f"ZW{line_id:08d}")  # noqa: PLR2004 - the first two
        for place, line_id in enumerate(line_ids[:-3])
    ]
    mark_lines(session, batch.id, outcomes, actor_id=finance)
