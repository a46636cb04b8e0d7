"""The forms of a traceback: ask an operator, enter its answer, end the search."""

from typing import Any

from wtforms import DateField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from supervise.attribution.traceback_models import HopOutcome, TracebackState
from supervise.labels import _, _l
from supervise.views.forms import Form


class HopForm(Form):
    """An operator on the way back, and when it was asked."""

    asked = StringField(
        _l("Who was asked"),
        description=_l("The operator that handed the call over to the one before"),
        validators=[InputRequired(_l("Say who was asked")), Length(max=200)],
    )
    asked_on = DateField(_l("Asked on"), validators=[InputRequired(_l("Enter the day"))])


class HopAnswerForm(Form):
    """What an operator answered, or that it does not cooperate."""

    outcome = RadioField(_l("Outcome"), validators=[InputRequired(_l("Choose an outcome"))])
    told_on = DateField(_l("On"), validators=[InputRequired(_l("Enter the day"))])
    # Not optional: that would skip validate_answer, which knows when it may be empty.
    answer = TextAreaField(_l("Answer"), validators=[Length(max=2_000)])
    next_hop = StringField(
        _l("From whom it had the call"),
        description=_l("Empty: it does not say, or the call began there"),
        validators=[Optional(), Length(max=200)],
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        told = (HopOutcome.ANSWERED, HopOutcome.REFUSED)
        self.outcome.choices = [(outcome.value, outcome.label) for outcome in told]

    @property
    def has_answered(self) -> bool:
        """Whether the operator answered."""
        return bool(self.outcome.data == HopOutcome.ANSWERED.value)

    def validate_answer(self, field: TextAreaField) -> None:
        """Ask for the words of an answer."""
        if self.has_answered and not (field.data or "").strip():
            raise ValidationError(_("Enter what was answered"))

    def validate_next_hop(self, field: StringField) -> None:
        """Refuse a next hop that nobody named."""
        if not self.has_answered and (field.data or "").strip():
            raise ValidationError(_("Only an operator that answers can name the next one"))


class EndTracebackForm(Form):
    """How the search ended."""

    state = RadioField(_l("How it ended"), validators=[InputRequired(_l("Choose how it ended"))])
    result = TextAreaField(
        _l("Result"),
        description=_l("Who really dialled, or why it cannot be found out; it charges nobody"),
        validators=[InputRequired(_l("Say what came of it")), Length(min=4, max=2_000)],
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        ends = (TracebackState.TRACED, TracebackState.ENDED)
        self.state.choices = [(state.value, state.label) for state in ends]
