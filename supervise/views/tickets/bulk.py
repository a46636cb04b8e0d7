"""One decision on many tickets of the queue, and a page with what became of each."""

from collections.abc import Sequence
from typing import Any

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import HiddenField, SelectMultipleField, TextAreaField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.checklists import evidence_items, items_on
from supervise.attribution.findings import Proof
from supervise.desk.bulk import ROWS_MAX, NoRowsError, Outcome, tallies
from supervise.desk.bulk_runs import NEEDED, Subject, act_on_tickets
from supervise.desk.bulk_runs import ROWS_MAX as RUN_ROWS_MAX
from supervise.desk.models import BulkAction
from supervise.desk.offences import offences_on
from supervise.desk.queue import ticket_ids
from supervise.errors import InvalidInputError, NotPermittedError
from supervise.labels import N_, _l
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with, present_query
from supervise.views.bulk_runs import have_run
from supervise.views.checklist_form import ChecklistForm
from supervise.views.filters import named
from supervise.views.tickets.blueprint import bp
from supervise.views.tickets.queue_form import read_filters

#: Ids in one hidden field: a thousand of nineteen digits.
_PICKED_CHARS_MAX = 20_000


#: What the buttons of the queue do; findings are asked about first.
_ACTIONS = (BulkAction.ACCEPT, BulkAction.INVESTIGATE, BulkAction.SUGGESTIONS, BulkAction.FINDINGS, BulkAction.AMOUNTS)


class UnknownActionError(InvalidInputError):
    """The form names nothing that can be done."""

    message = N_("Choose what to do with the tickets")


class BulkFindingsForm(ChecklistForm):
    """The same findings, by the same checklists, for the calls of many tickets."""

    ticked_in = "offences"
    picked = HiddenField(validators=[Length(max=_PICKED_CHARS_MAX)])
    offences = SelectMultipleField(
        _l("Proven offences"),
        validators=[InputRequired(_l("Choose at least one offence type"))],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    evidence_note = TextAreaField(
        _l("Evidence"),
        description=_l("What was heard, seen or read, by whom and when; it is kept with every finding"),
        validators=[InputRequired(_l("Say what was heard, seen or read")), Length(max=2_000)],
    )

    @property
    def proofs(self) -> list[Proof]:
        """The findings as the decision takes them."""
        note, how = self.evidence_note.data, self.how
        return [Proof(code, True, note, self.answers(code), how) for code in self.found_proven]  # noqa: FBT003


@bp.route("/bulk", methods=["GET", "POST"])
@require(Permission.ANSWER_TICKETS, Permission.TRIAGE)
def bulk() -> ResponseReturnValue:
    """Do one thing with the chosen tickets, or with all of the view; many are left to the worker."""
    if request.method == "GET":
        # The way back from what became of the rows: to the view that they were chosen in.
        return redirect(address_with(".queue"), code=303)
    me, action = current_user(), _action()
    if not me.can(NEEDED[action]):
        raise NotPermittedError
    with db.reading() as session:
        ids = _chosen(session, me)
        form = _findings_form(session) if action is BulkAction.FINDINGS else None
    if form is not None:
        return _findings_page(form, ids)
    if len(ids) > ROWS_MAX:
        return have_run(action, [Subject(ticket_id) for ticket_id in ids])
    return _results(action, db.decide(act_on_tickets, me, action, ids))


def _action() -> BulkAction:
    for action in _ACTIONS:
        if action.value == request.form.get("action"):
            return action
    raise UnknownActionError


def _findings_page(form: BulkFindingsForm, ids: Sequence[int]) -> str:
    # So many ids do not travel with the form: the filters of the address do.
    is_whole_view = len(ids) > ROWS_MAX
    form.picked.data = "" if is_whole_view else ",".join(map(str, ids))
    query = present_query() if is_whole_view else {}
    return render_template(
        "tickets/bulk_findings.html", form=form, count=len(ids), is_whole_view=is_whole_view, query=query
    )


@bp.route("/bulk/findings", methods=["GET", "POST"])
@require(Permission.TRIAGE)
def bulk_findings() -> ResponseReturnValue:
    """Record the same findings for the calls of the chosen tickets."""
    if request.method == "GET":
        # The page belongs to a choice of rows; without one, the way is through the queue.
        return redirect(address_with(".queue"), code=303)
    me = current_user()
    with db.reading() as session:
        form = _findings_form(session, formdata=request.form)
        ids = _chosen(session, me) if "everything" in request.form else _ids((form.picked.data or "").split(","))
    if not form.validate():
        return _findings_page(form, ids), 400
    if len(ids) > ROWS_MAX:
        return have_run(BulkAction.FINDINGS, [Subject(ticket_id) for ticket_id in ids], form.proofs)
    return _results(BulkAction.FINDINGS, db.decide(act_on_tickets, me, BulkAction.FINDINGS, ids, form.proofs))


def _findings_form(session: Session, **kwargs: Any) -> BulkFindingsForm:
    today = clock.today()
    form_class = BulkFindingsForm.asking(items_on(evidence_items(session), today))
    form = form_class(**kwargs) if kwargs else form_class(formdata=None)
    form.offences.choices = [(offence.code, named(offence)) for offence in offences_on(session, today)]
    return form


def _chosen(session: Session, me: CurrentUser) -> list[int]:
    """Return the chosen tickets: those ticked, or all of the view in the address.

    Raises:
        NoRowsError: if there is none.
    """
    if "everything" not in request.form:
        return _ids(request.form.getlist("picked"))
    scope = Scope.of(session, me)
    _form, filters = read_filters(session, scope, request.args)
    if filters is None:
        raise NoRowsError
    # One more than a run takes: then it says so.
    return ticket_ids(session, scope, filters, clock.today(), RUN_ROWS_MAX + 1)


def _ids(texts: Sequence[str]) -> list[int]:
    ids = [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 19]  # noqa: PLR2004 - 64 bits
    if not ids:
        raise NoRowsError
    return ids


def _results(action: BulkAction, outcomes: Sequence[Outcome]) -> ResponseReturnValue:
    return render_template("tickets/results.html", words=action.label, outcomes=outcomes, tallies=tallies(outcomes))
