"""What a clerk enters of a contract or policy."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, DateField, HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from supervise import clock
from supervise.complaints.models import DayType
from supervise.contracts.agreements import ContractTerms
from supervise.contracts.models import (
    Contract,
    ContractDirection,
    ContractScope,
    ContractState,
    SettlementOrder,
)
from supervise.contracts.queries import ContractFilters, Side
from supervise.labels import _, _l
from supervise.money import FEN_MAX
from supervise.views.forms import FilterForm, Form, MemberField, WordsField, YuanField

ONE_DAY = dt.timedelta(days=1)
#: Who keeps contracts is told so long before one ends.
EXPIRES_WITHIN = dt.timedelta(days=90)


class ContractFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Number, name or party"), validators=[Optional(), Length(max=60)])
    state = MemberField(_l("State"), ContractState, everything=True, validators=[Optional()])
    kind = SelectField(
        _l("Contract or policy"),
        choices=lambda: [("", _("All")), ("contract", _("Contracts")), ("policy", _("Assessment policies"))],
        validators=[Optional()],
    )
    expiring = BooleanField(_l("In force and ends within 90 days"))

    def wanted(self) -> ContractFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return ContractFilters(
            text=self.q.data or "",
            state=self.accepted(self.state),
            is_policy={"policy": True, "contract": False}.get(self.kind.data or ""),
            ends_by=clock.today() + EXPIRES_WITHIN if self.expiring.data else None,
        )


class ContractForm(Form):
    """A contract with a partner, or the assessment policy for the branches below a unit."""

    number = StringField(_l("Contract number"), validators=[InputRequired(_l("Enter the number")), Length(max=60)])
    name = StringField(_l("Title"), validators=[InputRequired(_l("Enter the title")), Length(max=120)])
    party_id = SelectField(
        _l("Partner"),
        coerce=int,
        description=_l("None: an assessment policy, which charges the branches below the unit"),
        validators=[InputRequired()],
    )
    counterparty_unit_id = SelectField(_l("Unit of the carrier"), coerce=int, validators=[InputRequired()])
    direction = SelectField(
        _l("Who pays under it"),
        description=_l("Decides the tax label of damages; a policy is internal"),
        validators=[InputRequired()],
    )
    scope = SelectField(_l("Business covered"), validators=[InputRequired()])
    starts_on = DateField(_l("First day"), validators=[InputRequired(_l("Enter the first day"))])
    last_on = DateField(_l("Last day"), description=_l("Empty: no end agreed"), validators=[Optional()])
    appeal_days = IntegerField(
        _l("Days to object"), validators=[InputRequired(_l("Enter the days")), NumberRange(min=1, max=365)]
    )
    appeal_day_type = SelectField(_l("Counted in"), validators=[InputRequired()])
    deemed_days = IntegerField(
        _l("Counts as delivered after (working days)"),
        validators=[InputRequired(_l("Enter the days")), NumberRange(min=1, max=365)],
    )
    deposit_required_fen = YuanField(
        _l("Deposit required (yuan)"),
        description=_l("0: none agreed"),
        validators=[InputRequired(_l("Enter an amount")), NumberRange(min=0, max=FEN_MAX)],
    )
    top_up_days = IntegerField(
        _l("Working days to top up the deposit"),
        validators=[InputRequired(_l("Enter the days")), NumberRange(min=1, max=365)],
    )
    settlement_order = MemberField(
        _l("Debts are taken from"),
        SettlementOrder,
        description=_l("What is left is paid in cash"),
        validators=[InputRequired()],
    )
    version = HiddenField()

    def __init__(self, parties: Sequence[Side], units: Sequence[Side], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.party_id.choices = [(0, _("None: assessment policy")), *((one.id, _words(one)) for one in parties)]
        self.counterparty_unit_id.choices = [(one.id, _words(one)) for one in units]
        self.direction.choices = [(one.value, one.label) for one in ContractDirection]
        self.scope.choices = [(one.value, one.label) for one in ContractScope]
        self.appeal_day_type.choices = [(one.value, one.label) for one in DayType]

    def validate_direction(self, field: SelectField) -> None:
        """Refuse a policy that is not internal, and a contract that is."""
        if (field.data == ContractDirection.INTERNAL.value) != (not self.party_id.data):
            raise ValidationError(_("Internal belongs to a policy, the others to a contract with a partner"))

    def validate_last_on(self, field: DateField) -> None:
        """Refuse an end before the start."""
        if field.data is not None and self.starts_on.data is not None and field.data < self.starts_on.data:
            raise ValidationError(_("The last day is before the first"))

    def terms(self) -> ContractTerms:
        """Return what was entered, after validation."""
        return ContractTerms(
            number=self.number.data.strip(),
            name=self.name.data.strip(),
            party_id=self.party_id.data or None,
            counterparty_unit_id=self.counterparty_unit_id.data,
            scope=ContractScope(self.scope.data),
            direction=ContractDirection(self.direction.data),
            starts_on=self.starts_on.data,
            ends_on=self.last_on.data + ONE_DAY if self.last_on.data else None,
            appeal_days=self.appeal_days.data,
            appeal_day_type=DayType(self.appeal_day_type.data),
            deemed_days=self.deemed_days.data,
            deposit_required_fen=self.deposit_required_fen.fen,
            top_up_days=self.top_up_days.data,
            settlement_order=self.settlement_order.data,
        )


def shown_terms(contract: Contract) -> dict[str, Any]:
    """Return what an edit form shows of *contract* at first."""
    return {
        "number": contract.number,
        "name": contract.name,
        "party_id": contract.party_id or 0,
        "counterparty_unit_id": contract.counterparty_unit_id,
        "direction": contract.direction.value,
        "scope": contract.scope.value,
        "starts_on": contract.starts_on,
        "last_on": contract.ends_on - ONE_DAY if contract.ends_on else None,
        "appeal_days": contract.appeal_days,
        "appeal_day_type": contract.appeal_day_type.value,
        "deemed_days": contract.deemed_days,
        "deposit_required_fen": contract.deposit_required_fen,
        "top_up_days": contract.top_up_days,
        "settlement_order": contract.settlement_order,
        "version": contract.version,
    }


def _words(side: Side) -> str:
    return f"{side.name} ({side.code})"


class EndForm(Form):
    """The last day of a contract or a rule in force, and why it ends."""

    last_on = DateField(_l("Last day"), validators=[InputRequired(_l("Enter the last day"))])
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=200)])
    version = HiddenField()

    @property
    def ends_on(self) -> dt.date:
        """The day after the last, after validation."""
        day: dt.date = self.last_on.data
        return day + ONE_DAY
