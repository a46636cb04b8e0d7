"""Reopening a closed month: finance asks and may take it back, a second person confirms or refuses."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import InvalidInputError
from supervise.labels import _
from supervise.ledger.periods import newest_closed_month, period_of
from supervise.ledger.reopen import (
    ask_reopening,
    confirm_reopening,
    refuse_reopening,
    reopening_by_id,
    reopenings_of,
    withdraw_reopening,
)
from supervise.views.background import surroundings
from supervise.views.ledger.anchoring import anchor_newest_seal
from supervise.views.ledger.blueprint import bp
from supervise.views.ledger.forms import ReopeningForm, WithdrawReopeningForm

_REASON_MAX = 500


@bp.get("/periods/<month>/reopening")
@require(Permission.READ_LEDGER)
def reopening(month: str) -> ResponseReturnValue:
    """Show who asked to reopen a month and what became of it; finance can ask."""
    return _page(month)


@bp.post("/periods/<month>/reopening")
@require(Permission.CLOSE_PERIODS)
def ask_to_reopen(month: str) -> ResponseReturnValue:
    """Ask that a closed month take entries again."""
    form = ReopeningForm()
    if not form.validate_on_submit():
        return _page(month, asking=form)
    with db.reading() as session:
        period_of(session, month)
    db.decide(ask_reopening, month, form.reason.data, actor_id=current_user().id)
    flash(_("Asked; a second person confirms or refuses it"), "success")
    return redirect(url_for(".reopening", month=month), code=303)


@bp.post("/reopenings/<int:reopening_id>/withdraw")
@require(Permission.CLOSE_PERIODS)
def withdraw_reopening_request(reopening_id: int) -> ResponseReturnValue:
    """Take an own request back while it waits."""
    with db.reading() as session:
        month = reopening_by_id(session, reopening_id).month
    form = WithdrawReopeningForm()
    if not form.validate_on_submit():
        return _page(month, withdrawing=form)
    db.decide(withdraw_reopening, reopening_id, form.reason.data, actor_id=current_user().id)
    flash(_("The request is withdrawn; %(month)s stays closed", month=month), "success")
    return redirect(url_for(".reopening", month=month), code=303)


def _page(
    month: str, *, asking: ReopeningForm | None = None, withdrawing: WithdrawReopeningForm | None = None
) -> ResponseReturnValue:
    """Show the requests; a form that was filled in stays with its errors."""
    with db.reading() as session:
        period = period_of(session, month)
        rows = reopenings_of(session, month)
        newest_closed = newest_closed_month(session)
        names = display_names(session, [person for row in rows for person in (row.asked_by, row.decided_by)])
    page = render_template(
        "ledger/reopening.html",
        asking=asking or ReopeningForm(formdata=None),
        withdrawing=withdrawing or WithdrawReopeningForm(formdata=None),
        period=period,
        rows=rows,
        newest_closed=newest_closed,
        names=names,
        me=current_user(),
    )
    return page, 400 if asking or withdrawing else 200


@bp.post("/reopenings/<int:reopening_id>")
@require(Permission.CONFIRM_REOPENINGS)
def decide_reopening(reopening_id: int) -> ResponseReturnValue:
    """Reopen the month as the second person, or leave it closed."""
    with db.reading() as session:
        month = reopening_by_id(session, reopening_id).month
    action, me = request.form.get("action"), current_user().id
    if action == "confirm":
        db.decide(confirm_reopening, reopening_id, actor_id=me, keyring=surroundings().keyring)
        anchor_newest_seal()
        flash(_("%(month)s is open again", month=month), "success")
    elif action == "refuse":
        reason = request.form.get("reason", "")[:_REASON_MAX]
        db.decide(refuse_reopening, reopening_id, reason, actor_id=me)
        flash(_("Refused; %(month)s stays closed", month=month), "success")
    else:
        raise InvalidInputError
    return redirect(url_for(".months"), code=303)
