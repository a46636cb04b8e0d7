"""Accounting labels: how finance books each kind of amount, dated."""

import datetime as dt
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.contracts.accounting import DIRECTIONS, AmountNature, add_label
from supervise.contracts.models import AccountingLabel, ContractDirection
from supervise.contracts.queries import labels_by_nature
from supervise.labels import _, _l
from supervise.views.forms import Form

bp = Blueprint("gl_map", __name__, url_prefix="/accounting-labels")


class LabelForm(Form):
    """A label from a day on."""

    kind = SelectField(_l("Amounts"), validators=[InputRequired(_l("Choose what is labelled"))])
    gl_account_code = StringField(_l("GL account"), validators=[InputRequired(_l("Enter the account")), Length(max=40)])
    tax_label = StringField(_l("Tax label"), validators=[InputRequired(_l("Enter the tax label")), Length(max=40)])
    valid_from = DateField(
        _l("First day"),
        description=_l("A coming day; the label before ends there. Only a gap in the past can be filled."),
        validators=[InputRequired(_l("Enter the first day"))],
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind.choices = [
            (f"{nature.value}.{direction.value}", f"{nature.label} · {direction.label}")
            for nature, directions in DIRECTIONS.items()
            for direction in directions
        ]

    @property
    def nature_and_direction(self) -> tuple[AmountNature, ContractDirection]:
        """What is labelled, after validation."""
        nature, _dot, direction = self.kind.data.partition(".")
        return AmountNature(nature), ContractDirection(direction)


def _state(label: AccountingLabel, today: dt.date) -> str:
    if label.valid_from > today:
        return _("Not yet")
    return _("In force") if label.valid_to is None or label.valid_to > today else _("Over")


@bp.route("/", methods=["GET", "POST"])
@require(Permission.EDIT_GL_MAP)
def index() -> ResponseReturnValue:
    """List the labels by kind of amount, the newest first, and add one."""
    with db.reading() as session:
        labels = labels_by_nature(session)
    today = clock.today()
    form = LabelForm()
    if not form.validate_on_submit():
        rows = [(AmountNature(label.nature).label, label, _state(label, today)) for label in labels]
        page = render_template("gl_map/index.html", form=form, rows=rows)
        return page, 400 if request.method == "POST" else 200
    nature, direction = form.nature_and_direction
    db.decide(
        add_label,
        nature,
        direction,
        gl_account_code=form.gl_account_code.data,
        tax_label=form.tax_label.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The label is recorded"), "success")
    return redirect(url_for(".index"), code=303)
