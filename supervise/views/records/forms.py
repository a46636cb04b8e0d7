"""Forms of the pages about records."""

from collections.abc import Sequence
from typing import Any

from flask_wtf.file import FileField, FileRequired
from wtforms import (
    BooleanField,
    DateField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp

from supervise.evidence.models import RecordKind, RecordSource
from supervise.labels import _, _l
from supervise.parties.models import Carrier
from supervise.views import register_fields as fields
from supervise.views.forms import Form, MemberField


class RecordUploadForm(Form):
    """A file of records."""

    file = FileField(
        _l("File"),
        description=_l("CSV in UTF-8 or GB18030, XLSX or Parquet, at most 64 MB; a larger one by the command below"),
        validators=[FileRequired(_l("Choose a file"))],
        render_kw={"accept": ".csv,.txt,.xlsx,.parquet"},
    )
    kind = MemberField(_l("Kind of record"), RecordKind, validators=[InputRequired()])
    platform = SelectField(
        _l("Platform of all rows"),
        description=_l("Where the file has no column for it"),
        validators=[Optional()],
    )
    covers_from = DateField(
        _l("Complete from"),
        description=_l("If both days are given, a day in between without a row counts as delivered"),
        validators=[Optional()],
    )
    covers_last = DateField(_l("Complete through"), validators=[Optional()])
    corrects = BooleanField(
        _l("The file corrects: it replaces what its platforms delivered before for its days"),
    )
    refused_accepted = IntegerField(
        _l("Refused rows that you accept"),
        description=_l(
            "Only for a correction that was refused because of its rows: as many as you have seen there; the days that "
            "it replaces lose them"
        ),
        validators=[Optional(), NumberRange(min=0, message=_l("Enter a whole number"))],
    )

    def __init__(self, sources: Sequence[RecordSource], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        known = [(one.code, f"{one.kind.label} · {one.code} {one.name}") for one in sources]
        self.platform.choices = [("", _("Each row names its own")), *known]

    def validate_covers_last(self, field: DateField) -> None:
        """Refuse one day without the other, and a period that runs backwards."""
        if bool(field.data) != bool(self.covers_from.data):
            raise ValidationError(_("Give both days or neither"))
        if field.data and field.data < self.covers_from.data:
            raise ValidationError(_("The last day is before the first"))

    def validate_refused_accepted(self, field: IntegerField) -> None:
        """Refuse words about refused rows where no day is replaced: they are refused, and nothing is lost."""
        if field.data and not self.corrects.data:
            raise ValidationError(_("Only a correction replaces days"))


class PlatformForm(Form):
    """A platform that delivers records."""

    code = StringField(
        _l("Code"),
        description=_l("As the records name it; it never changes"),
        validators=[
            InputRequired(_l("Enter the code")),
            Regexp("^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$", message=_l("Letters, digits, hyphens and underscores only")),
        ],
    )
    name = StringField(_l("Name"), validators=[InputRequired(_l("Enter the name")), Length(max=60)])
    kind = MemberField(_l("Kind of record"), RecordKind, validators=[InputRequired()])
    carrier = SelectField(_l("Carrier"), validators=[InputRequired()])
    valid_from = DateField(
        _l("In service from"),
        description=_l("From this day on a day without records counts as missing"),
        validators=[InputRequired(_l("Enter the first day"))],
    )

    def __init__(self, carriers: Sequence[Carrier], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.carrier.choices = [(one.code, one.name) for one in carriers]


class PlatformNameForm(Form):
    """What people call a platform."""

    name = StringField(_l("Name"), validators=[InputRequired(_l("Enter the name")), Length(max=60)])
    version = HiddenField()


class PlatformEndForm(Form):
    """From when on no records are due."""

    valid_to = fields.closing_day()
    version = HiddenField()


class ReasonForm(Form):
    """Why it is done."""

    reason = TextAreaField(
        _l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=300)], render_kw={"rows": 2}
    )


class LegalHoldForm(ReasonForm):
    """Days whose records must stay."""

    kind = SelectField(_l("Kind of record"), validators=[Optional()])
    from_day = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])
    to_day = DateField(
        _l("Until before"),
        description=_l("The first day that is not held; empty: until further notice"),
        validators=[Optional(), fields.After("from_day")],
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind.choices = [("", _("Every kind")), *((one.value, one.label) for one in RecordKind)]

    def __iter__(self) -> Any:
        """Show the reason last."""
        return iter([self[name] for name in (*(name for name in self._fields if name != "reason"), "reason")])
