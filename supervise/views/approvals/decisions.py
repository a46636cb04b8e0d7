"""The approver's decisions: each answers with what became of every row."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation import waiting as credits_waiting
from supervise.compensation.approve import Shown as ShownCredit
from supervise.compensation.approve import return_credits
from supervise.compensation.queries import batch_by_id
from supervise.compensation.voids import withdraw_void
from supervise.desk.approvals import approve_credits_within_authority, confirm_void_within_authority
from supervise.desk.bulk_runs import ROWS_MAX as RUN_ROWS_MAX
from supervise.desk.bulk_runs import Subject
from supervise.desk.models import BulkAction
from supervise.errors import ConflictError, InvalidInputError, RowResult
from supervise.labels import N_, _
from supervise.penalties import waiting as penalties_waiting
from supervise.penalties.approve import Shown as ShownPenalty
from supervise.penalties.approve import approve, return_penalties
from supervise.penalties.reversals import approve_reversal, reject_reversal
from supervise.views.approvals.blueprint import bp
from supervise.views.approvals.lists import RefusedReturn, credits_page, penalties_page
from supervise.views.bulk_runs import have_run
from supervise.views.picked import ROWS_MAX, NothingPickedError, Picked, picked_rows

_REASON_MAX = 500


class SumsChangedError(ConflictError):
    """Something was proposed or decided since the page was shown."""

    message = N_("What waits has changed since it was shown; look at the sums again")


class ReasonError(InvalidInputError):
    """A return without a reason, or with one that is too long."""

    message = N_("Say why it is returned; who proposed it reads the reason")


class ResultRow(NamedTuple):
    """What became of one chosen row, for the page of results."""

    reference: str
    url: str | None
    is_done: bool
    words: str


@bp.post("/penalties")
@require(Permission.APPROVE_MONEY)
def decide_penalties() -> ResponseReturnValue:
    """Approve or return the chosen penalties; a line that changed since it was shown falls out, in words."""
    rows, me = picked_rows(), current_user()
    if _is_approval():
        shown = [ShownPenalty(row.id, row.content_sha256) for row in rows]
        results = db.decide(approve, shown, actor_id=me.id)
        done = _("Approved and posted")
    else:
        try:
            reason = _reason()
        except ReasonError as refusal:
            return penalties_page(_refused_return(rows, refusal)), refusal.status
        results = db.decide(return_penalties, [row.id for row in rows], reason, actor_id=me.id)
        done = _("Returned")
    with db.reading() as session:
        references = penalties_waiting.references_of(session, [row.id for row in rows])
    urls = {row.id: url_for("penalties.detail", penalty_id=row.id) for row in rows}
    return _results(results, references, urls, done, back_url=url_for(".index"))


@bp.post("/credits")
@require(Permission.APPROVE_MONEY)
def decide_credits() -> ResponseReturnValue:
    """Approve or return the chosen credits; a line that changed since it was shown falls out, in words."""
    rows, me = picked_rows(), current_user()
    if _is_approval():
        shown = [ShownCredit(row.id, row.content_sha256) for row in rows]
        results = db.decide(approve_credits_within_authority, shown, actor_id=me.id)
        done = _("Approved; it can be sent to billing")
    else:
        try:
            reason = _reason()
        except ReasonError as refusal:
            return credits_page(_refused_return(rows, refusal)), refusal.status
        results = db.decide(return_credits, [row.id for row in rows], reason, actor_id=me.id)
        done = _("Returned")
    with db.reading() as session:
        references = credits_waiting.references_of(session, [row.id for row in rows])
    return _results(results, references, {}, done, back_url=url_for(".credits"))


@bp.post("/penalties/all")
@require(Permission.APPROVE_MONEY)
def approve_every_penalty() -> ResponseReturnValue:
    """Approve all penalties that wait, or all of one party, if they are still what the sums said."""
    me, party_id = current_user(), request.args.get("party", type=int)
    with db.reading() as session:
        rows = penalties_waiting.every_waiting(session, party_id=party_id, limit=RUN_ROWS_MAX + 1)
        totals = penalties_waiting.approval_totals(session, party_id=party_id, limit=1)
        _check_shown(totals.penalties, totals.amount_fen)
        references = penalties_waiting.references_of(session, [row[0] for row in rows[:ROWS_MAX]])
    if len(rows) > ROWS_MAX:
        return have_run(BulkAction.APPROVE_PENALTIES, [Subject(*row) for row in rows])
    results = db.decide(approve, [ShownPenalty(*row) for row in rows], actor_id=me.id)
    urls = {row[0]: url_for("penalties.detail", penalty_id=row[0]) for row in rows}
    return _results(results, references, urls, _("Approved and posted"), back_url=url_for(".index"))


@bp.post("/credits/all")
@require(Permission.APPROVE_MONEY)
def approve_every_credit() -> ResponseReturnValue:
    """Approve all credits that wait, if they are still what the sums said."""
    me = current_user()
    with db.reading() as session:
        rows = credits_waiting.every_waiting(session, limit=RUN_ROWS_MAX + 1)
        totals = credits_waiting.credit_totals(session)
        _check_shown(sum(row.credits for row in totals), sum(row.amount_fen for row in totals))
        references = credits_waiting.references_of(session, [row[0] for row in rows[:ROWS_MAX]])
    if len(rows) > ROWS_MAX:
        return have_run(BulkAction.APPROVE_CREDITS, [Subject(*row) for row in rows])
    results = db.decide(approve_credits_within_authority, [ShownCredit(*row) for row in rows], actor_id=me.id)
    urls = {row[0]: url_for("credits.detail", credit_id=row[0]) for row in rows}
    words = _("Approved; it can be sent to billing")
    return _results(results, references, urls, words, back_url=url_for(".credits"))


def _check_shown(rows: int, total_fen: int) -> None:
    """Refuse to approve more, or other, than the page showed.

    Raises:
        NothingPickedError: if nothing waits.
        SumsChangedError: if it was something else.
    """
    shown = (request.form.get("rows", type=int), request.form.get("total_fen", type=int))
    if rows == 0:
        raise NothingPickedError
    if shown != (rows, total_fen):
        raise SumsChangedError


def _is_approval() -> bool:
    action = request.form.get("action")
    if action not in {"approve", "return"}:
        raise InvalidInputError
    return action == "approve"


def _reason() -> str:
    reason = request.form.get("reason", "").strip()
    if not reason:
        raise ReasonError
    if len(reason) > _REASON_MAX:
        raise ReasonError(N_("A reason has at most %(most)d characters"), most=_REASON_MAX)
    return reason


def _refused_return(rows: Sequence[Picked], refusal: ReasonError) -> RefusedReturn:
    return RefusedReturn(frozenset(row.id for row in rows), request.form.get("reason", "").strip(), str(refusal))


def _results(
    results: Sequence[RowResult], references: Mapping[int, str], urls: Mapping[int, str], done: str, *, back_url: str
) -> ResponseReturnValue:
    rows = [
        ResultRow(
            references.get(result.subject_id, str(result.subject_id)),
            urls.get(result.subject_id) if result.subject_id in references else None,
            result.refusal is None,
            done if result.refusal is None else str(result.refusal),
        )
        for result in results
    ]
    rows.sort(key=lambda row: row.is_done)
    return render_template("approvals/results.html", rows=rows, back_url=back_url)


@bp.post("/reversals/<int:request_id>")
@require(Permission.APPROVE_REVERSALS)
def decide_reversal(request_id: int) -> ResponseReturnValue:
    """Approve or refuse the reversal of a final penalty, as the second person."""
    with db.reading() as session:
        penalties_waiting.reversal_request_by_id(session, request_id)
    if _is_approval():
        db.decide(approve_reversal, request_id, actor_id=current_user().id)
        flash(_("The reversal is posted"), "success")
    else:
        db.decide(reject_reversal, request_id, request.form.get("reason", "")[:_REASON_MAX], actor_id=current_user().id)
        flash(_("The reversal is refused; the penalty stays as it is"), "success")
    return redirect(url_for(".second_person"), code=303)


@bp.post("/voids/<int:batch_id>")
@require(Permission.APPROVE_REVERSALS)
def decide_void(batch_id: int) -> ResponseReturnValue:
    """Void a credit batch as the second person, or refuse the void."""
    with db.reading() as session:
        batch_by_id(session, batch_id)
    if _is_approval():
        db.decide(confirm_void_within_authority, batch_id, actor_id=current_user().id)
        flash(_("The batch is voided; its credits can be sent again"), "success")
    else:
        db.decide(withdraw_void, batch_id, actor_id=current_user().id)
        flash(_("The void is refused; the batch stays"), "success")
    return redirect(url_for(".second_person"), code=303)
