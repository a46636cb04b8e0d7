"""Forms of the official numbers' pages."""

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional, Regexp

from supervise.labels import _, _l
from supervise.parties.models import Carrier, OfficialUse
from supervise.parties.official_queries import OfficialFilters
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, WordsField


class OfficialFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Beginning of the number, or legal basis"), validators=[Optional(), Length(max=60)])
    carrier = SelectField(_l("Carrier"), validators=[Optional()])
    use = MemberField(_l("Used for"), OfficialUse, everything=True, validators=[Optional()])
    present = BooleanField(_l("Only those in force today"))

    def __init__(self, carriers: Sequence[Carrier], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.carrier.choices = [("", _("All")), *((carrier.code, carrier.name) for carrier in carriers)]

    def wanted(self) -> OfficialFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return OfficialFilters(
            text=(self.q.data or "").strip(),
            carrier_code=self.accepted(self.carrier) or "",
            use=self.accepted(self.use),
            present=bool(self.present.data),
        )


def _legal_basis() -> StringField:
    return StringField(_l("Legal basis"), validators=[InputRequired(_l("Enter the legal basis")), Length(max=300)])


class DeclareForm(Form):
    """A number that a carrier declares official."""

    carrier = SelectField(_l("Carrier"), validators=[InputRequired()])
    digits = StringField(
        _l("Number"),
        validators=[InputRequired(_l("Enter the number")), Regexp("^[0-9]{3,20}$", message=_l("Digits only"))],
    )
    use = MemberField(_l("Used for"), OfficialUse, validators=[InputRequired()])
    legal_basis = _legal_basis()
    valid_from = fields.first_day()
    valid_to = fields.end_day()

    def __init__(self, carriers: Sequence[Carrier], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.carrier.choices = [(carrier.code, carrier.name) for carrier in carriers]


class CorrectOfficialForm(Form):
    """What was entered wrongly of a declaration."""

    legal_basis = _legal_basis()
    valid_from = fields.first_day()
    valid_to = fields.end_day()
    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])


class EndOfficialForm(Form):
    """The end of an official use."""

    on = fields.closing_day()
    reason = fields.reason()
