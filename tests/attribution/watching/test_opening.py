"""Incidents from records: once for each record, known calls recognised, seen by the branch of the party."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.checks import incidents_against_tickets
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.models import WatchedIncident
from supervise.attribution.watching.opening import ROWS_MAX, NoCallError, Opened, TooManyRecordsError, open_incidents
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident, IncidentState, Precision
from supervise.desk.reach import incident_in_reach
from supervise.errors import NotFoundError
from supervise.parties.scope import Scope
from tests.factories.complaints import make_incident, make_number
from tests.factories.parties import make_unit

KIND = Irregularity.OUTSIDE_HOURS
NIGHT = clock.from_china(dt.datetime(2026, 9, 29, 22, 0))  # noqa: DTZ001 - China's wall clock
LINE = "02988880000"


def record(
    record_id: str = "R1", at: dt.datetime = NIGHT, index: str = "0a" * 32, sender: str = LINE
) -> dict[str, Any]:
    """A marked call."""
    return {"platform": "crm", "record_id": record_id, "at": at, "subscriber_index": index, "sender": sender}


def opened(session: Session, *rows: dict[str, Any], unit_id: int | None = None) -> list[tuple[Opened, int]]:
    results = open_incidents(session, KIND, rows, unit_id=unit_id, actor_id=7)
    return [(one.outcome, one.incident_id) for one in results]


def test_a_record_becomes_a_reported_incident_of_the_party_s_branch_and_the_trail_says_from_what(
    session: Session,
) -> None:
    unit = make_unit(session)

    [(outcome, incident_id)] = opened(session, record(), unit_id=unit.id)

    incident = session.get_one(Incident, incident_id)
    assert outcome is Opened.NEW
    assert (incident.state, incident.caller_number, incident.occurred_at) == (IncidentState.REPORTED, LINE, NIGHT)
    assert (incident.unit_id, incident.precision) == (unit.id, Precision.SECOND)
    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "incident.opened_from_record")).one()
    assert (event.subject_id, event.actor_id) == (str(incident_id), 7)
    assert incidents_against_tickets(session) == []


def test_the_second_time_opens_nothing(session: Session) -> None:
    [(_outcome, incident_id)] = opened(session, record())

    assert opened(session, record()) == [(Opened.BEFORE, incident_id)]
    assert session.scalars(sa.select(sa.func.count()).select_from(WatchedIncident)).one() == 1
    told = sa.select(sa.func.count()).where(AuditEvent.action == "incident.opened_from_record")
    assert session.scalars(told).one() == 1


def test_a_call_that_a_ticket_reported_is_recognised_by_subscriber_caller_and_time(session: Session) -> None:
    number = make_number(session)
    reported = make_incident(session, number=number, caller_number=LINE, occurred_at=NIGHT + dt.timedelta(minutes=5))

    assert opened(session, record(index=number.number_index)) == [(Opened.KNOWN, reported.id)]
    [(outcome, _id)] = opened(session, record("R2", index=number.number_index, sender="02977770000"))
    assert outcome is Opened.NEW


def test_two_records_a_minute_apart_are_two_calls(session: Session) -> None:
    [first] = opened(session, record())
    minute_later = record("R2", at=NIGHT + dt.timedelta(minutes=1))

    [second] = opened(session, minute_later)

    assert second[0] is Opened.NEW
    assert first[1] != second[1]


def test_two_platforms_records_of_one_moment_are_one_call(session: Session) -> None:
    [first] = opened(session, record())

    assert opened(session, {**record(), "platform": "switch"}) == [(Opened.KNOWN, first[1])]


def test_an_incident_without_a_ticket_is_reached_by_its_branch_alone(session: Session) -> None:
    unit, other = make_unit(session), make_unit(session)
    [(_outcome, incident_id)] = opened(session, record(), unit_id=unit.id)

    def of(unit_id: int) -> Scope:
        return Scope(sees_everything=False, unit_ids=frozenset({unit_id}), party_ids=frozenset())

    assert incident_in_reach(session, of(unit.id), incident_id).id == incident_id
    assert incident_in_reach(session, Scope.everything(), incident_id).id == incident_id
    with pytest.raises(NotFoundError):
        incident_in_reach(session, of(other.id), incident_id)


def test_orders_and_too_many_records_are_refused(session: Session) -> None:
    with pytest.raises(NoCallError):
        open_incidents(session, Irregularity.PLAN_UNKNOWN, [record()], unit_id=None, actor_id=7)
    with pytest.raises(TooManyRecordsError):
        open_incidents(session, KIND, [record()] * (ROWS_MAX + 1), unit_id=None, actor_id=7)
