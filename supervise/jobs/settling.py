"""Posting a settlement run in the background, some hundred parties at a time; and the notices that nobody answers."""

from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.errors import AlreadyDecidedError
from supervise.jobs.models import Job, JobState
from supervise.jobs.records import Outcome, Progress, create_job
from supervise.jobs.surroundings import Surroundings
from supervise.labels import N_
from supervise.settlement.models import RunState
from supervise.settlement.notices import deem_delivered
from supervise.settlement.posting import post_next
from supervise.settlement.queries import counts_of_run
from supervise.settlement.runs import approve_run, lock_run

POST = "settlement.post"
DONE = N_("The settlement of %(parties)s parties is posted")


def approve_and_order(session: Session, run_id: int, content_sha256: str, *, actor_id: int) -> int:
    """Approve a run and write down, in the same transaction, that it is to be posted; return the job to wake.

    Raises:
        as ``settlement.runs.approve_run``.
    """
    approve_run(session, run_id, content_sha256, actor_id=actor_id)
    return _order(session, run_id, actor_id=actor_id)


def order_again(session: Session, run_id: int, *, actor_id: int) -> int:
    """Have the rest of an approved run posted whose job failed; return the job to wake.

    Raises:
        NotFoundError: if there is no such run.
        AlreadyDecidedError: if it is posted, not approved, or under way.
    """
    run = lock_run(session, run_id)
    job = session.get(Job, run.job_id) if run.job_id is not None else None
    if run.state is not RunState.APPROVED or (job is not None and job.state is not JobState.FAILED):
        raise AlreadyDecidedError
    return _order(session, run_id, actor_id=actor_id)


def _order(session: Session, run_id: int, *, actor_id: int) -> int:
    parties = counts_of_run(session, run_id).parties
    job = create_job(session, POST, {"run_id": run_id}, actor_id=actor_id, steps_total=parties)
    lock_run(session, run_id).job_id = job.id
    session.flush()
    return job.id


def post_run(_surroundings: Surroundings, progress: Progress, _actor_id: int | None, *, run_id: int) -> Outcome:
    """Post every party of an approved run that is not posted yet; the kind of job ``settlement.post``.

    Raises:
        NotFoundError: if there is no such run.
        NotApprovedError: if it is not approved.
    """
    standing = db.decide(post_next, run_id)
    while standing.done < standing.total:
        progress(standing.done, standing.total)
        standing = db.decide(post_next, run_id)
    progress(standing.total, standing.total)
    return Outcome(DONE, {"parties": standing.total})


def deem_notices(_surroundings: Surroundings) -> None:
    """Take set-off notices for delivered that nobody acknowledged in time, and book what waited for them."""
    while db.decide(deem_delivered, clock.today()):
        pass
