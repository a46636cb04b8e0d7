"""Forms of the numbers' pages."""

from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _, _l
from supervise.parties.number_queries import NumberFilters
from supervise.phone import NumberClass, NumberingPlan, PhoneError, normalise
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, MomentField, WordsField


class NumberFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Beginning of the number, or the holder"), validators=[Optional(), Length(max=60)])
    number_class = MemberField(_l("Class"), NumberClass, everything=True, validators=[Optional()])
    held = SelectField(
        _l("Holder"),
        choices=lambda: [("", _("All")), ("1", _("Held now")), ("0", _("Held by nobody"))],
        validators=[Optional()],
    )

    def wanted(self) -> NumberFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return NumberFilters(
            text=(self.q.data or "").strip(),
            number_class=self.accepted(self.number_class),
            held={"1": True, "0": False}.get(self.held.data or ""),
        )


class PeriodForm(Form):
    """From when until when a number is held."""

    held_from = MomentField(
        _l("From"), description=_l("China time; to the second"), validators=[InputRequired(_l("Enter the moment"))]
    )
    held_to = fields.end_moment()


class EnterNumberForm(PeriodForm):
    """A new number with its first holder."""

    digits = StringField(_l("Number"), validators=[InputRequired(_l("Enter the number")), Length(max=40)])
    plan = MemberField(_l("Numbering plan"), NumberingPlan, validators=[InputRequired()])
    is_prefix = BooleanField(_l("A 106 port that stands for every longer number"))
    note = TextAreaField(_l("Note"), validators=[Optional(), Length(max=2_000)])
    party = fields.code(_l("Code of the holder"))
    source = fields.source()

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

    party = fields.code(_l("Code of the holder"))
    source = fields.source()


class HandOverForm(Form):
    """The number passes to another party at a moment."""

    party = fields.code(_l("Code of the new holder"))
    at = MomentField(
        _l("Moment"),
        description=_l("China time; a call at this second is the new holder's"),
        validators=[InputRequired(_l("Enter the moment"))],
    )
    source = fields.source()


class EndForm(Form):
    """The end of a holding."""

    at = MomentField(
        _l("Until"),
        description=_l("China time; the first moment without it"),
        validators=[InputRequired(_l("Enter the moment"))],
    )
    reason = fields.reason()


class CorrectForm(PeriodForm):
    """A period that was entered wrongly."""

    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])
