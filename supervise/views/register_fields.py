"""Fields that the forms of several registers have, each with its words, its limits and its refusals beside it."""

from wtforms import DateField, Field, Form, StringField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import LazyText, _, _l
from supervise.views.forms import MomentField


class After:
    """Refuse a period that is empty or runs backwards, beside its end; the decision refuses it too."""

    def __init__(self, start: str) -> None:
        self._start = start

    def __call__(self, form: Form, field: Field) -> None:
        """Compare *field* with the form's field of the start.

        Raises:
            ValidationError: for such a period.
        """
        start = form[self._start].data
        if field.data and start and field.data <= start:
            raise ValidationError(_("The end must be after the start"))


def first_day() -> DateField:
    """The first day of a period."""
    return DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])


def end_day(start: str = "valid_from") -> DateField:
    """The first day after a period that begins at the field *start*; empty: it is open."""
    return DateField(_l("First day without it"), validators=[Optional(), After(start)])


def closing_day() -> DateField:
    """The day on which something ends: the first without it."""
    return DateField(_l("First day without it"), validators=[InputRequired(_l("Enter the first day"))])


def end_moment(start: str = "held_from") -> MomentField:
    """The first moment after a period that begins at the field *start*; empty: it is open."""
    return MomentField(
        _l("Until"),
        description=_l("The first moment without it; empty: until further notice"),
        validators=[Optional(), After(start)],
    )


def code(label: LazyText, *, description: LazyText | str = "", may_be_empty: bool = False) -> StringField:
    """The code of a row of a register."""
    entered = Optional() if may_be_empty else InputRequired(_l("Enter the code"))
    return StringField(label, description=description, validators=[entered, Length(max=40)])


def source() -> StringField:
    """Where a fact is known from."""
    return StringField(
        _l("Where it is known from"), validators=[InputRequired(_l("Say where it is known from")), Length(max=100)]
    )


def reason() -> StringField:
    """Why something is done; it stands in the trail."""
    return StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])
