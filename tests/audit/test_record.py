"""The trail takes every event and gives none back."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.roles import Role
from supervise.audit.models import AuditEvent
from supervise.audit.queries import AuditFilters, all_events, latest_events
from supervise.audit.record import changed, from_origin, record_event
from supervise.db import Database


def record(session: Session, action: str = "party.created", subject_id: int = 7, actor_id: int | None = 1) -> None:
    record_event(session, actor_id=actor_id, action=action, subject="party", subject_id=subject_id)


def only_event(session: Session) -> AuditEvent:
    return session.scalars(sa.select(AuditEvent)).one()


def test_an_event_says_who_did_what_to_which_row_and_from_where(session: Session) -> None:
    with from_origin("10.1.2.3", "abc123"):
        record_event(
            session,
            actor_id=4,
            action="user.changed",
            subject="user",
            subject_id=9,
            changes={"role": [Role.CLERK, Role.TRIAGER], "valid_from": dt.date(2026, 11, 3)},
            reason="moved",
        )

    event = only_event(session)
    assert (event.actor_id, event.action, event.subject, event.subject_id) == (4, "user.changed", "user", "9")
    assert event.changes == {"role": ["clerk", "triager"], "valid_from": "2026-11-03"}
    assert (event.reason, event.address, event.request_id) == ("moved", "10.1.2.3", "abc123")
    assert clock.now() - event.at < dt.timedelta(minutes=1)


def test_outside_a_request_an_event_has_no_address(session: Session) -> None:
    record(session, actor_id=None)

    event = only_event(session)
    assert (event.actor_id, event.address, event.request_id) == (None, None, None)


def test_a_very_long_reason_is_cut_and_marked(session: Session) -> None:
    record_event(session, actor_id=1, action="a.b", subject="x", subject_id=1, reason="r" * 600)

    assert only_event(session).reason == "r" * 500 + "…"


def test_changed_names_only_what_differs() -> None:
    assert changed({"role": "clerk", "active": True}, {"role": "admin", "active": True}) == {"role": ["clerk", "admin"]}


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE audit_event SET reason = 'nothing happened'",
        "UPDATE audit_event SET actor_id = 2 WHERE actor_id = 1",
        "DELETE FROM audit_event",
    ],
)
def test_nothing_that_was_recorded_can_be_altered(database: Database, attack: str) -> None:
    with database.session(writes=True) as session:
        record(session)

    with pytest.raises(IntegrityError, match="append-only"), database.session(writes=True) as session:
        session.execute(sa.text(attack))

    with database.session(writes=False) as session:
        assert only_event(session).actor_id == 1


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
def test_an_event_cannot_be_replaced_by_inserting_over_it(database: Database, recursive_triggers: str) -> None:
    with database.session(writes=True) as session:
        record(session)
    attack = (
        "INSERT OR REPLACE INTO audit_event (id, at, action, subject) "
        "SELECT id, at, 'nothing.happened', subject FROM audit_event"
    )

    with database.engine.connect() as connection:
        connection.connection.cursor().execute(f"PRAGMA recursive_triggers={recursive_triggers}")
        with pytest.raises(IntegrityError, match="append-only"):
            connection.exec_driver_sql(attack)

    with database.session(writes=False) as session:
        assert only_event(session).action == "party.created"


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "attack",
    [
        "TRUNCATE audit_event CASCADE",
        "SET session_replication_role = replica; DELETE FROM audit_event",
        "INSERT INTO audit_event SELECT * FROM audit_event ON CONFLICT (id) DO UPDATE SET action = 'nothing.happened'",
    ],
)
def test_postgresql_has_no_other_way_either(database: Database, attack: str) -> None:
    with database.session(writes=True) as session:
        record(session)

    with pytest.raises(IntegrityError, match="append-only"), database.session(writes=True) as session:
        session.execute(sa.text(attack))

    with database.session(writes=False) as session:
        assert only_event(session).action == "party.created"


def test_an_event_goes_with_the_change_that_is_rolled_back(database: Database) -> None:
    with database.session(writes=True) as session:
        record(session)
        session.rollback()

    with database.session(writes=False) as session:
        assert session.scalars(sa.select(AuditEvent)).all() == []


def test_the_trail_is_read_newest_first_by_pages(session: Session) -> None:
    for number in range(1, 6):
        record(session, subject_id=number)

    first = latest_events(session, AuditFilters(), limit=2)
    second = latest_events(session, AuditFilters(), before_id=first[-1].id, limit=2)

    assert [event.subject_id for event in (*first, *second)] == ["5", "4", "3", "2"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (AuditFilters(actor_id=1), {"login.refused", "loginx.refused"}),
        (AuditFilters(action="login"), {"login.refused", "login.accepted"}),
        (AuditFilters(action="login.accepted"), {"login.accepted"}),
        (AuditFilters(subject_id="2"), {"login.accepted"}),
        (AuditFilters(subject="ticket"), set()),
        (AuditFilters(until=dt.date(2026, 1, 1)), set()),
        (AuditFilters(since=dt.date(2026, 1, 1)), {"login.refused", "login.accepted", "loginx.refused"}),
    ],
)
def test_filters_narrow_the_trail(session: Session, filters: AuditFilters, found: set[str]) -> None:
    record(session, "login.refused", subject_id=1, actor_id=1)
    record(session, "login.accepted", subject_id=2, actor_id=2)
    record(session, "loginx.refused", subject_id=3, actor_id=1)

    assert {event.action for event in latest_events(session, filters)} == found
    assert {event.action for event in all_events(session, filters)} == found
