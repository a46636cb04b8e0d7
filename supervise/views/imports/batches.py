"""The pages of one import: what came in, what each row will become, and the two decisions about it."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import SCOPED_ROLES
from supervise.audit.record import record_event
from supervise.complaints.profiles import profile_by_id
from supervise.errors import ConflictError
from supervise.files.error_file import error_file
from supervise.files.models import BatchState, ImportBatch, ImportKind, RowVerdict, Upload
from supervise.files.staging import discard_batch, staged_rows
from supervise.files.uploads import uploads_with_hash
from supervise.jobs.imports import take_over_now
from supervise.jobs.models import Job, JobState
from supervise.labels import _
from supervise.views.addresses import address_with
from supervise.views.background import surroundings, wake, words_of
from supervise.views.downloads import send_lines
from supervise.views.imports.blueprint import bp
from supervise.views.imports.kinds import IMPORTERS, allowed_kinds, batch_in_scope, headings_of, mapping_of_batch
from supervise.views.imports.shown import shown
from supervise.views.settings import current_keyring

_PAGE = 50
_WAITING = (JobState.QUEUED, JobState.RUNNING)


@bp.get("/")
@require(*IMPORTERS)
def index() -> ResponseReturnValue:
    """List the imports, the newest first; a clerk's own."""
    me = current_user()
    kinds = allowed_kinds()
    with db.reading() as session:
        query = (
            select(ImportBatch, Upload.file_name)
            .join(Upload, Upload.id == ImportBatch.upload_id)
            .where(ImportBatch.kind.in_(kinds))
            .order_by(ImportBatch.id.desc())
            .limit(_PAGE + 1)
        )
        if me.role in SCOPED_ROLES:
            query = query.where(ImportBatch.created_by == me.id)
        before = request.args.get("before", "")
        if before.isdecimal():
            query = query.where(ImportBatch.id < int(before[:18]))
        rows = session.execute(query).all()
        names = display_names(session, [row.ImportBatch.created_by for row in rows])
    more, rows = len(rows) > _PAGE, rows[:_PAGE]
    next_url = address_with(before=rows[-1].ImportBatch.id) if more else None
    return render_template("imports/index.html", rows=rows, names=names, kinds=kinds, next_url=next_url)


@bp.get("/<int:batch_id>")
@require(*IMPORTERS)
def detail(batch_id: int) -> ResponseReturnValue:
    """Show an import: counts, file, and its rows with the verdict and the reason."""
    verdict = _chosen_verdict()
    after = request.args.get("after", "")
    with db.reading() as session:
        batch = batch_in_scope(session, batch_id)
        facts = _facts(session, batch)
        stored = list(
            staged_rows(
                session,
                batch_id,
                current_keyring(),
                verdicts=[verdict] if verdict else tuple(RowVerdict),
                after_row=int(after) if after.isdecimal() and len(after) < 10 else 0,  # noqa: PLR2004 - a row number
                limit=_PAGE + 1,
            )
        )
    rows = [shown(row, batch.kind, facts["headings"]) for row in stored[:_PAGE]]
    next_url = address_with(after=rows[-1].row_number) if len(stored) > _PAGE else None
    return render_template(
        "imports/detail.html",
        batch=batch,
        rows=rows,
        verdict=verdict,
        verdicts=_counts(batch),
        next_url=next_url,
        **facts,
    )


def _facts(session: Session, batch: ImportBatch) -> dict[str, Any]:
    upload = session.get_one(Upload, batch.upload_id)
    same = [other.id for other in uploads_with_hash(session, upload.sha256) if other.id != upload.id]
    earlier = session.scalar(
        select(func.max(ImportBatch.id)).where(
            ImportBatch.upload_id.in_(same), ImportBatch.state == BatchState.COMMITTED, ImportBatch.id < batch.id
        )
    )
    job = session.get(Job, batch.job_id) if batch.job_id is not None else None
    is_busy = job is not None and job.state in _WAITING
    return {
        "upload": upload,
        "earlier_id": earlier,
        "profile": profile_by_id(session, batch.profile_id) if batch.profile_id is not None else None,
        "names": display_names(session, [batch.created_by, batch.committed_by or batch.created_by]),
        "headings": headings_of(mapping_of_batch(session, batch), batch.header),
        "job": job if is_busy else None,
        "job_words": words_of(job) if job is not None else "",
        "job_failed": job is not None and job.state is JobState.FAILED,
        "needs_mapping": batch.kind is ImportKind.COMPLAINTS
        and batch.profile_id is None
        and batch.state is BatchState.UPLOADED,
        "may_take_over": batch.state is BatchState.PREVIEWED and not is_busy,
        "may_discard": batch.state in {BatchState.UPLOADED, BatchState.PREVIEWED} and not is_busy,
    }


def _counts(batch: ImportBatch) -> list[tuple[RowVerdict, int]]:
    return [(verdict, getattr(batch, f"rows_{verdict.value}")) for verdict in RowVerdict]


def _chosen_verdict() -> RowVerdict | None:
    text = request.args.get("verdict", "")
    return RowVerdict(text) if text in {verdict.value for verdict in RowVerdict} else None


@bp.post("/<int:batch_id>/take-over")
@require(*IMPORTERS)
def take_over(batch_id: int) -> ResponseReturnValue:
    """Take a previewed import over, all of it or nothing; a large one in the background."""
    with db.reading() as session:
        batch = batch_in_scope(session, batch_id)
        job = session.get(Job, batch.job_id) if batch.job_id is not None else None
    if job is not None and job.state in _WAITING:
        raise ConflictError
    job_id = take_over_now(surroundings(), batch_id, actor_id=current_user().id)
    wake(job_id)
    if job_id is None:
        flash(_("The file is taken over"), "success")
    return redirect(url_for(".detail", batch_id=batch_id), code=303)


@bp.post("/<int:batch_id>/discard")
@require(*IMPORTERS)
def discard(batch_id: int) -> ResponseReturnValue:
    """Give an import up; nothing was written yet."""
    with db.reading() as session:
        batch_in_scope(session, batch_id)
    db.decide(_discard, batch_id, actor_id=current_user().id)
    flash(_("The import is discarded; nothing was taken over"), "success")
    return redirect(url_for(".index"), code=303)


def _discard(session: Session, batch_id: int, *, actor_id: int) -> None:
    discard_batch(session, batch_id)
    record_event(session, actor_id=actor_id, action="import.discarded", subject="import_batch", subject_id=batch_id)


@bp.get("/<int:batch_id>/errors.csv")
@require(*IMPORTERS)
def errors(batch_id: int) -> ResponseReturnValue:
    """Give the rows that cannot be taken over, with the reason, to be mended and sent again."""
    with db.reading() as session:
        batch = batch_in_scope(session, batch_id)
        headings = headings_of(mapping_of_batch(session, batch), batch.header)
    keyring = current_keyring()
    return send_lines(f"import-{batch_id}-errors.csv", lambda session: error_file(session, batch_id, keyring, headings))
