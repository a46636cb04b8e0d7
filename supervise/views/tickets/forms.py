"""The forms on the page of a ticket; each carries the version that its user saw."""

import datetime as dt
from typing import Any

from wtforms import (
    BooleanField,
    DateTimeLocalField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp, ValidationError

from supervise import clock, phone
from supervise.complaints.models import CallerKind, IncidentKind, Precision
from supervise.complaints.reported import ReportedCall
from supervise.desk.story import ReplyChoices
from supervise.labels import _, _l
from supervise.phone import NumberingPlan
from supervise.views.filters import named
from supervise.views.forms import Form

_REASON_CHARS_MAX = 500
_SMS_CHARS_MAX = 1_000
_DAY_SECONDS = 86_400


class StepForm(Form):
    """A step that needs nothing but the version of the ticket that the user saw."""

    version = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,9}$", message=_l("Reload the page"))])

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        return {"version": int(self.version.data)}


class ReasonedForm(StepForm):
    """A step that says why."""

    reason = TextAreaField(
        _l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=_REASON_CHARS_MAX)]
    )

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        return {**super().arguments(), "reason": self.reason.data.strip()}


class TransferForm(ReasonedForm):
    """Hand the ticket to the body that must answer it."""

    to_whom = StringField(
        _l("Who must answer it"),
        description=_l("The body's name, so that the complainant knows where to turn"),
        validators=[InputRequired(_l("Name the body")), Length(max=100)],
    )

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        return {**super().arguments(), "to_whom": self.to_whom.data.strip()}


class ReplyForm(StepForm):
    """What is answered, and how the matter was resolved."""

    template_id = HiddenField(validators=[Optional(), Regexp(r"^[0-9]{1,18}$")])
    body = TextAreaField(_l("Reply"), validators=[InputRequired(_l("Write the reply")), Length(max=10_000)])
    resolution_code = SelectField(_l("How it was resolved"), validators=[InputRequired(_l("Choose a code"))])

    def __init__(self, choices: ReplyChoices, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.resolution_code.choices = [("", _("Choose a code")), *_code_choices(choices)]

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        return {
            **super().arguments(),
            "body": self.body.data,
            "resolution_code": self.resolution_code.data,
            "template_id": int(self.template_id.data) if self.template_id.data else None,
        }


def _code_choices(choices: ReplyChoices) -> list[tuple[str, str]]:
    return [
        (code.code, named(code) if code.counts_as_solved else _("%(code)s (not solved)", code=named(code)))
        for code in choices.codes
    ]


class CallForm(StepForm):
    """A call or message that the report did not name."""

    kind = SelectField(_l("Call or SMS"), validators=[InputRequired()])
    caller_number = StringField(
        _l("Caller's number or port"), description=_l("Empty if it is not known"), validators=[Length(max=40)]
    )
    occurred_at = DateTimeLocalField(
        _l("Time of the call"),
        format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        validators=[InputRequired(_l("Enter the time"))],
    )
    day_only = BooleanField(_l("Only the day is known"))
    answered = SelectField(_l("Answered"), validators=[Optional()])
    seconds = IntegerField(_l("Duration (seconds)"), validators=[Optional(), NumberRange(min=0, max=_DAY_SECONDS)])
    subject = StringField(_l("What was offered"), validators=[Length(max=200)])
    sms_text = TextAreaField(_l("Text of the SMS"), validators=[Length(max=_SMS_CHARS_MAX)])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind.choices = [(kind.value, kind.label) for kind in IncidentKind]
        self.answered.choices = [("", _("Not known")), ("y", _("Yes")), ("n", _("No"))]

    def validate_caller_number(self, field: StringField) -> None:
        """Refuse what is no number of the Chinese plan, saying why."""
        if not field.data:
            return
        try:
            phone.normalise(field.data)
        except phone.PhoneError as error:
            raise ValidationError(str(error)) from error

    def validate_occurred_at(self, field: DateTimeLocalField) -> None:
        """Refuse a time to come."""
        if field.data is not None and clock.from_china(field.data) > clock.now():
            raise ValidationError(_("The time lies in the future"))

    def call(self) -> ReportedCall:
        """Return the call as intake takes it."""
        digits = phone.normalise(self.caller_number.data) if self.caller_number.data else None
        at: dt.datetime = self.occurred_at.data
        precision = Precision.MINUTE
        if self.day_only.data:
            at, precision = at.replace(hour=0, minute=0, second=0), Precision.DAY
        return ReportedCall(
            kind=IncidentKind(self.kind.data),
            occurred_at=clock.from_china(at),
            precision=precision,
            caller_number=digits,
            caller_class=phone.classify(digits) if digits else None,
            numbering_plan=NumberingPlan.CHINA,
            answered={"y": True, "n": False}.get(self.answered.data or ""),
            seconds=self.seconds.data,
            caller_kind=CallerKind.UNKNOWN,
            subject=self.subject.data or None,
            sms_text=self.sms_text.data or None,
        )
