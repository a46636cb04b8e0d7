"""Voiding a batch: finance asks; a supervisor decides among the approvals."""

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation import voids
from supervise.compensation.queries import batch_by_id
from supervise.labels import _
from supervise.views.batches.blueprint import bp
from supervise.views.batches.forms import VoidForm
from supervise.views.batches.pages import batch_page


@bp.post("/<int:batch_id>/void")
@require(Permission.PROPOSE_REVERSALS)
def propose_void(batch_id: int) -> ResponseReturnValue:
    """Ask that the batch be voided; nothing changes before a second person confirms."""
    with db.reading() as session:
        batch_by_id(session, batch_id)
    form = VoidForm()
    if not form.validate_on_submit():
        return batch_page(batch_id, {"void": form})
    db.decide(voids.propose_void, batch_id, form.reason.data.strip(), actor_id=current_user().id)
    flash(_("Proposed; a supervisor confirms or refuses it"), "success")
    return redirect(url_for(".detail", batch_id=batch_id), code=303)


@bp.post("/<int:batch_id>/void/withdrawal")
@require(Permission.PROPOSE_REVERSALS)
def withdraw_void(batch_id: int) -> ResponseReturnValue:
    """Take the wish back."""
    with db.reading() as session:
        batch_by_id(session, batch_id)
    db.decide(voids.withdraw_void, batch_id, actor_id=current_user().id)
    flash(_("Withdrawn; the batch stays as it is"), "success")
    return redirect(url_for(".detail", batch_id=batch_id), code=303)
