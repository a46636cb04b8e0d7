"""Taking complaints in: tickets, incidents and the links between them, one or thousands in the same way."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.bulk import among, insert_rows, slices
from supervise.cipher import Keyring
from supervise.complaints.deadlines import Deadlines
from supervise.complaints.incidents import CallKey, KnownCall, KnownCalls
from supervise.complaints.messages import read_marks
from supervise.complaints.models import (
    Channel,
    DemandLine,
    Incident,
    IncidentFlag,
    IncidentState,
    LinkHow,
    Precision,
    Ticket,
    TicketIncident,
    TicketState,
    TicketStep,
)
from supervise.complaints.reported import ReportedCall, ReportedTicket
from supervise.complaints.search import Searchable, index_tickets
from supervise.complaints.subscribers import number_ids
from supervise.db import reserve_ids, take_turn
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_

#: All who make incidents take this turn, so that the same call in two hands at once becomes one incident.
INTAKE_TURN = "complaints.intake"
#: An appeal later than this after the event may be refused (domain R3).
_BARRED_AFTER = dt.timedelta(days=730)


class AlreadyReceivedError(ConflictError):
    """The channel's number is on a ticket already."""

    message = N_("%(external_ref)s was received before: it is ticket %(reference)s")


class FutureCallError(InvalidInputError):
    """Nobody can complain about a call to come."""

    message = N_("The time lies in the future")


class SameCallTwiceError(InvalidInputError):
    """Two calls of one report cannot have one caller and one moment."""

    message = N_("Two calls of this report have the same caller and time; give the exact times or a count of calls")


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a reported ticket."""

    ticket_id: int
    reference: str
    number_id: int | None
    incident_ids: tuple[int, ...]
    #: How many of them were known before.
    matched: int
    report: ReportedTicket


@dataclass
class _Rows:
    """Rows on their way in, by table."""

    tickets: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    demands: list[dict[str, Any]] = field(default_factory=list)
    words: list[Searchable] = field(default_factory=list)

    def write(self, session: Session) -> None:
        """Insert everything, parents first."""
        insert_rows(session, Ticket.__table__, self.tickets)
        insert_rows(session, Incident.__table__, self.incidents)
        insert_rows(session, TicketIncident.__table__, self.links)
        insert_rows(session, TicketStep.__table__, self.steps)
        insert_rows(session, DemandLine.__table__, self.demands)
        index_tickets(session, self.words)


def receive_tickets(
    session: Session, keyring: Keyring, reports: Sequence[ReportedTicket], *, actor_id: int
) -> list[Received]:
    """Make a ticket of each report, and an incident of each call that is not known yet.

    Every report gets a ticket: what was delivered before must have been sorted out earlier
    (``known_tickets``). Numbers inside texts are masked; the original is kept encrypted.

    Raises:
        AlreadyReceivedError: if a channel's number is known.
        FutureCallError: if a call or a receipt lies in the future.
        SameCallTwiceError: if one report names one call twice.
        NoDeadlineRuleError: if no deadline rule covers the day of receipt.
    """
    _refuse_impossible(reports)
    take_turn(session, INTAKE_TURN)
    _refuse_known(session, reports)
    return _Intake(session, keyring, reports, actor_id).run()


@dataclass(frozen=True, slots=True)
class KnownTicket:
    """A ticket that a row of a file is recognised as."""

    id: int
    reference: str
    #: The complaint as it came, before numbers were masked; None where nobody compares it.
    original: str | None = None
    stated_due_on: dt.date | None = None


def known_tickets(
    session: Session, keyring: Keyring, channel: Channel, references: Sequence[str]
) -> dict[str, KnownTicket]:
    """Return the tickets of *channel* with one of these external references, by it."""
    known: dict[str, KnownTicket] = {}
    for piece in slices(sorted(set(references))):
        query = sa.select(
            Ticket.external_ref,
            Ticket.id,
            Ticket.reference,
            Ticket.content,
            Ticket.content_cipher,
            Ticket.stated_due_on,
        ).where(Ticket.channel == channel, among(session, Ticket.external_ref, piece))
        for row in session.execute(query):
            original = row.content
            if row.content_cipher is not None:
                original = keyring.decrypt(row.content_cipher, "ticket.content_cipher", row.reference)
            known[row.external_ref] = KnownTicket(row.id, row.reference, original, row.stated_due_on)
    return known


def known_row_keys(session: Session, channel: Channel, row_keys: Sequence[str]) -> dict[str, KnownTicket]:
    """Return the tickets of *channel* that came from rows with these keys, by key."""
    known: dict[str, KnownTicket] = {}
    for piece in slices(row_keys):
        query = sa.select(Ticket.row_key, Ticket.id, Ticket.reference)
        for row in session.execute(query.where(Ticket.channel == channel, among(session, Ticket.row_key, piece))):
            known[row.row_key] = KnownTicket(row.id, row.reference)
    return known


def reporting_tickets(session: Session, incident_ids: Sequence[int]) -> dict[int, str]:
    """Return the reference of the ticket that reported each incident first."""
    first: dict[int, str] = {}
    for piece in slices(incident_ids):
        query = (
            sa.select(TicketIncident.incident_id, Ticket.reference)
            .join(Ticket, Ticket.id == TicketIncident.ticket_id)
            .where(among(session, TicketIncident.incident_id, piece))
            .order_by(TicketIncident.id.desc())
        )
        first.update((row.incident_id, row.reference) for row in session.execute(query))
    return first


class _Intake:
    """One reception: everything that is looked up once for all its reports."""

    def __init__(self, session: Session, keyring: Keyring, reports: Sequence[ReportedTicket], actor_id: int) -> None:
        self.session, self.keyring, self.reports, self.actor_id = session, keyring, reports, actor_id
        calls = [call for report in reports for call in report.calls]
        self.now = clock.now()
        self.prefix = f"TS{clock.china_day(self.now):%Y%m%d}"
        self.number_ids = number_ids(session, keyring, {report.number for report in reports if report.number})
        self.deadlines = Deadlines.load(session)
        self.known = KnownCalls.load(session, self.number_ids.values(), calls)
        self.ticket_ids = iter(reserve_ids(session, Ticket.__table__, len(reports)))
        self.incident_ids = iter(reserve_ids(session, Incident.__table__, len(calls)))
        self.rows = _Rows()

    def run(self) -> list[Received]:
        received = [self.receive(report) for report in self.reports]
        self.rows.write(self.session)
        return received

    def receive(self, report: ReportedTicket) -> Received:
        ticket_id = next(self.ticket_ids)
        # The id makes it unique without a counter that everyone would wait for.
        reference = f"{self.prefix}-{ticket_id:06d}"
        number_id = self.number_ids[report.number] if report.number else None
        content = phone.mask_in_text(report.content)
        self.rows.tickets.append(self.ticket_row(report, ticket_id, reference, number_id, content))
        self.rows.steps.append(
            {
                "ticket_id": ticket_id,
                "at": self.now,
                "actor_id": self.actor_id,
                "to_state": TicketState.NEW,
                "reason": None,
            }
        )
        self.rows.demands += [
            {
                "ticket_id": ticket_id,
                "head": demand.head,
                "units": demand.units,
                "unit_fen": demand.unit_fen,
                "granted_fen": None,
                "note": demand.note,
            }
            for demand in report.demands
        ]
        linked: list[int] = []
        matched = 0
        # A call of the very moment of a known incident is that one, before a near call may take it.
        calls = report.calls
        if len(calls) > 1:
            calls = tuple(sorted(calls, key=lambda call: not self.is_known(number_id, call)))
        for call in calls:
            incident_id, how = self.incident(report, reference, number_id, call, linked)
            linked.append(incident_id)
            matched += how is LinkHow.MATCHED
            self.rows.links.append(self.link_row(ticket_id, incident_id, how, call))
        self.rows.words.append(Searchable(ticket_id, search_texts(report, reference, content)))
        return Received(ticket_id, reference, number_id, tuple(linked), matched, report)

    def is_known(self, number_id: int | None, call: ReportedCall) -> bool:
        """Say whether an incident of exactly this moment is known."""
        if number_id is None or call.caller_number is None:
            return False
        return self.known.has(CallKey(number_id, call.caller_number, call.kind), call.occurred_at)

    def ticket_row(
        self, report: ReportedTicket, ticket_id: int, reference: str, number_id: int | None, content: str
    ) -> dict[str, Any]:
        due = self.deadlines.due(report.channel, report.unit_id, report.received_at, report.stated_due_on)
        return {
            "id": ticket_id,
            "reference": reference,
            "channel": report.channel,
            "external_ref": report.external_ref,
            "row_key": report.row_key,
            "batch_id": report.batch_id,
            "received_at": report.received_at,
            "unit_id": report.unit_id,
            "number_id": number_id,
            "region_text": report.region_text,
            "content": content,
            "content_cipher": self.sealed(report.content, "ticket.content_cipher", reference, unless=content),
            "complainant_cipher": self.sealed(report.complainant, "ticket.complainant_cipher", reference),
            "claimed_party": report.claimed_party,
            "claimed_calls": report.claimed_calls,
            "sensitive": report.sensitive,
            "state": TicketState.NEW,
            "stated_due_on": report.stated_due_on,
            "due_on": due.on,
            "due_rule_id": due.rule_id,
            "due_provisional": due.provisional,
            "created_by": self.actor_id,
            "created_at": self.now,
            "version": 1,
        }

    def sealed(self, text: str | None, context: str, reference: str, unless: str | None = None) -> bytes | None:
        """Encrypt *text*; not where nothing was masked, since then the shown text is the original."""
        if text is None or text == unless:
            return None
        return self.keyring.encrypt(text, context, reference)

    def incident(
        self, report: ReportedTicket, reference: str, number_id: int | None, call: ReportedCall, linked: list[int]
    ) -> tuple[int, LinkHow]:
        """Return the incident of *call*, known or new."""
        flags = _flags(report, call)
        key = None
        if number_id is not None and call.caller_number is not None:
            key = CallKey(number_id, call.caller_number, call.kind)
            match = self.known.match(key, call, linked)
            if match.incident_id is not None:
                return match.incident_id, LinkHow.MATCHED
            if match.is_ambiguous:
                flags.append(IncidentFlag.PROBABLE_DUPLICATE.value)
        incident_id = next(self.incident_ids)
        if key is not None:
            self.known.add(key, KnownCall(incident_id, call.occurred_at, call.precision))
        self.rows.incidents.append(
            {
                "id": incident_id,
                "number_id": number_id,
                "flags": flags,
                "unit_id": report.unit_id,
                **incident_facts(call),
                **self.message_facts(call, reference),
                "state": IncidentState.REPORTED,
                "created_at": self.now,
                "version": 1,
            }
        )
        return incident_id, LinkHow.REPORTED

    def message_facts(self, call: ReportedCall, reference: str) -> dict[str, Any]:
        """Return the columns of an SMS: what it says of itself, its text masked and sealed."""
        text = call.sms_text
        marks = read_marks(text) if text else None
        masked = phone.mask_in_text(text) if text else None
        return {
            "sms_signature": marks.signature if marks else None,
            "sms_class": marks.message_class if marks else None,
            "sms_text": masked,
            "sms_cipher": self.sealed(text, "incident.sms_cipher", reference, unless=masked),
            "opt_out_sent": call.opt_out_sent,
        }

    def link_row(self, ticket_id: int, incident_id: int, how: LinkHow, call: ReportedCall) -> dict[str, Any]:
        return {
            "ticket_id": ticket_id,
            "incident_id": incident_id,
            "how": how,
            "reported_at": call.occurred_at,
            "reported_precision": call.precision,
            "linked_by": self.actor_id,
            "linked_at": self.now,
        }


def incident_facts(call: ReportedCall) -> dict[str, Any]:
    """Return the columns of an incident that the report of a call tells."""
    return {
        "kind": call.kind,
        "caller_number": call.caller_number,
        "caller_class": call.caller_class,
        "numbering_plan": call.numbering_plan,
        "occurred_at": call.occurred_at,
        "occurred_on": clock.china_day(call.occurred_at),
        "precision": call.precision,
        "occurred_text": call.occurred_text,
        "answered": call.answered,
        "seconds": call.seconds,
        "caller_kind": call.caller_kind,
        "subject": call.subject,
    }


def search_texts(report: ReportedTicket, reference: str, content: str) -> list[str | None]:
    """Return the texts by which the ticket of *report* is found, *content* masked; never a subscriber's number."""
    told = [report.claimed_party]
    for call in report.calls:
        told += [call.subject, call.sms_text]
    callers = [call.caller_number for call in report.calls]
    return [reference, report.external_ref, content, *callers, *(phone.mask_in_text(text) for text in told if text)]


def _flags(report: ReportedTicket, call: ReportedCall) -> list[str]:
    flags = []
    late = call.occurred_at > report.received_at
    if Precision.DAY in {call.precision, report.received_precision}:
        late = clock.china_day(call.occurred_at) > clock.china_day(report.received_at)
    if late:
        flags.append(IncidentFlag.CALLED_AFTER_COMPLAINT.value)
    if call.caller_number is None:
        flags.append(IncidentFlag.CALLER_MISSING.value)
    if report.received_at - call.occurred_at > _BARRED_AFTER:
        flags.append(IncidentFlag.TIME_BARRED.value)
    return flags


def _refuse_impossible(reports: Sequence[ReportedTicket]) -> None:
    now = clock.now()
    for report in reports:
        moments = [report.received_at, *(call.occurred_at for call in report.calls)]
        if max(moments) > now:
            raise FutureCallError
        named = [(call.caller_number, call.kind, call.occurred_at) for call in report.calls if call.caller_number]
        if len(set(named)) < len(named):
            raise SameCallTwiceError


def _refuse_known(session: Session, reports: Sequence[ReportedTicket]) -> None:
    by_channel: dict[Channel, list[str]] = {}
    for report in reports:
        if report.external_ref is not None:
            by_channel.setdefault(report.channel, []).append(report.external_ref)
    query = sa.select(Ticket.external_ref, Ticket.reference)
    for channel, references in by_channel.items():
        for piece in slices(references):
            same = (Ticket.channel == channel, among(session, Ticket.external_ref, piece))
            known = session.execute(query.where(*same)).first()
            if known is not None:
                raise AlreadyReceivedError(external_ref=known.external_ref, reference=known.reference)
