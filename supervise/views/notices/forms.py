"""What is filtered by among notices, and what is recorded of a delivery on paper."""

import datetime as dt
from typing import Any

from wtforms import BooleanField, DateField, RadioField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional, ValidationError

from supervise import clock
from supervise.labels import _, _l
from supervise.penalties.models import WindowStart
from supervise.penalties.notice_models import ON_PAPER, NoticeState
from supervise.penalties.notice_queries import NoticeFilter
from supervise.views.forms import FilterForm, Form, MemberField, WordsField


class NoticeFilterForm(FilterForm):
    """The filters above the list; they stand in the address."""

    q = WordsField(_l("Notice number"), validators=[Optional(), Length(max=40)])
    state = MemberField(_l("State"), NoticeState, everything=True, validators=[Optional()])
    undelivered = BooleanField(_l("Only what is not delivered yet"))
    mine = BooleanField(_l("Only what charges us"))

    def wanted(self) -> NoticeFilter:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        mine = self.mine is not None and self.mine.data
        return NoticeFilter(
            state=self.accepted(self.state),
            mine=mine,
            undelivered=self.undelivered.data,
            reference=self.accepted(self.q) or "",
        )


class DeliveryForm(Form):
    """How a notice reached a party that has no account."""

    how = RadioField(_l("Delivered"), validators=[InputRequired(_l("Choose how it was delivered"))])
    delivered_on = DateField(
        _l("Day of delivery"),
        description=_l("The day on the receipt; the window for an objection begins on the day after"),
        validators=[InputRequired(_l("Enter the day"))],
    )
    note = TextAreaField(
        _l("Proof"),
        description=_l("Number of the letter, or who took it and signed"),
        validators=[
            DataRequired(_l("Say how it was delivered: number of the letter, or who took it")),
            Length(max=500),
        ],
    )

    def __init__(self, issued_on: dt.date, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.how.choices = [(way.value, way.label) for way in ON_PAPER]
        self._issued_on = issued_on

    def validate_delivered_on(self, field: DateField) -> None:
        """Refuse a day before the notice was issued, and one that has not come."""
        if field.data is not None and not self._issued_on <= field.data <= clock.today():
            raise ValidationError(_("It was delivered between its issue and today"))

    @property
    def way(self) -> WindowStart:
        """How it was delivered, after validation."""
        return WindowStart(self.how.data)
