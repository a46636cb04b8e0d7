"""Monthly runs: the list, the page of one with its preview, approval, posting and workbook."""

from collections.abc import Mapping

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.settlement import build_settlement_workbook
from supervise import clock, db
from supervise.access.deputies import authority_fen
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.jobs import settling
from supervise.jobs.models import Job, JobState
from supervise.labels import _
from supervise.settlement import queries
from supervise.settlement.models import RunState, SettlementRun
from supervise.settlement.runs import cancel_run, propose_run
from supervise.views.addresses import address_with
from supervise.views.background import wake, words_of
from supervise.views.downloads import send_workbook
from supervise.views.forms import Form
from supervise.views.settlements.blueprint import bp
from supervise.views.settlements.forms import MonthForm, ReasonForm, RunFilterForm


@bp.get("/")
@require(Permission.READ_LEDGER)
def index() -> ResponseReturnValue:
    """List the runs, the newest first."""
    return _index(MonthForm(formdata=None, data={"month": clock.month_of(clock.today())}))


def _index(form: MonthForm) -> ResponseReturnValue:
    with db.reading() as session:
        rows = queries.runs_newest_first(session)
        names = display_names(session, [row.run.made_by for row in rows])
    page = render_template("settlements/index.html", rows=rows, names=names, form=form, me=current_user())
    return page, 400 if form.errors else 200


@bp.post("/")
@require(Permission.SETTLE)
def propose() -> ResponseReturnValue:
    """Compute a run for all parties and show it; nothing is posted."""
    form = MonthForm()
    if not form.validate_on_submit():
        return _index(form)
    run = db.decide(propose_run, form.month.data, actor_id=current_user().id)
    flash(_("The run is computed; a supervisor approves it"), "success")
    return redirect(url_for(".run", run_id=run.id), code=303)


@bp.get("/runs/<int:run_id>")
@require(Permission.READ_LEDGER)
def run(run_id: int) -> ResponseReturnValue:
    """Show a run: sums by source, what needs a look on top, every party."""
    return _page(run_id)


def _page(run_id: int, filled: Mapping[str, Form] | None = None) -> ResponseReturnValue:
    me, form = current_user(), RunFilterForm(formdata=request.args)
    offset = max(0, request.args.get("from", 0, type=int))
    only = bool(form.only_exceptions.data)
    with db.reading() as session:
        one = queries.run_by_id(session, run_id)
        rows = queries.settlements_of_run(session, run_id, only_exceptions=only, offset=offset, limit=queries.PAGE + 1)
        totals = queries.totals_of_run(session, run_id)
        debts = queries.totals_by_debt(session, run_id)
        left_out = queries.left_out_of_run(session, run_id)
        counts = queries.counts_of_run(session, run_id)
        names = display_names(session, [one.made_by, one.approved_by, one.cancelled_by])
        job = session.get(Job, one.job_id) if one.job_id is not None else None
        steps = _steps(session, one, job, me)
    page = render_template(
        "settlements/run.html",
        run=one,
        rows=rows[: queries.PAGE],
        totals=totals,
        debts=debts,
        left_out=left_out,
        counts=counts,
        names=names,
        job=job,
        job_words=words_of(job) if job else "",
        is_own_job=job is not None and job.created_by == me.id,
        steps=steps,
        me=me,
        form=form,
        reason_form=(filled or {}).get("reason") or ReasonForm(formdata=None),
        next_url=address_with(**{"from": str(offset + queries.PAGE)}) if len(rows) > queries.PAGE else None,
        workbook_url=url_for(".workbook", run_id=run_id),
    )
    return page, 400 if filled else 200


def _steps(session: Session, one: SettlementRun, job: Job | None, me: CurrentUser) -> frozenset[str]:
    """Return the names of the steps that the run's state allows *me* to take."""
    steps = set()
    is_draft = one.state is RunState.DRAFT
    if is_draft and me.can(Permission.APPROVE_MONEY) and one.made_by != me.id:
        steps.add("approve" if authority_fen(session, me.id) is None else "approve_limited")
    if is_draft and (me.can(Permission.SETTLE) or me.can(Permission.APPROVE_MONEY)):
        steps.add("cancel")
    broke = job is None or job.state is JobState.FAILED
    if one.state is RunState.APPROVED and broke and me.can(Permission.SETTLE):
        steps.add("resume")
    return frozenset(steps)


@bp.post("/runs/<int:run_id>/approve")
@require(Permission.APPROVE_MONEY)
def approve(run_id: int) -> ResponseReturnValue:
    """Approve a run as it was shown; the worker then posts it."""
    with db.reading() as session:
        queries.run_by_id(session, run_id)
    shown = request.form.get("content_sha256", "")
    wake(db.decide(settling.approve_and_order, run_id, shown, actor_id=current_user().id))
    flash(_("Approved; the run is being posted"), "success")
    return redirect(url_for(".run", run_id=run_id), code=303)


@bp.post("/runs/<int:run_id>/cancel")
@require(Permission.SETTLE, Permission.APPROVE_MONEY)
def cancel(run_id: int) -> ResponseReturnValue:
    """Take a draft back, or refuse it."""
    with db.reading() as session:
        queries.run_by_id(session, run_id)
    form = ReasonForm()
    if not form.validate_on_submit():
        return _page(run_id, {"reason": form})
    db.decide(cancel_run, run_id, form.reason.data, actor_id=current_user().id)
    flash(_("The run is cancelled; nothing was posted"), "success")
    return redirect(url_for(".index"), code=303)


@bp.post("/runs/<int:run_id>/resume")
@require(Permission.SETTLE)
def resume(run_id: int) -> ResponseReturnValue:
    """Have the rest of a run posted whose job failed."""
    with db.reading() as session:
        queries.run_by_id(session, run_id)
    wake(db.decide(settling.order_again, run_id, actor_id=current_user().id))
    return redirect(url_for(".run", run_id=run_id), code=303)


@bp.get("/runs/<int:run_id>/workbook")
@require(Permission.READ_LEDGER)
def workbook(run_id: int) -> Response:
    """Hand the run over as a workbook."""
    with db.reading_one_moment() as session:
        one = queries.run_by_id(session, run_id)
        return send_workbook(
            f"{one.number}.xlsx", lambda path: build_settlement_workbook(session, one, path, clock.now())
        )
