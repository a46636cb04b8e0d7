"""Write-offs: proposed by finance, approved by two supervisors."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import _
from supervise.settlement import lists
from supervise.settlement.models import WriteOff, WriteOffState
from supervise.settlement.write_offs import approve_write_off, propose_write_off, reject_write_off
from supervise.views.settlements.blueprint import bp
from supervise.views.settlements.forms import WriteOffForm
from supervise.views.settlements.named import penalty_id_of


@bp.get("/write-offs")
@require(Permission.READ_LEDGER)
def write_offs() -> ResponseReturnValue:
    """List the write-offs, the newest first."""
    return _page(WriteOffForm(formdata=None, data={"penalty": request.args.get("penalty", "")}))


@bp.get("/write-offs/<int:write_off_id>")
@require(Permission.READ_LEDGER)
def write_off(write_off_id: int) -> ResponseReturnValue:
    """Show one write-off, to be decided."""
    return _page(WriteOffForm(formdata=None), write_off_id)


def _page(form: WriteOffForm, write_off_id: int | None = None) -> ResponseReturnValue:
    with db.reading() as session:
        rows = lists.write_offs(session, write_off_id)
        if write_off_id is not None and not rows:
            raise NotFoundError
        people = [person for row in rows for person in (row.write_off.proposed_by, row.write_off.first_by)]
        names = display_names(session, [*people, *(row.write_off.decided_by for row in rows)])
    page = render_template("settlements/write_offs.html", rows=rows, names=names, form=form, me=current_user())
    return page, 400 if form.errors else 200


@bp.post("/write-offs")
@require(Permission.SETTLE)
def propose_off() -> ResponseReturnValue:
    """Ask that a penalty be given up, wholly or in part."""
    form = WriteOffForm()
    if not form.validate_on_submit():
        return _page(form)
    with db.reading() as session:
        penalty_id = penalty_id_of(session, form.penalty)
    if penalty_id is None:
        return _page(form)
    db.decide(
        propose_write_off,
        penalty_id,
        amount_fen=form.amount_fen.data,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("Proposed; it takes two supervisors"), "success")
    return redirect(url_for(".write_offs"), code=303)


@bp.post("/write-offs/<int:write_off_id>/decide")
@require(Permission.APPROVE_MONEY)
def decide_off(write_off_id: int) -> ResponseReturnValue:
    """Approve a write-off, as the first or the second supervisor, or refuse it."""
    me, action = current_user(), request.form.get("action")
    with db.reading() as session:
        if session.get(WriteOff, write_off_id) is None:
            raise NotFoundError
    if action == "approve":
        done = db.decide(approve_write_off, write_off_id, actor_id=me.id)
        first = done.state is WriteOffState.ENDORSED
        flash(_("Approved; a second supervisor approves it too") if first else _("Approved and written off"), "success")
    elif action == "reject":
        db.decide(reject_write_off, write_off_id, request.form.get("reason", ""), actor_id=me.id)
        flash(_("Refused; the penalty stays owed"), "success")
    else:
        raise InvalidInputError
    return redirect(url_for(".write_offs"), code=303)
