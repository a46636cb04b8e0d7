"""Tracebacks of spoofed calls: the list, the way back hop by hop, the end."""

from collections.abc import Mapping, Sequence

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.attribution import traceback_queries
from supervise.attribution.traceback_models import HopOutcome, TracebackHop, TracebackState
from supervise.attribution.tracebacks import ask_hop, end_traceback, enter_hop_answer, mark_uncooperative
from supervise.complaints.models import Incident
from supervise.desk.reach import incident_in_reach
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.views.forms import Form
from supervise.views.incidents.blueprint import READERS, bp
from supervise.views.incidents.traceback_forms import EndTracebackForm, HopAnswerForm, HopForm

_CLOSED = tuple(state for state in TracebackState if state is not TracebackState.OPEN)


@bp.get("/tracebacks")
@require(*READERS)
def tracebacks() -> ResponseReturnValue:
    """List the calls that are traced back, or were, the newest first."""
    is_closed = request.args.get("state") == "closed"
    before_id = request.args.get("before", type=int)
    states = _CLOSED if is_closed else (TracebackState.OPEN,)
    with db.reading() as session:
        scope = Scope.of(session, current_user())
        limit = traceback_queries.PAGE + 1
        rows = traceback_queries.tracebacks(session, scope, states, before_id=before_id, limit=limit)
    more, rows = len(rows) == limit, rows[: limit - 1]
    kept = "closed" if is_closed else None
    return render_template(
        "incidents/tracebacks.html",
        rows=rows,
        is_closed=is_closed,
        next_url=url_for(".tracebacks", before=rows[-1].task_id, state=kept) if more else None,
        first_url=url_for(".tracebacks", state=kept) if before_id is not None else None,
    )


@bp.get("/tracebacks/<int:task_id>")
@require(*READERS)
def traceback(task_id: int) -> ResponseReturnValue:
    """Show the way back so far."""
    return _page(task_id, {})


def _page(task_id: int, filled: Mapping[str, Form]) -> ResponseReturnValue:
    with db.reading() as session:
        task = traceback_queries.traceback_by_id(session, task_id)
        incident = incident_in_reach(session, Scope.of(session, current_user()), task.incident_id)
        hops = traceback_queries.hops_of(session, task_id)
        people = {task.opened_by, task.closed_by, *(hop.entered_by for hop in hops), *(hop.told_by for hop in hops)}
        names = display_names(session, [user_id for user_id in people if user_id is not None])
    today = clock.today()
    forms = {
        "hop": HopForm(formdata=None, asked=_next_to_ask(hops), asked_on=today),
        "answer": HopAnswerForm(formdata=None, told_on=today),
        "end": EndTracebackForm(formdata=None),
    } | dict(filled)
    page = render_template(
        "incidents/traceback.html",
        task=task,
        incident=incident,
        hops=hops,
        waiting=next((hop for hop in hops if hop.outcome is HopOutcome.WAITING), None),
        is_open=task.state is TracebackState.OPEN,
        may_triage=current_user().can(Permission.TRIAGE),
        names=names,
        forms=forms,
        refused=[name for name, form in forms.items() if form.errors],
    )
    return page, 400 if filled else 200


def _next_to_ask(hops: Sequence[TracebackHop]) -> str | None:
    """Return whom the last answer named."""
    return hops[-1].next_hop if hops else None


def _reached(task_id: int, hop_id: int | None = None) -> Incident:
    with db.reading() as session:
        task = traceback_queries.traceback_by_id(session, task_id)
        if hop_id is not None:
            traceback_queries.hop_in(session, task_id, hop_id)
        return incident_in_reach(session, Scope.of(session, current_user()), task.incident_id)


def _back(task_id: int) -> ResponseReturnValue:
    return redirect(url_for(".traceback", task_id=task_id), code=303)


@bp.post("/tracebacks/<int:task_id>/hops")
@require(Permission.TRIAGE)
def add_hop(task_id: int) -> ResponseReturnValue:
    """Write down that the next operator was asked."""
    form = HopForm()
    _reached(task_id)
    if not form.validate():
        return _page(task_id, {"hop": form})
    db.decide(ask_hop, task_id, form.asked.data, form.asked_on.data, actor_id=current_user().id)
    flash(_("The question is entered"), "success")
    return _back(task_id)


@bp.post("/tracebacks/<int:task_id>/hops/<int:hop_id>")
@require(Permission.TRIAGE)
def answer_hop(task_id: int, hop_id: int) -> ResponseReturnValue:
    """Write down what an operator answered, or that it does not cooperate."""
    me, form = current_user(), HopAnswerForm()
    _reached(task_id, hop_id)
    if not form.validate():
        return _page(task_id, {"answer": form})
    told_on, words = form.told_on.data, form.answer.data or ""
    if form.has_answered:
        db.decide(enter_hop_answer, hop_id, words, told_on, next_hop=form.next_hop.data, actor_id=me.id)
    else:
        db.decide(mark_uncooperative, hop_id, told_on, remark=words, actor_id=me.id)
    flash(_("The answer is entered"), "success")
    return _back(task_id)


@bp.post("/tracebacks/<int:task_id>/end")
@require(Permission.TRIAGE)
def end(task_id: int) -> ResponseReturnValue:
    """End the search with what came of it."""
    form = EndTracebackForm()
    _reached(task_id)
    if not form.validate():
        return _page(task_id, {"end": form})
    state = TracebackState(form.state.data)
    db.decide(end_traceback, task_id, state, form.result.data, actor_id=current_user().id)
    flash(_("The traceback is closed; it charges nobody"), "success")
    return _back(task_id)
