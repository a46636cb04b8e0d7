"""The rows that tell how far background work has come: made, claimed, moved on, finished, run again."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.errors import NotFoundError, RefusalError
from supervise.jobs.models import Job, JobState
from supervise.labels import N_

#: ``progress(steps_done, steps_total)``, called as often as one likes.
Progress = Callable[[int, int], None]

#: A running job that has not been heard of for so long is run again; every job can bear that.
SILENCE = dt.timedelta(minutes=3)
#: A queued job that no worker took up so long after it was made had its wake-up call lost.
UNHEARD = dt.timedelta(seconds=20)
ATTEMPTS_MAX = 3
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


class Outcome(NamedTuple):
    """What a finished job has to say: a message id and its parameters, or facts for the page that asked for it."""

    message: str
    parameters: Mapping[str, Any]


class Claimed(NamedTuple):
    """What a worker needs to know of the job that is now its own."""

    kind: str
    arguments: Mapping[str, int | str]
    actor_id: int | None


def create_job(
    session: Session, kind: str, arguments: Mapping[str, int | str], *, actor_id: int | None, steps_total: int = 0
) -> Job:
    """Write down work to be done; the caller wakes the worker after the commit."""
    job = Job(
        kind=kind, arguments=dict(arguments), created_by=actor_id, created_at=clock.now(), steps_total=steps_total
    )
    session.add(job)
    session.flush()  # the id goes into the page's address and to the worker
    return job


def unfinished_or_new(
    session: Session, kind: str, arguments: Mapping[str, int | str], *, actor_id: int, steps_total: int = 0
) -> int:
    """Return the job of that kind and arguments that *actor_id* has under way, else a new one: two clicks are one wish.

    The caller wakes the worker after the commit; a job that is woken twice runs once.
    """
    db.take_turn(session, f"job:{kind}:{actor_id}")
    under_way = select(Job).where(Job.kind == kind, Job.created_by == actor_id, Job.state.in_(UNFINISHED))
    for job in session.scalars(under_way.order_by(Job.id)):
        if job.arguments == dict(arguments):
            return job.id
    return create_job(session, kind, arguments, actor_id=actor_id, steps_total=steps_total).id


def claim_job(session: Session, job_id: int) -> Claimed | None:
    """Make the queued job this worker's own; None if another one was faster or it is done."""
    now = clock.now()
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(state=JobState.RUNNING, started_at=now, heartbeat_at=now, attempts=Job.attempts + 1, steps_done=0)
        .returning(Job.kind, Job.arguments, Job.created_by)
    ).first()
    return None if row is None else Claimed(*row)


def move_on(session: Session, job_id: int, steps_done: int, steps_total: int) -> None:
    """Write how far the job is; also its heartbeat."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.RUNNING)
        .values(steps_done=steps_done, steps_total=steps_total, heartbeat_at=clock.now())
    )


def finish_job(
    session: Session, job_id: int, refusal: RefusalError | None = None, outcome: Outcome | None = None
) -> None:
    """Write the end of a job: done, with its outcome if it has one, or refused in words."""
    if refusal is not None:
        outcome = Outcome(refusal.message_id, refusal.parameters)
    session.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(
            state=JobState.DONE if refusal is None else JobState.FAILED,
            message=None if outcome is None else outcome.message,
            message_parameters=None if outcome is None else dict(outcome.parameters),
            finished_at=clock.now(),
        )
    )


def requeue_lost_jobs(session: Session) -> list[int]:
    """Queue again what a killed worker left behind and return every job that should be woken.

    A job that died ``ATTEMPTS_MAX`` times is failed instead, with words.
    """
    now = clock.now()
    silent = (Job.state == JobState.RUNNING) & or_(Job.heartbeat_at.is_(None), Job.heartbeat_at < now - SILENCE)
    session.execute(
        update(Job)
        .where(silent, Job.attempts >= ATTEMPTS_MAX)
        .values(
            state=JobState.FAILED,
            message=N_("The work broke off several times and was given up; the step under way was undone whole"),
            finished_at=now,
        )
    )
    session.execute(update(Job).where(silent).values(state=JobState.QUEUED, created_at=now - UNHEARD))
    waiting = select(Job.id).where(Job.state == JobState.QUEUED, Job.created_at <= now - UNHEARD).order_by(Job.id)
    return list(session.scalars(waiting))


def silence_running_jobs(session: Session) -> None:
    """Take every running job for dead, so that the next ``requeue_lost_jobs`` queues it again."""
    session.execute(update(Job).where(Job.state == JobState.RUNNING).values(heartbeat_at=None))


def job_by_id(session: Session, job_id: int) -> Job:
    """Return the job.

    Raises:
        NotFoundError: if there is none.
    """
    job = session.get(Job, job_id)
    if job is None:
        raise NotFoundError
    return job


def beat(job_id: int) -> Progress:
    """Return a progress function for *job_id* that writes about once a second and never waits for a lock."""
    last = clock.now()

    def progress(steps_done: int, steps_total: int) -> None:
        nonlocal last
        now = clock.now()
        if (now - last).total_seconds() < 1 and steps_done < steps_total:
            return
        last = now
        db.decide_if_free(move_on, job_id, steps_done, steps_total)

    return progress
