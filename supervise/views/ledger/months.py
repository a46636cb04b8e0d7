"""Months of the books: opened, held while finance looks, looked through, closed."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.desk.month_end import checklist, close_month
from supervise.labels import _
from supervise.ledger.periods import (
    newest_closed_month,
    open_period,
    period_of,
    periods,
    soft_close_period,
    take_back_soft_close,
)
from supervise.ledger.reopen import reopenings
from supervise.ledger.statements import entries_by_month
from supervise.views.background import surroundings
from supervise.views.ledger.anchoring import anchor_newest_seal
from supervise.views.ledger.blueprint import bp
from supervise.views.ledger.forms import CloseMonthForm, OpenMonthForm


@bp.get("/periods")
@require(Permission.READ_LEDGER)
def months() -> ResponseReturnValue:
    """List the months of the books, the newest first."""
    return _months(OpenMonthForm(formdata=None))


@bp.post("/periods")
@require(Permission.CLOSE_PERIODS)
def open_month() -> ResponseReturnValue:
    """Open a month for entries."""
    form = OpenMonthForm()
    if not form.validate_on_submit():
        return _months(form)
    db.decide(open_period, form.month.data, actor_id=current_user().id)
    flash(_("%(month)s is open", month=form.month.data), "success")
    return redirect(url_for(".months"), code=303)


def _months(form: OpenMonthForm) -> ResponseReturnValue:
    with db.reading() as session:
        rows = periods(session)
        entries = entries_by_month(session)
        asked, newest_closed = reopenings(session), newest_closed_month(session)
        people = [person for row in rows for person in (row.opened_by, row.closed_by)]
        names = display_names(session, people + [request.asked_by for request in asked])
    page = render_template(
        "ledger/months.html",
        form=form,
        rows=rows,
        entries=entries,
        names=names,
        asked=asked,
        newest_closed=newest_closed,
        this_month=clock.month_of(clock.today()),
        me=current_user(),
    )
    return page, 400 if form.errors else 200


@bp.get("/periods/<month>/close")
@require(Permission.CLOSE_PERIODS)
def closing(month: str) -> ResponseReturnValue:
    """Show the checklist of a month before it is closed."""
    with db.reading() as session:
        period = period_of(session, month)
        points = checklist(session, month)
    return render_template(
        "ledger/closing.html",
        period=period,
        points=points,
        form=CloseMonthForm(formdata=None),
        is_over=clock.today() >= clock.month_bounds(month)[1],
    )


@bp.post("/periods/<month>/close")
@require(Permission.CLOSE_PERIODS)
def close(month: str) -> ResponseReturnValue:
    """Close a month: everything is sealed first, and the newest seal is written outside the database."""
    form, keyring = CloseMonthForm(), surroundings().keyring
    with db.reading() as session:
        period_of(session, month)
    db.decide(close_month, month, seen=form.seen.data, keyring=keyring, actor_id=current_user().id)
    anchor_newest_seal()
    flash(_("%(month)s is closed and sealed", month=month), "success")
    return redirect(url_for(".months"), code=303)


@bp.post("/periods/<month>/soft-close")
@require(Permission.CLOSE_PERIODS)
def soft_close(month: str) -> ResponseReturnValue:
    """Hold a month: what still happens is booked in the open month."""
    with db.reading() as session:
        period_of(session, month)
    db.decide(soft_close_period, month, actor_id=current_user().id)
    flash(_("%(month)s is in soft close; further facts are booked in the open month", month=month), "success")
    return redirect(url_for(".closing", month=month), code=303)


@bp.post("/periods/<month>/soft-close/end")
@require(Permission.CLOSE_PERIODS)
def end_soft_close(month: str) -> ResponseReturnValue:
    """Let a held month take entries again."""
    with db.reading() as session:
        period_of(session, month)
    db.decide(take_back_soft_close, month, actor_id=current_user().id)
    flash(_("%(month)s is open again", month=month), "success")
    return redirect(url_for(".closing", month=month), code=303)
