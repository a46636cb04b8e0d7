"""Background work survives a reload, a lost wake-up call and a killed worker, and ends with words."""

import datetime as dt
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import update

from supervise import clock, db
from supervise.errors import ConflictError
from supervise.jobs import kinds, queue, records
from supervise.jobs.duties import DUTIES
from supervise.jobs.models import Job, JobState
from supervise.jobs.queue import JobQueue
from supervise.jobs.records import Progress, create_job, job_by_id, requeue_lost_jobs, silence_running_jobs
from supervise.jobs.surroundings import Surroundings
from supervise.ledger.periods import periods

USER = 7


@pytest.fixture
def done() -> list[int]:
    """What the test's kind of work did, in order."""
    return []


@pytest.fixture
def jobs(app: Flask, done: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[JobQueue]:
    """The application's queue, with two kinds of work of the test's own."""

    def count(_surroundings: Surroundings, progress: Progress, _actor_id: int | None, *, upto: int) -> None:
        done.append(upto)
        progress(upto, upto)

    def refuse(_surroundings: Surroundings, _progress: Progress, _actor_id: int | None) -> None:
        raise ConflictError

    work = {**kinds.KINDS, "count": count, "refuse": refuse}
    monkeypatch.setattr(queue, "KINDS", work)
    with app.app_context():
        yield app.extensions["supervise.jobs"]


def make_job(kind: str = "count", **arguments: int) -> int:
    return db.decide(create_job, kind, arguments, actor_id=USER).id


def job(job_id: int) -> Job:
    with db.reading() as session:
        return job_by_id(session, job_id)


def change(job_id: int, **values: object) -> None:
    with db.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def test_a_job_runs_to_its_end_and_says_so(jobs: JobQueue, done: list[int]) -> None:
    job_id = make_job(upto=3)

    jobs.run(job_id)

    assert done == [3]
    assert (job(job_id).state, job(job_id).steps_done, job(job_id).steps_total) == (JobState.DONE, 3, 3)


def test_a_job_that_was_woken_twice_runs_once(jobs: JobQueue, done: list[int]) -> None:
    job_id = make_job(upto=1)

    jobs.run(job_id)
    jobs.run(job_id)

    assert done == [1]


def test_a_refusal_ends_the_job_with_its_words(jobs: JobQueue) -> None:
    job_id = make_job("refuse")

    jobs.run(job_id)

    assert job(job_id).state is JobState.FAILED
    assert job(job_id).message == ConflictError.message


def test_a_job_whose_wake_up_call_was_lost_is_woken_later(jobs: JobQueue) -> None:
    job_id = make_job(upto=1)

    fresh = db.decide(requeue_lost_jobs)
    change(job_id, created_at=clock.now() - dt.timedelta(minutes=1))
    waiting = db.decide(requeue_lost_jobs)

    assert (fresh, waiting) == ([], [job_id])


def test_a_job_of_a_killed_worker_is_run_again(jobs: JobQueue, done: list[int]) -> None:
    job_id = make_job(upto=2)
    db.decide(records.claim_job, job_id)

    db.decide(silence_running_jobs)
    [again] = db.decide(requeue_lost_jobs)
    jobs.run(again)

    assert done == [2]
    assert (job(job_id).state, job(job_id).attempts) == (JobState.DONE, 2)


def test_a_job_that_is_heard_of_is_left_to_its_worker(jobs: JobQueue) -> None:
    job_id = make_job(upto=2)
    db.decide(records.claim_job, job_id)

    assert db.decide(requeue_lost_jobs) == []
    assert job(job_id).state is JobState.RUNNING


def test_a_job_that_keeps_dying_is_given_up_in_words(jobs: JobQueue) -> None:
    job_id = make_job(upto=2)
    change(job_id, state=JobState.RUNNING, attempts=records.ATTEMPTS_MAX, heartbeat_at=None)

    assert db.decide(requeue_lost_jobs) == []
    assert job(job_id).state is JobState.FAILED
    assert job(job_id).message is not None


def test_every_duty_can_be_done_twice(jobs: JobQueue, app: Flask) -> None:
    settings = app.extensions["supervise.settings"]
    surroundings = Surroundings(settings.instance, settings.keyring, settings.anchor_file)

    for _ in range(2):
        for duty in DUTIES:
            duty.perform(surroundings)

    with db.reading() as session:
        assert [period.month for period in periods(session)] == [clock.month_of(clock.today())]
