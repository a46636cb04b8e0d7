"""What waits for a second person beside amounts: a call that is spared, and two entries that are one agent."""

import datetime as dt
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.attribution.decide import decide_verdict
from supervise.attribution.findings import Proof, record_findings
from supervise.attribution.models import Verdict
from supervise.attribution.proof_models import VerificationKind
from supervise.cipher import Keyring
from supervise.complaints.models import CallerKind, Channel, IncidentKind, Precision
from supervise.complaints.receive import receive_tickets
from supervise.complaints.reported import ReportedCall, ReportedTicket
from supervise.complaints.tickets import investigate_ticket
from supervise.demo.cases import REDRESSED, Step, answer_and_close
from supervise.demo.registers import NUMBERS, Registers
from supervise.parties.models import PartyKind, RelationRole
from supervise.parties.register import Tie, enter_party
from supervise.penalties.merge_parties import propose_merge
from supervise.penalties.spare import spare_call
from supervise.penalties.spare_models import SpareReason
from supervise.settlement.deposits import DepositFacts, receive_deposit

#: Who was called, as a place among the subscribers: one who reported nothing else, and refused nothing.
_CALLED = 26
_CALLED_DAYS = 11
_DEPOSIT_FEN = 3_000_00


@dataclass
class Told:
    """What the steps refer to: the ticket and its call, and the agent's second entry."""

    keyring: Keyring
    registers: Registers
    ticket_id: int = 0
    incident_id: int = 0
    party_id: int = 0


def two_people_steps(keyring: Keyring, registers: Registers, now: dt.datetime) -> list[Step]:
    """Return what leads to a sparing and a merger that wait since the day before yesterday."""
    told = Told(keyring, registers)

    def at(days: int, hour: int) -> dt.datetime:
        return clock.start_of_day(clock.china_day(now) - dt.timedelta(days=days)) + dt.timedelta(hours=hour)

    return [
        Step(at(90, 10), partial(_enter_again, told)),
        Step(at(88, 15), partial(_pay_deposit, told)),
        Step(at(_CALLED_DAYS, 18), partial(_take_in, told)),
        Step(at(8, 10), partial(_prove, told)),
        Step(at(7, 16), partial(_close, told)),
        Step(at(2, 11), partial(_spare, told)),
        Step(at(2, 15), partial(_propose_merge, told)),
    ]


def _enter_again(told: Told, session: Session) -> None:
    """Another branch enters an agent that is in the register already."""
    party = enter_party(
        session,
        code="YY-GX",
        kind=PartyKind.AGENT,
        name="云翼通信合作厅",
        tie=Tie(told.registers.parties["YZ-GX"], RelationRole.SPONSORED_BY, clock.today()),
        actor_id=told.registers.users["triager2"],
    )
    told.party_id = party.id


def _pay_deposit(told: Told, session: Session) -> None:
    facts = DepositFacts(told.party_id, _DEPOSIT_FEN, "保证金进账单0006", clock.today())
    receive_deposit(session, facts, actor_id=told.registers.users["finance"])


def _propose_merge(told: Told, session: Session) -> None:
    reason = "营业执照与法定代表人相同：高新分公司重复建档，三千元保证金误收在重复档案名下，请并入三里店建档的主体。"
    into_id, triager = told.registers.parties["YY"], told.registers.users["triager"]
    propose_merge(session, told.party_id, into_id=into_id, reason=reason, actor_id=triager)


def _take_in(told: Told, session: Session) -> None:
    number, _subscriber_id, unit_id = told.registers.subscribers[_CALLED]
    caller = NUMBERS["RD"][0]
    report = ReportedTicket(
        channel=Channel.HOTLINE,
        received_at=clock.now(),
        content="锐达来电说送视频会员，没讲清次月起收费；当天又打来道歉并退了钱，请核实。",
        number=number,
        unit_id=unit_id,
        calls=(
            ReportedCall(
                kind=IncidentKind.CALL,
                occurred_at=clock.now() - dt.timedelta(hours=7),
                precision=Precision.MINUTE,
                caller_number=caller,
                caller_class=phone.classify(caller),
                answered=True,
                seconds=96,
                caller_kind=CallerKind.HUMAN,
            ),
        ),
    )
    clerk, triager = told.registers.users["clerk"], told.registers.users["triager"]
    [received] = receive_tickets(session, told.keyring, [report], actor_id=clerk)
    told.ticket_id, [told.incident_id] = received.ticket_id, received.incident_ids
    investigate_ticket(session, told.ticket_id, actor_id=triager)


def _prove(told: Told, session: Session) -> None:
    """Say who called and what was wrong with it; no amount is proposed yet."""
    triager, party_id = told.registers.users["triager"], told.registers.parties["RD"]
    reason = "平台缺该通话单，按号码登记并经回拨核实认定。"
    decide_verdict(
        session, told.incident_id, Verdict.ATTRIBUTED, party_id, reason=reason, shown_id=None, actor_id=triager
    )
    note = "录音复核：未告知次月起收费；当日下午回拨致歉并退订的录音一并在案。"
    proof = Proof("misleading_free", proven=True, evidence_note=note, verified_by=VerificationKind.RECORDING_REVIEW)
    record_findings(session, told.incident_id, [proof], actor_id=triager)


def _close(told: Told, session: Session) -> None:
    answer_and_close(session, told.registers, told.ticket_id, REDRESSED, "redressed")


def _spare(told: Told, session: Session) -> None:
    reason = "锐达当日主动回拨致歉、退订会员并返还首月费用，用户表示谅解，建议免于扣罚。"
    spare_call(session, told.incident_id, SpareReason.PUT_RIGHT, reason, actor_id=told.registers.users["triager"])
