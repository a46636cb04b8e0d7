"""The pages of what intake goes by: deadlines, working days, the taxonomy of offences."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import BooleanField, DateField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp

from reports.reference import CALENDAR_COLUMNS, DEADLINE_COLUMNS, OFFENCE_COLUMNS
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.inquiry_terms import inquiry_terms
from supervise.complaints import queries, reference, workdays
from supervise.complaints.deadlines import provisional_years, recompute_open_tickets
from supervise.complaints.mediation_terms import mediation_terms
from supervise.complaints.models import CalendarDay, Channel, DayType, OffenceType
from supervise.errors import NotFoundError
from supervise.labels import N_, _, _l, current_locale, ngettext, translate
from supervise.parties.scope import Scope
from supervise.views.forms import Form, MemberField
from supervise.views.refusals import record_refusal
from supervise.views.registers import History, download, export_urls, form_page, history_of

bp = Blueprint("reference", __name__, url_prefix="/reference")

#: Top-level classes of the taxonomy (domain A19).
FAMILIES = {
    "frequency": N_("Frequency"),
    "method": N_("Method"),
    "content": N_("Content"),
    "process": N_("Process"),
}
_YEARS = range(2004, 2100)
#: Who keeps the deadlines of channels, and who those of inquiries.
_HISTORIANS = (Permission.EDIT_REFERENCE, Permission.EDIT_RULES)


class DeadlineForm(Form):
    """A deadline of a channel or of all, in a region or everywhere."""

    channel = SelectField(_l("Channel"), validators=[Optional()])
    unit_id = SelectField(_l("Region"), validators=[Optional()])
    days = IntegerField(_l("Days"), validators=[InputRequired(_l("Enter the days")), NumberRange(1, 365)])
    day_type = MemberField(_l("Kind of days"), DayType, validators=[InputRequired()])
    source = StringField(
        _l("Source"), description=_l("The law, or who said so"), validators=[InputRequired(), Length(min=4, max=200)]
    )
    valid_from = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])

    def __init__(self, units: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels = [(channel.value, channel.label) for channel in Channel]
        self.channel.choices = [("", _("Every channel without a rule of its own")), *channels]
        self.unit_id.choices = [("", _("Everywhere")), *((str(unit_id), name) for unit_id, name in units)]


class DayForm(Form):
    """A day that was announced late."""

    day = DateField(_l("Date"), validators=[InputRequired(_l("Enter the day"))])
    is_working = BooleanField(_l("A working day"))
    note = StringField(_l("Why"), validators=[InputRequired(_l("Say why")), Length(min=2, max=200)])


class OffenceForm(Form):
    """A new kind of offence."""

    code = StringField(
        _l("Code"),
        validators=[InputRequired(_l("Enter the code")), Regexp("[a-z][a-z0-9_]{2,39}$", message=_l("Small letters"))],
    )
    family = SelectField(
        _l("Class of offence"), choices=lambda: [(code, translate(words)) for code, words in FAMILIES.items()]
    )
    name_zh = StringField(_l("Name in Chinese"), validators=[InputRequired(), Length(max=60)])
    name_en = StringField(_l("Name in English"), validators=[InputRequired(), Length(max=100)])
    legal_basis = StringField(_l("Legal basis"), validators=[InputRequired(), Length(min=4, max=300)])
    valid_from = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])


class RetireForm(Form):
    """From when on a kind of offence is not found any more."""

    valid_to = DateField(_l("From this day on no more"), validators=[InputRequired(_l("Enter the day"))])


def _name(row: OffenceType) -> str:
    return row.name_en if current_locale() == "en" else row.name_zh


def _may_edit() -> bool:
    return current_user().can(Permission.EDIT_REFERENCE)


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """Show the deadlines: which channel gives how long, by which source."""
    with db.reading() as session:
        rows, terms, mediators = queries.deadline_rules(session), inquiry_terms(session), mediation_terms(session)
        history = history_of(session, ("deadline_rule", "inquiry_term", "mediation_term"), None, *_HISTORIANS)
    return render_template(
        "reference/deadlines.html",
        rows=rows,
        terms=terms,
        mediation_terms=mediators,
        today=clock.today(),
        exports=export_urls(".export_deadlines"),
        history=history,
        may_edit=_may_edit(),
        may_set_terms=current_user().can(Permission.EDIT_RULES),
    )


def _history(session: Session, subject: str) -> History | None:
    return history_of(session, subject, None, Permission.EDIT_REFERENCE)


@bp.get("/deadlines/export")
@require(Permission.READ_REFERENCE)
def export_deadlines() -> ResponseReturnValue:
    """Give the deadlines as a file."""
    return download(
        "deadlines", _("Deadlines"), DEADLINE_COLUMNS, lambda session, _scope: queries.deadline_rules(session)
    )


@bp.route("/deadlines/new", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def new_deadline() -> ResponseReturnValue:
    """Enter a deadline from a day on; it ends the one before it."""
    with db.reading() as session:
        form = DeadlineForm(list(queries.units_to_choose(session, Scope.everything())))
    if not form.validate_on_submit():
        return form_page(form, title=_("New deadline"), words=_("Set the deadline"), cancel_url=url_for(".index"))
    db.decide(
        reference.set_deadline_rule,
        channel=Channel(form.channel.data) if form.channel.data else None,
        unit_id=int(form.unit_id.data) if form.unit_id.data else None,
        days=form.days.data,
        day_type=form.day_type.data,
        source=form.source.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The deadline is set"), "success")
    return redirect(url_for(".index"), code=303)


@bp.get("/calendar")
@require(Permission.READ_REFERENCE)
def calendar() -> ResponseReturnValue:
    """Show the days of a year that differ from Monday to Friday, and which years are known."""
    wanted = request.args.get("year", "")
    year = int(wanted) if wanted.isdecimal() and len(wanted) == 4 else clock.today().year  # noqa: PLR2004 - a year
    with db.reading() as session:
        years = queries.calendar_years(session)
        days = queries.calendar_days(session, year) if year in _YEARS else ()
        provisional = provisional_years(session)
        history = _history(session, "calendar")
    today = clock.today()
    known = {row.year for row in years}
    next_year = today.year + 1
    return render_template(
        "reference/calendar.html",
        year=year,
        missing=[wanted_year for wanted_year in (today.year, next_year) if wanted_year not in known],
        # The State Council announces in November; without it the first due dates of the year are wrong.
        is_urgent=next_year not in known and today >= dt.date(today.year, 11, 1),
        years=years,
        days=days,
        provisional=provisional,
        exports=export_urls(".export_calendar"),
        history=history,
        may_edit=_may_edit(),
    )


@bp.get("/calendar/export")
@require(Permission.READ_REFERENCE)
def export_calendar() -> ResponseReturnValue:
    """Give the days of every known year that differ from Monday to Friday as a file."""

    def days(session: Session) -> Iterator[CalendarDay]:
        for known in reversed(queries.calendar_years(session)):
            yield from queries.calendar_days(session, known.year)

    return download("calendar", _("Working days"), CALENDAR_COLUMNS, lambda session, _scope: days(session))


@bp.post("/calendar/<int:year>/load")
@require(Permission.EDIT_REFERENCE)
def load_year(year: int) -> ResponseReturnValue:
    """Fill a year's working days and set the due dates of open tickets anew."""
    if year not in _YEARS:
        raise NotFoundError
    back = redirect(url_for(".calendar", year=year), code=303)
    try:
        changed = db.decide(_load_year, year, actor_id=current_user().id)
    except workdays.CalendarMissingError as error:
        # Nothing that the user did wrong: until November the State Council has not published them.
        record_refusal(error)
        flash(str(error), "warning")
        return back
    flash(_("The calendar of %(year)d is loaded", year=year), "success")
    _tell(changed)
    return back


def _load_year(session: Session, year: int, *, actor_id: int) -> int:
    workdays.load_year(session, year, actor_id=actor_id)
    return recompute_open_tickets(session, actor_id=actor_id)


@bp.route("/calendar/day", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def set_day() -> ResponseReturnValue:
    """Decide about a day by hand and set the due dates of open tickets anew."""
    form = DayForm()
    if not form.validate_on_submit():
        return form_page(form, title=_("Set a day"), words=_("Set the day"), cancel_url=url_for(".calendar"))
    changed = db.decide(
        _set_day,
        form.day.data,
        is_working=form.is_working.data,
        note=form.note.data,
        actor_id=current_user().id,
    )
    flash(_("The day is set"), "success")
    _tell(changed)
    return redirect(url_for(".calendar", year=form.day.data.year), code=303)


def _set_day(session: Session, day: dt.date, *, is_working: bool, note: str, actor_id: int) -> int:
    workdays.set_day(session, day, is_working=is_working, note=note, actor_id=actor_id)
    return recompute_open_tickets(session, actor_id=actor_id)


def _tell(changed: int) -> None:
    if changed:
        words = ngettext("%(n)d open ticket has another due date", "%(n)d open tickets have another due date", changed)
        flash(words, "info")


@bp.get("/offences")
@require(Permission.READ_REFERENCE)
def offences() -> ResponseReturnValue:
    """Show the kinds of offence with their legal basis and period."""
    with db.reading() as session:
        rows = queries.offence_types(session)
        history = _history(session, "offence_type")
    return render_template(
        "reference/offences.html",
        rows=rows,
        exports=export_urls(".export_offences"),
        history=history,
        families={code: translate(words) for code, words in FAMILIES.items()},
        name=_name,
        may_edit=_may_edit(),
    )


@bp.get("/offences/export")
@require(Permission.READ_REFERENCE)
def export_offences() -> ResponseReturnValue:
    """Give the kinds of offence as a file."""
    return download(
        "offences", _("Offence types"), OFFENCE_COLUMNS, lambda session, _scope: queries.offence_types(session)
    )


@bp.route("/offences/new", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def new_offence() -> ResponseReturnValue:
    """Add a kind of offence."""
    form = OffenceForm()
    back = url_for(".offences")
    if not form.validate_on_submit():
        return form_page(form, title=_("New offence type"), words=_("Add it"), cancel_url=back)
    db.decide(
        reference.add_offence_type,
        code=form.code.data,
        family=form.family.data,
        name_zh=form.name_zh.data,
        name_en=form.name_en.data,
        legal_basis=form.legal_basis.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The offence type is added"), "success")
    return redirect(back, code=303)


@bp.route("/offences/<int:offence_type_id>/retire", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def retire_offence(offence_type_id: int) -> ResponseReturnValue:
    """Let a kind of offence be found no more from a day on."""
    with db.reading() as session:
        row = queries.offence_type_by_id(session, offence_type_id)
    form = RetireForm()
    back = url_for(".offences")
    if not form.validate_on_submit():
        title = _("Retire an offence type")
        return form_page(form, title=title, words=_("Retire"), cancel_url=back, hint=_name(row))
    db.decide(reference.retire_offence_type, offence_type_id, valid_to=form.valid_to.data, actor_id=current_user().id)
    flash(_("The offence type is retired"), "success")
    return redirect(back, code=303)
