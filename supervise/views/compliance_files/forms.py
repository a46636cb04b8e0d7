"""Forms of the pages of compliance files."""

from typing import Any

from flask_wtf.file import MultipleFileField
from wtforms import BooleanField, DateField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from supervise import clock
from supervise.labels import _, _l
from supervise.parties.compliance_file import FileFilters
from supervise.parties.file_models import FileEntryKind
from supervise.views.forms import FilterForm, Form, WordsField
from supervise.views.vaulting import chosen_files


class FileFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Name or code of the party"), validators=[Optional(), Length(max=60)])
    without_file = BooleanField(_l("Only those without an entry"))

    def wanted(self) -> FileFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return FileFilters(text=(self.q.data or "").strip(), without_file=bool(self.without_file.data))


class EntryForm(Form):
    """Something that the carrier did about a party, or came to know."""

    kind = SelectField(_l("Kind"), validators=[InputRequired()])
    happened_on = DateField(_l("Day"), validators=[InputRequired(_l("Enter the day"))])
    body = TextAreaField(
        _l("What was done or known"),
        description=_l("Name no subscriber's full number."),
        validators=[InputRequired(_l("Say what was done or known")), Length(min=4, max=2_000)],
    )
    files = MultipleFileField(_l("Scan"), description=_l("One file, up to 50 MB"), validators=[Optional()])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind.choices = [(one.value, one.label) for one in FileEntryKind if one is not FileEntryKind.STRIKE_OUT]

    def validate_happened_on(self, field: DateField) -> None:
        """Refuse a day to come."""
        if field.data is not None and field.data > clock.today():
            raise ValidationError(_("What has not happened yet is not entered"))

    def validate_files(self, _field: MultipleFileField) -> None:
        """Refuse a second file: it belongs to an entry of its own."""
        if len(self.uploads) > 1:
            raise ValidationError(_("One file for each entry"))

    @property
    def uploads(self) -> list[Any]:
        """The file that was chosen, if any."""
        return chosen_files(self.files)


class StrikeForm(Form):
    """Why an entry is wrong."""

    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=200)])
