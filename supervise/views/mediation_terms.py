"""Reference data: how many working days each mediator has; the list stands among the deadlines."""

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.dispute_models import Mediator
from supervise.complaints.mediation_terms import DAYS_MAX, set_mediation_term
from supervise.labels import _, _l
from supervise.views.forms import Form, MemberField
from supervise.views.registers import form_page

bp = Blueprint("mediation_terms", __name__, url_prefix="/reference/mediation-terms")


class MediationTermForm(Form):
    """Whose term, how long, by which source, from when on."""

    mediator = MemberField(_l("Who mediates"), Mediator, validators=[InputRequired()])
    working_days = IntegerField(
        _l("Working days"),
        validators=[
            InputRequired(_l("Enter the days")),
            NumberRange(1, DAYS_MAX, message=_l("A whole number that fits")),
        ],
    )
    source = StringField(
        _l("Source"),
        description=_l("The rule or agreement that says so"),
        validators=[InputRequired(_l("Say where the term stands")), Length(min=4, max=300)],
    )
    valid_from = DateField(
        _l("For mediations from this day on"),
        description=_l("Today or later"),
        validators=[InputRequired(_l("Enter the first day"))],
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new() -> ResponseReturnValue:
    """Give a mediator a term from a day on; it ends the one before it."""
    form = MediationTermForm()
    back_url = url_for("reference.index", _anchor="mediations")
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Term of a mediator"),
            words=_("Set the term"),
            cancel_url=back_url,
            hint=_("Mediations that began before keep their term; the day that a letter names always wins."),
        )
    db.decide(
        set_mediation_term,
        form.mediator.data,
        working_days=form.working_days.data,
        source=form.source.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The term is set"), "success")
    return redirect(back_url, code=303)
