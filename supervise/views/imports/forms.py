"""Forms of the import pages: the upload, and the mapper of an unknown file's columns."""

from collections.abc import Sequence
from typing import Any

from flask_wtf.file import FileField, FileRequired
from wtforms import FormField, SelectField, StringField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from supervise.complaints.fields import FIELDS
from supervise.complaints.models import Channel, ImportProfile
from supervise.errors import InvalidInputError
from supervise.files.mapping import ColumnMapping
from supervise.labels import _, _l
from supervise.phone import NumberingPlan
from supervise.views.forms import Form, MemberField

#: The choice of a complaint file that no profile describes.
MAP_IT = "map"


class UploadForm(Form):
    """A file of a register."""

    file = FileField(
        _l("File"),
        description=_l("XLSX, or CSV in UTF-8 or GB18030; at most 200,000 rows"),
        validators=[FileRequired(_l("Choose a file"))],
        render_kw={"accept": ".csv,.xlsx,.txt"},
    )


class ComplaintUploadForm(UploadForm):
    """A file of complaints: read by a profile, or mapped first."""

    profile = SelectField(_l("Import profile"), validators=[InputRequired(_l("Choose a profile"))])
    unit_id = SelectField(
        _l("Region"),
        description=_l("For rows that name no region of their own"),
        validators=[Optional()],
    )

    def __init__(
        self, profiles: Sequence[ImportProfile], units: Sequence[tuple[int, str]], *, needs_unit: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        known = [(str(profile.id), f"{profile.name} (v{profile.version})") for profile in profiles]
        self.profile.choices = [*known, (MAP_IT, _("Another file: map its columns"))]
        nobody = [] if needs_unit and units else [("", _("Not known"))]
        self.unit_id.choices = [*nobody, *((str(unit_id), name) for unit_id, name in units)]


class MapperForm(Form):
    """Which column of the file gives which field; kept as a new profile."""

    name = StringField(
        _l("Name of the profile"),
        description=_l("The name of a profile of yours makes its next version"),
        validators=[InputRequired(_l("Enter the name")), Length(max=60)],
    )
    channel = MemberField(_l("Channel"), Channel, validators=[InputRequired()])
    plan = MemberField(
        _l("Numbering plan"),
        NumberingPlan,
        description=_l("Choose “Other” where callers have no numbers of the Chinese plan"),
        validators=[InputRequired()],
    )
    date_format = StringField(
        _l("Date format"),
        description=_l("Only if the year does not come first, for instance %m/%d/%Y %H:%M"),
        validators=[Optional(), Length(max=40)],
    )

    def validate_date_format(self, field: StringField) -> None:
        """Refuse a format that names no day."""
        if field.data:
            try:
                ColumnMapping({}, date_formats=(field.data.strip(),))
            except InvalidInputError as error:
                raise ValidationError(str(error)) from error


def mapper_form(header: Sequence[str], guessed: dict[str, str], **kwargs: Any) -> Any:
    """Return the mapper for a file with this *header*; *guessed* are the columns that known headings suggest."""
    choices = [("", _("Not in this file")), *((heading, heading) for heading in header if heading)]

    class Columns(Form):
        """One choice of a column for each field."""

        class Meta(Form.Meta):
            """The form around it is protected."""

            csrf = False

    for field in FIELDS:
        setattr(Columns, field.name, SelectField(field.label, choices=lambda: choices, validators=[Optional()]))

    class FileMapperForm(MapperForm):
        """The mapper of this file."""

        columns = FormField(Columns)

    return FileMapperForm(data={"columns": guessed, **kwargs})


def mapping_from(form: Any) -> ColumnMapping:
    """Return the mapping that a valid mapper form describes.

    Raises:
        MappingError: if one column is given two meanings.
    """
    chosen = {field.name: form.columns.form[field.name].data for field in FIELDS}
    return ColumnMapping(
        fields={name: (heading,) for name, heading in chosen.items() if heading},
        required=frozenset(name for name, heading in chosen.items() if heading and name in _NEEDED),
        plan=form.plan.data,
        date_formats=(form.date_format.data.strip(),) if form.date_format.data else (),
    )


#: Once mapped, these columns must be there in the next file too.
_NEEDED = frozenset({"external_ref", "number", "caller_number", "occurred_at"})
