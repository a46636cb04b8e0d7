"""Taking over files of records in the background, and clearing away what killed imports left."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import db
from supervise.errors import NotFoundError
from supervise.evidence.importing import STEPS, run_import
from supervise.evidence.models import RecordImport
from supervise.evidence.sweeping import refuse_broken_imports, sweep_records
from supervise.files.models import Upload
from supervise.files.uploads import plain_file, uploads_folder
from supervise.jobs.models import Job
from supervise.jobs.records import UNFINISHED, Outcome, Progress, create_job
from supervise.jobs.surroundings import Surroundings
from supervise.labels import N_

IMPORT = "evidence.import"
TAKEN_OVER = N_("%(new)s records taken over, %(known)s known already, %(refused)s rows refused")


def queue_import(session: Session, import_id: int, *, actor_id: int) -> int:
    """Write down that an opened import of an upload is to be read; return the job, to be woken after the commit.

    Raises:
        NotFoundError: if there is no such import, or its file was not uploaded.
    """
    batch = session.get(RecordImport, import_id)
    if batch is None or batch.upload_id is None:
        raise NotFoundError
    batch.job_id = create_job(session, IMPORT, {"import_id": import_id}, actor_id=actor_id, steps_total=STEPS).id
    return batch.job_id


def import_records(surroundings: Surroundings, progress: Progress, _actor_id: int | None, *, import_id: int) -> Outcome:
    """Take over the uploaded file of an import, all of it or nothing; the kind of job ``evidence.import``.

    A worker that was killed before its commit begins again; one killed after it finds the import committed.

    Raises:
        RefusalError: a subclass with the reason, which stands in the import's row as well.
    """
    with db.reading() as session:
        batch = session.get(RecordImport, import_id)
        upload = None if batch is None or batch.upload_id is None else session.get(Upload, batch.upload_id)
    if upload is None:
        raise NotFoundError
    with plain_file(upload, uploads_folder(surroundings.instance), surroundings.keyring) as file:
        run_import(surroundings.keyring, import_id, file, progress)
    with db.reading() as session:
        done = session.get_one(RecordImport, import_id)
    counts = {"new": done.rows_new, "known": done.rows_known, "refused": done.rows_refused}
    return Outcome(TAKEN_OVER, counts)


def clear_away_imports(_surroundings: Surroundings) -> None:
    """Refuse imports that broke off for good, and delete the files that no line of the manifest names."""
    db.decide(_refuse_broken)
    with db.reading() as session:
        sweep_records(session)


def _refuse_broken(session: Session) -> None:
    refuse_broken_imports(session, set(session.scalars(select(Job.id).where(Job.state.in_(UNFINISHED)))))
