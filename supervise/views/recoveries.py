"""Recoveries: what parties give back of paid credits; proposed, approved by a second person, taken back."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import InvalidInputError, RowResult
from supervise.labels import _, ngettext
from supervise.penalties.recoveries import approve_recoveries, propose_recoveries, void_recovery
from supervise.penalties.recovery_models import RecoveryState
from supervise.penalties.recovery_queries import due_recoveries, recoveries_newest_first, recovery_totals
from supervise.views.registers import scope_of

bp = Blueprint("recoveries", __name__, url_prefix="/recoveries")

_NOTE_MAX = 500


@bp.get("/")
@require(Permission.READ_LEDGER)
def index() -> ResponseReturnValue:
    """List what can be recovered, what waits for approval, and what was recovered."""
    before = request.args.get("before", 0, type=int)
    with db.reading() as session:
        scope = scope_of(session)
        due = due_recoveries(session)
        waiting = recoveries_newest_first(session, scope, state=RecoveryState.PROPOSED)
        lines = recoveries_newest_first(session, scope, before=before)
        totals = recovery_totals(session) if scope.sees_everything else None
        people = display_names(
            session, [id_ for line in lines for id_ in (line.recovery.maker_id, line.recovery.approver_id)]
        )
    return render_template(
        "recoveries/index.html",
        totals=totals,
        due=due,
        waiting=waiting,
        decided=[line for line in lines if line.recovery.state is not RecoveryState.PROPOSED],
        last_id=lines[-1].recovery.id if lines else 0,
        people=people,
        me=current_user(),
        may_propose=current_user().can(Permission.TRIAGE),
        may_approve=current_user().can(Permission.APPROVE_MONEY),
    )


@bp.post("/propose")
@require(Permission.TRIAGE)
def propose() -> ResponseReturnValue:
    """Propose the recoveries of the chosen incidents."""
    results = db.decide(propose_recoveries, _picked(), actor_id=current_user().id)
    _tell(results, ngettext("%(n)d recovery proposed", "%(n)d recoveries proposed", _passed(results)))
    return redirect(url_for(".index"), code=303)


@bp.post("/approve")
@require(Permission.APPROVE_MONEY)
def approve() -> ResponseReturnValue:
    """Approve the chosen recoveries as they were shown, and post them."""
    shown = [(recovery_id, request.form.get(f"shown-{recovery_id}", "")) for recovery_id in _picked()]
    results = db.decide(approve_recoveries, shown, actor_id=current_user().id)
    _tell(
        results,
        ngettext("%(n)d recovery approved and posted", "%(n)d recoveries approved and posted", _passed(results)),
    )
    return redirect(url_for(".index"), code=303)


@bp.post("/<int:recovery_id>/void")
@require(Permission.APPROVE_MONEY)
def void(recovery_id: int) -> ResponseReturnValue:
    """Take a recovery back, with a reason."""
    reason = request.form.get("reason", "")[:_NOTE_MAX]
    db.decide(void_recovery, recovery_id, reason, actor_id=current_user().id)
    flash(_("The recovery is taken back"), "success")
    return redirect(url_for(".index"), code=303)


def _picked() -> list[int]:
    picked = request.form.getlist("picked", type=int)
    if not picked:
        raise InvalidInputError(_("Choose at least one row"))
    return picked


def _passed(results: list[RowResult]) -> int:
    return sum(result.refusal is None for result in results)


def _tell(results: list[RowResult], passed: str) -> None:
    if _passed(results):
        flash(passed, "success")
    for words in sorted({str(result.refusal) for result in results if result.refusal is not None}):
        flash(words, "danger")
