"""The supervisor's page of deputies."""

import datetime as dt
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, ValidationError

from supervise import clock, db
from supervise.access import queries
from supervise.access.deputies import DAYS_MAX, delegate, revoke_delegation
from supervise.access.identity import current_user
from supervise.access.models import User
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.labels import _, _l, ngettext
from supervise.money import FEN_MAX
from supervise.views.forms import Form, YuanField

bp = Blueprint("deputies", __name__, url_prefix="/deputies")

_ONE_DAY = dt.timedelta(days=1)


class DeputyForm(Form):
    """Who stands in, on which days, up to which amount."""

    deputy_id = SelectField(_l("Deputy"), coerce=int, validators=[InputRequired(_l("Choose a person"))])
    first_on = DateField(_l("First day"), validators=[InputRequired(_l("Enter the first day"))])
    last_on = DateField(_l("Last day"), validators=[InputRequired(_l("Enter the last day"))])
    limit_fen = YuanField(
        _l("Largest single amount (yuan)"),
        validators=[InputRequired(_l("Enter an amount")), NumberRange(min=1, max=FEN_MAX)],
    )
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])

    def __init__(self, people: list[User], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deputy_id.choices = [(user.id, f"{user.display_name} ({user.role.label})") for user in people]

    def validate_last_on(self, field: DateField) -> None:
        """Refuse days that are over, upside down or too many."""
        if field.data is None or self.first_on.data is None:
            return
        if field.data < max(self.first_on.data, clock.today()):
            raise ValidationError(_("The last day is before the first, or over already"))
        if (field.data - self.first_on.data).days >= DAYS_MAX:
            raise ValidationError(ngettext("At most %(n)d day", "At most %(n)d days", DAYS_MAX))


@bp.route("/", methods=["GET", "POST"])
@require(Permission.DELEGATE)
def index() -> ResponseReturnValue:
    """List the supervisor's delegations, and add one."""
    me = current_user()
    with db.reading() as session:
        rows = queries.delegations(session, me.id)
        people = list(queries.possible_deputies(session, me.id))
    form = DeputyForm(people)
    if not form.validate_on_submit():
        page = render_template("deputies/index.html", form=form, deputies=rows, can_revoke=True, me_id=me.id)
        return page, 400 if form.errors else 200
    db.decide(
        delegate,
        actor_id=me.id,
        deputy_id=form.deputy_id.data,
        valid_from=form.first_on.data,
        valid_to=form.last_on.data + _ONE_DAY,
        limit_fen=form.limit_fen.fen,
        reason=form.reason.data,
    )
    flash(_("The deputy is appointed"), "success")
    return redirect(url_for(".index"), code=303)


@bp.post("/<int:delegation_id>/revoke")
@require(Permission.DELEGATE)
def revoke(delegation_id: int) -> ResponseReturnValue:
    """End a delegation at once."""
    db.decide(revoke_delegation, actor_id=current_user().id, delegation_id=delegation_id)
    flash(_("The delegation is revoked"), "success")
    return redirect(url_for(".index"), code=303)
