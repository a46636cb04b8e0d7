"""Forms of the org units' pages."""

from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _l
from supervise.parties.models import UnitKind
from supervise.parties.queries import UnitFilters
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, WordsField


class UnitFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Name or code"), validators=[Optional(), Length(max=60)])
    kind = MemberField(_l("Level"), UnitKind, everything=True, validators=[Optional()])
    gone = BooleanField(_l("Closed and merged units too"))

    def wanted(self) -> UnitFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return UnitFilters(
            text=(self.q.data or "").strip(), kind=self.accepted(self.kind), with_gone=bool(self.gone.data)
        )


class FoundUnitForm(Form):
    """A new unit."""

    code = fields.code(_l("Unit code"))
    name = StringField(_l("Unit name"), validators=[InputRequired(_l("Enter the name")), Length(max=100)])
    kind = MemberField(_l("Level"), UnitKind, validators=[InputRequired()])
    parent = fields.code(_l("Code of the unit above"), description=_l("Empty at the root"), may_be_empty=True)
    valid_from = fields.first_day()
    cost_centre = StringField(_l("Cost centre"), validators=[Optional(), Length(max=40)])


class RenameUnitForm(Form):
    """Another name or cost centre."""

    name = StringField(_l("Unit name"), validators=[InputRequired(_l("Enter the name")), Length(max=100)])
    cost_centre = StringField(_l("Cost centre"), validators=[Optional(), Length(max=40)])
    version = HiddenField(validators=[InputRequired()])


class MoveUnitForm(Form):
    """Another place in the tree."""

    parent = fields.code(_l("Code of the unit above"), description=_l("Empty at the root"), may_be_empty=True)
    from_on = fields.first_day()
    reason = fields.reason()


class MergeUnitForm(Form):
    """The unit goes up in another."""

    into = fields.code(_l("Code of the unit that takes over"))
    on = fields.first_day()
    reason = fields.reason()


class CloseUnitForm(Form):
    """The unit ends."""

    on = fields.closing_day()
    reason = fields.reason()
