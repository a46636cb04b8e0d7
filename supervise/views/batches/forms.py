"""What is said about a batch: billing's answer by hand, its return file, why it is void."""

from typing import Any

from flask_wtf.file import FileField, FileRequired
from wtforms import SelectField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from supervise.compensation.models import CreditBatchState, LineResult
from supervise.labels import _, _l
from supervise.views.forms import FilterForm, Form, MemberField

WAITING = "waiting"


class BatchFilterForm(FilterForm):
    """Which batches are listed."""

    state = MemberField(_l("State"), CreditBatchState, everything=True, validators=[Optional()])

    @property
    def wanted(self) -> CreditBatchState | None:
        """The state asked for; a value that is no choice narrows nothing."""
        self.validate()
        return self.state.data if isinstance(self.state.data, CreditBatchState) else None


class LineFilterForm(FilterForm):
    """Which lines of a batch are shown."""

    result = SelectField(_l("Billing's answer"), validators=[Optional()])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        results = [(result.value, result.label) for result in LineResult]
        self.result.choices = [("", _("All")), (WAITING, _("No answer yet")), *results]

    @property
    def wanted(self) -> LineResult | None:
        """The result asked for; a value that is no choice narrows nothing."""
        values = {result.value for result in LineResult}
        return LineResult(self.result.data) if self.result.data in values else None

    @property
    def unanswered(self) -> bool:
        """Whether only lines without an answer are asked for."""
        return bool(self.result.data == WAITING)


class ReturnFileForm(Form):
    """Billing's return file."""

    file = FileField(
        _l("Return file"),
        description=_l("CSV or XLSX with batch number, credit number, result, failure code, amount, time, reference"),
        validators=[FileRequired(_l("Choose the file that billing sent"))],
    )


class VoidForm(Form):
    """Why a batch shall not count."""

    reason = TextAreaField(
        _l("Reason"),
        description=_l("It is kept in the ledger with the reversals. Name no subscriber's number."),
        validators=[InputRequired(_l("Say why the batch shall not count")), Length(min=4, max=500)],
    )
