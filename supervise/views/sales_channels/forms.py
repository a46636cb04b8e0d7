"""Forms of the sales channels' pages."""

from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional, Regexp

from supervise.labels import _l
from supervise.parties.models import SalesChannelKind
from supervise.parties.sales_channel_queries import SalesChannelFilters
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, WordsField


class SalesChannelFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Channel or party, by name or code"), validators=[Optional(), Length(max=60)])
    kind = MemberField(_l("Kind of channel"), SalesChannelKind, everything=True, validators=[Optional()])
    present = BooleanField(_l("Only those in force today"))

    def wanted(self) -> SalesChannelFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return SalesChannelFilters(
            text=(self.q.data or "").strip(), kind=self.accepted(self.kind), present=bool(self.present.data)
        )


class ChannelFacts(Form):
    """What a channel is and whose."""

    name = StringField(_l("Channel name"), validators=[InputRequired(_l("Enter the name")), Length(max=100)])
    kind = MemberField(_l("Kind of channel"), SalesChannelKind, validators=[InputRequired()])
    party = fields.code(_l("Party code"))
    valid_from = fields.first_day()
    valid_to = fields.end_day()


class AssignChannelForm(ChannelFacts):
    """A channel code and the party that sells under it."""

    channel_code = StringField(
        _l("Channel code"),
        description=_l("As orders name it"),
        validators=[
            InputRequired(_l("Enter the code")),
            Length(max=40),
            Regexp(r"^\S+$", message=_l("A code has no spaces")),
        ],
    )
    field_order = ("channel_code", "name", "kind", "party", "valid_from", "valid_to")

    def __iter__(self) -> object:
        """Show the code first."""
        rest = [name for name in self._fields if name not in self.field_order]
        return iter([self[name] for name in (*self.field_order, *rest)])


class CorrectChannelForm(ChannelFacts):
    """What was entered wrongly of a channel."""

    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])


class EndChannelForm(Form):
    """The end of a channel, or of a party's selling under its code."""

    on = fields.closing_day()
    reason = fields.reason()
