"""Forms of the staff numbers' pages."""

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, DateField, HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _, _l
from supervise.parties.models import Carrier
from supervise.parties.staff_queries import StaffFilters
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, WordsField


class StaffFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Number, alias or employer"), validators=[Optional(), Length(max=60)])
    carrier = SelectField(_l("Carrier"), validators=[Optional()])
    present = BooleanField(_l("Only those in force today"))

    def __init__(self, carriers: Sequence[Carrier], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.carrier.choices = [("", _("All")), *((carrier.code, carrier.name) for carrier in carriers)]

    def wanted(self) -> StaffFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return StaffFilters(
            text=(self.q.data or "").strip(),
            carrier_code=self.accepted(self.carrier) or "",
            present=bool(self.present.data),
        )


def _alias() -> StringField:
    return StringField(
        _l("Alias"), description=_l("What the worker is called on the phone"), validators=[Optional(), Length(max=40)]
    )


def _place() -> StringField:
    return fields.code(
        _l("Code of the place of work"),
        description=_l("The branch or party at whose desk the worker sits"),
        may_be_empty=True,
    )


class AssignForm(Form):
    """A staff number for a worker."""

    carrier = SelectField(_l("Carrier"), validators=[InputRequired()])
    staff_number = StringField(
        _l("Staff number"), validators=[InputRequired(_l("Enter the staff number")), Length(max=40)]
    )
    alias = _alias()
    employer = fields.code(_l("Code of the employer"))
    place = _place()
    valid_from = fields.first_day()
    valid_to = fields.end_day()

    def __init__(self, carriers: Sequence[Carrier], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.carrier.choices = [(carrier.code, carrier.name) for carrier in carriers]


class CorrectStaffForm(Form):
    """What was entered wrongly of a worker."""

    alias = _alias()
    place = _place()
    valid_from = fields.first_day()
    valid_to = fields.end_day()
    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])


class EndStaffForm(Form):
    """The end of a worker's period."""

    on = DateField(
        _l("First day without it"),
        description=_l("From this day on the number may go to another worker"),
        validators=[InputRequired(_l("Enter the first day"))],
    )
    reason = fields.reason()
