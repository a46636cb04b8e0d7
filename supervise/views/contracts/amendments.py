"""The pages of amendments: draft one, put it into force as the second person, withdraw a draft."""

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.models import DayType
from supervise.contracts import queries
from supervise.contracts.amendments import (
    AmendedTerms,
    activate_amendment,
    amendment_by_id,
    draft_amendment,
    withdraw_amendment,
)
from supervise.contracts.models import SettlementOrder
from supervise.contracts.terms import terms_at
from supervise.labels import LabelledEnum, _, _l
from supervise.money import FEN_MAX
from supervise.views.contracts.blueprint import bp
from supervise.views.contracts.forms import ONE_DAY
from supervise.views.forms import Form, MemberField, YuanField

_DAYS = (Optional(), NumberRange(min=1, max=365))


class AmendmentForm(Form):
    """A supplementary agreement; a field that stays empty leaves its term as it is."""

    number = StringField(
        _l("Number of the amendment"), validators=[InputRequired(_l("Enter the number")), Length(max=60)]
    )
    signed_on = DateField(_l("Signed on"), validators=[InputRequired(_l("Enter the day"))])
    effective_from = DateField(
        _l("Effective from"),
        description=_l(
            "What is notified or settled from this day on follows it; not before the day it is put into force"
        ),
        validators=[InputRequired(_l("Enter the first day"))],
    )
    reason = StringField(
        _l("What it rests on"),
        description=_l("Why, and where the paper says it"),
        validators=[InputRequired(_l("Give a reason")), Length(min=4, max=200)],
    )
    last_on = DateField(_l("New last day"), description=_l("Holds at once"), validators=[Optional()])
    appeal_days = IntegerField(_l("Days to object"), validators=_DAYS)
    appeal_day_type = MemberField(_l("Counted in"), DayType, validators=[Optional()])
    deemed_days = IntegerField(_l("Counts as delivered after (working days)"), validators=_DAYS)
    deposit_required_fen = YuanField(
        _l("Deposit required (yuan)"), validators=[Optional(), NumberRange(min=0, max=FEN_MAX)]
    )
    top_up_days = IntegerField(_l("Working days to top up the deposit"), validators=_DAYS)
    settlement_order = MemberField(_l("Debts are taken from"), SettlementOrder, validators=[Optional()])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kinds: tuple[tuple[MemberField, type[LabelledEnum]], ...] = (
            (self.appeal_day_type, DayType),
            (self.settlement_order, SettlementOrder),
        )
        for field, kind in kinds:
            field.choices = [("", _("as it is")), *((one.value, one.label) for one in kind)]

    def terms(self) -> AmendedTerms:
        """Return what it changes, after validation."""
        return AmendedTerms(
            ends_on=self.last_on.data + ONE_DAY if self.last_on.data else None,
            appeal_days=self.appeal_days.data,
            appeal_day_type=self.appeal_day_type.data,
            deemed_days=self.deemed_days.data,
            deposit_required_fen=self.deposit_required_fen.data,
            top_up_days=self.top_up_days.data,
            settlement_order=self.settlement_order.data,
        )


@bp.route("/<int:contract_id>/amendments/new", methods=["GET", "POST"])
@require(Permission.DRAFT_CONTRACTS)
def new_amendment(contract_id: int) -> ResponseReturnValue:
    """Draft an amendment of a contract in force."""
    with db.reading() as session:
        contract = queries.contract_by_id(session, contract_id)
        terms = terms_at(session, [contract_id], clock.today())[contract_id]
    form = AmendmentForm()
    back_url = url_for(".detail", contract_id=contract_id, _anchor="amendments")
    if not form.validate_on_submit():
        page = render_template("contracts/amendment.html", form=form, contract=contract, terms=terms, back_url=back_url)
        return page, 400 if form.errors else 200
    db.decide(
        draft_amendment,
        contract_id,
        form.terms(),
        number=form.number.data,
        signed_on=form.signed_on.data,
        effective_from=form.effective_from.data,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("Drafted; a supervisor puts it into force"), "success")
    return redirect(back_url, code=303)


@bp.post("/amendments/<int:amendment_id>/activate")
@require(Permission.ACTIVATE_CONTRACTS)
def put_amendment_into_force(amendment_id: int) -> ResponseReturnValue:
    """Put an amendment into force, as the second person."""
    with db.reading() as session:
        contract_id = amendment_by_id(session, amendment_id).contract_id
    db.decide(activate_amendment, amendment_id, actor_id=current_user().id)
    flash(_("In force"), "success")
    return redirect(url_for(".detail", contract_id=contract_id, _anchor="amendments"), code=303)


@bp.post("/amendments/<int:amendment_id>/withdraw")
@require(Permission.DRAFT_CONTRACTS)
def withdraw_drafted_amendment(amendment_id: int) -> ResponseReturnValue:
    """Give up a drafted amendment."""
    with db.reading() as session:
        contract_id = amendment_by_id(session, amendment_id).contract_id
    db.decide(withdraw_amendment, amendment_id, actor_id=current_user().id)
    flash(_("The draft is withdrawn"), "success")
    return redirect(url_for(".detail", contract_id=contract_id, _anchor="amendments"), code=303)
