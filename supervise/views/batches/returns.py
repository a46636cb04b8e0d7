"""Billing's return file: uploaded, looked at, taken over or discarded."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.compensation.models import CreditBatch
from supervise.compensation.queries import batch_by_id
from supervise.compensation.returns import RETURN_COLUMNS, return_import
from supervise.files.error_file import error_file
from supervise.files.models import BatchState, ImportBatch, ImportKind, RowVerdict, Upload
from supervise.files.staging import BatchStateError, discard_batch, open_batch, staged_rows
from supervise.files.uploads import StoredFile, record_upload, store_file, uploads_folder
from supervise.jobs.imports import preview_now, take_over_now
from supervise.jobs.models import JobState
from supervise.jobs.records import job_by_id
from supervise.labels import _, ngettext
from supervise.views.background import surroundings, wake, words_of
from supervise.views.batches.blueprint import bp
from supervise.views.batches.forms import ReturnFileForm
from supervise.views.batches.pages import batch_page
from supervise.views.downloads import send_lines
from supervise.views.settings import current_keyring

_ROWS_SHOWN = 100


@bp.post("/<int:batch_id>/returns")
@require(Permission.IMPORT_RETURNS)
def upload(batch_id: int) -> ResponseReturnValue:
    """Read a return file and show what its rows would do; nothing is marked yet."""
    with db.reading() as session:
        batch_by_id(session, batch_id)
    form, me = ReturnFileForm(), current_user()
    if not form.validate_on_submit():
        return batch_page(batch_id, {"file": form})
    around = surroundings()
    stored = store_file(form.file.data.stream, uploads_folder(around.instance), around.keyring)
    import_id = db.decide(_open, stored, form.file.data.filename or "", batch_id, actor_id=me.id)
    wake(preview_now(around, import_id, actor_id=me.id))
    return redirect(url_for(".returned", batch_id=batch_id, import_id=import_id), code=303)


def _open(session: Session, stored: StoredFile, file_name: str, batch_id: int, *, actor_id: int) -> int:
    named = record_upload(session, stored, file_name, actor_id=actor_id)
    options = {"credit_batch_id": batch_id}
    opened = open_batch(
        session, kind=ImportKind.BILLING_RETURNS, upload_id=named.id, actor_id=actor_id, options=options
    )
    return opened.id


@bp.get("/<int:batch_id>/returns/<int:import_id>")
@require(Permission.READ_LEDGER)
def returned(batch_id: int, import_id: int) -> ResponseReturnValue:
    """Show what a return file says: how many lines it answers, and each row that it cannot answer, with the reason."""
    with db.reading() as session:
        batch, one = _load(session, batch_id, import_id)
        errors = list(
            staged_rows(session, import_id, current_keyring(), verdicts=(RowVerdict.ERROR,), limit=_ROWS_SHOWN)
        )
        file = session.get_one(Upload, one.upload_id)
        names = display_names(session, [one.created_by, one.committed_by])
        job = job_by_id(session, one.job_id) if one.job_id else None
    return render_template(
        "batches/returned.html",
        batch=batch,
        one=one,
        file=file,
        errors=errors,
        names=names,
        job=job if job and job.state in {JobState.QUEUED, JobState.RUNNING} else None,
        job_words=words_of(job) if job else "",
        may_take_over=one.state is BatchState.PREVIEWED and current_user().can(Permission.IMPORT_RETURNS),
    )


@bp.post("/<int:batch_id>/returns/<int:import_id>/take-over")
@require(Permission.IMPORT_RETURNS)
def take_over(batch_id: int, import_id: int) -> ResponseReturnValue:
    """Mark every line that the file answers; rows with errors stay in the error file."""
    with db.reading() as session:
        _batch, one = _load(session, batch_id, import_id)
    if one.state is not BatchState.PREVIEWED:
        # The work itself bears being done again; a second click is told.
        raise BatchStateError(state=one.state.label)
    job_id = take_over_now(surroundings(), import_id, actor_id=current_user().id)
    wake(job_id)
    if job_id is None:
        flash(ngettext("%(n)d line marked", "%(n)d lines marked", one.rows_new), "success")
    return redirect(url_for(".returned", batch_id=batch_id, import_id=import_id), code=303)


@bp.post("/<int:batch_id>/returns/<int:import_id>/discard")
@require(Permission.IMPORT_RETURNS)
def discard(batch_id: int, import_id: int) -> ResponseReturnValue:
    """Give the file up; nothing of it was marked."""
    with db.reading() as session:
        _load(session, batch_id, import_id)
    db.decide(discard_batch, import_id)
    flash(_("The return file is discarded; nothing was marked"), "success")
    return redirect(url_for(".detail", batch_id=batch_id), code=303)


@bp.get("/<int:batch_id>/returns/<int:import_id>/errors.csv")
@require(Permission.IMPORT_RETURNS)
def errors(batch_id: int, import_id: int) -> ResponseReturnValue:
    """Give the rows that were not taken over, with the reason, to be mended and sent again."""
    with db.reading() as session:
        batch, _one = _load(session, batch_id, import_id)
    columns, keyring = {field: headings[0] for field, headings in RETURN_COLUMNS.items()}, current_keyring()
    return send_lines(
        f"{batch.number}-errors-{import_id}.csv", lambda session: error_file(session, import_id, keyring, columns)
    )


def _load(session: Session, batch_id: int, import_id: int) -> tuple[CreditBatch, ImportBatch]:
    return batch_by_id(session, batch_id), return_import(session, batch_id, import_id)
