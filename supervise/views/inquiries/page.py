"""The page of one inquiry: what is asked, by when, what was answered; more time, and taking it back."""

from collections.abc import Mapping, Sequence

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.attribution.answer_files import files_of
from supervise.attribution.inquiries import extend_inquiry, withdraw_inquiry
from supervise.attribution.inquiry_models import Inquiry, InquiryState
from supervise.attribution.inquiry_queries import (
    AnswerLine,
    InquiryFacts,
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


def inquiry_page(
    inquiry_id: int, filled: Mapping[str, Form] | None = None, seen_number: int | None = None
) -> ResponseReturnValue:
    """Return the page; a form in *filled* was refused and shows why, which makes the answer a 400.

    *seen_number* is the last answer that the user saw who answered too late, 0 for none: the page shows it beside the
    one that holds, and is a 409.

    Raises:
        NotFoundError: if there is no such inquiry, or the asked party lies outside the user's scope.
    """
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        facts = inquiry_in_scope(session, scope, inquiry_id)
        inquiry = facts.inquiry
        lines = answer_lines(session, [inquiry_id])[inquiry_id]
        files = files_of(session, [line.answer.id for line in lines])
        may_answer = _may_answer(me, scope, facts)
        blank = _blank_forms(session, facts, lines, may_answer=may_answer)
        names = display_names(session, _people(me, inquiry, lines))
    is_open = inquiry.state is InquiryState.OPEN
    if filled and seen_number is not None:
        # Whoever answers again has seen what holds now.
        filled["answer"].shown.data = blank["answer"].shown.data
    page = render_template(
        "inquiries/detail.html",
        facts=facts,
        inquiry=inquiry,
        incident=facts.incident,
        lines=lines,
        files=files,
        names=names,
        forms=blank | dict(filled or {}),
        refused=list(filled or ()),
        is_late=seen_number is not None,
        seen=next((line for line in lines if line.answer.number == seen_number), None),
        may_answer=may_answer,
        is_overdue=is_open and inquiry.due_on < clock.today(),
        may_extend=is_open and inquiry.extended_at is None and me.can(Permission.TRIAGE),
        may_withdraw=is_open and me.can(Permission.TRIAGE),
        may_read_incident=me.can(Permission.READ_TICKETS),
    )
    return page, 409 if seen_number is not None else 400 if filled else 200


def _may_answer(me: CurrentUser, scope: Scope, facts: InquiryFacts) -> bool:
    is_withdrawn = facts.inquiry.state is InquiryState.WITHDRAWN
    return me.can(Permission.ANSWER_INQUIRIES) and not is_withdrawn and answers_in_scope(scope, facts.party)


def _blank_forms(
    session: Session, facts: InquiryFacts, lines: Sequence[AnswerLine], *, may_answer: bool
) -> dict[str, Form]:
    today = clock.today()
    below = parties_below(session, facts.party, today) if may_answer else ()
    shown = str(lines[0].answer.number if lines else 0)
    return {
        "answer": AnswerForm(below, formdata=None, shown=shown),
        "extend": ExtendForm(formdata=None, working_days=term_on(session, today)),
        "withdraw": WithdrawForm(formdata=None),
    }


def _people(me: CurrentUser, inquiry: Inquiry, lines: Sequence[AnswerLine]) -> set[int | None]:
    """Return whom the page names; who is asked hears the house's voice, not a clerk's name."""
    answered = {line.answer.answered_by for line in lines}
    if me.can(Permission.ANSWER_INQUIRIES):
        return {*answered}
    return {*answered, inquiry.asked_by, inquiry.withdrawn_by, inquiry.extended_by}


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
