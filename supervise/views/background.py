"""Background work as a browser sees it: waking the worker, and how far a job has come."""

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import signed_in
from supervise.errors import NotFoundError
from supervise.jobs.models import Job, JobState
from supervise.jobs.queue import JobQueue
from supervise.jobs.records import job_by_id
from supervise.jobs.surroundings import Surroundings
from supervise.labels import translate

bp = Blueprint("jobs", __name__, url_prefix="/jobs")

_ENDED = (JobState.DONE, JobState.FAILED)


def surroundings() -> Surroundings:
    """Return what work needs of the configuration, for what a request does itself."""
    settings = current_app.extensions["supervise.settings"]
    return Surroundings(settings.instance, settings.keyring, settings.anchor_file)


def wake(job_id: int | None) -> None:
    """Call the worker to a job that was committed; None: there was nothing left to do."""
    if job_id is not None:
        queue: JobQueue = current_app.extensions["supervise.jobs"]
        queue.wake(job_id)


def words_of(job: Job) -> str:
    """Return what to say of *job*: its message if it has one, else its state."""
    return translate(job.message, job.message_parameters or {}) if job.message else job.state.label


@bp.get("/<int:job_id>")
@signed_in
def status(job_id: int) -> ResponseReturnValue:
    """Say how far one's own job has come; the page polls this."""
    with db.reading() as session:
        job = job_by_id(session, job_id)
        if job.created_by != current_user().id:
            raise NotFoundError
    return jsonify(done=job.steps_done, total=job.steps_total, message=words_of(job), finished=job.state in _ENDED)
