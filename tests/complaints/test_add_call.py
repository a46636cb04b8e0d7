"""A call that a report did not name, added by a person."""

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.complaints.add_call import TicketDoneError, add_call
from supervise.complaints.models import IncidentFlag, LinkHow, TicketIncident, TicketState
from supervise.complaints.receive import FutureCallError, SameCallTwiceError
from supervise.complaints.search import Searchable, index_tickets, tickets_with
from supervise.errors import ConflictError
from tests.factories.complaints import CALLED_AT, KEYRING, make_incident, make_number, make_ticket, reported_call

ACTOR = 941


def test_a_new_call_becomes_an_incident_and_can_be_searched(session: Session) -> None:
    ticket = make_ticket(session, number=make_number(session))
    index_tickets(session, [Searchable(ticket.id, [ticket.reference])])
    version = ticket.version

    incident = add_call(
        session, KEYRING, ticket.id, reported_call(caller_number="02988880000"), version=version, actor_id=ACTOR
    )

    found = tickets_with(session, "02988880000")
    assert found is not None
    assert session.scalars(found).all() == [ticket.id]
    assert (incident.number_id, ticket.version) == (ticket.number_id, version + 1)


def test_a_known_call_is_recognised_and_stays_one(session: Session) -> None:
    number = make_number(session)
    known = make_incident(session, number=number, caller_number="02988880000")
    ticket = make_ticket(session, number=number)
    index_tickets(session, [Searchable(ticket.id, [ticket.reference])])
    call = reported_call(caller_number="02988880000", occurred_at=CALLED_AT + dt.timedelta(minutes=4))

    incident = add_call(session, KEYRING, ticket.id, call, version=1, actor_id=ACTOR)

    link = session.scalars(select(TicketIncident).where(TicketIncident.ticket_id == ticket.id)).one()
    assert (incident.id, link.how) == (known.id, LinkHow.MATCHED)


def test_a_message_is_masked_and_a_missing_caller_flagged(session: Session) -> None:
    ticket = make_ticket(session)
    index_tickets(session, [Searchable(ticket.id, [ticket.reference])])
    call = reported_call(caller_number=None, sms_text="【某店】回复13900001111退订")

    incident = add_call(session, KEYRING, ticket.id, call, version=1, actor_id=ACTOR)

    assert incident.sms_text == "【某店】回复139****1111退订"
    assert incident.sms_cipher is not None
    assert incident.flags == [IncidentFlag.CALLER_MISSING.value]


def test_what_cannot_be_is_refused(session: Session) -> None:
    ticket = make_ticket(session, number=make_number(session))
    make_incident(session, ticket=ticket, caller_number="02988880000")
    closed = make_ticket(session, state=TicketState.REFUSED)
    same, later = (
        reported_call(caller_number="02988880000"),
        reported_call(occurred_at=clock.now() + dt.timedelta(days=1)),
    )

    with pytest.raises(SameCallTwiceError):
        add_call(session, KEYRING, ticket.id, same, version=1, actor_id=ACTOR)
    with pytest.raises(FutureCallError):
        add_call(session, KEYRING, ticket.id, later, version=1, actor_id=ACTOR)
    with pytest.raises(TicketDoneError):
        add_call(session, KEYRING, closed.id, same, version=1, actor_id=ACTOR)
    with pytest.raises(ConflictError):
        add_call(session, KEYRING, ticket.id, reported_call(), version=7, actor_id=ACTOR)
