"""The list of batches, and the page of one."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.audit.models import AuditEvent
from supervise.audit.queries import events_of
from supervise.compensation import lists
from supervise.compensation.lists import CreditFilters
from supervise.compensation.models import CreditBatch, CreditBatchState, LineResult
from supervise.compensation.queries import batch_by_id
from supervise.compensation.returns import returns_of_batch
from supervise.errors import NotFoundError
from supervise.jobs.models import Job
from supervise.jobs.records import job_by_id
from supervise.jobs.sending import EXPORT, LINES_IN_REQUEST, has_export
from supervise.sealing import Anchor, AnchorError, parse_anchor
from supervise.views.addresses import address_with
from supervise.views.background import surroundings, words_of
from supervise.views.batches.blueprint import bp
from supervise.views.batches.forms import BatchFilterForm, LineFilterForm, ReturnFileForm, VoidForm
from supervise.views.forms import Form


@bp.get("/")
@require(Permission.READ_LEDGER)
def index() -> ResponseReturnValue:
    """List the batches, the newest first."""
    me, form = current_user(), BatchFilterForm(formdata=request.args)
    before_id = request.args.get("before", type=int)
    with db.reading() as session:
        rows = lists.batches_newest_first(session, form.wanted, before_id=before_id, limit=lists.PAGE + 1)
        names = display_names(session, [row.batch.frozen_by for row in rows])
        waiting = lists.sum_to_send(session, CreditFilters()) if me.can(Permission.EXPORT_CREDITS) else None
    more, rows = len(rows) > lists.PAGE, rows[: lists.PAGE]
    return render_template(
        "batches/index.html",
        form=form,
        rows=rows,
        names=names,
        waiting=waiting,
        next_url=address_with(before=rows[-1].batch.id) if more else None,
    )


@bp.get("/<int:batch_id>")
@require(Permission.READ_LEDGER)
def detail(batch_id: int) -> ResponseReturnValue:
    """Show a batch: its frozen lines, control totals, hash and anchor, and what billing said of each line."""
    return batch_page(batch_id)


def _lines(session: Session, batch_id: int, form: LineFilterForm) -> Sequence[Any]:
    return lists.lines_of_page(
        session,
        batch_id,
        result=form.wanted,
        unanswered=form.unanswered,
        after_line=request.args.get("after", 0, type=int),
        limit=lists.PAGE + 1,
    )


def _names(session: Session, batch: CreditBatch, events: Sequence[AuditEvent]) -> dict[int, str]:
    people = [batch.frozen_by, batch.void_proposed_by, batch.voided_by]
    return display_names(session, [*people, *(event.actor_id for event in events)])


def batch_page(batch_id: int, filled: Mapping[str, Form] | None = None) -> ResponseReturnValue:
    """Return the page; a form in *filled* was refused and shows why, which makes the answer a 400.

    Raises:
        NotFoundError: if there is no such batch.
    """
    me = current_user()
    lines_form = LineFilterForm(formdata=request.args)
    forms = {"void": VoidForm(formdata=None), "file": ReturnFileForm(formdata=None), **(filled or {})}
    with db.reading() as session:
        batch = batch_by_id(session, batch_id)
        lines = _lines(session, batch_id, lines_form)
        sums = lists.sums_by_result(session, batch_id)
        returns = returns_of_batch(session, batch_id)
        events = events_of(session, "credit_batch", batch_id)
        names = _names(session, batch, events)
        job = _job(session, me)
    more, lines = len(lines) > lists.PAGE, lines[: lists.PAGE]
    fetchable = me.can(Permission.EXPORT_CREDITS) and has_export(surroundings(), batch_id, actor_id=me.id)
    anchor = _anchor(batch)
    page = render_template(
        "batches/detail.html",
        batch=batch,
        lines=lines,
        lines_form=lines_form,
        forms=forms,
        sums=sums,
        returns=returns,
        names=names,
        exports=[event for event in events if event.action == "batch.exported"],
        anchor=anchor,
        anchored_at=_moment(anchor),
        job=job,
        job_words=words_of(job) if job else "",
        fetchable=fetchable,
        in_background=batch.lines_total > LINES_IN_REQUEST,
        steps=_steps(batch, {row.result for row in sums}, me),
        me=me,
        next_url=address_with(after=lines[-1].line.line) if more else None,
    )
    return page, 400 if filled else 200


def _job(session: Session, me: CurrentUser) -> Job | None:
    """Return the job in the address, if it is the user's own export."""
    job_id = request.args.get("job", type=int)
    if job_id is None:
        return None
    job = job_by_id(session, job_id)
    if job.created_by != me.id or job.kind != EXPORT:
        raise NotFoundError
    return job


def _anchor(batch: CreditBatch) -> Anchor | None:
    try:
        return parse_anchor(batch.anchor)
    except AnchorError:
        return None


def _moment(anchor: Anchor | None) -> dt.datetime | None:
    """Return when the anchored seal was made; None if it does not say."""
    try:
        return dt.datetime.fromisoformat(anchor.sealed_at) if anchor else None
    except ValueError:
        return None


def _steps(batch: CreditBatch, results: set[LineResult | None], me: CurrentUser) -> frozenset[str]:
    """Return the names of the steps that the batch's state allows *me* to take."""
    steps = set()
    is_sent = batch.state is CreditBatchState.SENT
    asked = batch.void_proposed_by is not None
    if me.can(Permission.EXPORT_CREDITS) and batch.state is not CreditBatchState.VOIDED:
        steps.add("workbook")
    if is_sent and None in results and me.can(Permission.IMPORT_RETURNS):
        steps.add("answer")
    if is_sent and not asked and LineResult.ACCEPTED not in results and me.can(Permission.PROPOSE_REVERSALS):
        steps.add("propose_void")
    if is_sent and asked and me.can(Permission.PROPOSE_REVERSALS):
        steps.add("withdraw_void")
    if is_sent and asked and me.can(Permission.APPROVE_REVERSALS):
        steps.add("decide_void")
    return frozenset(steps)
