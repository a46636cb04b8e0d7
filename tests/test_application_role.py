"""The role that docs/operations.md gives the application on PostgreSQL is enough for a day's work, and no more."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy.engine import make_url

from supervise import clock, db
from supervise.app import create_app, refuse_unfit_database
from supervise.cipher import Keyring
from supervise.config import PROJECT, ConfigError, Settings
from supervise.jobs.duties import DUTIES
from supervise.jobs.queue import create_queue_tables
from supervise.jobs.surroundings import Surroundings
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import PeriodState, ReopeningState
from supervise.ledger.periods import close_period, open_period, soft_close_period
from supervise.ledger.queries import balance_fen
from supervise.ledger.reopen import ask_reopening, confirm_reopening
from tests.test_whole_path import build, complaints, decide, run, take_in

LEDGER = ("account", "journal_entry", "posting", "period", "period_reopening", "seal", "seal_entry", "audit_event")


@pytest.fixture(scope="session")
def engine_name() -> str:
    """SQLite has no roles."""
    return "postgresql"


def documented_statements() -> list[str]:
    """The SQL that operations.md prints, statement by statement."""
    manual = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    return re.findall(r"^    ((?:CREATE ROLE|GRANT|REVOKE) .*;)$", manual, re.MULTILINE)


@pytest.fixture
def role_settings(settings: Settings) -> Iterator[Settings]:
    """The settings of an application that signs in as the documented role."""
    create_queue_tables(settings.database_url)
    owner = make_url(settings.database_url)
    role = f"app_of_{owner.database}"
    with psycopg.connect(_dsn(settings.database_url), autocommit=True) as connection:
        for statement in documented_statements():
            connection.execute(statement.replace("supervise_app", role))
        yield replace(settings, database_url=owner.set(username=role).render_as_string(hide_password=False))
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


def _dsn(database_url: str) -> str:
    return database_url.replace("postgresql+psycopg://", "postgresql://")


@pytest.fixture
def app(role_settings: Settings) -> Iterator[Flask]:
    app = create_app(role_settings)
    yield app
    app.extensions["supervise.db"].engine.dispose()
    app.extensions["supervise.jobs"].huey.storage.close()


def test_the_manual_gives_a_role_and_takes_the_ledger_back() -> None:
    statements = documented_statements()
    taken_back = " ".join(statement for statement in statements if statement.startswith("REVOKE"))

    assert {statement.split()[0] for statement in statements} == {"CREATE", "GRANT", "REVOKE"}
    assert [table for table in LEDGER if table not in taken_back] == []


def test_a_days_work_is_done_from_intake_to_batch_by_night_and_day(
    app: Flask, keyring: Keyring, tmp_path: Path
) -> None:
    refuse_unfit_database(app)
    settings = app.extensions["supervise.settings"]
    with app.app_context():
        db.decide(build, keyring)
        runner = app.test_cli_runner()
        take_in(runner, tmp_path, complaints())
        decide(runner)
        run(runner, "batch", tmp_path / "batch.xlsx", "--user", "finance")
        for duty in DUTIES:
            duty.perform(Surroundings(settings.instance, keyring, settings.anchor_file))
        verified = runner.invoke(args=["ledger", "verify"])
        agreed = runner.invoke(args=["cases", "verify"])
        with db.reading() as session:
            sent_fen = -balance_fen(session, AccountCode.BILLING_CLEARING)

    assert sent_fen > 0
    assert (verified.exit_code, agreed.exit_code) == (0, 0)


def test_a_page_is_served_and_a_job_is_woken(app: Flask) -> None:
    app.extensions["supervise.jobs"].wake(1)

    assert app.test_client().get("/login").status_code == 200
    assert app.extensions["supervise.jobs"].huey.pending_count() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {table}",
        "TRUNCATE {table} CASCADE",
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        "ALTER TABLE {table} ADD COLUMN more int",
        "DROP TABLE {table} CASCADE",
        "CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ],
    ids=lambda statement: " ".join(statement.split()[::2][:2]),
)
def test_the_role_cannot_reach_behind_the_ledger(role_settings: Settings, statement: str) -> None:
    for table in LEDGER:
        refuse(role_settings, statement.format(table=table))


def test_the_role_cannot_change_what_is_booked_or_how_it_is_kept(role_settings: Settings) -> None:
    for statement in (
        "UPDATE account SET code = '1'",
        "UPDATE journal_entry SET reason = 'x'",
        "UPDATE posting SET amount_fen = 1",
        "UPDATE period SET month = '2026-01'",
        "UPDATE period_reopening SET reason = 'x'",
        "UPDATE seal SET mac = 'x'",
        "UPDATE seal_entry SET seal_id = 1",
        "UPDATE audit_event SET reason = 'x'",
        "UPDATE alembic_version SET version_num = 'x'",
        "SET session_replication_role = replica",
        "CREATE TABLE mine (id int)",
        "DROP TRIGGER journal_entry_close ON journal_entry",
    ):
        refuse(role_settings, statement)


def refuse(settings: Settings, statement: str) -> None:
    with psycopg.connect(_dsn(settings.database_url)) as connection, pytest.raises(psycopg.errors.Error) as refused:
        connection.execute(statement)
    assert refused.value.sqlstate == "42501"


def test_a_role_is_refused_a_database_whose_owner_has_not_made_the_queue(settings: Settings) -> None:
    owner = make_url(settings.database_url)
    role = f"early_{owner.database}"
    with psycopg.connect(_dsn(settings.database_url), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")

        with pytest.raises(ConfigError, match="run `make migrate` as the owner"):
            create_queue_tables(owner.set(username=role).render_as_string(hide_password=False))

        connection.execute(f"DROP ROLE {role}")


def test_a_month_can_be_opened_held_closed_and_reopened_by_the_role(app: Flask, keyring: Keyring) -> None:
    last_month = clock.month_of(clock.today().replace(day=1) - dt.timedelta(days=1))

    with app.app_context():
        db.decide(open_period, last_month, actor_id=None)
        db.decide(soft_close_period, last_month, actor_id=1)
        closed = db.decide(close_period, last_month, actor_id=1, keyring=keyring)
        request = db.decide(ask_reopening, last_month, "漏记退费", actor_id=1)
        confirmed = db.decide(confirm_reopening, request.id, actor_id=2, keyring=keyring)

    assert (closed.state, confirmed.state) == (PeriodState.CLOSED, ReopeningState.CONFIRMED)
