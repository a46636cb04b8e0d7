"""One decision on many tickets of the queue, and a page with what became of each."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import HiddenField, SelectMultipleField, TextAreaField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.findings import Proof
from supervise.complaints.models import TicketState
from supervise.desk import bulk as desk_bulk
from supervise.desk.bulk import ROWS_MAX, NoRowsError, Outcome, TooManyRowsError
from supervise.desk.offences import offences_on
from supervise.desk.queue import ticket_ids
from supervise.errors import InvalidInputError, NotPermittedError
from supervise.labels import N_, _, _l
from supervise.parties.scope import Scope
from supervise.views.filters import named
from supervise.views.forms import Form
from supervise.views.tickets.blueprint import bp
from supervise.views.tickets.queue_form import read_filters

#: Ids in one hidden field: a thousand of nineteen digits.
_PICKED_CHARS_MAX = 20_000


class Action(NamedTuple):
    """What can be done with many tickets: its words, who may, and the decision."""

    words: str
    needs: Permission
    to_state: TicketState | None = None
    decision: desk_bulk.Decision | None = None


_ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "accept": Action(N_("Accept the tickets"), Permission.ANSWER_TICKETS, TicketState.ACCEPTED),
        "investigate": Action(N_("Begin to investigate"), Permission.ANSWER_TICKETS, TicketState.INVESTIGATING),
        "suggestions": Action(N_("Accept the suggestions"), Permission.TRIAGE, decision=desk_bulk.accept_suggested),
        "amounts": Action(N_("Propose the amounts"), Permission.TRIAGE, decision=desk_bulk.propose_amounts),
    }
)


class UnknownActionError(InvalidInputError):
    """The form names nothing that can be done."""

    message = N_("Choose what to do with the tickets")


class BulkFindingsForm(Form):
    """The same findings for the calls of many tickets."""

    picked = HiddenField(validators=[InputRequired(), Length(max=_PICKED_CHARS_MAX)])
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


@bp.post("/bulk")
@require(Permission.ANSWER_TICKETS, Permission.TRIAGE)
def bulk() -> ResponseReturnValue:
    """Do one thing with the chosen tickets, or with all of the view."""
    me, name = current_user(), request.form.get("action", "")
    if name == "findings":
        return _ask_for_findings(me)
    action = _ACTIONS.get(name)
    if action is None:
        raise UnknownActionError
    if not me.can(action.needs):
        raise NotPermittedError
    with db.reading() as session:
        ids = _chosen(session, me)
    if action.to_state is not None:
        outcomes = db.decide(desk_bulk.move_many, me, ids, action.to_state, actor_id=me.id)
    elif action.decision is not None:
        outcomes = db.decide(desk_bulk.decide_many, me, ids, action.decision, actor_id=me.id)
    return _results(_(action.words), outcomes)


def _ask_for_findings(me: CurrentUser) -> ResponseReturnValue:
    if not me.can(Permission.TRIAGE):
        raise NotPermittedError
    with db.reading() as session:
        ids = _chosen(session, me)
        form = _findings_form(session)
    form.picked.data = ",".join(map(str, ids))
    return render_template("tickets/bulk_findings.html", form=form, count=len(ids))


@bp.route("/bulk/findings", methods=["GET", "POST"])
@require(Permission.TRIAGE)
def bulk_findings() -> ResponseReturnValue:
    """Record the same findings for the calls of the chosen tickets."""
    if request.method == "GET":
        # The page belongs to a choice of rows; without one, the way is through the queue.
        return redirect(url_for(".queue"), code=303)
    me = current_user()
    with db.reading() as session:
        form = _findings_form(session, formdata=request.form)
    ids = _ids((form.picked.data or "").split(","))
    if not form.validate():
        return render_template("tickets/bulk_findings.html", form=form, count=len(ids)), 400
    proofs = [Proof(code, True, form.evidence_note.data) for code in form.offences.data]  # noqa: FBT003 - a row of facts
    outcomes = db.decide(desk_bulk.decide_many, me, ids, desk_bulk.finding_decision(proofs), actor_id=me.id)
    return _results(_("Record findings"), outcomes)


def _findings_form(session: Session, **kwargs: Any) -> BulkFindingsForm:
    form = BulkFindingsForm(**kwargs) if kwargs else BulkFindingsForm(formdata=None)
    form.offences.choices = [(offence.code, named(offence)) for offence in offences_on(session, clock.today())]
    return form


def _chosen(session: Session, me: CurrentUser) -> list[int]:
    """Return the chosen tickets: those ticked, or all of the view in the address.

    Raises:
        NoRowsError: if there is none.
        TooManyRowsError: if the view has more than ``ROWS_MAX``.
    """
    if "everything" not in request.form:
        return _ids(request.form.getlist("picked"))
    scope = Scope.of(session, me)
    _form, filters = read_filters(session, scope, request.args)
    if filters is None:
        raise NoRowsError
    ids = ticket_ids(session, scope, filters, clock.today(), ROWS_MAX + 1)
    if len(ids) > ROWS_MAX:
        raise TooManyRowsError(limit=ROWS_MAX)
    return ids


def _ids(texts: Sequence[str]) -> list[int]:
    ids = [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 19]  # noqa: PLR2004 - 64 bits
    if not ids:
        raise NoRowsError
    return ids


def _results(words: str, outcomes: Sequence[Outcome]) -> ResponseReturnValue:
    done = sum(outcome.refusal is None for outcome in outcomes)
    return render_template(
        "tickets/results.html", words=words, outcomes=outcomes, done=done, refused=len(outcomes) - done
    )
