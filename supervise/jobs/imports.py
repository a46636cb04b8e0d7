"""Reading an uploaded file and taking it over, of whatever kind; in a request when it is small, else as a job."""

from pathlib import Path

from sqlalchemy.orm import Session

from supervise import db
from supervise.cipher import Keyring
from supervise.compensation.returns import stage_returns, take_over_returns
from supervise.complaints.preview import ROWS_IN_REQUEST, TooManyForRequestError, preview_batch
from supervise.complaints.subscriber_file import SubscriberFile
from supervise.contracts.contract_file import ContractFile
from supervise.contracts.plan_file import PlanFile
from supervise.donotcall.intake import commit_batch
from supervise.donotcall.permission_file import PermissionFile
from supervise.errors import NotFoundError
from supervise.files.models import BatchState, ImportBatch, ImportKind, Upload
from supervise.files.refusals import FileRefusedError
from supervise.files.staging import refuse_batch
from supervise.files.uploads import plain_file, uploads_folder
from supervise.jobs.models import Job
from supervise.jobs.records import Progress, create_job
from supervise.jobs.surroundings import Surroundings
from supervise.parties.imports.steps import (
    REGISTER_FILES,
    Files,
    prepare_register_file,
    read_register_file,
    stage_register_file,
    take_over_register_file,
)
from supervise.penalties.figure_file import FigureFile
from supervise.settlement.commission_file import CommissionFile

#: A register file of more bytes is read by the worker: some 5,000 rows, as many as a request reads of complaints.
REGISTER_BYTES_IN_REQUEST = 256 * 1024

PREVIEW = "imports.preview"
TAKE_OVER = "imports.take_over"


def preview_now(surroundings: Surroundings, batch_id: int, *, actor_id: int) -> int | None:
    """Read the file of a batch now; a large one becomes a job, whose id is returned for the caller to wake.

    A file that is refused ends the batch with its sentence; the batch page shows it.
    """
    try:
        _preview(surroundings, _tell_nobody, batch_id, rows_max=ROWS_IN_REQUEST)
    except TooManyForRequestError:
        return db.decide(_make_job, PREVIEW, batch_id, actor_id=actor_id)
    return None


def take_over_now(surroundings: Surroundings, batch_id: int, *, actor_id: int) -> int | None:
    """Take over a previewed batch now; a large one becomes a job, whose id is returned for the caller to wake."""
    with db.reading() as session:
        rows = _batch(session, batch_id).rows_total
    if rows > ROWS_IN_REQUEST:
        return db.decide(_make_job, TAKE_OVER, batch_id, actor_id=actor_id)
    take_over_import(surroundings, _tell_nobody, actor_id, batch_id=batch_id)
    return None


def preview_import(surroundings: Surroundings, progress: Progress, actor_id: int | None, *, batch_id: int) -> None:
    """Read the file of a batch to its end; the kind of job ``imports.preview``."""
    del actor_id  # reading decides nothing
    _preview(surroundings, progress, batch_id, rows_max=None)


def take_over_import(surroundings: Surroundings, progress: Progress, actor_id: int | None, *, batch_id: int) -> None:
    """Take over a previewed batch, all of it or nothing; the kind of job ``imports.take_over``.

    Raises:
        NotFoundError: if there is no such batch, or nobody asked for it.
        BatchStateError: if it was taken over or discarded before.
    """
    if actor_id is None:
        raise NotFoundError
    with db.reading() as session:
        batch = _batch(session, batch_id)
        kind = batch.kind
    if batch.state is BatchState.COMMITTED and batch.committed_by == actor_id:
        # A worker that was killed between its commit and the end of its job comes here again: it is done.
        return
    if kind is ImportKind.COMPLAINTS:
        db.decide(commit_batch, surroundings.keyring, batch_id, actor_id=actor_id, progress=progress)
    elif kind in (files := _register_files(surroundings.keyring)):
        with db.reading() as session:
            prepared = prepare_register_file(session, batch_id, surroundings.keyring, files)
        db.decide(take_over_register_file, batch_id, prepared, actor_id=actor_id, files=files)
    else:
        db.decide(take_over_returns, batch_id, surroundings.keyring, actor_id=actor_id)


def _preview(surroundings: Surroundings, progress: Progress, batch_id: int, *, rows_max: int | None) -> None:
    folder = uploads_folder(surroundings.instance)
    with db.reading() as session:
        batch = _batch(session, batch_id)
        kind, upload = batch.kind, session.get_one(Upload, batch.upload_id)
    try:
        if kind is ImportKind.COMPLAINTS:
            db.decide(preview_batch, surroundings.keyring, folder, batch_id, progress=progress, rows_max=rows_max)
        elif kind in _register_files(surroundings.keyring):
            if rows_max is not None and upload.size_bytes > REGISTER_BYTES_IN_REQUEST:
                raise TooManyForRequestError
            _preview_register(surroundings.keyring, folder, batch_id, kind, upload)
        else:
            with plain_file(upload, folder, surroundings.keyring) as file:
                db.decide(stage_returns, batch_id, file, surroundings.keyring)
    except FileRefusedError as error:
        # After the rollback, in a transaction of its own: the batch's page says why.
        db.decide(refuse_batch, batch_id, error)


def _preview_register(keyring: Keyring, folder: Path, batch_id: int, kind: ImportKind, upload: Upload) -> None:
    files = _register_files(keyring)
    with plain_file(upload, folder, keyring) as file:
        read = read_register_file(kind, file, files)
    db.decide(stage_register_file, batch_id, read, keyring, files)


def _register_files(keyring: Keyring) -> Files:
    """Return every kind of register file; subscribers' numbers are compared by an index that needs the keys."""
    return {
        **REGISTER_FILES,
        ImportKind.SUBSCRIBERS: SubscriberFile(keyring),
        ImportKind.PERMISSIONS: PermissionFile(keyring),
        ImportKind.CONTRACTS: ContractFile(),
        ImportKind.PLANS: PlanFile(),
        ImportKind.MONTH_FIGURES: FigureFile(),
        ImportKind.COMMISSIONS: CommissionFile(),
    }


def _make_job(session: Session, kind: str, batch_id: int, *, actor_id: int) -> int:
    batch = _batch(session, batch_id)
    job: Job = create_job(session, kind, {"batch_id": batch_id}, actor_id=actor_id, steps_total=batch.rows_total)
    batch.job_id = job.id
    return job.id


def _batch(session: Session, batch_id: int) -> ImportBatch:
    batch = session.get(ImportBatch, batch_id)
    if batch is None:
        raise NotFoundError
    return batch


def _tell_nobody(_steps_done: int, _steps_total: int) -> None:
    """A request shows no progress."""
