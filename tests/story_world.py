"""The province of the evidence story: who works for whom, who holds which number, what the platforms deliver."""

import datetime as dt
from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db, phone
from supervise.attribution.candidates import Suggestion, suggestions
from supervise.attribution.inquiries import Answer, answer_inquiry, ask
from supervise.attribution.inquiry_models import AnswerKind, Inquiry, InquiryState
from supervise.cipher import Keyring
from supervise.complaints.models import Channel, IncidentKind, Precision
from supervise.complaints.receive import Received, receive_tickets
from supervise.complaints.reported import ReportedCall, ReportedRefusal, ReportedTicket
from supervise.donotcall.record import record_reported_refusals
from supervise.evidence.models import RecordImport, RecordKind
from supervise.parties.models import Party, PartyKind, RelationRole, SalesChannelKind, UnitKind
from tests.evidence.record_files import Importer, csv_text
from tests.factories.contracts import make_contract, make_rule
from tests.factories.inquiries import QUESTION, scope_of
from tests.factories.parties import (
    make_carrier,
    make_holder,
    make_number,
    make_party,
    make_relation,
    make_sales_channel,
    make_staff_number,
    make_unit,
    unit_party,
)
from tests.factories.records import make_source

TRIAGER, SUPERVISOR, ANSWERER = 911, 931, 921
#: A Tuesday.
DAY = dt.date(2026, 11, 3)
#: When the office works on it; every record and every answer is there by then.
NOW = dt.datetime(2026, 11, 20, 9, 0, tzinfo=clock.CHINA)
HANDED_OVER = "02568899999"
PORT, SUB_PORT = "10690333", "1069033388"
CALL_HEADS = ("话单号", "主叫号码", "被叫号码", "开始时间", "结束时间", "通话时长", "是否接通", "工号", "录音编号")
ORDER_HEADS = (
    "订单号",
    "用户号码",
    "受理时间",
    "渠道编码",
    "工号",
    "原套餐",
    "新套餐",
    "月费差额",
)
SMS_HEADS = ("短信标识", "端口号", "接收号码", "发送时间", "签名", "退订方式", "短信类别", "短信内容")
#: Code, kind and carrier of each platform.
PLATFORMS = (
    ("WH01", RecordKind.CALLS, "CU"),
    ("WH02", RecordKind.CALLS, "CM"),
    ("BS01", RecordKind.ORDERS, "CU"),
    ("DX01", RecordKind.MESSAGES, "CU"),
)


def china(text: str, day: dt.date = DAY) -> dt.datetime:
    """A moment of the story by China's clocks: ``14:05:09``."""
    return dt.datetime.combine(day, dt.time.fromisoformat(text), tzinfo=clock.CHINA)


def build(session: Session) -> dict[str, int]:
    """Enter everybody; return the parties' ids by name."""
    province = make_unit(session, name="云州省公司", kind=UnitKind.PROVINCE)
    make_rule(session, contract=make_contract(session, party=None, unit=province))
    east, river, west = (
        make_unit(session, name=name, parent=province) for name in ("城东分公司", "滨江分公司", "城西分公司")
    )
    hall = unit_party(session, make_unit(session, name="三里店营业厅", kind=UnitKind.HALL, parent=river))
    agent = make_party(session, name="华信代理", sponsor=east)
    outsourcer = make_party(session, name="联达外呼", kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=agent, role=RelationRole.CONTRACTED_BY)
    before_noon, after_noon = (make_party(session, name=name, sponsor=west) for name in ("恒通渠道", "星河呼叫"))
    lessor, lessee = (
        make_party(session, name=name, kind=PartyKind.PORT_HOLDER, sponsor=west) for name in ("信通短信", "锐达营销")
    )
    for party in (agent, before_noon, after_noon, lessee):
        make_rule(session, contract=make_contract(session, party=party, unit=east))
    for carrier in ("CU", "CM"):
        make_carrier(session, code=carrier)
    make_staff_number(session, employer=outsourcer, staff_number="9583", carrier_code="CM")
    make_sales_channel(session, party=hall, channel_code="QD3001", kind=SalesChannelKind.HALL)
    # The official number stands in the branch's list as well: it is its apparent holder.
    make_holder(session, party=unit_party(session, east), digits="10016")
    handed_over, noon = make_number(session, digits=HANDED_OVER), china("12:00:00")
    make_holder(session, party=before_noon, number=handed_over, held_to=noon)
    make_holder(session, party=after_noon, number=handed_over, held_from=noon)
    make_holder(session, party=lessor, number=make_number(session, digits=PORT, is_prefix=True))
    make_holder(session, party=lessee, number=make_number(session, digits=SUB_PORT, is_prefix=True))
    for code, kind, carrier in PLATFORMS:
        make_source(session, code=code, kind=kind, carrier_code=carrier, valid_from=DAY)
    return {party.name: party.id for party in session.scalars(select(Party))}


def call(
    caller: str,
    text: str,
    *,
    day: dt.date = DAY,
    precision: Precision = Precision.MINUTE,
) -> ReportedCall:
    """A call as the complainant tells it."""
    return ReportedCall(
        kind=IncidentKind.CALL,
        occurred_at=china(text, day),
        precision=precision,
        caller_number=caller,
        caller_class=phone.classify(caller),
        answered=True,
        seconds=60,
    )


def message(port: str, text: str, words: str, *, day: dt.date = DAY) -> ReportedCall:
    """A message as the complainant received it, who answered T."""
    return ReportedCall(
        kind=IncidentKind.SMS,
        occurred_at=china(text, day),
        precision=Precision.MINUTE,
        caller_number=port,
        caller_class=phone.classify(port),
        sms_text=words,
        opt_out_sent=True,
    )


class Office:
    """What people and platforms do, step by step, each in a transaction of its own."""

    def __init__(self, keyring: Keyring, folder: Path) -> None:
        self.keyring = keyring
        self.importer = Importer(keyring, folder)
        self.parties = db.decide(build)

    def take_in(
        self, number: str, *calls: ReportedCall, content: str = "推销套餐", refusal: ReportedRefusal | None = None
    ) -> list[int]:
        """Take in one complaint; the ids of its incidents."""
        report = ReportedTicket(
            channel=Channel.HOTLINE,
            received_at=max(one.occurred_at for one in calls) + dt.timedelta(hours=10),
            content=content,
            number=number,
            calls=calls,
            refusal=refusal,
        )
        [received] = db.decide(self._receive, report)
        return list(received.incident_ids)

    def _receive(self, session: Session, report: ReportedTicket) -> list[Received]:
        received = receive_tickets(session, self.keyring, [report], actor_id=TRIAGER)
        record_reported_refusals(session, received, actor_id=TRIAGER)
        return received

    def deliver(
        self, platform: str, rows: Sequence[Sequence[str]] = (), *, day: dt.date = DAY, days: int = 1
    ) -> RecordImport:
        """Import the file of a platform, complete for *days*; without rows, nothing happened there."""
        kind = next(kind for code, kind, _carrier in PLATFORMS if code == platform)
        heads = {RecordKind.CALLS: CALL_HEADS, RecordKind.ORDERS: ORDER_HEADS, RecordKind.MESSAGES: SMS_HEADS}[kind]
        covers = (day, day + dt.timedelta(days=days))
        return self.importer.take(csv_text(rows, heads), kind, platform=platform, covers=covers)

    def suggestion(self, incident_id: int) -> Suggestion:
        """What records and registers say now."""
        with db.reading() as session:
            return suggestions(session, [incident_id], with_neighbours=True)[incident_id]

    def ask(self, incident_id: int, *names: str) -> None:
        """Ask these parties about a call."""
        for name in names:
            [result] = db.decide(ask, [incident_id], self.parties[name], QUESTION, 5, actor_id=TRIAGER)
            assert result.refusal is None

    def answer(self, name: str, kind: AnswerKind, body: str, **facts: object) -> None:
        """Let a party answer what it was last asked."""
        db.decide(self._answer, name, Answer(kind, body, **facts))  # type: ignore[arg-type]

    def _answer(self, session: Session, name: str, answer: Answer) -> None:
        party = session.get_one(Party, self.parties[name])
        waiting = select(Inquiry.id).where(Inquiry.party_id == party.id, Inquiry.state == InquiryState.OPEN)
        inquiry_id = session.scalars(waiting).one()
        answer_inquiry(session, inquiry_id, answer, scope_of(party), shown_number=0, actor_id=ANSWERER)


def in_words(reasons: Collection[Sequence[object]]) -> str:
    """Stored reasons in English, one a line."""
    return "\n".join(str(message) % parameters if parameters else str(message) for message, parameters in reasons)
