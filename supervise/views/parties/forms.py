"""Forms of the parties' pages."""

from typing import Any

from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _l
from supervise.parties.credit_code import normalise_credit_code
from supervise.parties.models import PartyKind, PartyStatus, RelationRole
from supervise.parties.queries import PartyFilters
from supervise.parties.refusals import CreditCodeError
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, WordsField


class PartyFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Name, alias, code or credit code"), validators=[Optional(), Length(max=60)])
    kind = MemberField(_l("Kind"), PartyKind, everything=True, validators=[Optional()])
    status = MemberField(_l("Standing"), PartyStatus, everything=True, validators=[Optional()])
    untied = BooleanField(_l("Below nobody today"))

    def wanted(self) -> PartyFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return PartyFilters(
            text=(self.q.data or "").strip(),
            kind=self.accepted(self.kind),
            status=self.accepted(self.status),
            is_untied=bool(self.untied.data),
        )


class PartyFacts(Form):
    """What can be edited of a party."""

    name = StringField(_l("Party name"), validators=[InputRequired(_l("Enter the name")), Length(max=100)])
    credit_code = StringField(
        _l("Unified social credit code"),
        description=_l("18 characters; the last one is checked"),
        validators=[Optional(), Length(max=30)],
    )
    is_person = BooleanField(_l("A natural person"))
    contact = StringField(_l("Contact"), validators=[Optional(), Length(max=100)])
    note = TextAreaField(_l("Note"), validators=[Optional(), Length(max=2_000)])

    def validate_credit_code(self, field: StringField) -> None:
        """Refuse a code whose check character is wrong, beside the field."""
        try:
            normalise_credit_code(field.data)
        except CreditCodeError as error:
            raise ValidationError(str(error)) from error


class EnterPartyForm(PartyFacts):
    """A new party and what it is tied to."""

    code = fields.code(_l("Party code"))
    kind = SelectField(_l("Kind"), coerce=PartyKind, validators=[InputRequired()])
    above = fields.code(
        _l("Code of the branch or party it works for"),
        description=_l("Empty only for a party that was claimed and is not registered yet"),
        may_be_empty=True,
    )
    role = MemberField(_l("Relation"), RelationRole, validators=[InputRequired()])
    valid_from = fields.first_day()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind.choices = [(kind.value, kind.label) for kind in PartyKind if kind is not PartyKind.ORG_UNIT]
        if not self.is_submitted():
            self.role.data = RelationRole.SPONSORED_BY

    def __iter__(self) -> Any:
        """Show who it is before what is known of it."""
        first = ("code", "kind", "name", "above", "role", "valid_from")
        return iter([self[name] for name in (*first, *(name for name in self._fields if name not in first))])


class EditPartyForm(PartyFacts):
    """A party that exists."""

    version = HiddenField(validators=[InputRequired()])


class StatusForm(Form):
    """Another standing."""

    status = MemberField(_l("Standing"), PartyStatus, validators=[InputRequired()])
    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])


class AliasForm(Form):
    """Another name."""

    name = StringField(_l("Other name"), validators=[InputRequired(_l("Enter the name")), Length(max=100)])
    source = fields.source()


class RelateForm(Form):
    """A tie to another party."""

    parent = fields.code(_l("Code of the branch or party it works for"))
    role = MemberField(_l("Relation"), RelationRole, validators=[InputRequired()])
    valid_from = fields.first_day()
    valid_to = fields.end_day()


class MergePartyForm(Form):
    """The same party under another entry."""

    into = fields.code(_l("Code of the entry that stays"))
    reason = fields.reason()


class RejectMergeForm(Form):
    """Why two entries stay apart."""

    note = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=300)])
