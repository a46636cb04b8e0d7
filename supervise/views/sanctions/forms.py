"""Forms of the sanctions' pages."""

from typing import Any

from wtforms import DateField, StringField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from supervise.access.identity import current_user
from supervise.access.roles import Permission
from supervise.labels import _, _l
from supervise.parties.sanction_models import SanctionKind
from supervise.penalties.sanction_queries import SanctionFilters, SanctionStage
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, WordsField, only_for

_OF_PARTIES = tuple(kind.value for kind in SanctionKind if kind is not SanctionKind.NUMBER_SHUTDOWN)
_OF_NUMBERS = SanctionKind.NUMBER_SHUTDOWN.value


def sees_proposals() -> bool:
    """Say whether the user is told of what was only proposed: never the sanctioned side."""
    return not current_user().can(Permission.ACKNOWLEDGE_PENALTIES)


class SanctionFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Name or code of the party, or a number"), validators=[Optional(), Length(max=60)])
    kind = MemberField(_l("Sanction"), SanctionKind, everything=True, validators=[Optional()])
    stage = MemberField(_l("Standing"), SanctionStage, everything=True, validators=[Optional()])

    def wanted(self) -> SanctionFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return SanctionFilters(
            text=(self.q.data or "").strip(),
            kind=self.accepted(self.kind),
            stage=self.accepted(self.stage),
            decided_only=not sees_proposals(),
        )


def _reason(label: Any, **kwargs: Any) -> TextAreaField:
    return TextAreaField(label, validators=[InputRequired(_l("Give a reason")), Length(min=4, max=500)], **kwargs)


class ProposeForm(Form):
    """A sanction that a person proposes."""

    kind = MemberField(_l("Sanction"), SanctionKind, validators=[InputRequired()])
    party = StringField(
        _l("Party code"), validators=[Optional(), Length(max=40)], render_kw=only_for("kind", *_OF_PARTIES)
    )
    number = StringField(
        _l("Number"),
        description=_l("As it stands in the register of numbers"),
        validators=[Optional(), Length(max=40)],
        render_kw=only_for("kind", _OF_NUMBERS),
    )
    from_on = DateField(
        _l("From"), description=_l("Tomorrow or later"), validators=[InputRequired(_l("Enter the first day"))]
    )
    until_on = DateField(
        _l("First day without it"),
        description=_l("Empty: until somebody lifts it; a bar lasts two years then"),
        validators=[Optional(), fields.After("from_on")],
    )
    reason = _reason(_l("Reason"), description=_l("What happened, and the clause of the contract"))

    def validate_party(self, field: StringField) -> None:
        """Ask for the party where the sanction is against one."""
        if self.kind.data is not SanctionKind.NUMBER_SHUTDOWN and not (field.data or "").strip():
            raise ValidationError(_("Enter the code"))

    def validate_number(self, field: StringField) -> None:
        """Ask for the number where one is shut down."""
        if self.kind.data is SanctionKind.NUMBER_SHUTDOWN and not (field.data or "").strip():
            raise ValidationError(_("Enter the number"))


class ApproveForm(Form):
    """The second person agrees."""

    note = TextAreaField(_l("Note"), validators=[Optional(), Length(max=500)])


class ReasonForm(Form):
    """Why something is turned down, or lifted."""

    reason = _reason(_l("Reason"))


class ExtendForm(Form):
    """Until when a sanction goes on."""

    until_on = DateField(
        _l("First day without it"),
        description=_l("Empty: until somebody lifts it"),
        validators=[Optional()],
    )
    reason = _reason(_l("Reason"))
