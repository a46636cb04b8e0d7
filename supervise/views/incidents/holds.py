"""Asking whoever holds the recording or SMS log of a call to keep it, and what came of it."""

from typing import Any, NamedTuple

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.complaints.models import Incident, IncidentKind
from supervise.desk.reach import incident_in_reach
from supervise.evidence.clocks import FORM_OF, expires_on
from supervise.evidence.coverage import Coverage, coverage_on
from supervise.evidence.holds import ANSWERS, LIVE, answer_hold, ask_hold, hold_by_id, holds_of
from supervise.evidence.models import EvidenceForm, HoldRequest, HoldState, RecordKind
from supervise.labels import _, _l
from supervise.parties.scope import Scope
from supervise.views.forms import Form, MemberField
from supervise.views.incidents.blueprint import bp
from supervise.views.registers import form_page

_RECORDS_OF = {IncidentKind.CALL: RecordKind.CALLS, IncidentKind.SMS: RecordKind.MESSAGES}


class Keeping(NamedTuple):
    """What of a call is on record, and how long others must keep what they have of it."""

    coverage: Coverage
    #: Which records the coverage is of.
    kind: RecordKind
    form: EvidenceForm
    #: None: no clock was in force on its day.
    days_left: int | None
    expires: Any
    holds: list[HoldRequest]
    names: dict[int, str]

    @property
    def is_asked(self) -> bool:
        """Whether a request stands."""
        return any(hold.state in LIVE for hold in self.holds)


def keeping_of(session: Session, incident: Incident) -> Keeping:
    """Return what is on record of *incident*, and until when its evidence must be kept."""
    kind = _RECORDS_OF[incident.kind]
    last = expires_on(session, [incident]).get(incident.id)
    holds = list(holds_of(session, incident.id))
    return Keeping(
        coverage_on(session, kind, [incident.occurred_on])[incident.occurred_on],
        kind,
        FORM_OF[incident.kind],
        (last - clock.today()).days if last else None,
        last,
        holds,
        display_names(session, [one for hold in holds for one in (hold.asked_by, hold.answered_by)]),
    )


class AskHoldForm(Form):
    """Who is asked to keep the evidence."""

    asked_of = StringField(
        _l("Asked of"),
        description=_l("The platform's operator or the party that has it"),
        validators=[InputRequired(_l("Say who is asked to keep it")), Length(min=2, max=100)],
    )


class AnswerHoldForm(Form):
    """What became of a request."""

    state = MemberField(_l("Answer"), HoldState, validators=[InputRequired()])
    answer = TextAreaField(
        _l("What they said"),
        validators=[InputRequired(_l("Enter the answer")), Length(min=2, max=300)],
        render_kw={"rows": 2},
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state.choices = [(one.value, one.label) for one in ANSWERS]


@bp.route("/<int:incident_id>/holds/new", methods=["GET", "POST"])
@require(Permission.TRIAGE)
def ask_to_keep(incident_id: int) -> ResponseReturnValue:
    """Ask for the recording or SMS log of a call before its clock runs out."""
    with db.reading() as session:
        incident = incident_in_reach(session, Scope.of(session, current_user()), incident_id)
        keeping = keeping_of(session, incident)
    form = AskHoldForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Ask to keep: %(evidence)s", evidence=keeping.form.label),
            words=_("Enter the request"),
            cancel_url=url_for(".detail", incident_id=incident_id),
            hint=_("It must be kept through %(day)s.", day=f"{keeping.expires}") if keeping.expires else "",
        )
    db.decide(ask_hold, incident_id, asked_of=form.asked_of.data.strip(), actor_id=current_user().id)
    flash(_("The request is entered"), "success")
    return redirect(url_for(".detail", incident_id=incident_id, _anchor="keeping"), code=303)


@bp.route("/holds/<int:hold_id>/answer", methods=["GET", "POST"])
@require(Permission.TRIAGE)
def answer_to_keep(hold_id: int) -> ResponseReturnValue:
    """Enter what became of a request."""
    with db.reading() as session:
        hold = hold_by_id(session, hold_id)
        incident_in_reach(session, Scope.of(session, current_user()), hold.incident_id)
    form = AnswerHoldForm()
    back = url_for(".detail", incident_id=hold.incident_id, _anchor="keeping")
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Answer to a request: %(evidence)s", evidence=hold.evidence.label),
            words=_("Enter the answer"),
            cancel_url=back,
            hint=_("Asked of: %(asked_of)s", asked_of=hold.asked_of),
        )
    db.decide(answer_hold, hold_id, state=form.state.data, answer=form.answer.data.strip(), actor_id=current_user().id)
    flash(_("The answer is entered"), "success")
    return redirect(back, code=303)
