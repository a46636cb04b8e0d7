"""The proofs: computing the whole book again, and handing it to software that is not ours."""

from collections.abc import Iterator

from flask import current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.audit.record import record_event
from supervise.errors import NotFoundError
from supervise.jobs.checking import VERIFY, discrepancies_of, last_verification, start_verification
from supervise.jobs.models import Job, JobState
from supervise.jobs.queue import JobQueue
from supervise.jobs.records import job_by_id
from supervise.ledger.beancount import beancount_lines
from supervise.ledger.statements import BookSize, book_size
from supervise.views.background import wake, words_of
from supervise.views.downloads import send_lines
from supervise.views.ledger.blueprint import bp

#: So many entries are verified while the browser waits; more are a job for the worker.
_ENTRIES_IN_REQUEST = 20_000


@bp.get("/verification")
@require(Permission.CLOSE_PERIODS, Permission.READ_AUDIT)
def verification() -> ResponseReturnValue:
    """Say what verifying does, how much there is to verify, and what was found the last time."""
    with db.reading() as session:
        size, last = book_size(session), last_verification(session)
    return _page(size, last)


@bp.post("/verification")
@require(Permission.CLOSE_PERIODS, Permission.READ_AUDIT)
def verify() -> ResponseReturnValue:
    """Compute the whole ledger again."""
    with db.reading() as session:
        size = book_size(session)
    job_id = db.decide(start_verification, actor_id=current_user().id)
    if size.entries > _ENTRIES_IN_REQUEST:
        wake(job_id)
    else:
        queue: JobQueue = current_app.extensions["supervise.jobs"]
        queue.run(job_id)
    return redirect(url_for(".verified", job_id=job_id), code=303)


@bp.get("/verification/<int:job_id>")
@require(Permission.CLOSE_PERIODS, Permission.READ_AUDIT)
def verified(job_id: int) -> ResponseReturnValue:
    """Show what a verification of one's own found, or how far it is."""
    with db.reading() as session:
        job = job_by_id(session, job_id)
        if job.created_by != current_user().id or job.kind != VERIFY:
            raise NotFoundError
        size = book_size(session)
    return _page(size, job)


def _page(size: BookSize, job: Job | None) -> ResponseReturnValue:
    return render_template(
        "ledger/verification.html",
        size=size,
        job=job,
        job_words=words_of(job) if job else "",
        is_running=job is not None and job.state in {JobState.QUEUED, JobState.RUNNING},
        found=(job.message_parameters or {}) if job else {},
        cases=discrepancies_of(job) if job else [],
    )


@bp.post("/book.beancount")
@require(Permission.CLOSE_PERIODS, Permission.READ_AUDIT)
def beancount() -> ResponseReturnValue:
    """Hand the whole book over as Beancount text; that it was taken is recorded."""
    db.decide(_record_taken, actor_id=current_user().id)
    return send_lines(f"ledger-{clock.today()}.beancount", _book, mimetype="text/plain")


def _book(session: Session) -> Iterator[str]:
    for line in beancount_lines(session):
        yield f"{line}\n"


def _record_taken(session: Session, *, actor_id: int) -> None:
    record_event(session, actor_id=actor_id, action="ledger.exported", subject="ledger", subject_id=None, changes={})
