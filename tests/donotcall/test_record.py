import dataclasses
import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.complaints.models import IncidentKind
from supervise.complaints.reported import ReportedRefusal
from supervise.donotcall.held import Asked, permissions_at
from supervise.donotcall.intake import receive_ticket
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.donotcall.record import (
    AlreadyRecordedError,
    PurposeMissingError,
    SaidLaterError,
    record_consent,
    record_refusal,
)
from tests.factories.complaints import CALLED_AT, make_number, reported_call, reported_ticket
from tests.factories.parties import make_party

CALLS = PermissionScope.MARKETING_CALLS
HOUR = dt.timedelta(hours=1)


def refuse(session: Session, number_id: int, said_at: dt.datetime, party_id: int | None = None) -> PermissionEvent:
    return record_refusal(
        session,
        number_id=number_id,
        scope=CALLS,
        said_at=said_at,
        channel="call",
        source="ticket",
        actor_id=7,
        party_id=party_id,
    )


def consent(session: Session, number_id: int, said_at: dt.datetime, party_id: int | None = None) -> PermissionEvent:
    return record_consent(
        session,
        number_id=number_id,
        scope=CALLS,
        purpose="5G upgrade",
        said_at=said_at,
        channel="app",
        source="form 12",
        actor_id=7,
        party_id=party_id,
    )


def test_no_record_means_no_consent(session: Session) -> None:
    assert permissions_at(session, [Asked(make_number(session).id, CALLS, None, CALLED_AT)]) == [None]


def test_the_latest_word_holds_from_the_moment_it_is_said(session: Session) -> None:
    number = make_number(session)
    yes, no = consent(session, number.id, CALLED_AT), refuse(session, number.id, CALLED_AT + HOUR)

    assert permissions_at(session, [Asked(number.id, CALLS, None, CALLED_AT - HOUR)]) == [None]
    assert permissions_at(session, [Asked(number.id, CALLS, None, CALLED_AT)]) == [yes]
    assert permissions_at(session, [Asked(number.id, CALLS, None, CALLED_AT + HOUR)]) == [no]


def test_a_no_to_everyone_ends_a_yes_to_one_party(session: Session) -> None:
    number, party = make_number(session), make_party(session)
    yes, no = consent(session, number.id, CALLED_AT, party.id), refuse(session, number.id, CALLED_AT + HOUR)

    asked = [
        Asked(number.id, CALLS, party.id, CALLED_AT),
        Asked(number.id, CALLS, None, CALLED_AT),
        Asked(number.id, CALLS, party.id, CALLED_AT + HOUR),
        Asked(number.id, PermissionScope.MARKETING_SMS, party.id, CALLED_AT + HOUR),
    ]

    assert permissions_at(session, asked) == [yes, None, no, None]


def test_a_no_to_one_party_says_nothing_of_another(session: Session) -> None:
    number, party, other = make_number(session), make_party(session), make_party(session)
    refuse(session, number.id, CALLED_AT, party.id)

    assert permissions_at(session, [Asked(number.id, CALLS, other.id, CALLED_AT)]) == [None]


def test_a_consent_says_what_it_is_for(session: Session) -> None:
    with pytest.raises(PurposeMissingError):
        record_consent(
            session,
            number_id=make_number(session).id,
            scope=CALLS,
            purpose=" ",
            said_at=CALLED_AT,
            channel="app",
            source="form",
            actor_id=7,
        )


def test_the_same_word_is_recorded_once(session: Session) -> None:
    number = make_number(session)
    refuse(session, number.id, CALLED_AT)

    with pytest.raises(AlreadyRecordedError):
        refuse(session, number.id, CALLED_AT)
    refuse(session, number.id, CALLED_AT, make_party(session).id)
    consent(session, number.id, CALLED_AT)

    assert session.scalar(sa.select(sa.func.count()).select_from(PermissionEvent)) == 3


def test_a_number_in_what_somebody_typed_is_masked_and_the_word_still_known(session: Session) -> None:
    number = make_number(session)
    said: dict[str, Any] = {
        "number_id": number.id,
        "scope": CALLS,
        "said_at": CALLED_AT,
        "channel": "hall",
        "actor_id": 7,
    }

    event = record_refusal(session, source="登记表 13912345678", **said)
    session.refresh(event)

    assert event.source == "登记表 139****5678"
    with pytest.raises(AlreadyRecordedError):
        record_refusal(session, source="登记表 13912345678", **said)


def test_what_will_be_said_cannot_be_recorded(session: Session) -> None:
    with pytest.raises(SaidLaterError):
        refuse(session, make_number(session).id, clock.now() + HOUR)


def test_a_recorded_word_is_never_altered(session: Session) -> None:
    event = refuse(session, make_number(session).id, CALLED_AT)

    for statement in (
        sa.update(PermissionEvent).where(PermissionEvent.id == event.id).values(given=True, purpose="x"),
        sa.delete(PermissionEvent).where(PermissionEvent.id == event.id),
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(statement)


def test_a_refusal_reported_with_a_ticket_is_recorded_for_calls_and_messages(
    session: Session, keyring: Keyring
) -> None:
    sms = reported_call(kind=IncidentKind.SMS, caller_number="1069012345")
    ticket = reported_ticket(reported_call(), sms)
    refusal = ReportedRefusal(said_at=CALLED_AT, how="call")

    received = receive_ticket(session, keyring, dataclasses.replace(ticket, refusal=refusal), actor_id=7)

    events = session.scalars(sa.select(PermissionEvent).order_by(PermissionEvent.scope)).all()
    assert [event.scope for event in events] == [CALLS, PermissionScope.MARKETING_SMS]
    assert {(event.ticket_id, event.number_id, event.given) for event in events} == {
        (received.ticket_id, received.number_id, False)
    }


def test_an_anonymous_report_refuses_for_nobody(session: Session, keyring: Keyring) -> None:
    refusal = ReportedRefusal(said_at=CALLED_AT, how="call")
    report = dataclasses.replace(reported_ticket(reported_call(), number=None), refusal=refusal)

    receive_ticket(session, keyring, report, actor_id=7)

    assert session.scalars(sa.select(PermissionEvent)).all() == []
