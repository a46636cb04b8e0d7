"""Forms of the numbers' pages."""

from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _, _l
from supervise.phone import NumberClass, NumberingPlan, PhoneError, normalise
from supervise.views.forms import FilterForm, Form, MemberField, MomentField, WordsField

_CODE = _l("Code of the holder")


class NumberFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Beginning of the number, or the holder"), validators=[Optional(), Length(max=60)])
    number_class = MemberField(_l("Class"), NumberClass, everything=True, validators=[Optional()])
    held = SelectField(
        _l("Holder"),
        choices=lambda: [("", _("All")), ("1", _("Held now")), ("0", _("Held by nobody"))],
        validators=[Optional()],
    )


class PeriodForm(Form):
    """From when until when a number is held."""

    held_from = MomentField(
        _l("From"), description=_l("China time; to the second"), validators=[InputRequired(_l("Enter the moment"))]
    )
    held_to = MomentField(
        _l("Until"), description=_l("The first moment without it; empty: until further notice"), validators=[Optional()]
    )

    def validate_held_to(self, field: MomentField) -> None:
        """Refuse an empty period beside the field; the decision refuses it too."""
        if field.data and self.held_from.data and field.data <= self.held_from.data:
            raise ValidationError(_("The end must be after the start"))


class EnterNumberForm(PeriodForm):
    """A new number with its first holder."""

    digits = StringField(_l("Number"), validators=[InputRequired(_l("Enter the number")), Length(max=40)])
    plan = MemberField(_l("Numbering plan"), NumberingPlan, validators=[InputRequired()])
    is_prefix = BooleanField(_l("A 106 port that stands for every longer number"))
    note = TextAreaField(_l("Note"), validators=[Optional(), Length(max=2_000)])
    party = StringField(_CODE, validators=[InputRequired(_l("Enter the code")), Length(max=40)])
    source = StringField(
        _l("Where it is known from"), validators=[InputRequired(_l("Say where it is known from")), Length(max=100)]
    )

    def validate_digits(self, field: StringField) -> None:
        """Refuse what is no number of the plan, beside the field."""
        try:
            normalise(field.data, self.plan.data or NumberingPlan.CHINA)
        except PhoneError as error:
            raise ValidationError(str(error)) from error


class NoteForm(Form):
    """The note beside a number."""

    note = TextAreaField(_l("Note"), validators=[Optional(), Length(max=2_000)])
    version = HiddenField(validators=[InputRequired()])


class HoldForm(PeriodForm):
    """A further holder."""

    party = StringField(_CODE, validators=[InputRequired(_l("Enter the code")), Length(max=40)])
    source = StringField(
        _l("Where it is known from"), validators=[InputRequired(_l("Say where it is known from")), Length(max=100)]
    )


class HandOverForm(Form):
    """The number passes to another party at a moment."""

    party = StringField(_l("Code of the new holder"), validators=[InputRequired(_l("Enter the code")), Length(max=40)])
    at = MomentField(
        _l("Moment"),
        description=_l("China time; a call at this second is the new holder's"),
        validators=[InputRequired(_l("Enter the moment"))],
    )
    source = StringField(
        _l("Where it is known from"), validators=[InputRequired(_l("Say where it is known from")), Length(max=100)]
    )


class EndForm(Form):
    """The end of a holding."""

    at = MomentField(
        _l("Until"),
        description=_l("China time; the first moment without it"),
        validators=[InputRequired(_l("Enter the moment"))],
    )
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])


class CorrectForm(PeriodForm):
    """A period that was entered wrongly."""

    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])
    version = HiddenField(validators=[InputRequired()])
