"""The page of one inquiry: what is asked, by when, what was answered; more time, and taking it back."""

from collections.abc import Mapping

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.attribution.answer_files import files_of
from supervise.attribution.inquiries import extend_inquiry, withdraw_inquiry
from supervise.attribution.inquiry_models import InquiryState
from supervise.attribution.inquiry_queries import (
    answer_lines,
    answers_in_scope,
    inquiry_in_scope,
    parties_below,
    term_on,
)
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.views.forms import Form
from supervise.views.inquiries.blueprint import bp
from supervise.views.inquiries.forms import AnswerForm, ExtendForm, WithdrawForm


@bp.get("/<int:inquiry_id>")
@require(Permission.READ_INQUIRIES)
def detail(inquiry_id: int) -> ResponseReturnValue:
    """Show an inquiry."""
    return inquiry_page(inquiry_id)


def inquiry_page(inquiry_id: int, filled: Mapping[str, Form] | None = None) -> ResponseReturnValue:
    """Return the page; a form in *filled* was refused and shows why, which makes the answer a 400.

    Raises:
        NotFoundError: if there is no such inquiry, or the asked party lies outside the user's scope.
    """
    me, today = current_user(), clock.today()
    with db.reading() as session:
        scope = Scope.of(session, me)
        facts = inquiry_in_scope(session, scope, inquiry_id)
        inquiry = facts.inquiry
        lines = answer_lines(session, [inquiry_id])[inquiry_id]
        files = files_of(session, [line.answer.id for line in lines])
        is_open = inquiry.state is InquiryState.OPEN
        may_answer = (
            me.can(Permission.ANSWER_INQUIRIES)
            and inquiry.state is not InquiryState.WITHDRAWN
            and answers_in_scope(scope, facts.party)
        )
        below = parties_below(session, facts.party, today) if may_answer else ()
        term = term_on(session, today)
        # Who is asked hears the house's voice, not a clerk's name.
        people = {line.answer.answered_by for line in lines} | {inquiry.withdrawn_by, inquiry.extended_by}
        names = display_names(session, people | (set() if me.can(Permission.ANSWER_INQUIRIES) else {inquiry.asked_by}))
    shown = str(lines[0].answer.number if lines else 0)
    forms: dict[str, Form] = {
        "answer": AnswerForm(below, formdata=None, shown=shown),
        "extend": ExtendForm(formdata=None, working_days=term),
        "withdraw": WithdrawForm(formdata=None),
    } | dict(filled or {})
    page = render_template(
        "inquiries/detail.html",
        facts=facts,
        inquiry=inquiry,
        incident=facts.incident,
        lines=lines,
        files=files,
        names=names,
        forms=forms,
        refused=list(filled or ()),
        may_answer=may_answer,
        is_overdue=is_open and inquiry.due_on < today,
        may_extend=is_open and inquiry.extended_at is None and me.can(Permission.TRIAGE),
        may_withdraw=is_open and me.can(Permission.TRIAGE),
        may_read_incident=me.can(Permission.READ_TICKETS),
    )
    return page, 400 if filled else 200


@bp.post("/<int:inquiry_id>/extend")
@require(Permission.TRIAGE)
def extend(inquiry_id: int) -> ResponseReturnValue:
    """Give the asked party more time, once."""
    me, form = current_user(), ExtendForm()
    with db.reading() as session:
        inquiry_in_scope(session, Scope.of(session, me), inquiry_id)
    if not form.validate():
        return inquiry_page(inquiry_id, {"extend": form})
    inquiry = db.decide(extend_inquiry, inquiry_id, form.working_days.data, form.reason.data, actor_id=me.id)
    flash(_("The new deadline is %(day)s", day=inquiry.due_on.isoformat()), "success")
    return redirect(url_for(".detail", inquiry_id=inquiry_id), code=303)


@bp.post("/<int:inquiry_id>/withdraw")
@require(Permission.TRIAGE)
def withdraw(inquiry_id: int) -> ResponseReturnValue:
    """Take a question back."""
    me, form = current_user(), WithdrawForm()
    with db.reading() as session:
        inquiry_in_scope(session, Scope.of(session, me), inquiry_id)
    if not form.validate():
        return inquiry_page(inquiry_id, {"withdraw": form})
    db.decide(withdraw_inquiry, inquiry_id, form.reason.data, actor_id=me.id)
    flash(_("The inquiry is withdrawn"), "success")
    return redirect(url_for(".detail", inquiry_id=inquiry_id), code=303)
