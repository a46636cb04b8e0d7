"""What follows of lifted penalties: one click each."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.errors import InvalidInputError
from supervise.labels import _
from supervise.penalties.adjust import (
    adjustment_by_id,
    adjustments_to_decide,
    dismiss_adjustment,
    take_adjustment,
)
from supervise.penalties.adjustment_models import AdjustmentKind
from supervise.penalties.belonging import ChargedUnits
from supervise.views.approvals.blueprint import bp
from supervise.views.approvals.lists import waiting_for
from supervise.views.filters import named

_NOTE_MAX = 500


@bp.get("/adjustments")
@require(Permission.APPROVE_MONEY)
def adjustments() -> ResponseReturnValue:
    """Show what would be different now that a penalty was lifted."""
    me = current_user()
    with db.reading() as session:
        rows = adjustments_to_decide(session)
        charged = ChargedUnits(session, me.id)
        own = {row.penalty.id for row in rows if charged.include(row.penalty)}
        names = {code: named(row) for code, row in offence_types(session).items()}
        waiting = waiting_for(session, me)
    return render_template("approvals/adjustments.html", rows=rows, own=own, names=names, waiting=waiting, me=me)


@bp.post("/adjustments/<int:adjustment_id>")
@require(Permission.APPROVE_MONEY)
def decide_adjustment(adjustment_id: int) -> ResponseReturnValue:
    """Take a proposal up, or dismiss it with a reason."""
    action = request.form.get("action")
    with db.reading() as session:
        kind = adjustment_by_id(session, adjustment_id).kind
    if action == "take":
        db.decide(take_adjustment, adjustment_id, actor_id=current_user().id)
        is_less = kind is AdjustmentKind.TIER
        flash(_("Taken off and posted") if is_less else _("Proposed anew; a second person approves it"), "success")
    elif action == "dismiss":
        note = request.form.get("note", "")[:_NOTE_MAX]
        db.decide(dismiss_adjustment, adjustment_id, note, actor_id=current_user().id)
        flash(_("Dismissed; the penalty stays as it is"), "success")
    else:
        raise InvalidInputError
    return redirect(url_for(".adjustments"), code=303)
