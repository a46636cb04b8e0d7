"""The page of the dated figures of consequences: the ladder of sanctions, points to start with, scoring of cards."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.errors import NotFoundError
from supervise.labels import N_, LazyText, _, _l, translate
from supervise.parties.sanction_models import SanctionKind, SanctionRule, SanctionTrigger
from supervise.penalties.consequence_rules import (
    FIGURES,
    MONTHS_MAX,
    POINTS_MAX,
    WARNINGS_MAX,
    WEIGHT_MAX,
    WORST_MAX,
    add_step,
    end_step,
    ladder_steps,
    periods_of,
    set_points_start,
    set_score_scheme,
)
from supervise.penalties.sanction_words import length_in_words, trigger_in_words
from supervise.penalties.score_models import PointsStart, ScoreScheme
from supervise.penalties.scorecards import scheme_from
from supervise.penalties.scoring import Criterion, Weight
from supervise.views.forms import Form, MemberField, only_for
from supervise.views.registers import form_page, history_of

bp = Blueprint("consequence_rules", __name__, url_prefix="/reference/consequences")

_SUBJECTS = ("sanction_rule", "points_start", "score_scheme")


class _Filled(LazyText):
    """A text whose places are filled when it is shown, in the language of whoever reads it."""

    def __init__(self, message: str, **parameters: Criterion | int) -> None:
        super().__init__(message)
        self._parameters = parameters

    def __str__(self) -> str:
        words = {
            name: value.label if isinstance(value, Criterion) else value for name, value in self._parameters.items()
        }
        return translate(self.message, words)


def _whole(label: LazyText, least: int, most: int) -> IntegerField:
    message = _Filled(N_("A whole number from %(least)d to %(most)d"), least=least, most=most)
    bounds = NumberRange(least, most, message=message)
    return IntegerField(label, validators=[InputRequired(_l("Enter a whole number")), bounds])


def _for(name: str, label: LazyText, most: int) -> IntegerField:
    triggers = [trigger.value for trigger in SanctionTrigger if name in FIGURES[trigger]]
    bounds = NumberRange(0 if name == "points_left" else 1, most)
    return IntegerField(label, validators=[Optional(), bounds], render_kw=only_for("trigger", *triggers))


def _legal_note() -> StringField:
    return StringField(
        _l("Legal basis"),
        description=_l("The law, the notice or the contract; say so if the legal department has not confirmed it"),
        validators=[InputRequired(_l("Enter the legal basis")), Length(min=4, max=300)],
    )


def _first_day(description: LazyText) -> DateField:
    return DateField(_l("From"), description=description, validators=[InputRequired(_l("Enter the first day"))])


class StepForm(Form):
    """A step of the ladder; its trigger says which figures it has."""

    trigger = MemberField(_l("What leads to it"), SanctionTrigger, validators=[InputRequired()])
    points_left = _for("points_left", _l("Points left at most"), POINTS_MAX)
    warnings = _for("warnings", _l("Warnings"), WARNINGS_MAX)
    within_months = _for("within_months", _l("Within months"), MONTHS_MAX)
    kind = MemberField(_l("Sanction"), SanctionKind, validators=[InputRequired()])
    months = IntegerField(
        _l("For how many months"),
        description=_l("Empty: until somebody lifts it"),
        validators=[Optional(), NumberRange(1, MONTHS_MAX)],
    )
    legal_note = _legal_note()
    valid_from = _first_day(_l("Tomorrow or later"))

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind.choices = [
            (kind.value, kind.label) for kind in SanctionKind if kind is not SanctionKind.NUMBER_SHUTDOWN
        ]

    def figures(self) -> dict[str, int | None]:
        """Return the figures of the trigger; what a browser without scripts sent besides is left out."""
        needed = FIGURES[self.trigger.data]
        names = ("points_left", "warnings", "within_months")
        return {name: self[name].data if name in needed else None for name in names}


class EndForm(Form):
    """From when on a step proposes nothing."""

    valid_to = DateField(_l("From this day on no more"), validators=[InputRequired(_l("Enter the day"))])


class PointsForm(Form):
    """With how many points parties start."""

    points = _whole(_l("Points"), 1, POINTS_MAX)
    legal_note = _legal_note()
    valid_from = _first_day(_l("Tomorrow or later"))


def _scheme_form() -> type[Form]:
    """Return the form with two fields for each criterion, and the bands."""
    fields: dict[str, Any] = {"__doc__": "Weights, worst values and bands."}
    for criterion in Criterion:
        fields[f"{criterion.value}_weight"] = _whole(
            _Filled(N_("%(criterion)s: weight"), criterion=criterion), 0, WEIGHT_MAX
        )
        fields[f"{criterion.value}_worst"] = _whole(
            _Filled(N_("%(criterion)s: scores nothing from"), criterion=criterion), 1, WORST_MAX
        )
    fields["good_from"] = _whole(_l("Good from"), 1, 100)
    fields["watch_from"] = _whole(_l("Under watch from"), 1, 100)
    fields["poor_from"] = _whole(_l("Poor from"), 1, 100)
    fields["legal_note"] = _legal_note()
    fields["valid_from"] = _first_day(_l("The first day of a month to come"))
    return type("SchemeForm", (Form,), fields)


SchemeForm = _scheme_form()


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """Show the ladder, the points to start with and the schemes of cards, each with its period."""
    with db.reading() as session:
        steps = ladder_steps(session)
        starts, schemes = periods_of(session, PointsStart), periods_of(session, ScoreScheme)
        history = history_of(session, _SUBJECTS, None, Permission.EDIT_RULES)
    return render_template(
        "reference/consequences.html",
        steps=[(row, trigger_in_words(row), length_in_words(row)) for row in steps],
        starts=starts,
        schemes=[(row, scheme_from(row).weights.items()) for row in schemes],
        today=clock.today(),
        history=history,
        may_edit=current_user().can(Permission.EDIT_RULES),
    )


@bp.route("/step", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new_step() -> ResponseReturnValue:
    """Add a step to the ladder."""
    form = StepForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("New step of the ladder"),
            words=_("Add the step"),
            cancel_url=url_for(".index"),
            hint=_("A step proposes a sanction; a person approves it. It looks at what happens from its first day on."),
        )
    db.decide(
        add_step,
        form.trigger.data,
        form.kind.data,
        figures=form.figures(),
        months=form.months.data,
        legal_note=form.legal_note.data.strip(),
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    return _done(_("The step is added"))


@bp.route("/step/<int:rule_id>/end", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def stop_step(rule_id: int) -> ResponseReturnValue:
    """Let a step propose nothing from a day on."""
    with db.reading() as session:
        row = session.get(SanctionRule, rule_id)
        if row is None:
            raise NotFoundError
        about = f"{trigger_in_words(row)}: {row.kind.label}"
    form = EndForm()
    if not form.validate_on_submit():
        title, words = _("End a step of the ladder"), _("End the step")
        return form_page(form, title=title, words=words, cancel_url=url_for(".index"), hint=about)
    db.decide(end_step, rule_id, valid_to=form.valid_to.data, actor_id=current_user().id)
    return _done(_("The step ends"))


@bp.route("/points", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new_points() -> ResponseReturnValue:
    """Let parties start with other points from a day on."""
    form = PointsForm()
    if not form.validate_on_submit():
        title, words = _("Points to start with"), _("Set the points")
        return form_page(form, title=title, words=words, cancel_url=url_for(".index"))
    db.decide(
        set_points_start,
        form.points.data,
        legal_note=form.legal_note.data.strip(),
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    return _done(_("The points are set"))


@bp.route("/scoring", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new_scheme() -> ResponseReturnValue:
    """Score the cards of months to come by other weights and bands."""
    with db.reading() as session:
        latest = next(iter(periods_of(session, ScoreScheme)), None)
        given = _given(latest) if latest is not None else {}
    form = SchemeForm(**given)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Scoring of scorecards"),
            words=_("Set the scoring"),
            cancel_url=url_for(".index"),
            hint=_("A criterion scores 100 at zero and nothing from its worst value on, in a straight line."),
        )
    data = form.data
    db.decide(
        set_score_scheme,
        {one: Weight(data[f"{one.value}_weight"], data[f"{one.value}_worst"]) for one in Criterion},
        (data["good_from"], data["watch_from"], data["poor_from"]),
        legal_note=data["legal_note"].strip(),
        valid_from=data["valid_from"],
        actor_id=current_user().id,
    )
    return _done(_("The scoring is set"))


def _given(row: ScoreScheme) -> dict[str, int]:
    given = {"good_from": row.good_from, "watch_from": row.watch_from, "poor_from": row.poor_from}
    for criterion, weight in scheme_from(row).weights.items():
        given |= {f"{criterion.value}_weight": weight.weight, f"{criterion.value}_worst": weight.worst}
    return given


def _done(words: str) -> ResponseReturnValue:
    flash(words, "success")
    return redirect(url_for(".index"), code=303)
