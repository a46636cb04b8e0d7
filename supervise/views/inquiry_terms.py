"""Reference data: how long an asked party has by default; the list stands among the deadlines."""

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.inquiries import DAYS_MAX
from supervise.attribution.inquiry_terms import set_inquiry_term
from supervise.labels import _, _l
from supervise.views.forms import Form
from supervise.views.registers import form_page

bp = Blueprint("inquiry_terms", __name__, url_prefix="/reference/inquiry-terms")


class TermForm(Form):
    """How many working days, why, and from when on."""

    working_days = IntegerField(
        _l("Working days"),
        validators=[
            InputRequired(_l("Enter the days")),
            NumberRange(1, DAYS_MAX, message=_l("A whole number that fits")),
        ],
    )
    reason = StringField(
        _l("Reason"),
        description=_l("Who decided it, and why"),
        validators=[InputRequired(_l("Give a reason")), Length(min=4, max=300)],
    )
    valid_from = DateField(
        _l("For inquiries from this day on"),
        description=_l("Today or later"),
        validators=[InputRequired(_l("Enter the first day"))],
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new() -> ResponseReturnValue:
    """Give another time to answer from a day on; it ends the one before it."""
    form = TermForm()
    back_url = url_for("reference.index", _anchor="inquiries")
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Time to answer an inquiry"),
            words=_("Set the time"),
            cancel_url=back_url,
            hint=_("Inquiries that were asked before keep their deadline; a deadline can be changed for each inquiry."),
        )
    db.decide(
        set_inquiry_term,
        working_days=form.working_days.data,
        reason=form.reason.data.strip(),
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The time to answer is set"), "success")
    return redirect(back_url, code=303)
