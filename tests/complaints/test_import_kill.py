"""A worker that is killed in the middle leaves an import as it was; two at once take it over once (E6)."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from supervise.complaints import commit
from supervise.complaints.models import Incident, SubscriberNumber, Ticket
from supervise.complaints.preview import preview_batch
from supervise.complaints.receive import Received
from supervise.db import Database
from supervise.donotcall.intake import commit_batch
from supervise.files.models import BatchState, ImportBatch
from supervise.files.staging import BatchStateError
from tests.databases import opened
from tests.factories.access import make_user
from tests.factories.complaints import KEYRING, upload_file
from tests.factories.files import write_csv

HEADER = ["转办编号", "举报人号码", "被举报号码", "来电时间", "举报描述"]
ROWS = [[f"ZB{n:04d}", f"139{n:08d}", "02081234567", "2026-09-29 10:00", "推销"] for n in range(300)]


def previewed(database: Database, folder: Path) -> tuple[int, int]:
    """Preview a file of 300 rows and return batch and actor."""
    with database.session(writes=True) as session:
        actor = make_user(session, role=Role.TRIAGER)
        path = write_csv(folder / "in.csv", [HEADER, *ROWS])
        batch = upload_file(session, path, folder, profile="12321", actor_id=actor.id)
        preview_batch(session, KEYRING, folder, batch.id)
        return batch.id, actor.id


def die_after_writing(url: str, batch_id: int, actor_id: int) -> None:
    """Take a batch over and be killed when its rows are written and nothing is committed."""

    def die(_session: Session, _received: Sequence[Received]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with opened(url) as database, database.session(writes=True) as session:
        commit.commit_batch(session, KEYRING, batch_id, actor_id=actor_id, follow=die)


def counts(database: Database) -> list[int]:
    with database.session(writes=False) as session:
        query = sa.select(sa.func.count())
        return [session.scalar(query.select_from(model)) or 0 for model in (Ticket, Incident, SubscriberNumber)]


def test_a_killed_worker_leaves_nothing_behind_and_the_next_one_takes_everything_over(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    batch_id, actor_id = previewed(database, tmp_path)
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=die_after_writing, args=(database_url, batch_id, actor_id))

    worker.start()
    worker.join()

    assert worker.exitcode == -signal.SIGKILL
    assert counts(database) == [0, 0, 0]
    with database.session(writes=True) as session:
        assert session.get_one(ImportBatch, batch_id).state is BatchState.PREVIEWED
        commit_batch(session, KEYRING, batch_id, actor_id=actor_id)
    assert counts(database) == [300, 300, 300]


def test_two_who_take_one_batch_over_at_once_make_each_ticket_once(database: Database, tmp_path: Path) -> None:
    batch_id, actor_id = previewed(database, tmp_path)
    barrier, refused = threading.Barrier(2), []

    def take_over() -> None:
        barrier.wait()
        try:
            with database.session(writes=True) as session:
                commit_batch(session, KEYRING, batch_id, actor_id=actor_id)
        except BatchStateError as error:
            refused.append(error)

    threads = [threading.Thread(target=take_over) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts(database) == [300, 300, 300]
    assert len(refused) == 1


def test_two_files_of_the_same_rows_taken_over_at_once_make_each_ticket_once(
    database: Database, tmp_path: Path
) -> None:
    first, actor_id = previewed(database, tmp_path)
    with database.session(writes=True) as session:
        path = write_csv(tmp_path / "renamed.csv", [HEADER, *ROWS])
        second = upload_file(session, path, tmp_path, profile="12321", actor_id=actor_id).id
        preview_batch(session, KEYRING, tmp_path, second)
    barrier = threading.Barrier(2)

    def take_over(batch_id: int) -> None:
        barrier.wait()
        with database.session(writes=True) as session:
            commit_batch(session, KEYRING, batch_id, actor_id=actor_id)

    threads = [threading.Thread(target=take_over, args=(batch_id,)) for batch_id in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts(database) == [300, 300, 300]
    with database.session(writes=False) as session:
        batches = [session.get_one(ImportBatch, batch_id) for batch_id in (first, second)]
    assert sorted((batch.rows_new, batch.rows_known) for batch in batches) == [(0, 300), (300, 0)]


@pytest.mark.soak
@pytest.mark.parametrize("attempt", range(25))
def test_killed_again_and_again_nothing_is_ever_half(
    database: Database, database_url: str, tmp_path: Path, attempt: int
) -> None:
    batch_id, actor_id = previewed(database, tmp_path)
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=die_after_writing, args=(database_url, batch_id, actor_id))

    worker.start()
    worker.join(timeout=0.3 + attempt * 0.05)
    worker.kill()
    worker.join()

    assert counts(database) == [0, 0, 0]
