"""The workbook of a batch: at once when it is small, else made in the background for who asked."""

import io

from flask import Response, redirect, send_file, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation.models import CreditBatch, CreditBatchState
from supervise.compensation.queries import batch_by_id
from supervise.errors import ConflictError
from supervise.files.exports import exports_folder, plain_export, workspace
from supervise.jobs import sending
from supervise.labels import N_
from supervise.views.background import surroundings, wake
from supervise.views.batches.blueprint import bp

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class VoidedBatchError(ConflictError):
    """Nothing of a voided batch may reach billing."""

    message = N_("Batch %(number)s is voided: its workbook is not handed out any more")


@bp.post("/<int:batch_id>/workbook")
@require(Permission.EXPORT_CREDITS)
def workbook(batch_id: int) -> ResponseReturnValue:
    """Hand the workbook over, or have a large one made in the background."""
    batch, me = _open_batch(batch_id), current_user()
    if batch.lines_total > sending.LINES_IN_REQUEST:
        job_id = db.decide(sending.start_export, batch_id, actor_id=me.id)
        wake(job_id)
        return redirect(url_for(".detail", batch_id=batch_id, job=job_id), code=303)
    around = surroundings()
    with workspace(exports_folder(around.instance)) as own:
        made = sending.batch_workbook(around, batch_id, own / "workbook.xlsx")
        content = made.path.read_bytes()
    return _sent(batch, content, made.sha256)


@bp.post("/<int:batch_id>/workbook/file")
@require(Permission.EXPORT_CREDITS)
def fetch(batch_id: int) -> ResponseReturnValue:
    """Hand over the workbook that was made in the background for this user."""
    batch, around = _open_batch(batch_id), surroundings()
    name = sending.export_name(batch_id, current_user().id)
    with plain_export(exports_folder(around.instance), name, around.keyring) as made:
        return _sent(batch, made.file.read(), made.sha256)


def _open_batch(batch_id: int) -> CreditBatch:
    with db.reading() as session:
        batch = batch_by_id(session, batch_id)
    if batch.state is CreditBatchState.VOIDED:
        raise VoidedBatchError(number=batch.number)
    return batch


def _sent(batch: CreditBatch, content: bytes, sha256: str) -> Response:
    # Recorded before it leaves: it holds full numbers.
    db.decide(sending.record_export, batch.id, sha256, actor_id=current_user().id)
    response = send_file(io.BytesIO(content), mimetype=_XLSX, as_attachment=True, download_name=f"{batch.number}.xlsx")
    response.headers["X-Content-SHA256"] = sha256
    return response
