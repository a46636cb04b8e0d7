"""What a start finds wrong is one sentence and an exit code, whichever command is started; never a traceback."""

import os
import runpy
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from flask import Flask

from supervise import db
from supervise.app import create_app, refuse_unfit_database
from supervise.cipher import make_key_file
from supervise.config import PROJECT, ConfigError, Settings
from supervise.ledger.models import Seal
from supervise.ledger.seal import seal_closed_entries
from supervise.operations import operations
from tests.databases import clone_sqlite
from tests.factories.ledger import make_entry
from tests.ledger.owner import Owner

NOBODY = 65534
COMMANDS = ("serve", "migrate", "worker", "check", "flask ledger verify")


class Case(NamedTuple):
    """A DATABASE_URL and a part of what is said of it."""

    url: str
    sentence: str


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that a user other than pytest's can reach."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def environ(folder: Path) -> dict[str, str]:
    """The environment of a server whose database is all that can be wrong with it."""
    make_key_file(folder / "keys.json")
    (folder / "secret").touch(0o600)
    (folder / "secret").write_text("s" * 32)
    return {
        "SUPERVISE_INSTANCE": str(folder / "instance"),
        "SUPERVISE_KEY_FILE": str(folder / "keys.json"),
        "SECRET_KEY_FILE": str(folder / "secret"),
        "SUPERVISE_DEMO": "0",
    }


def start(command: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Start *command* where it must fail with 1, and return the sentence."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    if command == "flask ledger verify":
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(PROJECT / "wsgi.py"))
        return str(ended.value)
    words = [command, "--bind", f"127.0.0.1:{free_port()}"] if command == "serve" else [command]
    result: Result = CliRunner().invoke(operations, words, catch_exceptions=False)
    assert result.exit_code == 1, result.output
    return result.output.strip()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "case",
    [
        Case("sqlite://", "names no file"),
        Case("sqlite:///:memory:", "names no file"),
        Case("sqlite:///{folder}", "which is a folder"),
        Case("sqlite:///{folder}/missing/s.sqlite3", "there is no folder"),
        Case("sqlite:///{folder}/secret", "cannot be used: (sqlite3.DatabaseError) file is not a database"),
        Case("mysql://root:hunter2@db/supervise", "must begin with sqlite:// or postgresql://, not mysql"),
        Case("postgresql+asyncpg://u:hunter2@db/supervise", "must begin with"),
        Case("postgresql://u:hunter2@db:port/supervise", "is not written as"),
        Case("postgres", "must begin with"),
        Case("postgresql://u:hunter2@127.0.0.1:{port}/supervise", "failed: Connection refused"),
    ],
    ids=lambda case: case.url,
)
def test_a_database_that_cannot_be_used_is_one_sentence(
    environ: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, case: Case
) -> None:
    database_url = case.url.format(folder=folder, port=free_port())

    said = start(command, {**environ, "DATABASE_URL": database_url}, monkeypatch)

    assert case.sentence in said
    assert "\n" not in said
    assert "hunter2" not in said


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """Act as a user who owns *folder* and no more: root may write to everything."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("mode", [0o000, 0o400], ids=["unreadable", "read-only"])
def test_a_file_that_may_not_be_written_is_one_sentence(
    environ: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, mode: int
) -> None:
    database_url = clone_sqlite(folder)
    path = Path(database_url.removeprefix("sqlite:///"))
    path.chmod(mode)

    with without_rights(folder):
        said = start(command, {**environ, "DATABASE_URL": database_url}, monkeypatch)

    assert said.endswith(f"DATABASE_URL names {path}, which this user may not read and write")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [("SUPERVISE_INSTANCE", "cannot be made"), ("SUPERVISE_ANCHOR_FILE", "is no file that this user may read")],
)
def test_a_place_that_cannot_be_written_is_one_sentence(
    environ: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch, setting: str, sentence: str
) -> None:
    wrong = folder / "secret" / "below a file" if setting == "SUPERVISE_INSTANCE" else folder

    said = start("check", {**environ, "DATABASE_URL": clone_sqlite(folder), setting: str(wrong)}, monkeypatch)

    assert sentence in said


def test_the_demo_takes_no_database_of_others(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite://")

    result = CliRunner().invoke(operations, ["demo", "--port", str(free_port())], catch_exceptions=False)

    assert result.exit_code == 1
    assert "DATABASE_URL is set" in result.output


def test_a_damaged_demo_database_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISE_INSTANCE", str(folder))
    (folder / "demo").mkdir()
    (folder / "demo" / "demo.sqlite3").write_text("no database" * 100)

    result = CliRunner().invoke(operations, ["demo", "--port", str(free_port())], catch_exceptions=False)

    assert result.exit_code == 1
    assert "file is not a database" in result.output


# Keys


@pytest.fixture
def sealed(app: Flask, settings: Settings) -> Flask:
    """An application whose ledger has two seals."""
    with app.app_context():
        for key in ("a:1", "a:2"):
            with db.writing() as session:
                make_entry(session, key=key)
                seal_closed_entries(session, settings.keyring)
    return app


def test_the_ledger_is_opened_with_its_own_seal_key(sealed: Flask) -> None:
    refuse_unfit_database(sealed)


def test_another_seal_key_is_refused_before_anything_is_sealed_with_it(sealed: Flask, settings: Settings) -> None:
    other = create_app(replace(settings, keyring=replace(settings.keyring, seal_key=b"\x09" * 32)))

    with pytest.raises(ConfigError, match="seal key is not the one this ledger was sealed with"):
        refuse_unfit_database(other)

    other.extensions["supervise.db"].engine.dispose()
    other.extensions["supervise.jobs"].huey.storage.close()


def test_one_damaged_seal_is_left_to_verification(sealed: Flask) -> None:
    database = sealed.extensions["supervise.db"]
    with database.session(writes=False) as session:
        newest = session.scalars(sa.select(sa.func.max(Seal.id))).one()
    Owner(database).run("UPDATE seal SET mac = ? WHERE id = ?", "0" * 64, newest)

    refuse_unfit_database(sealed)
