"""What a complainant wrote and is called: shown one at a time, for a reason, and recorded."""

import dataclasses
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.cipher import Keyring
from supervise.complaints.link import link_incident, unlink_incident
from supervise.complaints.models import Incident, IncidentKind, SubscriberNumber, Ticket, TicketIncident
from supervise.complaints.originals import (
    NothingMaskedError,
    UnreadableOriginalError,
    reveal_complainant,
    reveal_message,
    reveal_words,
)
from supervise.complaints.receive import receive_tickets
from supervise.complaints.subscribers import ReasonMissingError
from supervise.errors import NotFoundError
from tests.factories.complaints import make_number, make_ticket, reported_call, reported_ticket

CLERK = 7
WORDS = "我的另一个号码13655556666也被打了"
MESSAGE = "【优惠】回复TD退订，详询13655556666"


def receive(session: Session, keyring: Keyring) -> Ticket:
    call = reported_call(kind=IncidentKind.SMS, caller_number="10655550001", sms_text=MESSAGE)
    report = dataclasses.replace(reported_ticket(call, content=WORDS), complainant="王芳")
    [received] = receive_tickets(session, keyring, [report], actor_id=CLERK)
    return session.get_one(Ticket, received.ticket_id)


def incident_of(session: Session) -> Incident:
    return session.scalars(sa.select(Incident)).one()


def shown(session: Session) -> list[tuple[str, str, dict[str, str], str, int]]:
    query = sa.select(AuditEvent).where(AuditEvent.action == "original.revealed").order_by(AuditEvent.id)
    return [
        (row.subject, row.subject_id, row.changes, row.reason, row.actor_id)  # type: ignore[misc]
        for row in session.scalars(query)
    ]


def test_name_words_and_message_are_shown_one_at_a_time_and_recorded(session: Session, keyring: Keyring) -> None:
    ticket = receive(session, keyring)
    incident = incident_of(session)

    name = reveal_complainant(session, keyring, ticket.id, reason="回访需称呼", actor_id=CLERK)
    words = reveal_words(session, keyring, ticket.id, reason=" 核对另一号码 ", actor_id=CLERK)
    message = reveal_message(session, keyring, incident.id, reason="核对退订方式", actor_id=CLERK)

    assert (name, words, message) == ("王芳", WORDS, MESSAGE)
    assert "13655556666" not in f"{ticket.content}{incident.sms_text}"
    assert shown(session) == [
        ("ticket", str(ticket.id), {"what": "complainant"}, "回访需称呼", CLERK),
        ("ticket", str(ticket.id), {"what": "words"}, "核对另一号码", CLERK),
        ("incident", str(incident.id), {"what": "message"}, "核对退订方式", CLERK),
    ]


@pytest.mark.parametrize("reveal", [reveal_complainant, reveal_words])
def test_nothing_is_shown_without_a_reason(session: Session, keyring: Keyring, reveal: Callable[..., str]) -> None:
    ticket = receive(session, keyring)

    with pytest.raises(ReasonMissingError):
        reveal(session, keyring, ticket.id, reason="  ", actor_id=CLERK)

    assert shown(session) == []


def test_a_message_is_not_shown_without_a_reason(session: Session, keyring: Keyring) -> None:
    receive(session, keyring)

    with pytest.raises(ReasonMissingError):
        reveal_message(session, keyring, incident_of(session).id, reason="", actor_id=CLERK)


@pytest.mark.parametrize("reveal", [reveal_complainant, reveal_words])
def test_what_was_never_hidden_has_no_original(session: Session, keyring: Keyring, reveal: Callable[..., str]) -> None:
    ticket = make_ticket(session)

    with pytest.raises(NothingMaskedError):
        reveal(session, keyring, ticket.id, reason="核对", actor_id=CLERK)


@pytest.mark.parametrize("reveal", [reveal_complainant, reveal_words, reveal_message])
def test_a_row_that_is_not_there_has_no_original(
    session: Session, keyring: Keyring, reveal: Callable[..., str]
) -> None:
    with pytest.raises(NotFoundError):
        reveal(session, keyring, 404, reason="核对", actor_id=CLERK)


def test_a_message_stays_readable_when_its_call_hangs_on_another_ticket(session: Session, keyring: Keyring) -> None:
    receive(session, keyring)
    incident = move_to_another_ticket(session)

    assert reveal_message(session, keyring, incident.id, reason="核对", actor_id=CLERK) == MESSAGE


def test_a_message_is_lost_with_the_ticket_that_reported_it(session: Session, keyring: Keyring) -> None:
    ticket = receive(session, keyring)
    incident = move_to_another_ticket(session)
    ticket.number_id = make_number(session).id

    with pytest.raises(UnreadableOriginalError):
        reveal_message(session, keyring, incident.id, reason="核对", actor_id=CLERK)


def move_to_another_ticket(session: Session) -> Incident:
    incident = incident_of(session)
    [reported] = session.scalars(sa.select(TicketIncident.ticket_id)).all()
    other = make_ticket(session, number=session.get(SubscriberNumber, incident.number_id))
    link_incident(session, other.id, incident.id, reason="同一短信", actor_id=CLERK)
    unlink_incident(session, reported, incident.id, reason="记错工单", actor_id=CLERK)
    return incident
