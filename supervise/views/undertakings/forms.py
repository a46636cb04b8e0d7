"""What is promised, to whom, and until when."""

from typing import Any

from wtforms import IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from supervise.compensation.models import CallUnit, CreditNature, PromiseState
from supervise.compensation.promise_queries import UndertakingFilters
from supervise.compensation.promises import Terms
from supervise.labels import _, _l
from supervise.money import FEN_MAX
from supervise.views.forms import FilterForm, Form, MemberField, MomentField, WordsField, YuanField


class UndertakingFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Reference or account"), validators=[Optional(), Length(max=60)])
    state = MemberField(_l("State"), PromiseState, everything=True, validators=[Optional()])

    def wanted(self) -> UndertakingFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return UndertakingFilters(text=self.q.data or "", state=self.accepted(self.state))


class FindForm(Form):
    """Whom the promise is made to; sent by POST, so that no number stands in an address or a log."""

    who = StringField(
        _l("Full number or account"),
        description=_l("The number is looked up by its key; it is not stored again"),
        validators=[InputRequired(_l("Enter a number or an account")), Length(max=60)],
    )


class TermsForm(Form):
    """What undertakings and policies share."""

    starts_at = MomentField(_l("Begins at (China time)"), validators=[InputRequired(_l("Enter the beginning"))])
    ends_at = MomentField(_l("Ends at (China time)"), description=_l("Empty: no end"), validators=[Optional()])
    per_call_fen = YuanField(
        _l("For each further call (yuan)"),
        validators=[InputRequired(_l("Enter an amount")), NumberRange(min=0, max=FEN_MAX)],
    )
    call_unit = SelectField(_l("Which calls count"), validators=[InputRequired()])
    calls_per_day_max = IntegerField(
        _l("At most so many calls a day"),
        description=_l("Empty: no limit"),
        validators=[Optional(), NumberRange(min=1, max=1000)],
    )
    nature = SelectField(
        _l("Nature"), description=_l("Decides account and wording; locked at approval"), validators=[InputRequired()]
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.call_unit.choices = [(one.value, one.label) for one in CallUnit]
        self.nature.choices = [(one.value, one.label) for one in CreditNature]

    def validate_ends_at(self, field: MomentField) -> None:
        """Refuse an end before the beginning."""
        if field.data is not None and self.starts_at.data is not None and field.data <= self.starts_at.data:
            raise ValidationError(_("The end must lie after the start"))

    def terms(self) -> Terms:
        """Return what was entered, after validation."""
        return Terms(
            starts_at=self.starts_at.moment,
            ends_at=self.ends_at.data,
            per_call_fen=self.per_call_fen.data or 0,
            call_unit=CallUnit(self.call_unit.data),
            calls_per_day_max=self.calls_per_day_max.data,
            nature=CreditNature(self.nature.data),
        )


class UndertakingForm(TermsForm):
    """A promise to one subscriber."""

    lump_fen = YuanField(_l("Once for history (yuan)"), validators=[Optional(), NumberRange(min=0, max=FEN_MAX)])
    text = TextAreaField(
        _l("Wording"), description=_l("As it was said or written to the subscriber"), validators=[Length(max=2000)]
    )
    ticket = StringField(_l("Ticket it settles"), validators=[Optional(), Length(max=40)])


class PolicyForm(TermsForm):
    """What every subscriber without an undertaking of their own is credited."""

    code = StringField(_l("Policy code"), validators=[InputRequired(_l("Enter a code")), Length(max=40)])
    name = StringField(_l("Title"), validators=[InputRequired(_l("Enter the title")), Length(max=120)])


class EndPromiseForm(Form):
    """When an undertaking ends, and why."""

    ends_at = MomentField(_l("Ends at (China time)"), validators=[InputRequired(_l("Enter the end"))])
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=200)])


class GiveUpForm(Form):
    """Why a draft is given up."""

    because = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=200)])
