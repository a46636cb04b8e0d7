"""The commands of whoever runs the program, tried as they are typed."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from supervise.access.models import User
from supervise.access.roles import ROLE_PERMISSIONS, Role
from supervise.cipher import read_key_file
from supervise.complaints.subscribers import number_ids
from supervise.config import PROJECT
from supervise.desk.second_person import waiting_for_second_person
from supervise.desk.worker import Worker
from supervise.operations import operations
from supervise.parties.merge_models import MergeState, PartyMerge
from supervise.parties.scope import Scope
from supervise.penalties.spare_models import SparedFinding
from supervise.schema import head
from supervise.serving import Address, refuse_taken
from tests.databases import alone, opened

START_SECONDS = 90


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str | None]:
    """The environment of a server with a database of its own, still empty."""
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text("s" * 32)
    CliRunner().invoke(operations, ["make-keys", str(tmp_path / "keys.json")], catch_exceptions=False)
    return {
        "SUPERVISE_INSTANCE": str(tmp_path / "instance"),
        "SUPERVISE_KEY_FILE": str(tmp_path / "keys.json"),
        "SECRET_KEY_FILE": str(tmp_path / "secret"),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'server.sqlite3'}",
        "SUPERVISE_DEMO": None,
    }


def supervise(environ: dict[str, str | None], *words: str) -> Result:
    return CliRunner().invoke(operations, words, env=environ, catch_exceptions=False)


def test_keys_are_made_once_and_never_replaced(tmp_path: Path) -> None:
    first = supervise({}, "make-keys", str(tmp_path / "k.json"))
    keys = (tmp_path / "k.json").read_bytes()

    second = supervise({}, "make-keys", str(tmp_path / "k.json"))

    assert first.exit_code == 0
    assert second.exit_code == 1
    assert "is not replaced" in second.output
    assert (tmp_path / "k.json").read_bytes() == keys


def test_the_keys_of_another_database_are_refused_once_numbers_are_stored(
    environ: dict[str, str | None], tmp_path: Path
) -> None:
    supervise(environ, "migrate")
    with opened(f"{environ['DATABASE_URL']}") as database, database.session(writes=True) as session:
        number_ids(session, read_key_file(Path(f"{environ['SUPERVISE_KEY_FILE']}")), ["13912345678"])
    supervise({}, "make-keys", str(tmp_path / "other.json"))

    right = supervise(environ, "check")
    wrong = supervise({**environ, "SUPERVISE_KEY_FILE": str(tmp_path / "other.json")}, "check")

    assert (right.exit_code, wrong.exit_code) == (0, 1)
    assert "not the one this database was written with" in wrong.output


def test_an_empty_database_is_refused_until_it_is_migrated(environ: dict[str, str | None]) -> None:
    before = supervise(environ, "check")
    migrated = supervise(environ, "migrate")
    after = supervise(environ, "check")

    assert (before.exit_code, after.exit_code) == (1, 0)
    assert "run `make migrate`" in before.output
    assert migrated.output == f"the database is at {head()}, it was at nothing\n"
    assert "ready to start" in after.output


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_nothing_serves_an_empty_database(environ: dict[str, str | None], command: str) -> None:
    free = ["--bind", f"127.0.0.1:{free_port()}"] if command == "serve" else []

    refused = supervise(environ, command, *free)

    assert refused.exit_code == 1
    assert "run `make migrate`" in refused.output


def test_a_missing_setting_is_one_sentence(environ: dict[str, str | None]) -> None:
    refused = supervise({**environ, "DATABASE_URL": None}, "migrate")

    assert refused.exit_code == 1
    assert refused.output.startswith("Error: set DATABASE_URL")


def test_the_first_administrator_is_made_by_command(environ: dict[str, str | None]) -> None:
    supervise(environ, "migrate")

    made = supervise(environ, "make-admin", "root.wang", "王芳")

    assert re.search(r"root\.wang is an administrator; password for the first login: \S{19}\n", made.output)
    with opened(str(environ["DATABASE_URL"])) as database, database.session(writes=False) as session:
        user = session.scalars(select(User)).one()
    assert (user.username, user.role, user.password_is_initial) == ("root.wang", Role.ADMIN, True)


def test_the_same_administrator_is_not_made_twice(environ: dict[str, str | None]) -> None:
    supervise(environ, "migrate")
    supervise(environ, "make-admin", "root.wang", "王芳")

    refused = supervise(environ, "make-admin", "root.wang", "王芳")

    assert refused.exit_code == 1
    assert "root.wang" in refused.output


def test_removing_the_demo_is_refused_on_any_other_database(environ: dict[str, str | None], tmp_path: Path) -> None:
    supervise(environ, "migrate")

    outside = supervise(environ, "remove-demo")
    disguised = supervise({**environ, "SUPERVISE_DEMO": "1"}, "remove-demo")

    assert (outside.exit_code, disguised.exit_code) == (1, 1)
    assert "this is not the demo" in outside.output
    assert "DATABASE_URL is set" in disguised.output
    assert (tmp_path / "server.sqlite3").exists()
    assert (tmp_path / "keys.json").exists()


def environ_of_demo(instance: Path) -> dict[str, str | None]:
    """The environment of `make run`, with its instance folder elsewhere."""
    foreign = ("DATABASE_URL", "SUPERVISE_KEY_FILE", "SECRET_KEY_FILE", "SUPERVISE_ANCHOR_FILE")
    return {"SUPERVISE_DEMO": "1", "SUPERVISE_INSTANCE": str(instance), **dict.fromkeys(foreign)}


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder whose demo was loaded after a start that broke off half-way; all workers share it."""
    base = tmp_path_factory.getbasetemp()
    instance = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "loaded"
    with alone("loaded-demo"):
        if not (instance / "whole").exists():
            shutil.rmtree(instance, ignore_errors=True)
            (instance / "demo").mkdir(parents=True)
            (instance / "demo" / "building.sqlite3").write_text("half of a database")
            first = supervise(environ_of_demo(instance), "load-demo")
            assert "done once" in first.output
            (instance / "whole").touch()
    return instance


@pytest.fixture
def demo(loaded: Path, tmp_path: Path) -> dict[str, str | None]:
    """The environment of a demo of one's own, already loaded."""
    shutil.copytree(loaded, tmp_path, dirs_exist_ok=True)
    return environ_of_demo(tmp_path)


def test_an_interrupted_load_was_started_over(loaded: Path) -> None:
    database_url = f"sqlite:///{loaded / 'demo' / 'demo.sqlite3'}"

    with opened(database_url) as database, database.session(writes=False) as session:
        users = session.scalars(select(User)).all()

    assert {user.role for user in users} == set(Role)
    assert not list((loaded / "demo").glob("building*"))


def test_the_demo_has_a_spared_call_and_a_merger_that_wait_for_a_supervisor(loaded: Path) -> None:
    database_url = f"sqlite:///{loaded / 'demo' / 'demo.sqlite3'}"

    with opened(database_url) as database, database.session(writes=False) as session:
        triager, supervisor = (
            session.scalars(select(User).where(User.username == name)).one() for name in ("triager", "supervisor")
        )
        spared, merger = session.scalars(select(SparedFinding)).one(), session.scalars(select(PartyMerge)).one()
        waiting, own = (
            {one.kind.name: one.rows for one in waiting_for_second_person(session, worker)}
            for worker in (
                Worker(user.id, ROLE_PERMISSIONS[Role(user.role)], Scope.everything()) for user in (supervisor, triager)
            )
        )

    assert (spared.spared_by, spared.agreed_at) == (triager.id, None)
    assert (merger.proposed_by, merger.state, merger.open_fen) == (triager.id, MergeState.OPEN, 3_000_00)
    assert (waiting["sparings"], waiting["mergers"]) == (1, 1)
    assert own.get("sparings", 0) == own.get("mergers", 0) == 0


def test_the_demo_is_loaded_once_and_goes_whole(demo: dict[str, str | None], tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("someone else's")

    again = supervise(demo, "load-demo")
    removed = supervise(demo, "remove-demo")

    assert (again.exit_code, again.output) == (0, "")
    assert removed.exit_code == 0
    assert not (tmp_path / "demo").exists()
    assert (tmp_path / "keys.json").exists()


def test_a_demo_of_a_newer_version_is_refused(demo: dict[str, str | None], tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'demo' / 'demo.sqlite3'}") as database, database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    refused = supervise(demo, "load-demo")

    assert refused.exit_code == 1
    assert "newer schema 9999" in refused.output
    assert "make demo-remove" in refused.output


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def running_demo(demo: dict[str, str | None]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The demo as `make run` starts it, and its port."""
    port = free_port()
    environ = {name: value for name, value in {**os.environ, **demo}.items() if value is not None}
    command = [sys.executable, "-m", "supervise", "demo", "--port", str(port)]
    process = subprocess.Popen(command, cwd=PROJECT, env=environ, stdout=subprocess.PIPE, text=True, process_group=0)
    yield process, port
    if process.poll() is None:
        process.terminate()
        process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


def test_the_demo_starts_says_how_to_log_in_and_stops_when_asked(
    running_demo: tuple[subprocess.Popen[str], int], demo: dict[str, str | None]
) -> None:
    process, port = running_demo
    assert process.stdout is not None
    said = ""
    deadline = time.monotonic() + START_SECONDS
    while "admin " not in said and time.monotonic() < deadline:
        said += process.stdout.readline()

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
        healthy = answer.status
    removal = supervise(demo, "remove-demo")
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does at Ctrl-C
    status = process.wait(60)

    assert healthy == 200
    assert f"http://127.0.0.1:{port}" in said
    for role in Role:
        assert re.search(rf"^ +{role.value} +\S+ +\S+$", said, re.MULTILINE)
    assert removal.exit_code == 1
    assert "the demo is running" in removal.output
    assert status == 0
    refuse_taken(Address("127.0.0.1", port))
