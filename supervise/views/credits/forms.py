"""What credits are filtered by, and why one is cancelled."""

from collections.abc import Iterator, Sequence
from typing import Any

from wtforms import BooleanField, Field, SelectField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from supervise import clock
from supervise.compensation.lists import CreditFilters, unsent_since
from supervise.compensation.models import CreditNature, CreditState
from supervise.labels import _, _l
from supervise.views.forms import FilterForm, Form, WordsField

_TO_CANCEL, _REJECTED_OFTEN = "to_cancel", "rejected_often"


class SendFilterForm(FilterForm):
    """What the credits to be sent are narrowed by; the same filters choose what "all" means."""

    nature = SelectField(_l("Nature"), validators=[Optional()])
    unit = SelectField(_l("Branch"), validators=[Optional()])
    period = SelectField(_l("Month of the call"), validators=[Optional()])
    promise = WordsField(
        _l("Promise"), description=_l("Number of an undertaking or code of a policy"), validators=[Length(max=40)]
    )
    old = BooleanField(_l("Approved a week ago or earlier"))

    def __init__(self, *, units: Sequence[tuple[int, str]], periods: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        every = ("", _("All"))
        self.nature.choices = [every, *((nature.value, nature.label) for nature in CreditNature)]
        self.unit.choices = [every, *((str(unit_id), name) for unit_id, name in units)]
        self.period.choices = [every, *((month, month) for month in periods)]

    def wanted(self) -> CreditFilters:
        """Return what the address asks for; a value that is no choice narrows nothing."""
        self.validate()
        return CreditFilters(
            nature=CreditNature(self.nature.data) if _chosen(self.nature) else None,
            unit_id=int(self.unit.data) if _chosen(self.unit) else None,
            period=self.period.data if _chosen(self.period) else "",
            promise=_text(self.promise),
            approved_before=unsent_since(clock.today()) if self.old.data else None,
        )


class CreditFilterForm(SendFilterForm):
    """The filters above the list of all credits."""

    q = WordsField(_l("Search"), description=_l("Credit number, ticket number or account"), validators=[Length(max=60)])
    state = SelectField(_l("State"), validators=[Optional()])
    attention = SelectField(_l("Needs attention"), validators=[Optional()])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        every = ("", _("All"))
        self.state.choices = [every, *((state.value, state.label) for state in CreditState)]
        self.attention.choices = [
            every,
            (_TO_CANCEL, _("Cancellation waits for a second person")),
            (_REJECTED_OFTEN, _("Rejected three times: a supervisor decides")),
        ]

    def __iter__(self) -> Iterator[Field]:
        """Yield the fields as they stand on the page: first the text field, the one that "/" goes to."""
        names = ("q", "state", "unit", "period", "promise", "nature", "attention")
        return iter([self[name] for name in names])

    def wanted(self) -> CreditFilters:
        """Return what the address asks for; a value that is no choice narrows nothing."""
        attention = self.attention.data
        return (
            super()
            .wanted()
            ._replace(
                state=CreditState(self.state.data) if _chosen(self.state) else None,
                words=_text(self.q),
                to_cancel=attention == _TO_CANCEL,
                rejected_often=attention == _REJECTED_OFTEN,
            )
        )


class CancellationForm(Form):
    """Why an approved credit shall never be paid."""

    reason = TextAreaField(
        _l("Reason"),
        description=_l("It is kept in the ledger with the reversal. Name no subscriber's number."),
        validators=[InputRequired(_l("Say why the credit shall not be paid")), Length(min=4, max=500)],
    )


def _chosen(field: SelectField) -> bool:
    return bool(field.data) and not field.errors


def _text(field: WordsField) -> str:
    return "" if field.errors else (field.data or "").strip()
