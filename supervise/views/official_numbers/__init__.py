"""The page of numbers that carriers declared official: reference data with dates."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional, Regexp

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.labels import _, _l
from supervise.parties import officials
from supervise.parties.models import Carrier, OfficialUse
from supervise.views.forms import Form, MemberField
from supervise.views.registers import form_page, saved

bp = Blueprint("official_numbers", __name__, url_prefix="/official-numbers")


class DeclareForm(Form):
    """A number that a carrier declares official."""

    carrier = SelectField(_l("Carrier"), validators=[InputRequired()])
    digits = StringField(
        _l("Number"),
        validators=[InputRequired(_l("Enter the number")), Regexp("^[0-9]{3,20}$", message=_l("Digits only"))],
    )
    use = MemberField(_l("Used for"), OfficialUse, validators=[InputRequired()])
    legal_basis = StringField(
        _l("Legal basis"), validators=[InputRequired(_l("Enter the legal basis")), Length(max=300)]
    )
    valid_from = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])
    valid_to = DateField(_l("First day without it"), validators=[Optional()])

    def __init__(self, carriers: list[Carrier], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.carrier.choices = [(carrier.code, carrier.name) for carrier in carriers]


class EndOfficialForm(Form):
    """The end of an official use."""

    on = DateField(_l("First day without it"), validators=[InputRequired(_l("Enter the first day"))])
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """List every official number ever declared."""
    with db.reading() as session:
        rows = officials.official_numbers(session)
        carriers = {carrier.code: carrier.name for carrier in officials.carriers_by_code(session)}
    return render_template(
        "official_numbers/index.html",
        rows=rows,
        carriers=carriers,
        today=clock.today(),
        may_edit=current_user().can(Permission.EDIT_REFERENCE),
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def new() -> ResponseReturnValue:
    """Declare a number official."""
    with db.reading() as session:
        form = DeclareForm(list(officials.carriers_by_code(session)))
    if not form.validate_on_submit():
        return form_page(
            form, title=_("New official number"), words=_("Declare the number"), cancel_url=url_for(".index")
        )
    db.decide(
        officials.declare_official,
        carrier_code=form.carrier.data,
        digits=form.digits.data,
        use=form.use.data,
        legal_basis=form.legal_basis.data.strip(),
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        actor_id=current_user().id,
    )
    flash(saved(), "success")
    return redirect(url_for(".index"), code=303)


@bp.route("/<int:official_id>/end", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def end(official_id: int) -> ResponseReturnValue:
    """End an official use."""
    with db.reading() as session:
        row = officials.official_by_id(session, official_id)
    form = EndOfficialForm(on=row.valid_to)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of the official use of %(digits)s", digits=row.digits),
            words=_("Set the end"),
            cancel_url=url_for(".index"),
        )
    db.decide(officials.end_official, official_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id)
    flash(saved(), "success")
    return redirect(url_for(".index"), code=303)
