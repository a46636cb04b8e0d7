"""Bulk runs as background work: ordered once however often the button is pressed, resumed after a kill."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import db
from supervise.attribution.findings import Proof
from supervise.desk.bulk_runs import ROWS_MAX, Subject, TooManyForRunError, rows_sha256, run_of, take_slice, write_run
from supervise.desk.models import BulkAction, BulkRun
from supervise.errors import AlreadyDecidedError, InvalidInputError
from supervise.jobs.models import Job, JobState
from supervise.jobs.records import UNFINISHED, Outcome, Progress, create_job
from supervise.jobs.sending import send_chosen
from supervise.jobs.surroundings import Surroundings
from supervise.labels import N_

RUN = "bulk.run"
DONE = N_("All %(rows)s rows are decided; %(refused)s were refused in whole or in part")


def order_run(
    session: Session,
    action: BulkAction,
    subjects: Sequence[Subject],
    *,
    locale: str,
    actor_id: int,
    proofs: Sequence[Proof] = (),
) -> int:
    """Write a run and its job down and return the run; the caller wakes the worker.

    The same rows ordered again by the same person while they are under way are the same run: a second click.

    Raises:
        InvalidInputError: without a row.
        TooManyForRunError: for more than ``ROWS_MAX``.
    """
    if not subjects:
        raise InvalidInputError(N_("Choose at least one row"))
    if len(subjects) > ROWS_MAX:
        raise TooManyForRunError(limit=ROWS_MAX)
    db.take_turn(session, f"bulk_run:{actor_id}")
    under_way = (
        select(BulkRun.id)
        .join(Job, Job.id == BulkRun.job_id)
        .where(
            BulkRun.ordered_by == actor_id,
            BulkRun.action == action,
            BulkRun.rows_sha256 == rows_sha256(subjects),
            Job.state.in_(UNFINISHED),
        )
    )
    run_id = session.scalar(under_way.order_by(BulkRun.id.desc()).limit(1))
    if run_id is not None:
        return run_id
    job = create_job(session, RUN, {}, actor_id=actor_id, steps_total=len(subjects))
    run = write_run(session, action, subjects, job_id=job.id, locale=locale, actor_id=actor_id, proofs=proofs)
    job.arguments = {"run_id": run.id}
    return run.id


def resume_run(session: Session, run_id: int, *, actor_id: int) -> int:
    """Have the rest of a run carried out whose job failed; return the job to wake.

    Raises:
        NotFoundError: if there is no such run of theirs.
        AlreadyDecidedError: if nothing of it is left, or it is under way.
    """
    run = run_of(session, run_id, actor_id=actor_id)
    session.refresh(run, with_for_update=True)
    if run.rows_done == run.rows_total or session.get_one(Job, run.job_id).state is not JobState.FAILED:
        raise AlreadyDecidedError
    job = create_job(session, RUN, {"run_id": run.id}, actor_id=actor_id, steps_total=run.rows_total)
    run.job_id = job.id
    return job.id


def carry_out(surroundings: Surroundings, progress: Progress, actor_id: int | None, *, run_id: int) -> Outcome:
    """Decide every row of a run that is not decided yet; the kind of job ``bulk.run``.

    Raises:
        NotFoundError: if there is no such run, or nobody ordered it.
        NotPermittedError: if who ordered it may not do it any more: what was decided by then stays.
    """
    with db.reading() as session:
        run = run_of(session, run_id, actor_id=actor_id or 0)
    if run.action is BulkAction.SEND_CREDITS:
        send_chosen(surroundings, progress, run_id)
        return Outcome(DONE, {"rows": run.rows_total, "refused": 0})
    standing = db.decide(take_slice, run_id)
    while standing.rows_done < standing.rows_total:
        progress(standing.rows_done, standing.rows_total)
        standing = db.decide(take_slice, run_id)
    progress(standing.rows_total, standing.rows_total)
    return Outcome(DONE, {"rows": standing.rows_total, "refused": standing.rows_refused})
