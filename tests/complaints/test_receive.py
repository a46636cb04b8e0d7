import dataclasses
import datetime as dt
import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.complaints.models import (
    Channel,
    DemandHead,
    DemandLine,
    Incident,
    IncidentFlag,
    IncidentKind,
    LinkHow,
    MessageClass,
    Precision,
    Ticket,
    TicketIncident,
    TicketState,
    TicketStep,
)
from supervise.complaints.receive import (
    AlreadyReceivedError,
    FutureCallError,
    Received,
    SameCallTwiceError,
    receive_tickets,
)
from supervise.complaints.reported import ReportedDemand, ReportedTicket
from supervise.db import Database
from tests.factories.complaints import CALLED_AT, reported_call, reported_ticket

MINUTE = dt.timedelta(minutes=1)


def receive(session: Session, keyring: Keyring, *reports: ReportedTicket) -> list[Received]:
    return receive_tickets(session, keyring, reports, actor_id=7)


def test_a_phoned_in_complaint_becomes_a_ticket_with_its_incident(session: Session, keyring: Keyring) -> None:
    report = reported_ticket(reported_call(), content="推销5G套餐")

    [received] = receive(session, keyring, report)

    ticket = session.get_one(Ticket, received.ticket_id)
    assert ticket.reference == f"TS{clock.today():%Y%m%d}-{ticket.id:06d}"
    assert (ticket.state, ticket.created_by, ticket.content) == (TicketState.NEW, 7, "推销5G套餐")
    incident = session.get_one(Incident, received.incident_ids[0])
    assert (incident.caller_number, incident.occurred_at) == ("13800001111", CALLED_AT)
    assert incident.occurred_on == dt.date(2026, 9, 29)
    assert incident.number_id == ticket.number_id
    step = session.scalars(sa.select(TicketStep).where(TicketStep.ticket_id == ticket.id)).one()
    assert (step.to_state, step.actor_id) == (TicketState.NEW, 7)


def test_the_same_call_reported_by_two_channels_is_two_tickets_and_one_incident(
    session: Session, keyring: Keyring
) -> None:
    first = reported_ticket(reported_call(), channel=Channel.REPORT_12321, external_ref="A1")
    late = reported_call(occurred_at=CALLED_AT + 10 * MINUTE)
    second = reported_ticket(late, channel=Channel.MAYOR_12345, external_ref="B1")

    one, two = receive(session, keyring, first)[0], receive(session, keyring, second)[0]

    assert one.ticket_id != two.ticket_id
    assert one.incident_ids == two.incident_ids
    assert (one.matched, two.matched) == (0, 1)
    links = session.scalars(
        sa.select(TicketIncident).where(TicketIncident.incident_id == one.incident_ids[0]).order_by(TicketIncident.id)
    ).all()
    assert [link.how for link in links] == [LinkHow.REPORTED, LinkHow.MATCHED]
    assert links[1].reported_at == CALLED_AT + 10 * MINUTE


def test_the_same_call_twice_within_one_reception_is_one_incident(session: Session, keyring: Keyring) -> None:
    reports = [reported_ticket(reported_call(), external_ref=ref) for ref in ("A1", "A2", "A3")]

    received = receive(session, keyring, *reports)

    assert len({one.incident_ids for one in received}) == 1
    assert len({one.ticket_id for one in received}) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"occurred_at": CALLED_AT + 11 * MINUTE},
        {"caller_number": "13800003333"},
        {"kind": IncidentKind.SMS},
        {"occurred_at": CALLED_AT + dt.timedelta(days=-1), "precision": Precision.DAY},
    ],
)
def test_another_time_caller_kind_or_day_is_another_incident(
    session: Session, keyring: Keyring, other: dict[str, object]
) -> None:
    [first] = receive(session, keyring, reported_ticket(reported_call()))

    call = dataclasses.replace(reported_call(), **other)  # type: ignore[arg-type]
    [second] = receive(session, keyring, reported_ticket(call))

    assert first.incident_ids != second.incident_ids


def test_a_report_that_knows_only_the_day_matches_the_call_of_that_day(session: Session, keyring: Keyring) -> None:
    [first] = receive(session, keyring, reported_ticket(reported_call()))
    day = reported_call(occurred_at=clock.start_of_day(dt.date(2026, 9, 29)), precision=Precision.DAY)

    [second] = receive(session, keyring, reported_ticket(day))

    assert second.incident_ids == first.incident_ids


def test_anonymous_reports_are_never_the_same_call(session: Session, keyring: Keyring) -> None:
    one, two = receive(session, keyring, *[reported_ticket(reported_call(), number=None)] * 2)

    assert one.incident_ids != two.incident_ids
    assert one.number_id is None


def test_two_calls_of_one_report_stay_two_incidents_however_near(session: Session, keyring: Keyring) -> None:
    near = reported_call(occurred_at=CALLED_AT + 5 * MINUTE)

    [received] = receive(session, keyring, reported_ticket(reported_call(), near))

    assert len(set(received.incident_ids)) == 2


def test_where_two_known_calls_fit_the_new_one_is_flagged_for_a_person(session: Session, keyring: Keyring) -> None:
    receive(session, keyring, reported_ticket(reported_call(), reported_call(occurred_at=CALLED_AT + 8 * MINUTE)))

    [received] = receive(session, keyring, reported_ticket(reported_call(occurred_at=CALLED_AT + 4 * MINUTE)))

    incident = session.get_one(Incident, received.incident_ids[0])
    assert received.matched == 0
    assert incident.flags == [IncidentFlag.PROBABLE_DUPLICATE.value]


def test_a_call_of_the_very_moment_is_taken_before_a_near_one(session: Session, keyring: Keyring) -> None:
    [known] = receive(session, keyring, reported_ticket(reported_call(occurred_at=CALLED_AT + 5 * MINUTE)))

    [received] = receive(
        session,
        keyring,
        reported_ticket(reported_call(), reported_call(occurred_at=CALLED_AT + 5 * MINUTE)),
    )

    assert known.incident_ids[0] in received.incident_ids
    assert len(set(received.incident_ids)) == 2


def test_numbers_in_texts_are_masked_and_the_original_kept_encrypted(session: Session, keyring: Keyring) -> None:
    sms = reported_call(kind=IncidentKind.SMS, caller_number="1069012345", sms_text="【某店】致电13912345678 回复T退订")

    [received] = receive(session, keyring, reported_ticket(sms, content="我的号码13912345678一直被打"))

    ticket = session.get_one(Ticket, received.ticket_id)
    assert ticket.content == "我的号码139****5678一直被打"
    assert ticket.content_cipher is not None
    original = keyring.decrypt(ticket.content_cipher, "ticket.content_cipher", ticket.reference)
    assert original == "我的号码13912345678一直被打"
    incident = session.get_one(Incident, received.incident_ids[0])
    assert incident.sms_text == "【某店】致电139****5678 回复T退订"
    assert (incident.sms_signature, incident.sms_class) == ("某店", MessageClass.MARKETING)


def test_a_text_without_numbers_needs_no_second_copy(session: Session, keyring: Keyring) -> None:
    [received] = receive(session, keyring, reported_ticket(content="总是推销"))

    assert session.get_one(Ticket, received.ticket_id).content_cipher is None


def test_claims_stand_beside_what_is_granted(session: Session, keyring: Keyring) -> None:
    demand = ReportedDemand(head=DemandHead.HISTORY, units=8, unit_fen=10_000)
    report = dataclasses.replace(reported_ticket(), demands=(demand,), claimed_calls=8)

    [received] = receive(session, keyring, report)

    line = session.scalars(sa.select(DemandLine).where(DemandLine.ticket_id == received.ticket_id)).one()
    assert (line.head, line.units, line.unit_fen, line.granted_fen) == (DemandHead.HISTORY, 8, 10_000, None)
    assert session.get_one(Ticket, received.ticket_id).claimed_calls == 8
    assert received.incident_ids == ()


def test_a_call_after_the_complaint_and_a_missing_caller_are_flagged(session: Session, keyring: Keyring) -> None:
    call = reported_call(caller_number=None, occurred_at=CALLED_AT + dt.timedelta(hours=2))

    [received] = receive(session, keyring, reported_ticket(call))

    flags = session.get_one(Incident, received.incident_ids[0]).flags
    assert flags == [IncidentFlag.CALLED_AFTER_COMPLAINT.value, IncidentFlag.CALLER_MISSING.value]


def test_a_channels_number_comes_in_once(session: Session, keyring: Keyring) -> None:
    [first] = receive(session, keyring, reported_ticket(external_ref="ZB-1"))

    with pytest.raises(AlreadyReceivedError) as refused:
        receive(session, keyring, reported_ticket(external_ref="ZB-1"))

    assert refused.value.parameters["reference"] == first.reference
    receive(session, keyring, reported_ticket(external_ref="ZB-1", channel=Channel.HEIMAO))


def test_a_call_to_come_is_refused(session: Session, keyring: Keyring) -> None:
    call = reported_call(occurred_at=clock.now() + dt.timedelta(hours=1))

    with pytest.raises(FutureCallError):
        receive(session, keyring, reported_ticket(call))


def test_one_report_cannot_name_one_call_twice(session: Session, keyring: Keyring) -> None:
    with pytest.raises(SameCallTwiceError):
        receive(session, keyring, reported_ticket(reported_call(), reported_call()))


def test_the_same_call_received_by_two_people_at_once_is_one_incident(database: Database, keyring: Keyring) -> None:
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait()
        with database.session(writes=True) as session:
            receive(session, keyring, reported_ticket(reported_call()))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.session(writes=False) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == 2
        assert session.scalar(sa.select(sa.func.count()).select_from(Incident)) == 1
