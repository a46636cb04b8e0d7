"""Forms of the org units' pages."""

from wtforms import BooleanField, DateField, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _l
from supervise.parties.models import UnitKind
from supervise.views.forms import FilterForm, Form, MemberField, WordsField


class UnitFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Name or code"), validators=[Optional(), Length(max=60)])
    kind = MemberField(_l("Level"), UnitKind, everything=True, validators=[Optional()])
    gone = BooleanField(_l("Closed and merged units too"))


class FoundUnitForm(Form):
    """A new unit."""

    code = StringField(_l("Unit code"), validators=[InputRequired(_l("Enter the code")), Length(max=40)])
    name = StringField(_l("Unit name"), validators=[InputRequired(_l("Enter the name")), Length(max=100)])
    kind = MemberField(_l("Level"), UnitKind, validators=[InputRequired()])
    parent = StringField(
        _l("Code of the unit above"), description=_l("Empty at the root"), validators=[Optional(), Length(max=40)]
    )
    valid_from = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])
    cost_centre = StringField(_l("Cost centre"), validators=[Optional(), Length(max=40)])


class RenameUnitForm(Form):
    """Another name or cost centre."""

    name = StringField(_l("Unit name"), validators=[InputRequired(_l("Enter the name")), Length(max=100)])
    cost_centre = StringField(_l("Cost centre"), validators=[Optional(), Length(max=40)])
    version = HiddenField(validators=[InputRequired()])


class MoveUnitForm(Form):
    """Another place in the tree."""

    parent = StringField(
        _l("Code of the unit above"), description=_l("Empty at the root"), validators=[Optional(), Length(max=40)]
    )
    from_on = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])


class MergeUnitForm(Form):
    """The unit goes up in another."""

    into = StringField(
        _l("Code of the unit that takes over"), validators=[InputRequired(_l("Enter the code")), Length(max=40)]
    )
    on = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])


class CloseUnitForm(Form):
    """The unit ends."""

    on = DateField(_l("First day without it"), validators=[InputRequired(_l("Enter the first day"))])
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])
