"""The page of the watch thresholds: above which figures something is looked at, since when, and on what that stands."""

import datetime as dt
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, IntegerField, StringField, TimeField
from wtforms.validators import InputRequired, Length, NumberRange

from reports.reference import THRESHOLD_COLUMNS
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.watch_models import WatchKind
from supervise.attribution.watch_thresholds import (
    DAY_MINUTES,
    DAYS_MAX,
    SHAPES,
    VALUE_MAX,
    Figures,
    Shape,
    end_threshold,
    set_threshold,
    threshold_by_id,
    threshold_periods,
)
from supervise.attribution.watch_words import MEANINGS, figures_in_words
from supervise.errors import NotFoundError
from supervise.labels import LazyText, _, _l, translate
from supervise.views.forms import Form
from supervise.views.registers import download, export_urls, form_page, history_of

bp = Blueprint("thresholds", __name__, url_prefix="/reference/thresholds")

_PER_CENT = 100


def _whole(label: LazyText, largest: int = VALUE_MAX) -> IntegerField:
    bounds = NumberRange(1, largest, message=_l("A whole number above zero"))
    return IntegerField(label, validators=[InputRequired(_l("Enter a whole number")), bounds])


class ThresholdForm(Form):
    """What every threshold has; its kind adds the figures."""

    legal_note = StringField(
        _l("Legal basis"),
        description=_l("The law, the notice or the contract; say so if the legal department has not confirmed it"),
        validators=[InputRequired(_l("Enter the legal basis")), Length(min=4, max=300)],
    )
    valid_from = DateField(
        _l("From"), description=_l("Today or later"), validators=[InputRequired(_l("Enter the first day"))]
    )

    def figures(self) -> Figures:
        """Return the figures of a valid form."""
        fields = {name: self[name].data for name in ("value", "within_days") if name in self}
        return Figures(**fields)

    def __iter__(self) -> Any:
        """Show the figures first."""
        last = ("legal_note", "valid_from")
        return iter([self[name] for name in (*(name for name in self._fields if name not in last), *last)])


class CountForm(ThresholdForm):
    """A count on one day or in one hour."""

    value = _whole(_l("More than"))


class CountWithinDaysForm(ThresholdForm):
    """A count over several days."""

    value = _whole(_l("So many or more"))
    within_days = _whole(_l("Within days"), DAYS_MAX)


class PerCentForm(ThresholdForm):
    """A share that must be reached."""

    value = IntegerField(
        _l("At least (per cent)"),
        validators=[
            InputRequired(_l("Enter a whole number")),
            NumberRange(1, _PER_CENT, message=_l("A whole number from 1 to 100")),
        ],
    )


class DaysForm(ThresholdForm):
    """A number of days."""

    value = _whole(_l("Days"), DAYS_MAX)


class SecondsForm(ThresholdForm):
    """A number of seconds."""

    value = _whole(_l("Seconds"), DAY_MINUTES * 60)


class HoursForm(ThresholdForm):
    """Hours of the day; midnight as the end is the end of the day."""

    first = TimeField(_l("From this time"), validators=[InputRequired(_l("Enter the time"))])
    end = TimeField(_l("Until this time"), validators=[InputRequired(_l("Enter the time"))])

    def figures(self) -> Figures:
        """Return the hours in minutes since midnight."""
        return Figures(from_minute=_minute(self.first.data), to_minute=_minute(self.end.data) or DAY_MINUTES)


def _minute(time: dt.time) -> int:
    return time.hour * 60 + time.minute


_FORMS = {
    Shape.HOURS: HoursForm,
    Shape.COUNT: CountForm,
    Shape.COUNT_WITHIN_DAYS: CountWithinDaysForm,
    Shape.PER_CENT: PerCentForm,
    Shape.DAYS: DaysForm,
    Shape.SECONDS: SecondsForm,
}


class EndForm(Form):
    """From when on nothing is watched by a threshold."""

    valid_to = DateField(_l("From this day on no more"), validators=[InputRequired(_l("Enter the day"))])


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """Show every threshold with its period and what it stands on."""
    with db.reading() as session:
        rows = threshold_periods(session)
        history = history_of(session, "watch_threshold", None, Permission.EDIT_RULES)
    today = clock.today()
    watched = {row.kind for row in rows if row.valid_from <= today and (row.valid_to is None or today < row.valid_to)}
    return render_template(
        "reference/thresholds.html",
        kinds=[(kind, [row for row in rows if row.kind is kind], translate(MEANINGS[kind])) for kind in WatchKind],
        watched=watched,
        today=today,
        figures=figures_in_words,
        exports=export_urls(),
        history=history,
        may_edit=current_user().can(Permission.EDIT_RULES),
    )


@bp.get("/export")
@require(Permission.READ_REFERENCE)
def export() -> ResponseReturnValue:
    """Give the thresholds as a file."""
    return download(
        "thresholds", _("Watch thresholds"), THRESHOLD_COLUMNS, lambda session, _scope: threshold_periods(session)
    )


@bp.route("/<kind>/new", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new(kind: str) -> ResponseReturnValue:
    """Watch by another figure from a day on; it ends the one before it."""
    if kind not in set(WatchKind):
        raise NotFoundError
    about = WatchKind(kind)
    form = _FORMS[SHAPES[about]]()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=about.label,
            words=_("Set the threshold"),
            cancel_url=url_for(".index"),
            hint=translate(MEANINGS[about]),
        )
    db.decide(
        set_threshold,
        about,
        form.figures(),
        legal_note=form.legal_note.data.strip(),
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The threshold is set"), "success")
    return redirect(url_for(".index"), code=303)


@bp.route("/<int:threshold_id>/end", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def end(threshold_id: int) -> ResponseReturnValue:
    """Watch by a threshold no more from a day on."""
    with db.reading() as session:
        row = threshold_by_id(session, threshold_id)
    form = EndForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End a threshold"),
            words=_("End the threshold"),
            cancel_url=url_for(".index"),
            hint=_("%(kind)s: without another threshold nothing is watched by it from then on.", kind=row.kind.label),
        )
    db.decide(end_threshold, threshold_id, valid_to=form.valid_to.data, actor_id=current_user().id)
    flash(_("The threshold ends"), "success")
    return redirect(url_for(".index"), code=303)
