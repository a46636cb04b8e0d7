"""Nothing is ever half visible: whoever is killed, whoever else imports meanwhile, and whether or not there is room."""

import datetime as dt
import multiprocessing
import os
import resource
import secrets
import signal
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from supervise import clock, db
from supervise.access.roles import Role
from supervise.cipher import Keyring
from supervise.errors import RefusalError
from supervise.evidence.checks import imports_against_partitions, partitions_against_files
from supervise.evidence.importing import run_import
from supervise.evidence.manifest import open_import
from supervise.evidence.models import RecordImport, RecordImportState, RecordKind, RecordPartition
from supervise.evidence.refusals import AlreadyImportedError
from supervise.evidence.store import SESSION_KEY, open_store, store_of
from supervise.evidence.warehouse import Warehouse
from supervise.files.uploads import record_upload, store_file, uploads_folder
from supervise.jobs.evidence import clear_away_imports, queue_import
from supervise.jobs.queue import JobQueue
from supervise.jobs.surroundings import Surroundings
from tests.evidence.record_files import Importer, call, csv_text
from tests.factories.access import make_user

#: The step at which the first partition is in place and nothing is committed.
IN_PLACE = 701


def files_in_the_warehouse() -> set[str]:
    with db.reading() as session:
        return set(Warehouse(store_of(session)).sizes())


def nothing_of(_done: int, _total: int) -> None:
    """Nobody watches."""


def _die(url: str, folder: str, path: Path, import_id: int, keyring: Keyring) -> None:
    app = Flask(__name__)
    db.init_app(app, url, {SESSION_KEY: open_store("duckdb", folder, path.parent)})

    def progress(done: int, _total: int) -> None:
        if done >= IN_PLACE:
            os.kill(os.getpid(), signal.SIGKILL)

    with app.app_context(), path.open("rb") as file:
        run_import(keyring, import_id, file, progress)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_an_import_that_is_killed_shows_nothing_and_can_be_done_again(
    importer: Importer, keyring: Keyring, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(csv_text([call("C1"), call("C2", 开始时间="2026-11-04 10:00:00", 结束时间="")]), encoding="utf-8")
    import_id = importer.open(path, RecordKind.CALLS)
    with db.reading() as session:
        folder = store_of(session).uri
    before = files_in_the_warehouse()
    child = multiprocessing.get_context("spawn").Process(
        target=_die, args=(database_url, folder, path, import_id, keyring)
    )
    child.start()
    child.join()

    assert child.exitcode == -signal.SIGKILL
    orphans = files_in_the_warehouse() - before
    assert orphans
    assert importer.seen() == []
    assert importer.row(import_id).state is RecordImportState.RUNNING

    with path.open("rb") as file:
        run_import(keyring, import_id, file, nothing_of)

    assert [row["record_id"] for row in importer.seen()] == ["C1", "C2"]
    with time_machine.travel(clock.now() + dt.timedelta(hours=2)):
        clear_away_imports(Surroundings(tmp_path, keyring, tmp_path / "anchors.txt"))
    assert not orphans & files_in_the_warehouse()
    assert len(importer.seen()) == 2


def test_an_import_that_nobody_reads_any_more_is_refused_in_words(
    importer: Importer, keyring: Keyring, tmp_path: Path
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(csv_text([call()]), encoding="utf-8")
    import_id = importer.open(path, RecordKind.CALLS)

    with time_machine.travel(clock.now() + dt.timedelta(hours=1)):
        clear_away_imports(Surroundings(tmp_path, keyring, tmp_path / "anchors.txt"))

    assert importer.row(import_id).state is RecordImportState.REFUSED
    with path.open("rb") as file, pytest.raises(RefusalError):
        run_import(keyring, import_id, file, nothing_of)
    assert importer.seen() == []


def meanwhile(importer: Importer, first: Path, second: Path) -> tuple[int, int]:
    """Import *first*; when its rows are in place, before they are committed, *second* is imported as a whole."""
    ids = importer.open(first, RecordKind.CALLS), importer.open(second, RecordKind.CALLS)
    done: list[int] = []

    def progress(steps: int, _total: int) -> None:
        if steps >= IN_PLACE and not done:
            done.append(ids[1])
            with second.open("rb") as file:
                run_import(importer.keyring, ids[1], file, nothing_of)

    with first.open("rb") as file:
        run_import(importer.keyring, ids[0], file, progress)
    return ids


def test_of_two_imports_of_one_file_at_once_one_wins_and_the_other_is_told(importer: Importer, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(csv_text([call()]), encoding="utf-8")

    with pytest.raises(AlreadyImportedError):
        meanwhile(importer, path, path)

    with db.reading() as session:
        states = session.scalars(select(RecordImport.state).order_by(RecordImport.id)).all()
    assert states == [RecordImportState.REFUSED, RecordImportState.COMMITTED]
    assert len(importer.seen()) == 1


def test_records_that_came_meanwhile_are_known_when_the_import_commits(importer: Importer, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(csv_text([call("C1"), call("C2")]), encoding="utf-8")
    second.write_text(csv_text([call("C2"), call("C3")]), encoding="utf-8")

    first_id, second_id = meanwhile(importer, first, second)

    assert importer.row(second_id).rows_new == 2
    assert (importer.row(first_id).rows_new, importer.row(first_id).rows_known) == (1, 1)
    assert [row["record_id"] for row in importer.seen()] == ["C1", "C2", "C3"]


# On PostgreSQL, whose files another process writes: the limit is this process's.
@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_a_full_disk_refuses_the_file_and_leaves_nothing(importer: Importer) -> None:
    rows = [call(secrets.token_hex(20), 活动=secrets.token_hex(100)) for _ in range(3_000)]
    content = csv_text(rows)
    before = files_in_the_warehouse()
    path = importer.folder / "large.csv"
    path.write_text(content, encoding="utf-8")
    import_id = importer.open(path, RecordKind.CALLS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        with path.open("rb") as file, pytest.raises(RefusalError) as caught:
            run_import(importer.keyring, import_id, file, nothing_of)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert caught.value.status == 507
    assert importer.row(import_id).state is RecordImportState.REFUSED
    assert importer.seen() == []
    assert files_in_the_warehouse() == before
    with db.reading() as session:
        assert list(Warehouse(store_of(session)).incoming.iterdir()) == []


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_an_upload_is_taken_over_by_the_worker(importer: Importer, app: Flask, tmp_path: Path) -> None:
    jobs: JobQueue = app.extensions["supervise.jobs"]
    source = tmp_path / "calls.csv"
    source.write_text(csv_text([call()]), encoding="utf-8")
    with source.open("rb") as stream:
        stored = store_file(stream, uploads_folder(tmp_path), importer.keyring)
    with db.writing() as session:
        actor = make_user(session, role=Role.TRIAGER)
        upload = record_upload(session, stored, "calls.csv", actor_id=actor.id)
        batch = open_import(
            session,
            RecordKind.CALLS,
            file_name="calls.csv",
            size_bytes=upload.size_bytes,
            upload_id=upload.id,
            actor_id=actor.id,
        )
        job_id = queue_import(session, batch.id, actor_id=actor.id)

    jobs.run(job_id)

    assert importer.row(batch.id).state is RecordImportState.COMMITTED
    assert len(importer.seen()) == 1


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_command_imports_and_verifies_what_it_imported(importer: Importer, app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(csv_text([call("C1"), call("C2", 被叫号码="x")]), encoding="utf-8")
    with db.writing() as session:
        make_user(session, username="triager", role=Role.TRIAGER)
        make_user(session, username="clerk", role=Role.CLERK)
    runner = app.test_cli_runner()

    refused = runner.invoke(args=["evidence", "import", "calls", str(path), "--user", "clerk"])
    done = runner.invoke(args=["evidence", "import", "calls", str(path), "--user", "triager"])
    whole = runner.invoke(args=["evidence", "verify"])
    (file,) = importer.files()
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    changed = runner.invoke(args=["evidence", "verify"])
    file.unlink()
    missing = runner.invoke(args=["evidence", "verify"])

    assert refused.exit_code == 1
    assert (done.exit_code, whole.exit_code) == (0, 0), done.output + whole.output
    assert (changed.exit_code, missing.exit_code) == (1, 1)
    assert file.name in changed.output
    with db.reading() as session:
        assert len(partitions_against_files(session)) == 1
        assert imports_against_partitions(session) == []


def test_a_line_of_the_manifest_that_does_not_add_up_is_found(importer: Importer) -> None:
    done = importer.take(csv_text([call()]))

    with db.writing() as session:
        session.get_one(RecordImport, done.id).rows_new = 2
        session.get_one(RecordImport, done.id).rows_total = 2
        assert session.scalar(select(RecordPartition.rows)) == 1
        session.flush()

        assert imports_against_partitions(session) == [done.id]
