"""The audit trail is sealed; whoever changes it past its triggers is found out."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.audit.record import record_event
from supervise.audit.seal import TrailReport, anchor_file_beside, seal_events, verify_trail
from supervise.cipher import Keyring
from supervise.db import Base, Database
from supervise.sealing import Anchor, append_anchor
from tests.ledger.owner import Owner

TABLES = ("audit_event", "audit_seal", "audit_seal_event")
EVENT_COLUMNS = [column.name for column in Base.metadata.tables["audit_event"].columns if column.name != "id"]


def note(session: Session, subject_id: int, **changes: object) -> None:
    record_event(
        session,
        actor_id=1,
        action="party.edited",
        subject="party",
        subject_id=subject_id,
        changes=changes,
        reason="更正",
    )


def check(database: Database, keyring: Keyring, anchors: list[Anchor] | None = None) -> TrailReport:
    with database.session(writes=False) as session:
        return verify_trail(session, keyring, anchors or [])


@pytest.fixture
def trail(database: Database, keyring: Keyring) -> Database:
    """Three events under two seals, and one that is not sealed yet."""
    with database.session(writes=True) as session:
        note(session, 1, name=["甲", "乙"], active=True)
        note(session, 2, parties=[3, 4])
        seal_events(session, keyring)
    with database.session(writes=True) as session:
        note(session, 3)
        seal_events(session, keyring)
    with database.session(writes=True) as session:
        note(session, 4)
    return database


def test_a_trail_that_nobody_touched_holds(trail: Database, keyring: Keyring) -> None:
    report = check(trail, keyring)

    assert report.fault is None
    assert (report.events, report.seals, report.unsealed) == (3, 2, 1)
    assert report.oldest_unsealed_at is not None


def test_an_empty_trail_holds(database: Database, keyring: Keyring) -> None:
    assert check(database, keyring) == TrailReport(0, 0, 0, None, None)


def test_sealing_again_adds_nothing(trail: Database, keyring: Keyring) -> None:
    with trail.session(writes=True) as session:
        first = seal_events(session, keyring)
        second = seal_events(session, keyring)

    assert (len(first), len(second)) == (1, 0)


def test_an_event_that_comes_late_with_a_lower_id_is_sealed_too(trail: Database, keyring: Keyring) -> None:
    with trail.session(writes=True) as session:
        row = {"id": 99, "at": dt.datetime.now(dt.UTC), "action": "party.edited", "subject": "party"}
        session.execute(sa.insert(AuditEvent), row)
        seal_events(session, keyring)
        session.execute(sa.insert(AuditEvent), {**row, "id": 50})
        seal_events(session, keyring)

    assert check(trail, keyring).events == 6


@pytest.mark.parametrize("column", EVENT_COLUMNS)
def test_a_changed_event_is_named(trail: Database, keyring: Keyring, column: str) -> None:
    owner = Owner(trail, TABLES)
    row = owner.first("audit_event")
    forged = {"at": "2020-01-01 00:00:00+00:00", "changes": '{"name": ["甲", "丙"]}', "actor_id": 2}

    owner.change("audit_event", row, column, forged.get(column, "9"))

    assert str(check(trail, keyring).fault).startswith(f"audit_event {row['id']}: ")


def test_a_removed_event_is_named(trail: Database, keyring: Keyring) -> None:
    owner = Owner(trail, TABLES)
    row = owner.first("audit_event")

    owner.run("DELETE FROM audit_event WHERE id = ?", row["id"])

    assert str(check(trail, keyring).fault).startswith(f"audit_event {row['id']}: ")


@pytest.mark.parametrize("column", ["previous_mac", "sealed_at", "content", "mac"])
def test_a_changed_seal_is_named(trail: Database, keyring: Keyring, column: str) -> None:
    owner = Owner(trail, TABLES)
    forged = {"sealed_at": "2020-01-01 00:00:00+00:00", "content": b"{}"}

    owner.change("audit_seal", owner.first("audit_seal"), column, forged.get(column, "9" * 64))

    assert str(check(trail, keyring).fault).startswith("audit_seal 1: ")


def test_an_event_taken_out_with_its_place_in_the_seal_is_found(trail: Database, keyring: Keyring) -> None:
    owner = Owner(trail, TABLES)
    row = owner.first("audit_seal_event")

    owner.run("DELETE FROM audit_seal_event WHERE event_id = ?", row["event_id"])
    owner.run("DELETE FROM audit_event WHERE id = ?", row["event_id"])

    assert str(check(trail, keyring).fault).startswith("audit_seal 1: ")


def test_a_trail_cut_at_its_end_is_found_by_the_anchor(trail: Database, keyring: Keyring, tmp_path: Path) -> None:
    with trail.session(writes=True) as session:
        [newest] = seal_events(session, keyring)
    append_anchor(tmp_path / "anchors.txt", newest)
    owner = Owner(trail, TABLES)
    for table, column in (("audit_seal_event", "seal_id"), ("audit_seal", "id")):
        owner.run(f"DELETE FROM {table} WHERE {column} = ?", newest.seal_id)

    assert check(trail, keyring).fault is None
    assert str(check(trail, keyring, [newest]).fault).startswith(f"audit_seal {newest.seal_id}: ")


def test_a_seal_under_another_key_is_refused(trail: Database, keyring: Keyring) -> None:
    other = replace(keyring, seal_key=b"another key, of the same length.")

    assert str(check(trail, other).fault).startswith("audit_seal 1: ")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_seal SET mac = 'x'",
        "DELETE FROM audit_seal",
        "UPDATE audit_seal_event SET seal_id = 1",
        "DELETE FROM audit_seal_event",
        "INSERT INTO audit_seal (id, previous_mac, sealed_at, content, mac) VALUES (9, 'a', '2026-01-01', 'c', 'm')",
    ],
)
def test_the_database_refuses_to_change_a_seal(trail: Database, statement: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="audit trail"), trail.session(writes=True) as session:
        session.execute(sa.text(statement))


def test_the_command_names_the_first_row_that_does_not_hold(app: Flask, keyring: Keyring) -> None:
    runner = app.test_cli_runner()
    database = app.extensions["supervise.db"]
    with database.session(writes=True) as session:
        note(session, 1)
    assert runner.invoke(args=["audit", "seal"]).exit_code == 0
    sound = runner.invoke(args=["audit", "verify"])
    owner = Owner(database, TABLES)
    row = owner.first("audit_event")
    owner.change("audit_event", row, "actor_id", 9)

    broken = runner.invoke(args=["audit", "verify"])

    assert sound.exit_code == 0, sound.output
    assert (broken.exit_code, f"audit_event {row['id']}" in broken.output) == (1, True)


def test_the_anchors_of_the_trail_stand_beside_those_of_the_ledger() -> None:
    assert anchor_file_beside(Path("/keys/anchors.txt")) == Path("/keys/audit-anchors.txt")
