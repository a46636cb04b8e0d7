"""What finance types: a month, a deposit, a payment, a commission, why something is given up."""

from typing import Any

from wtforms import BooleanField, DateField, RadioField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp

from supervise import clock
from supervise.labels import _l
from supervise.money import FEN_MAX
from supervise.settlement.models import BankDirection, DepositKind
from supervise.views.forms import FilterForm, Form, WordsField, YuanField

_MONTH = Regexp(r"^[0-9]{4}-(0[1-9]|1[0-2])$", message=_l("Write the month as 2026-11"))
_REASON = [InputRequired(_l("Give a reason")), Length(min=4, max=500)]


def _amount() -> YuanField:
    return YuanField(
        _l("Amount (yuan)"),
        validators=[InputRequired(_l("Enter the amount")), NumberRange(min=1, max=FEN_MAX)],
    )


class MonthForm(Form):
    """Which month is settled."""

    month = StringField(_l("Month"), validators=[InputRequired(_l("Enter the month")), _MONTH])


class RunFilterForm(FilterForm):
    """Which parties of a run are listed."""

    only_exceptions = BooleanField(_l("Only what needs a look"))


class NoticeFilterForm(FilterForm):
    """Which settlement notices are listed."""

    under_way = BooleanField(_l("Only what has not arrived yet"))


class ReasonForm(Form):
    """Why."""

    reason = StringField(_l("Reason"), validators=_REASON)


class PartyMoneyForm(Form):
    """What a deposit and a payment have in common."""

    party = StringField(
        _l("Party code"),
        description=_l("As the register of parties has it"),
        validators=[InputRequired(_l("Enter the party's code")), Length(max=60)],
    )
    amount_fen = _amount()
    reference = StringField(
        _l("Bank reference"), validators=[InputRequired(_l("Enter the bank's reference")), Length(max=80)]
    )
    on = DateField(_l("Day of the payment"), validators=[InputRequired(_l("Enter the day"))])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not self.is_submitted():
            self.on.data = clock.today()


class DepositForm(PartyMoneyForm):
    """A deposit that came in or went back."""

    kind = RadioField(
        _l("What happened"),
        choices=lambda: [(one.value, one.label) for one in (DepositKind.RECEIVED, DepositKind.RETURNED)],
        default=DepositKind.RECEIVED.value,
    )


class PaymentForm(PartyMoneyForm):
    """Money from a party, or a refund to it."""

    direction = RadioField(
        _l("What happened"),
        choices=lambda: [(one.value, one.label) for one in BankDirection],
        default=BankDirection.RECEIVED.value,
    )


class CommissionForm(Form):
    """A line of the commission statement."""

    contract = StringField(_l("Contract number"), validators=[InputRequired(_l("Enter the contract's number"))])
    month = StringField(_l("Month"), validators=[InputRequired(_l("Enter the month")), _MONTH])
    due_fen = YuanField(
        _l("Commission due (yuan)"),
        description=_l("Below zero where the month's commission was clawed back"),
        validators=[InputRequired(_l("Enter the amount")), NumberRange(min=-FEN_MAX, max=FEN_MAX)],
    )
    deducted_fen = YuanField(
        _l("Deducted for penalties (yuan)"),
        description=_l("What the commission system has deducted already; it confirms set-offs"),
        validators=[Optional(), NumberRange(min=0, max=FEN_MAX)],
    )


class CommissionFilterForm(FilterForm):
    """Which month's statements are listed."""

    month = WordsField(_l("Month"), validators=[Optional(), _MONTH])


class DeliveryForm(Form):
    """When a printed notice arrived."""

    on = DateField(_l("Arrived on"), validators=[InputRequired(_l("Enter the day"))])


class WriteOffForm(Form):
    """Which penalty is given up, how much of it, and why."""

    penalty = StringField(_l("Penalty number"), validators=[InputRequired(_l("Enter the penalty's number"))])
    amount_fen = YuanField(
        _l("Amount (yuan)"),
        description=_l("Empty: all that is open"),
        validators=[Optional(), NumberRange(min=1, max=FEN_MAX)],
    )
    reason = StringField(_l("Reason"), validators=_REASON)


class AgeingForm(FilterForm):
    """The day whose end counts."""

    on = DateField(_l("As of"), validators=[Optional()])
