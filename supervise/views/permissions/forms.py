"""Forms of the do-not-contact register."""

from collections.abc import Sequence
from typing import Any

from wtforms import DateField, RadioField, SelectField, SelectMultipleField, StringField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from supervise import clock
from supervise.donotcall.models import PermissionScope, PermissionWord, SaidBy
from supervise.labels import _, _l
from supervise.views.forms import FilterForm, Form, MemberField, MomentField, WordsField
from supervise.views.intake.forms import PhoneField


class FindForm(Form):
    """A search that must not stand in an address: it holds a full number."""

    number = PhoneField(_l("Full number"), validators=[InputRequired(_l("Enter the number"))])


class PermissionFilterForm(FilterForm):
    """The filters above the register."""

    party = WordsField(_l("Said to (code or name of the party)"), validators=[Optional(), Length(max=60)])
    scope = MemberField(_l("Covers"), PermissionScope, everything=True, validators=[Optional()])
    word = MemberField(_l("Refusal or consent"), PermissionWord, everything=True, validators=[Optional()])
    first_on = DateField(_l("Said from"), validators=[Optional()])
    last_on = DateField(_l("Said until"), validators=[Optional()])


class RecordForm(Form):
    """What a subscriber said: no, or yes for a purpose."""

    word = RadioField(_l("What the subscriber said"), validators=[InputRequired(_l("Choose refusal or consent"))])
    scopes = SelectMultipleField(
        _l("What it is about"),
        choices=lambda: [(scope.value, scope.label) for scope in PermissionScope],
        validators=[InputRequired(_l("Choose calls, messages or both"))],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    party = StringField(
        _l("Said to"),
        description=_l("Code or name of the party; empty: to everyone who calls for the carrier"),
        validators=[Optional(), Length(max=60)],
    )
    purpose = StringField(
        _l("Purpose"),
        description=_l("Only for a consent: what it is for. A number left for a delivery is no consent to marketing."),
        validators=[Optional(), Length(max=200)],
    )
    said_at = MomentField(
        _l("Said at"), description=_l("China time"), validators=[InputRequired(_l("Enter the moment"))]
    )
    channel = SelectField(
        _l("How it was said"), choices=lambda: [(way.value, way.label) for way in SaidBy], validators=[InputRequired()]
    )
    source = StringField(
        _l("Where it is on record"),
        description=_l("Ticket, recording, form or list, so that it can be proven"),
        validators=[DataRequired(_l("Say where it is on record")), Length(max=200)],
    )

    def __init__(self, words: Sequence[PermissionWord], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.word.choices = [(word.value, word.label) for word in words]

    def validate_said_at(self, field: MomentField) -> None:
        """Refuse what will be said, beside the field; the decision refuses it too."""
        if field.data is not None and field.data > clock.now():
            raise ValidationError(_("The time lies in the future"))

    def validate_word(self, field: RadioField) -> None:
        """Refuse a consent to nothing, beside the purpose; the decision refuses it too."""
        if field.data == PermissionWord.CONSENT and not (self.purpose.data or "").strip():
            raise ValidationError(_("Say what the consent is for"))


class RecordForNumberForm(RecordForm):
    """The same, of a number that is typed."""

    number = PhoneField(_l("Subscriber's number"), validators=[InputRequired(_l("Enter the number"))])
