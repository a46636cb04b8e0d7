"""Figures of a month that clauses read: commission by contract, orders and answered calls by party."""

import re

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import StringField
from wtforms.validators import InputRequired, Length, Regexp

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.labels import _, _l
from supervise.money import parse_yuan
from supervise.penalties.monthly_figures import FigureFacts, figures_by_month, owner_of_code, record_figure
from supervise.penalties.pricing import FigureKind
from supervise.views.forms import Form, MemberField

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)

bp = Blueprint("month_figures", __name__, url_prefix="/month-figures")


class FigureForm(Form):
    """A figure as a source states it."""

    kind = MemberField(_l("Figure"), FigureKind, validators=[InputRequired()])
    code = StringField(
        _l("Contract number or party code"),
        description=_l("A commission belongs to a contract, a count to a party"),
        validators=[InputRequired(_l("Enter a contract number or party code")), Length(max=60)],
    )
    month = StringField(
        _l("Month"),
        description=_l("Such as 2026-11"),
        validators=[
            InputRequired(_l("Enter a month, such as 2026-11")),
            Regexp(r"[0-9]{4}-(0[1-9]|1[0-2])\Z", message=_l("Enter a month, such as 2026-11")),
        ],
    )
    amount = StringField(
        _l("Amount or count"),
        description=_l("Yuan for a commission, else a number"),
        validators=[InputRequired(_l("Enter an amount")), Length(max=20)],
    )
    source = StringField(
        _l("Source"),
        description=_l("The statement, count or letter that it stands in"),
        validators=[InputRequired(_l("Say where the figure comes from")), Length(max=200)],
    )

    def value(self) -> int:
        """Return the amount: fen, or a count.

        Raises:
            ValueError: if it is neither.
        """
        typed = (self.amount.data or "").strip()
        if self.kind.data is FigureKind.COMMISSION:
            return parse_yuan(typed)
        if not typed.isascii() or not typed.isdigit():
            raise ValueError(typed)
        return int(typed)


@bp.get("/")
@require(Permission.READ_CONTRACTS)
def index() -> ResponseReturnValue:
    """List the figures of a month; this one, unless ``?month=`` names another."""
    return _page(FigureForm(formdata=None, month=_month()))


@bp.post("/")
@require(Permission.DRAFT_CONTRACTS)
def record() -> ResponseReturnValue:
    """Record a figure; one that is there already is corrected by it."""
    form = FigureForm()
    if not form.validate():
        return _page(form), 400
    try:
        amount = form.value()
    except ValueError:
        form.amount.errors = [_("Enter yuan with at most two decimals for a commission, else a whole number")]
        return _page(form), 400
    db.decide(_record, form, amount, actor_id=current_user().id)
    flash(_("The figure is recorded"), "success")
    return redirect(url_for(".index", month=form.month.data), code=303)


def _record(session: Session, form: FigureForm, amount: int, *, actor_id: int) -> None:
    owner = owner_of_code(session, form.kind.data, form.code.data.strip())
    facts = FigureFacts(
        kind=form.kind.data,
        month=form.month.data,
        amount=amount,
        source=form.source.data,
        party_id=owner.party_id,
        contract_id=owner.contract_id,
    )
    record_figure(session, facts, actor_id=actor_id)


def _month() -> str:
    asked = request.args.get("month", "")
    return asked if _MONTH.fullmatch(asked) else clock.month_of(clock.today())


def _page(form: FigureForm) -> str:
    month = form.month.data if form.month.data and _MONTH.fullmatch(form.month.data) else _month()
    with db.reading() as session:
        lines = figures_by_month(session, month)
        people = display_names(session, [line.figure.recorded_by for line in lines])
    return render_template(
        "month_figures/index.html",
        form=form,
        month=month,
        lines=lines,
        people=people,
        commission=FigureKind.COMMISSION,
        may_record=current_user().can(Permission.DRAFT_CONTRACTS),
    )
