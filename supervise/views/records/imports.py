"""Imports of records: the list, what came of each, the rows that were refused, and the upload."""

import csv
import datetime as dt
import io
from collections.abc import Iterator
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import RefusalError
from supervise.evidence import queries
from supervise.evidence.manifest import open_import
from supervise.evidence.models import RecordImportState, RecordKind
from supervise.evidence.record_types import PLATFORM_HEADINGS, RECORD_TYPES
from supervise.files.error_file import neutralised
from supervise.files.refusals import FileRefusedError
from supervise.files.remarks import remark_text, remarks_text
from supervise.files.uploads import StoredFile, record_upload, store_file, uploads_folder
from supervise.jobs.evidence import queue_import
from supervise.jobs.models import Job, JobState
from supervise.labels import _
from supervise.views.addresses import address_with
from supervise.views.background import surroundings, wake, words_of
from supervise.views.downloads import send_lines
from supervise.views.records.blueprint import bp, number_in
from supervise.views.records.forms import RecordUploadForm
from supervise.views.registers import may_write

_BOM = "\ufeff"
_DAY = dt.timedelta(days=1)


@bp.get("/")
@require(Permission.READ_TICKETS)
def index() -> ResponseReturnValue:
    """List the imports, the newest first."""
    name = request.args.get("kind", "")
    kind = RecordKind(name) if name in set(RecordKind) else None
    with db.reading() as session:
        rows = queries.imports_newest_first(session, kind, before=number_in("before"), limit=queries.PAGE + 1)
        more, rows = len(rows) > queries.PAGE, rows[: queries.PAGE]
        names = display_names(session, [row.started_by for row in rows])
    return render_template(
        "records/index.html",
        rows=rows,
        kind=kind,
        kinds=list(RecordKind),
        names=names,
        last_days={row.id: row.covers_to - _DAY for row in rows if row.covers_to is not None},
        next_url=address_with(before=rows[-1].id) if more else None,
        first_url=address_with(before=None) if number_in("before") else None,
        may_write=may_write(),
    )


@bp.get("/imports/<int:import_id>")
@require(Permission.READ_TICKETS)
def detail(import_id: int) -> ResponseReturnValue:
    """Show what came of an import: counts, days, files with their hashes, and the rows that were refused."""
    after_row = number_in("after") or 0
    place = _place_of(request.args.get("part", ""))
    with db.reading() as session:
        batch = queries.import_by_id(session, import_id)
        refused = queries.refused_records(session, import_id, after_row=after_row, limit=queries.PAGE + 1)
        lines = queries.partitions_of(session, import_id, after=place, limit=queries.PAGE + 1)
        facts: dict[str, Any] = {
            "batch": batch,
            "tally": queries.tally_of(session, import_id),
            "platform": queries.source_by_id(session, batch.source_id).code if batch.source_id else None,
            "names": display_names(session, [batch.started_by, *(one.partition.dropped_by for one in lines)]),
        }
        job = session.get(Job, batch.job_id) if batch.job_id is not None else None
    more_lines, lines = len(lines) > queries.PAGE, lines[: queries.PAGE]
    more_refused, refused = len(refused) > queries.PAGE, refused[: queries.PAGE]
    last = lines[-1].partition if more_lines else None
    is_mine = job is not None and job.created_by == current_user().id
    return render_template(
        "records/detail.html",
        **facts,
        lines=lines,
        refused=[(row.row_number, [remark_text((one[0], one[1])) for one in row.remarks]) for row in refused],
        next_lines_url=address_with(part=f"{last.on_day}_{last.id}") if last else None,
        next_refused_url=address_with(after=refused[-1].row_number) if more_refused else None,
        job=job if is_mine and batch.state in _UNDER_WAY else None,
        job_words=words_of(job) if job is not None else "",
        job_failed=job is not None and job.state is JobState.FAILED,
        last_day=batch.covers_to - _DAY if batch.covers_to else None,
        may_write=may_write(),
    )


_UNDER_WAY = (RecordImportState.WAITING, RecordImportState.RUNNING)


def _place_of(text: str) -> tuple[dt.date, int] | None:
    day, _bar, key = text.partition("_")
    if not (key.isascii() and key.isdecimal() and len(key) < 19):  # noqa: PLR2004 - 64 bits
        return None
    try:
        return dt.date.fromisoformat(day), int(key)
    except ValueError:
        return None


@bp.get("/imports/<int:import_id>/refused.csv")
@require(Permission.READ_TICKETS)
def refused_rows(import_id: int) -> ResponseReturnValue:
    """Give the refused rows with their reasons as a file, to be mended at the source."""
    with db.reading() as session:
        queries.import_by_id(session, import_id)
    return send_lines(f"records-{import_id}-refused.csv", lambda session: _refused_lines(session, import_id))


def _refused_lines(session: Session, import_id: int) -> Iterator[str]:
    yield _BOM + _line([_("Row"), _("Reason")])
    for row in queries.every_refused_record(session, import_id):
        words = remarks_text((one[0], one[1]) for one in row.remarks)
        yield _line([str(row.row_number), neutralised(words)])


def _line(cells: list[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return out.getvalue()


@bp.route("/imports/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Upload a file of records; it is read in the background."""
    with db.reading() as session:
        sources = queries.sources_by_code(session)
    form = RecordUploadForm(sources)
    if not form.validate_on_submit():
        return _upload_page(form, has_platforms=bool(sources))
    around, covers = surroundings(), None
    if form.covers_from.data:
        covers = (form.covers_from.data, form.covers_last.data + _DAY)
    try:
        # Outside any transaction: an upload may take minutes.
        stored = store_file(form.file.data.stream, uploads_folder(around.instance), around.keyring)
    except FileRefusedError as error:
        form.file.errors = [str(error)]
        return _upload_page(form, has_platforms=True)
    try:
        import_id, job_id = db.decide(
            _open,
            form.kind.data,
            stored,
            form.file.data.filename or "",
            platform=form.platform.data or None,
            covers=covers,
            corrects=form.corrects.data,
            refused_accepted=form.refused_accepted.data or 0,
            actor_id=current_user().id,
        )
    except RefusalError as error:
        form.platform.errors = [str(error)]
        return _upload_page(form, has_platforms=True)
    wake(job_id)
    return redirect(url_for(".detail", import_id=import_id), code=303)


def _upload_page(form: RecordUploadForm, *, has_platforms: bool) -> ResponseReturnValue:
    page = render_template(
        "records/new.html",
        form=form,
        has_platforms=has_platforms,
        types=RECORD_TYPES.values(),
        platform_heading=PLATFORM_HEADINGS[0],
    )
    return page, 400 if form.errors else 200


def _open(
    session: Session, kind: RecordKind, stored: StoredFile, file_name: str, /, *, actor_id: int, **options: Any
) -> tuple[int, int]:
    upload = record_upload(session, stored, file_name, actor_id=actor_id)
    batch = open_import(
        session,
        kind,
        file_name=file_name,
        size_bytes=stored.size_bytes,
        upload_id=upload.id,
        actor_id=actor_id,
        **options,
    )
    return batch.id, queue_import(session, batch.id, actor_id=actor_id)
