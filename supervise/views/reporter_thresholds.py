"""The page of the thresholds: from how many reporters on a number or a party is suspected, and since when."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.proof_models import CountedPer
from supervise.attribution.reporters import (
    end_reporter_threshold,
    reporter_threshold_by_id,
    reporter_thresholds,
    set_reporter_threshold,
)
from supervise.labels import _, _l
from supervise.views.forms import Form, MemberField
from supervise.views.registers import form_page, history_of

bp = Blueprint("reporter_thresholds", __name__, url_prefix="/reference/reporters")


class ThresholdForm(Form):
    """A threshold from a day on; figures must agree with the CHECKs on reporter_threshold."""

    counted_per = MemberField(_l("Counted per"), CountedPer, validators=[InputRequired()])
    subscribers = IntegerField(
        _l("Different subscribers"),
        description=_l("Each with at least one confirmed incident"),
        validators=[InputRequired(_l("Enter a number")), NumberRange(1, 100_000, _l("From 1 to 100,000"))],
    )
    within_days = IntegerField(
        _l("Within days"),
        validators=[InputRequired(_l("Enter the days")), NumberRange(1, 3_660, _l("From 1 to 3,660"))],
    )
    legal_note = StringField(
        _l("Legal note"),
        description=_l("The rule, or who decided it"),
        validators=[InputRequired(_l("Say by which rule or whose decision the threshold holds")), Length(4, 300)],
    )
    valid_from = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])


class EndForm(Form):
    """From when on nobody is suspected by it."""

    valid_to = DateField(_l("From this day on no more"), validators=[InputRequired(_l("Enter the day"))])


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """Show every threshold with its period."""
    with db.reading() as session:
        rows = reporter_thresholds(session)
        history = history_of(session, "reporter_threshold", None, Permission.EDIT_REFERENCE)
    return render_template(
        "reference/reporters.html",
        rows=rows,
        history=history,
        may_edit=current_user().can(Permission.EDIT_REFERENCE),
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def new() -> ResponseReturnValue:
    """Set a threshold from a day on; it ends the one before it."""
    form = ThresholdForm(valid_from=clock.today())
    if not form.validate_on_submit():
        return form_page(form, title=_("New threshold"), words=_("Set the threshold"), cancel_url=url_for(".index"))
    db.decide(
        set_reporter_threshold,
        counted_per=form.counted_per.data,
        subscribers=form.subscribers.data,
        within_days=form.within_days.data,
        legal_note=form.legal_note.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The threshold is set"), "success")
    return redirect(url_for(".index"), code=303)


@bp.route("/<int:reporter_threshold_id>/end", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def end(reporter_threshold_id: int) -> ResponseReturnValue:
    """Suspect nobody by a threshold from a day on."""
    with db.reading() as session:
        row = reporter_threshold_by_id(session, reporter_threshold_id)
    form = EndForm()
    if not form.validate_on_submit():
        title, words = _("End a threshold"), _("End the threshold")
        return form_page(form, title=title, words=words, cancel_url=url_for(".index"), hint=row.counted_per.label)
    db.decide(end_reporter_threshold, reporter_threshold_id, valid_to=form.valid_to.data, actor_id=current_user().id)
    flash(_("The threshold ends"), "success")
    return redirect(url_for(".index"), code=303)
