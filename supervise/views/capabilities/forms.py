"""Forms of the pages of what parties may do."""

from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _l
from supervise.parties.capability_queries import CapabilityFilters
from supervise.parties.models import Capability
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, WordsField


class CapabilityFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Name or code of the party"), validators=[Optional(), Length(max=60)])
    capability = MemberField(_l("May do"), Capability, everything=True, validators=[Optional()])
    present = BooleanField(_l("Only those in force today"))

    def wanted(self) -> CapabilityFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return CapabilityFilters(
            text=(self.q.data or "").strip(),
            capability=self.accepted(self.capability),
            present=bool(self.present.data),
        )


class GrantForm(Form):
    """Something that a party may do from a day on."""

    party = fields.code(_l("Party code"))
    capability = MemberField(_l("May do"), Capability, validators=[InputRequired()])
    area = fields.code(
        _l("Area code"),
        description=_l("Code of the unit in whose region it holds; empty: every area"),
        may_be_empty=True,
    )
    valid_from = fields.first_day()
    valid_to = fields.end_day()
    source = fields.source()


class EndCapabilityForm(Form):
    """The end of a capability."""

    on = fields.closing_day()
    reason = fields.reason()


class CorrectCapabilityForm(Form):
    """What was entered wrongly of a capability."""

    valid_from = fields.first_day()
    valid_to = fields.end_day()
    source = fields.source()
    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])
