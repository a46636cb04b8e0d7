"""Bulk runs as their owner sees them: how far, what became of each row, the results as a file, the rest once more."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.bulk_runs import run_results_csv
from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import signed_in
from supervise.attribution.findings import Proof
from supervise.compensation.queries import batch_by_id
from supervise.desk.bulk import tallies
from supervise.desk.bulk_runs import Subject, run_of
from supervise.desk.models import BulkAction, BulkRun
from supervise.desk.run_results import results_of_run, runs_newest
from supervise.jobs.duties import KEEP_UPLOADS
from supervise.jobs.models import JobState
from supervise.jobs.records import UNFINISHED, job_by_id
from supervise.jobs.runs import order_run, resume_run
from supervise.labels import _, current_locale
from supervise.parties.scope import Scope
from supervise.views.background import wake, words_of
from supervise.views.downloads import send_lines

bp = Blueprint("bulk_runs", __name__, url_prefix="/bulk-runs")

#: Refused rows on the page; all rows are in the file.
_SHOWN = 200
#: The list that a run was ordered on; the tickets' where nothing else is said.
_LISTS = defaultdict(
    lambda: "tickets.queue",
    {
        BulkAction.PROVEN_CALLS: "incidents.unattributed",
        BulkAction.APPROVE_PENALTIES: "approvals.index",
        BulkAction.APPROVE_CREDITS: "approvals.credits",
        BulkAction.SEND_CREDITS: "credits.to_send",
    },
)
#: The page of a row, and the name of its id in the address.
_PAGES = defaultdict(
    lambda: ("tickets.detail", "ticket_id"),
    {
        BulkAction.PROVEN_CALLS: ("incidents.detail", "incident_id"),
        BulkAction.APPROVE_PENALTIES: ("penalties.detail", "penalty_id"),
        BulkAction.APPROVE_CREDITS: ("credits.detail", "credit_id"),
        BulkAction.SEND_CREDITS: ("credits.detail", "credit_id"),
    },
)


def have_run(action: BulkAction, subjects: Sequence[Subject], proofs: Sequence[Proof] = ()) -> ResponseReturnValue:
    """Order a run for the user of this request and go to its page.

    Raises:
        TooManyForRunError: if there are too many rows even for the worker.
    """
    me = current_user()
    run_id = db.decide(order_run, action, subjects, locale=current_locale(), actor_id=me.id, proofs=proofs)
    with db.reading() as session:
        job_id = run_of(session, run_id, actor_id=me.id).job_id
    wake(job_id)
    return redirect(url_for("bulk_runs.detail", run_id=run_id), code=303)


@bp.get("/")
@signed_in
def index() -> ResponseReturnValue:
    """List one's own runs, the newest first."""
    with db.reading() as session:
        runs = runs_newest(session, current_user().id)
        jobs = {run.id: job_by_id(session, run.job_id) for run in runs}
    return render_template("bulk_runs/index.html", runs=runs, jobs=jobs)


@bp.get("/<int:run_id>")
@signed_in
def detail(run_id: int) -> ResponseReturnValue:
    """Show one's own run: how far it is, and the rows that were refused. A run that made a batch leads to the batch."""
    me = current_user()
    with db.reading() as session:
        run = run_of(session, run_id, actor_id=me.id)
        job = job_by_id(session, run.job_id)
        scope = Scope.of(session, me)
        refused = list(islice(results_of_run(session, scope, run, refused_only=True), _SHOWN + 1))
        counts = tallies(results_of_run(session, scope, run))
        batch = batch_by_id(session, run.credit_batch_id) if run.credit_batch_id is not None else None
    if batch is not None and job.state is JobState.DONE:
        words = _(
            "Batch %(number)s is frozen and counts as sent: download the workbook for billing", number=batch.number
        )
        flash(words, "success")
        return redirect(url_for("batches.detail", batch_id=batch.id), code=303)
    return render_template(
        "bulk_runs/detail.html",
        run=run,
        job=job,
        job_words=words_of(job),
        is_under_way=job.state in UNFINISHED,
        has_failed=job.state is JobState.FAILED,
        may_resume=job.state is JobState.FAILED and run.rows_done < run.rows_total,
        tallies=counts,
        refused=refused[:_SHOWN],
        more_refused=len(refused) > _SHOWN,
        list_url=url_for(_LISTS[run.action]),
        subject_endpoint=_PAGES[run.action],
        kept_days=KEEP_UPLOADS.days,
    )


@bp.get("/<int:run_id>/results.csv")
@signed_in
def results(run_id: int) -> ResponseReturnValue:
    """Give what became of every row of one's own run, as far as one may see it today."""
    me = current_user()
    with db.reading() as session:
        run_of(session, run_id, actor_id=me.id)

    def lines(session: Session) -> Iterable[str]:
        run: BulkRun = run_of(session, run_id, actor_id=me.id)
        return run_results_csv(results_of_run(session, Scope.of(session, me), run))

    return send_lines(f"bulk-run-{run_id}.csv", lines)


@bp.post("/<int:run_id>/rest")
@signed_in
def resume(run_id: int) -> ResponseReturnValue:
    """Have the rest of one's own run carried out after it failed."""
    job_id = db.decide(resume_run, run_id, actor_id=current_user().id)
    wake(job_id)
    flash(_("The rest is under way"), "success")
    return redirect(url_for(".detail", run_id=run_id), code=303)
