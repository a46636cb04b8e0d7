from collections.abc import Iterator
from pathlib import Path

import pytest
from beancount import loader
from flask import Flask
from sqlalchemy import select

from supervise import cli, clock, db
from supervise.config import Settings
from supervise.db import Database
from supervise.ledger.models import JournalEntry
from supervise.sealing import read_anchors
from tests.factories.ledger import make_entry
from tests.ledger.owner import Owner


@pytest.fixture
def app(settings: Settings) -> Flask:
    """No more of the application than the commands need."""
    app = Flask("supervise")
    db.init_app(app, settings.database_url)
    app.extensions["supervise.settings"] = settings
    for group in cli.COMMANDS:
        app.cli.add_command(group)
    return app


@pytest.fixture
def book(app: Flask) -> Iterator[Database]:
    database: Database = app.extensions["supervise.db"]
    with database.session(writes=True) as session:
        make_entry(session, key="a:1")
    yield database
    database.engine.dispose()


def test_a_sound_ledger_verifies_and_says_by_chinas_clock_since_when_what_is_not_sealed(
    app: Flask, book: Database
) -> None:
    result = app.test_cli_runner().invoke(args=["ledger", "verify"])

    with book.session(writes=False) as session:
        recorded_at = session.scalars(select(JournalEntry.recorded_at)).one()
    assert result.exit_code == 0, result.output
    assert "1" in result.output
    assert f"{recorded_at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}" in result.output


def test_sealing_writes_the_newest_seal_to_the_anchor_file(app: Flask, book: Database, settings: Settings) -> None:
    runner = app.test_cli_runner()

    first = runner.invoke(args=["ledger", "seal"])
    again = runner.invoke(args=["ledger", "seal"])

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert [anchor.seal_id for anchor in read_anchors(settings.anchor_file)] == [1]
    assert runner.invoke(args=["ledger", "verify"]).exit_code == 0


def test_a_changed_row_is_named_and_the_command_fails(app: Flask, book: Database) -> None:
    runner = app.test_cli_runner()
    runner.invoke(args=["ledger", "seal"])
    Owner(book).run("UPDATE posting SET amount_fen = 1 WHERE line = 1")

    result = runner.invoke(args=["ledger", "verify"])

    assert result.exit_code == 1
    assert "posting 1/1" in result.stderr


def test_a_ledger_that_lost_its_end_fails_by_its_anchor(app: Flask, book: Database) -> None:
    runner = app.test_cli_runner()
    runner.invoke(args=["ledger", "seal"])
    owner = Owner(book)
    for table in ("seal_entry", "seal"):
        owner.run(f"DELETE FROM {table}")

    assert runner.invoke(args=["ledger", "verify"]).exit_code == 1


def test_a_damaged_anchor_file_is_an_error_and_no_proof(app: Flask, book: Database, settings: Settings) -> None:
    settings.anchor_file.write_text("nonsense\n")

    result = app.test_cli_runner().invoke(args=["ledger", "verify"])

    assert result.exit_code == 1
    assert "nonsense" in result.stderr


@pytest.mark.parametrize("to_file", [True, False])
def test_the_export_loads_in_beancount(app: Flask, book: Database, tmp_path: Path, *, to_file: bool) -> None:
    path = tmp_path / "book.beancount"
    result = app.test_cli_runner().invoke(args=["ledger", "export", *(["--output", str(path)] if to_file else [])])

    assert result.exit_code == 0
    text = path.read_text(encoding="utf-8") if to_file else result.stdout
    entries, errors, _options = loader.load_string(text)
    assert errors == []
    assert len(entries) == 5
