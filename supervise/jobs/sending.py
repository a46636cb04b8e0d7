"""Sending credits to billing: seal, anchor, freeze; and the workbook of a batch. In a request when it is small."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from reports.credit_batch import build_credit_batch_workbook
from reports.workbook import WorkbookFile
from supervise import db
from supervise.audit.record import record_event
from supervise.compensation.batches import freeze_batch
from supervise.compensation.models import CreditBatch
from supervise.compensation.queries import batch_by_id
from supervise.desk.bulk_runs import lock_run, subject_ids
from supervise.desk.models import BulkRun
from supervise.errors import NotFoundError
from supervise.files.exports import exports_folder, is_kept, keep_export
from supervise.jobs.records import Progress, unfinished_or_new
from supervise.jobs.surroundings import Surroundings
from supervise.ledger.seal import newest_anchor, seal_closed_entries
from supervise.sealing import append_anchor

EXPORT = "batches.export"
#: A batch of more lines is frozen, and its workbook made, in the background: these take a request about a second,
#: 20,000 take three to six, and whatever takes over two shows a progress bar (design.md section 7).
LINES_IN_REQUEST = 5_000


def send_to_billing(
    surroundings: Surroundings, credit_ids: Sequence[int], *, locale: str, actor_id: int
) -> CreditBatch:
    """Seal the ledger, write the newest seal outside the database, then freeze the credits into a batch with it.

    Raises:
        InvalidInputError: if no credit is given.
        ConflictError: if one of them is not waiting to be sent any more.
    """
    anchor = _anchored(surroundings)
    return db.decide(freeze_batch, credit_ids, locale=locale, anchor=anchor, actor_id=actor_id)


def send_chosen(surroundings: Surroundings, progress: Progress, run_id: int) -> None:
    """Send the credits of a bulk run to billing, all of them or none; a run that has its batch is left alone.

    Raises:
        ConflictError: if one of them is not waiting to be sent any more.
        NotPermittedError: if who ordered it may not send credits any more.
    """
    anchor = _anchored(surroundings)
    db.decide(_freeze_run, run_id, anchor=anchor, progress=progress)


def _freeze_run(session: Session, run_id: int, *, anchor: str, progress: Progress) -> BulkRun:
    run = lock_run(session, run_id)
    if run.credit_batch_id is not None:
        # A worker that was killed between its commit and the end of its job comes here again: it is done.
        return run
    batch = freeze_batch(
        session,
        subject_ids(session, run_id),
        locale=run.locale,
        anchor=anchor,
        actor_id=run.ordered_by,
        progress=progress,
    )
    run.credit_batch_id = batch.id
    run.rows_done = run.rows_total
    return run


def _anchored(surroundings: Surroundings) -> str:
    """Seal the ledger, write the newest seal outside the database, and return it as it is printed."""
    db.decide(seal_closed_entries, surroundings.keyring)
    with db.reading() as session:
        anchor = newest_anchor(session)
    if anchor is not None:
        append_anchor(surroundings.anchor_file, anchor)
    return str(anchor or "")


def batch_workbook(surroundings: Surroundings, batch_id: int, path: Path) -> WorkbookFile:
    """Write the workbook of a batch to *path*; the same batch gives the same bytes.

    Raises:
        NotFoundError: if there is no such batch.
    """
    with db.reading() as session:
        return build_credit_batch_workbook(session, surroundings.keyring, batch_id, path)


def start_export(session: Session, batch_id: int, *, actor_id: int) -> int:
    """Write down, once, that the workbook of a large batch is to be made for *actor_id*; return the job to wake.

    Raises:
        NotFoundError: if there is no such batch.
    """
    batch = batch_by_id(session, batch_id)
    arguments = {"batch_id": batch_id}
    return unfinished_or_new(session, EXPORT, arguments, actor_id=actor_id, steps_total=batch.lines_total)


def write_export(surroundings: Surroundings, progress: Progress, actor_id: int | None, *, batch_id: int) -> None:
    """Write the workbook of a batch, encrypted, for the user who asked; the kind of job ``batches.export``.

    Raises:
        NotFoundError: if nobody asked, or there is no such batch.
    """
    if actor_id is None:
        raise NotFoundError
    with db.reading() as session:
        lines = batch_by_id(session, batch_id).lines_total

    def write(path: Path) -> None:
        with db.reading() as session:
            build_credit_batch_workbook(
                session, surroundings.keyring, batch_id, path, progress=lambda done: progress(done, lines)
            )

    keep_export(exports_folder(surroundings.instance), export_name(batch_id, actor_id), surroundings.keyring, write)


def export_name(batch_id: int, actor_id: int) -> str:
    """Return under which name the workbook of a batch is kept for the user who asked for it."""
    return f"credit-batch-{batch_id}-{actor_id}"


def has_export(surroundings: Surroundings, batch_id: int, *, actor_id: int) -> bool:
    """Say whether the workbook that *actor_id* asked for can be fetched."""
    return is_kept(exports_folder(surroundings.instance), export_name(batch_id, actor_id))


def record_export(session: Session, batch_id: int, sha256: str, *, actor_id: int) -> None:
    """Write who took the full numbers of a batch away, and the SHA-256 of the very file."""
    record_event(
        session,
        actor_id=actor_id,
        action="batch.exported",
        subject="credit_batch",
        subject_id=batch_id,
        changes={"sha256": sha256},
    )
