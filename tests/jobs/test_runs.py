"""Bulk runs in the worker: ordered once, resumed where they stopped, and all or nothing where money leaves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.audit.models import AuditEvent
from supervise.compensation.models import Credit, CreditBatch, CreditState
from supervise.complaints.models import Ticket, TicketState
from supervise.desk import bulk_runs
from supervise.desk.bulk_runs import Subject, TooManyForRunError, take_slice
from supervise.desk.models import BulkAction, BulkRun
from supervise.errors import AlreadyDecidedError, InvalidInputError
from supervise.jobs import runs
from supervise.jobs.models import Job, JobState
from supervise.jobs.queue import JobQueue
from supervise.jobs.records import claim_job, requeue_lost_jobs, silence_running_jobs
from supervise.jobs.runs import carry_out, order_run, resume_run
from supervise.jobs.surroundings import Surroundings
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from tests.factories.access import make_user
from tests.factories.complaints import make_ticket
from tests.views.finance_pages import Office, open_office


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_runs, "SLICE_ROWS", 2)


@pytest.fixture
def queue(app: Flask) -> Iterator[JobQueue]:
    with app.app_context():
        yield app.extensions["supervise.jobs"]


class World:
    """A triager and five new tickets."""

    def __init__(self) -> None:
        with db.writing() as session:
            self.user_id = make_user(session, role=Role.TRIAGER).id
            self.subjects = [Subject(make_ticket(session).id) for _ in range(5)]

    def order(self, action: BulkAction = BulkAction.ACCEPT) -> int:
        return db.decide(order_run, action, self.subjects, locale="en", actor_id=self.user_id)

    def accepted(self) -> int:
        with db.reading() as session:
            return session.scalar(select(func.count(Ticket.id)).where(Ticket.state == TicketState.ACCEPTED)) or 0


@pytest.fixture
def world(queue: JobQueue) -> World:
    assert queue is not None
    return World()


def run(run_id: int) -> BulkRun:
    with db.reading() as session:
        return session.get_one(BulkRun, run_id)


def job_of(run_id: int) -> Job:
    with db.reading() as session:
        return session.get_one(Job, run(run_id).job_id)


def test_a_run_decides_every_row_and_its_job_says_how_it_ended(queue: JobQueue, world: World) -> None:
    run_id = world.order()

    queue.run(run(run_id).job_id)

    assert world.accepted() == 5
    assert (run(run_id).rows_done, run(run_id).rows_refused) == (5, 0)
    job = job_of(run_id)
    assert (job.state, job.message, job.message_parameters) == (JobState.DONE, runs.DONE, {"rows": 5, "refused": 0})


def test_a_second_click_is_the_same_run_and_another_action_is_not(world: World) -> None:
    first = world.order()

    assert world.order() == first
    assert world.order(BulkAction.INVESTIGATE) != first


def test_a_run_that_ended_can_be_ordered_again_and_refuses_by_row(queue: JobQueue, world: World) -> None:
    first = world.order()
    queue.run(run(first).job_id)

    second = world.order()
    queue.run(run(second).job_id)

    assert second != first
    assert (run(second).rows_done, run(second).rows_refused) == (5, 5)
    assert world.accepted() == 5


def test_a_killed_worker_leaves_whole_slices_and_the_next_one_takes_the_rest(queue: JobQueue, world: World) -> None:
    run_id = world.order()
    job_id = run(run_id).job_id
    db.decide(claim_job, job_id)
    db.decide(take_slice, run_id)

    assert world.accepted() == 2
    db.decide(silence_running_jobs)
    [again] = db.decide(requeue_lost_jobs)
    queue.run(again)

    assert world.accepted() == 5
    assert (run(run_id).rows_done, run(run_id).rows_refused) == (5, 0)
    with db.reading() as session:
        moved = select(func.count(AuditEvent.id)).where(AuditEvent.action == "ticket.accepted")
        assert session.scalar(moved) in {5, 0}


def test_a_run_whose_owner_lost_the_right_fails_in_words_and_its_rest_can_be_done_later(
    queue: JobQueue, world: World
) -> None:
    run_id = world.order()

    def to(role: Role) -> None:
        with db.writing() as session:
            session.get_one(User, world.user_id).role = role

    to(Role.AUDITOR)
    queue.run(run(run_id).job_id)
    assert (job_of(run_id).state, world.accepted()) == (JobState.FAILED, 0)

    to(Role.TRIAGER)
    queue.run(db.decide(resume_run, run_id, actor_id=world.user_id))
    assert (job_of(run_id).state, world.accepted()) == (JobState.DONE, 5)


def test_the_rest_of_a_run_that_is_under_way_or_done_is_not_ordered_again(queue: JobQueue, world: World) -> None:
    run_id = world.order()
    with pytest.raises(AlreadyDecidedError):
        db.decide(resume_run, run_id, actor_id=world.user_id)

    queue.run(run(run_id).job_id)
    with pytest.raises(AlreadyDecidedError):
        db.decide(resume_run, run_id, actor_id=world.user_id)


def test_a_run_takes_rows_and_has_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ROWS_MAX", 4)

    with pytest.raises(TooManyForRunError):
        world.order()
    with pytest.raises(InvalidInputError):
        db.decide(order_run, BulkAction.ACCEPT, [], locale="en", actor_id=world.user_id)


# Sending credits


@pytest.fixture
def office(app: Flask) -> Office:
    return open_office(app)


@pytest.fixture
def around(app: Flask) -> Surroundings:
    settings = app.extensions["supervise.settings"]
    return Surroundings(settings.instance, settings.keyring, Path(settings.anchor_file))


def send(office: Office) -> int:
    subjects = [Subject(credit_id) for credit_id in office.credit_ids]
    return db.decide(order_run, BulkAction.SEND_CREDITS, subjects, locale="zh_Hans", actor_id=office.users["finance"])


def batches() -> list[CreditBatch]:
    with db.reading() as session:
        return list(session.scalars(select(CreditBatch)))


def test_credits_are_sent_by_the_worker_in_one_batch_however_often_it_begins(
    queue: JobQueue, office: Office, around: Surroundings
) -> None:
    run_id = send(office)
    assert send(office) == run_id
    heard: list[tuple[int, int]] = []

    for _ in range(2):
        # The second time stands for a worker that was killed between its commit and the end of its job.
        carry_out(around, lambda done, total: heard.append((done, total)), office.users["finance"], run_id=run_id)
    queue.run(run(run_id).job_id)

    [batch] = batches()
    assert (batch.lines_total, batch.locale, batch.id) == (3, "zh_Hans", run(run_id).credit_batch_id)
    assert heard == [(1, 3), (2, 3)]
    assert job_of(run_id).state is JobState.DONE
    with db.reading() as session:
        assert balance_fen(session, AccountCode.BILLING_CLEARING, batch.id) == -150_00


def test_a_batch_of_which_one_credit_is_gone_is_not_frozen_at_all(queue: JobQueue, office: Office) -> None:
    run_id = send(office)
    office.sent(office.credit_ids[:1])

    queue.run(run(run_id).job_id)

    assert job_of(run_id).state is JobState.FAILED
    assert [batch.lines_total for batch in batches()] == [1]
    with db.reading() as session:
        assert session.get_one(Credit, office.credit_ids[1]).state is CreditState.APPROVED
