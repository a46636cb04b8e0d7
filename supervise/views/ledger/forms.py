"""What the pages of the ledger ask for: a day, months, whom; a month to open; that open points were seen."""

import datetime as dt

from wtforms import BooleanField, DateField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError

from supervise import clock
from supervise.labels import _, _l
from supervise.views.forms import FilterForm, Form, WordsField

MONTH = r"20[0-9]{2}-(0[1-9]|1[0-2])"
_month = Regexp(MONTH + r"\Z", message=_l("Enter a month such as 2026-11"))


class DayForm(FilterForm):
    """The day at whose end balances are shown."""

    at = DateField(_l("At the end of"), validators=[Optional()])

    def validate_at(self, field: DateField) -> None:
        """Refuse a day that has not come: what stands then nobody knows."""
        if field.data is not None and field.data > clock.today():
            raise ValidationError(_("This day has not come yet"))

    @property
    def day(self) -> dt.date:
        """The day asked for; today if none or nonsense was."""
        asked: dt.date | None = self.at.data
        return asked if asked is not None and not self.at.errors else clock.today()


class StatementForm(FilterForm):
    """Of whom, and from which month to which, both included."""

    of = WordsField(
        _l("Split by"),
        description=_l("Code, account or batch number; empty: of all"),
        validators=[Optional(), Length(max=60)],
    )
    first = StringField(_l("From (month)"), validators=[Optional(), _month])
    last = StringField(_l("To (month)"), validators=[Optional(), _month])

    @property
    def months(self) -> tuple[str, str]:
        """The months asked for; without a first one from the beginning, without a last one to this month."""
        first = self.first.data if self.first.data and not self.first.errors else "0000-00"
        last = self.last.data if self.last.data and not self.last.errors else clock.month_of(clock.today())
        return first, last


class OpenMonthForm(Form):
    """The month to be opened for entries."""

    month = StringField(_l("Month"), validators=[InputRequired(_l("Enter a month such as 2026-11")), _month])


class CloseMonthForm(Form):
    """The last word before a month is closed."""

    seen = BooleanField(_l("I have seen the open points; they will be booked in a later month"))


class ReopeningForm(Form):
    """Why a closed month shall take entries again."""

    reason = TextAreaField(
        _l("Reason"),
        description=_l("It is kept for ever with the reopening. Name no subscriber's number."),
        validators=[InputRequired(_l("Say why the month shall be reopened")), Length(min=4, max=500)],
    )


class WithdrawReopeningForm(Form):
    """Why the month shall stay closed after all."""

    reason = TextAreaField(
        _l("Reason"),
        description=_l("It is kept with the request. Name no subscriber's number."),
        validators=[InputRequired(_l("Say why the request is withdrawn")), Length(min=4, max=500)],
    )
