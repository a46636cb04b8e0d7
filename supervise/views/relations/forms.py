"""Forms of the ties' pages."""

from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _l
from supervise.parties.models import RelationRole
from supervise.parties.relation_queries import RelationFilters
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, WordsField


class RelationFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Name or code of either party"), validators=[Optional(), Length(max=60)])
    role = MemberField(_l("Relation"), RelationRole, everything=True, validators=[Optional()])
    present = BooleanField(_l("Only those in force today"))

    def wanted(self) -> RelationFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return RelationFilters(
            text=(self.q.data or "").strip(), role=self.accepted(self.role), present=bool(self.present.data)
        )


class EndRelationForm(Form):
    """The end of a tie."""

    on = fields.closing_day()
    reason = fields.reason()


class CorrectRelationForm(Form):
    """A period that was entered wrongly."""

    valid_from = fields.first_day()
    valid_to = fields.end_day()
    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])
