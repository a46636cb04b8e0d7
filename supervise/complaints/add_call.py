"""A call or message that a ticket is about but did not name: added by a person, matched as intake does."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.complaints.incidents import CallKey, KnownCalls
from supervise.complaints.messages import read_marks
from supervise.complaints.models import (
    OPEN_TICKET_STATES,
    Incident,
    IncidentFlag,
    IncidentState,
    LinkHow,
    Ticket,
    TicketIncident,
)
from supervise.complaints.receive import INTAKE_TURN, FutureCallError, SameCallTwiceError, incident_facts
from supervise.complaints.reported import ReportedCall
from supervise.complaints.search import Searchable, reindex_ticket
from supervise.db import take_turn
from supervise.errors import ConflictError, NotFoundError
from supervise.labels import N_


class TicketDoneError(ConflictError):
    """Nothing is added to a ticket that nobody works on any more."""

    message = N_("The ticket is “%(state)s”: reopen it before you add a call")


def add_call(
    session: Session, keyring: Keyring, ticket_id: int, call: ReportedCall, *, version: int, actor_id: int
) -> Incident:
    """Let *ticket_id* report *call* as well: the incident that is known already, or a new one.

    Raises:
        NotFoundError: if there is no such ticket.
        ConflictError: if the ticket changed since *version*.
        TicketDoneError: if it is not open.
        FutureCallError: if the call lies in the future.
        SameCallTwiceError: if the ticket reports it already.
    """
    if call.occurred_at > clock.now():
        raise FutureCallError
    take_turn(session, INTAKE_TURN)
    ticket = session.get(Ticket, ticket_id, with_for_update=True, populate_existing=True)
    if ticket is None:
        raise NotFoundError
    if ticket.version != version:
        raise ConflictError
    if ticket.state not in OPEN_TICKET_STATES:
        raise TicketDoneError(state=ticket.state.label)
    incident, how = _known_or_new(session, keyring, ticket, call)
    session.add(
        TicketIncident(
            ticket_id=ticket_id,
            incident_id=incident.id,
            how=how,
            reported_at=call.occurred_at,
            reported_precision=call.precision,
            linked_by=actor_id,
            linked_at=clock.now(),
        )
    )
    ticket.version += 1
    session.flush()
    reindex_ticket(session, Searchable(ticket_id, _texts(session, ticket)))
    record_event(
        session,
        actor_id=actor_id,
        action="ticket.call_added",
        subject="ticket",
        subject_id=ticket_id,
        changes={"incident_id": incident.id, "how": how},
    )
    return incident


def _known_or_new(session: Session, keyring: Keyring, ticket: Ticket, call: ReportedCall) -> tuple[Incident, LinkHow]:
    flags = [] if call.caller_number else [IncidentFlag.CALLER_MISSING.value]
    if call.occurred_at > ticket.received_at:
        flags.append(IncidentFlag.CALLED_AFTER_COMPLAINT.value)
    if ticket.number_id is not None and call.caller_number is not None:
        linked = sa.select(TicketIncident.incident_id).where(TicketIncident.ticket_id == ticket.id)
        taken = set(session.scalars(linked))
        known = KnownCalls.load(session, [ticket.number_id], [call])
        key = CallKey(ticket.number_id, call.caller_number, call.kind)
        match = known.match(key, call, taken)
        if match.incident_id is not None:
            return session.get_one(Incident, match.incident_id), LinkHow.MATCHED
        if known.has(key, call.occurred_at):
            raise SameCallTwiceError
        if match.is_ambiguous:
            flags.append(IncidentFlag.PROBABLE_DUPLICATE.value)
    incident = Incident(
        number_id=ticket.number_id,
        unit_id=ticket.unit_id,
        flags=flags,
        state=IncidentState.REPORTED,
        created_at=clock.now(),
        **incident_facts(call),
        **_message_facts(keyring, call, ticket.reference),
    )
    session.add(incident)
    session.flush()
    return incident, LinkHow.REPORTED


def _message_facts(keyring: Keyring, call: ReportedCall, reference: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"opt_out_sent": call.opt_out_sent}
    if call.sms_text:
        marks, masked = read_marks(call.sms_text), phone.mask_in_text(call.sms_text)
        facts |= {"sms_signature": marks.signature, "sms_class": marks.message_class, "sms_text": masked}
        if masked != call.sms_text:
            facts["sms_cipher"] = keyring.encrypt(call.sms_text, "incident.sms_cipher", reference)
    return facts


def _texts(session: Session, ticket: Ticket) -> list[str | None]:
    """Return what the ticket is found by, as ``receive.search_texts`` gives it for a report."""
    texts = [ticket.reference, ticket.external_ref, ticket.content, ticket.claimed_party]
    query = (
        sa.select(Incident.caller_number, Incident.subject, Incident.sms_text)
        .join(TicketIncident, TicketIncident.incident_id == Incident.id)
        .where(TicketIncident.ticket_id == ticket.id)
        .order_by(Incident.id)
    )
    for caller_number, subject, sms_text in session.execute(query):
        texts += [caller_number, subject, sms_text]
    return texts
