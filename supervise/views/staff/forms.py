"""Forms of the staff numbers' pages."""

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, DateField, SelectField, StringField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _, _l
from supervise.parties.models import Carrier
from supervise.views.forms import FilterForm, Form, WordsField


class StaffFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Number, alias or employer"), validators=[Optional(), Length(max=60)])
    carrier = SelectField(_l("Carrier"), validators=[Optional()])
    present = BooleanField(_l("Only those in force today"))

    def __init__(self, carriers: Sequence[Carrier], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.carrier.choices = [("", _("All")), *((carrier.code, carrier.name) for carrier in carriers)]


class AssignForm(Form):
    """A staff number for a worker."""

    carrier = SelectField(_l("Carrier"), validators=[InputRequired()])
    staff_number = StringField(
        _l("Staff number"), validators=[InputRequired(_l("Enter the staff number")), Length(max=40)]
    )
    alias = StringField(
        _l("Alias"), description=_l("What the worker is called on the phone"), validators=[Optional(), Length(max=40)]
    )
    employer = StringField(_l("Code of the employer"), validators=[InputRequired(_l("Enter the code")), Length(max=40)])
    place = StringField(
        _l("Code of the place of work"),
        description=_l("The branch or party at whose desk the worker sits"),
        validators=[Optional(), Length(max=40)],
    )
    valid_from = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])
    valid_to = DateField(_l("First day without it"), validators=[Optional()])

    def __init__(self, carriers: Sequence[Carrier], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.carrier.choices = [(carrier.code, carrier.name) for carrier in carriers]

    def validate_valid_to(self, field: DateField) -> None:
        """Refuse an empty period beside the field; the decision refuses it too."""
        if field.data and self.valid_from.data and field.data <= self.valid_from.data:
            raise ValidationError(_("The end must be after the start"))


class EndStaffForm(Form):
    """The end of a worker's period."""

    on = DateField(
        _l("First day without it"),
        description=_l("From this day on the number may go to another worker"),
        validators=[InputRequired(_l("Enter the first day"))],
    )
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])
