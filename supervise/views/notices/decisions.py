"""What the charged party does with a notice, and what a supervisor records of its delivery on paper."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.desk.notice_story import notice_story
from supervise.errors import NotFoundError
from supervise.labels import _, ngettext
from supervise.parties.scope import Scope
from supervise.penalties import waiting
from supervise.penalties.acceptance import accept as accept_lines
from supervise.penalties.delivery import list_in_application
from supervise.penalties.delivery import record_delivery as record
from supervise.penalties.notice_queries import contestable_lines, lines_of, notice_in_scope
from supervise.penalties.windows import acknowledge as acknowledge_lines
from supervise.views.notices.blueprint import bp
from supervise.views.notices.forms import DeliveryForm
from supervise.views.notices.pages import LINES, render_notice
from supervise.views.picked import picked_ids


def _back(notice_id: int) -> ResponseReturnValue:
    return redirect(url_for(".detail", notice_id=notice_id), code=303)


@bp.post("/<int:notice_id>/acknowledge")
@require(Permission.ACKNOWLEDGE_PENALTIES)
def acknowledge(notice_id: int) -> ResponseReturnValue:
    """Let the charged party acknowledge that it has the notice, with all its lines."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        notice_in_scope(session, scope, notice_id)
        ids = contestable_lines(session, notice_id)
    results = db.decide(acknowledge_lines, ids, scope, actor_id=me.id)
    for result in results:
        if result.refusal is not None:
            raise result.refusal
    flash(_("Acknowledged; the window for an objection runs"), "success")
    return _back(notice_id)


@bp.post("/<int:notice_id>/accept")
@require(Permission.OBJECT)
def accept(notice_id: int) -> ResponseReturnValue:
    """Accept the chosen lines, or all that are left, with a result for each that could not be."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        notice_in_scope(session, scope, notice_id)
        lines = lines_of(session, notice_id)
        left = contestable_lines(session, notice_id)
    wanted = left if request.form.get("action") == "all" else picked_ids()
    if not set(wanted) <= set(lines):
        raise NotFoundError
    results = db.decide(accept_lines, wanted, scope, actor_id=me.id)
    refused = [result for result in results if result.refusal is not None]
    if not refused:
        count = len(results)
        flash(
            ngettext("%(n)d line accepted; it becomes final", "%(n)d lines accepted; they become final", count),
            "success",
        )
        return _back(notice_id)
    with db.reading() as session:
        references = waiting.references_of(session, wanted)
    rows = [
        {
            "reference": references[result.subject_id],
            "url": url_for("penalties.detail", penalty_id=result.subject_id),
            "is_done": result.refusal is None,
            "words": str(result.refusal or _("Accepted")),
        }
        for result in results
    ]
    return render_template("approvals/results.html", rows=rows, back_url=url_for(".detail", notice_id=notice_id))


@bp.post("/<int:notice_id>/delivery")
@require(Permission.OBJECT_FOR_PARTY)
def record_delivery(notice_id: int) -> ResponseReturnValue:
    """Record that the notice was posted or handed over; the window for an objection starts on that day."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        story = notice_story(session, scope, notice_id, limit=LINES)
    form = DeliveryForm(clock.china_day(story.notice.issued_at))
    if not form.validate():
        return render_notice(me, scope, story, delivery_form=form), 400
    db.decide(record, notice_id, form.way, form.delivered_on.data, form.note.data, actor_id=me.id)
    flash(_("The delivery is recorded; the window for an objection runs from that day"), "success")
    return _back(notice_id)


@bp.post("/<int:notice_id>/list")
@require(Permission.OBJECT_FOR_PARTY)
def list_later(notice_id: int) -> ResponseReturnValue:
    """List a notice on paper in the application, now that somebody of the party can open it."""
    me = current_user()
    with db.reading() as session:
        notice_in_scope(session, Scope.of(session, me), notice_id)
    notice = db.decide(list_in_application, notice_id, actor_id=me.id)
    flash(
        _("The party finds it in the application; it counts as delivered on %(day)s", day=notice.counts_on), "success"
    )
    return _back(notice_id)
