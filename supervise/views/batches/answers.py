"""What billing said of some lines, entered by hand."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation.batches import LineOutcome, mark_lines
from supervise.compensation.queries import batch_by_id
from supervise.errors import InvalidInputError
from supervise.labels import N_, ngettext
from supervise.views.batches.blueprint import bp
from supervise.views.picked import picked_ids

_CODE_MAX = 60


@bp.post("/<int:batch_id>/lines")
@require(Permission.IMPORT_RETURNS)
def mark(batch_id: int) -> ResponseReturnValue:
    """Mark the chosen lines as accepted, or as rejected with billing's code; all of them or none."""
    with db.reading() as session:
        batch_by_id(session, batch_id)
    code = _failure_code()
    outcomes = [LineOutcome(line_id, code) for line_id in picked_ids()]
    db.decide(mark_lines, batch_id, outcomes, actor_id=current_user().id)
    if code is None:
        words = ngettext("%(n)d line marked as credited", "%(n)d lines marked as credited", len(outcomes))
    else:
        words = ngettext(
            "%(n)d line marked as rejected; its credit can be sent again",
            "%(n)d lines marked as rejected; their credits can be sent again",
            len(outcomes),
        )
    flash(words, "success")
    return redirect(url_for(".detail", batch_id=batch_id), code=303)


def _failure_code() -> str | None:
    """Return None for an accepted line, billing's code for a rejected one."""
    action = request.form.get("action")
    if action == "accepted":
        return None
    if action != "rejected":
        raise InvalidInputError
    code = request.form.get("failure_code", "").strip()
    if not code:
        raise InvalidInputError(N_("A rejected line needs billing's failure code"))
    if len(code) > _CODE_MAX:
        raise InvalidInputError(N_("A failure code has at most %(most)d characters"), most=_CODE_MAX)
    return code
