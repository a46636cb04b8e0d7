"""The form for a complaint that comes in by telephone, letter or visit."""

import datetime as dt
from typing import Any

from wtforms import (
    BooleanField,
    DateField,
    FieldList,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from supervise import clock, phone
from supervise.complaints.interpret import TEXT_MAX
from supervise.complaints.models import CallerKind, Channel, DemandHead, IncidentKind, Precision
from supervise.complaints.reported import ReportedCall, ReportedDemand, ReportedRefusal, ReportedTicket
from supervise.labels import _, _l
from supervise.phone import PhoneError
from supervise.views.forms import Form, MemberField, MomentField, YuanField

CALLS_MAX = 50
_SECONDS_MAX = 24 * 3600
_UNITS_MAX = 10_000
_ANSWERS = {"": None, "1": True, "0": False}


class PhoneField(StringField):  # type: ignore[misc]
    """A Chinese number, normalised; after an error it shows what was typed."""

    data: str | None

    @property
    def digits(self) -> str:
        """The number after validation.

        Raises:
            ValueError: if the field is empty.
        """
        if self.data is None:
            raise ValueError(f"{self.name} is empty")
        return self.data

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else self.data or ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the typed number; an empty one is none."""
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if text:
            try:
                self.data = phone.normalise(text)
            except PhoneError as error:
                raise ValueError(str(error)) from None


class RowForm(Form):
    """A repeated part of a form; the whole carries the token."""

    class Meta(Form.Meta):
        """The form around it is protected."""

        csrf = False

    @property
    def is_blank(self) -> bool:
        """Nothing was typed into the row."""
        return not any(value for name, value in self.data.items() if name in self.TYPED)

    TYPED: tuple[str, ...] = ()


class CallForm(RowForm):
    """One call or message."""

    TYPED = ("caller_number", "occurred_at", "subject", "sms_text", "seconds")

    kind = MemberField(_l("Call or SMS"), IncidentKind, default=IncidentKind.CALL)
    caller_number = PhoneField(
        _l("Caller's number or port"), description=_l("Empty if it is not known"), validators=[Optional()]
    )
    occurred_at = MomentField(_l("Time of the call"))
    only_day = BooleanField(_l("Only the day is known"))
    answered = SelectField(
        _l("Answered"), choices=lambda: [("", _("Not known")), ("1", _("Yes")), ("0", _("No"))], default=""
    )
    seconds = IntegerField(_l("Duration (seconds)"), validators=[Optional(), NumberRange(0, _SECONDS_MAX)])
    caller_kind = MemberField(_l("Robot or human"), CallerKind, default=CallerKind.UNKNOWN)
    subject = StringField(_l("What was offered"), validators=[Optional(), Length(max=200)])
    sms_text = TextAreaField(_l("Text of the SMS"), validators=[Optional(), Length(max=TEXT_MAX)])
    opt_out_sent = BooleanField(_l("Opt-out was sent"))

    def validate_occurred_at(self, field: MomentField) -> None:
        """A call has a time, and it has been."""
        if self.is_blank:
            return
        if field.data is None:
            raise ValidationError(_("Enter the time, or count the call among the claimed calls below"))
        if field.data > clock.now():
            raise ValidationError(_("The time lies in the future"))

    def call(self) -> ReportedCall:
        """Return the call; the form must have been validated."""
        occurred_at, precision = self.occurred_at.moment, Precision.MINUTE
        if self.only_day.data:
            occurred_at, precision = clock.start_of_day(clock.china_day(occurred_at)), Precision.DAY
        elif occurred_at.second:
            precision = Precision.SECOND
        text = (self.sms_text.data or "").strip() or None
        number = self.caller_number.data
        kind = IncidentKind.SMS if text else self.kind.data
        # The box says "yes" or nothing: a text that lies before the clerk shows a "no", without it that is not known.
        has_opted_out = self.opt_out_sent.data or (False if text else None)
        return ReportedCall(
            kind=kind,
            occurred_at=occurred_at,
            precision=precision,
            caller_number=number,
            caller_class=phone.classify(number) if number else None,
            answered=_ANSWERS[self.answered.data or ""],
            seconds=self.seconds.data,
            caller_kind=self.caller_kind.data,
            subject=(self.subject.data or "").strip() or None,
            sms_text=text,
            opt_out_sent=has_opted_out if kind is IncidentKind.SMS else None,
        )


class DemandForm(RowForm):
    """One claim: so many units at so much."""

    TYPED = ("units", "unit_fen", "note")

    head = MemberField(_l("Claimed for"), DemandHead, default=DemandHead.PER_CALL)
    units = IntegerField(_l("How many"), validators=[Optional(), NumberRange(0, _UNITS_MAX)])
    unit_fen = YuanField(_l("Price of a unit (yuan)"), validators=[Optional()])
    note = StringField(_l("Note"), validators=[Optional(), Length(max=200)])

    def validate_unit_fen(self, field: YuanField) -> None:
        """Nobody claims to pay."""
        if field.data is not None and field.data < 0:
            raise ValidationError(_("The amount cannot be negative"))

    def demand(self) -> ReportedDemand:
        """Return the claim; the form must have been validated."""
        return ReportedDemand(
            head=self.head.data,
            units=self.units.data or 0,
            unit_fen=self.unit_fen.data or 0,
            note=(self.note.data or "").strip() or None,
        )


class TicketForm(Form):
    """A complaint with its calls, claims and refusal."""

    nonce = HiddenField(validators=[InputRequired(), Length(min=16, max=64)])
    channel = MemberField(_l("Channel"), Channel, default=Channel.HOTLINE, validators=[InputRequired()])
    external_ref = StringField(_l("Number at the channel"), validators=[Optional(), Length(max=200)])
    received_at = MomentField(_l("Received"), validators=[InputRequired(_l("Enter the time of receipt"))])
    stated_due_on = DateField(
        _l("Reply demanded by"),
        description=_l("Only if the channel states a day; the earlier of it and our rule counts"),
        validators=[Optional()],
    )
    unit_id = SelectField(_l("Region"), validators=[Optional()])
    number = PhoneField(
        _l("Subscriber's number"), description=_l("Empty for an anonymous report"), validators=[Optional()]
    )
    complainant = StringField(_l("Complainant's name"), validators=[Optional(), Length(max=200)])
    content = TextAreaField(
        _l("Complaint"), validators=[InputRequired(_l("Write down what was complained about")), Length(max=TEXT_MAX)]
    )
    claimed_party = StringField(_l("Whom the caller claimed to be"), validators=[Optional(), Length(max=200)])
    claimed_calls = IntegerField(
        _l("Number of calls claimed"),
        description=_l("“About eight calls”: counted here, never invented as calls"),
        validators=[Optional(), NumberRange(1, _UNITS_MAX)],
    )
    sensitive = BooleanField(_l("Sensitive: press, court or repeated escalation"))
    calls = FieldList(FormField(CallForm), min_entries=1, max_entries=CALLS_MAX)
    demands = FieldList(FormField(DemandForm), min_entries=1, max_entries=20)
    refused = BooleanField(_l("The subscriber said no to marketing"))
    refused_at = MomentField(
        _l("When it was said"), description=_l("Empty: during the latest call"), validators=[Optional()]
    )

    def __init__(self, units: list[tuple[int, str]], *, needs_unit: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        nobody = [] if needs_unit and units else [("", _("Not known"))]
        self.unit_id.choices = [*nobody, *((str(unit_id), name) for unit_id, name in units)]

    def validate_received_at(self, field: MomentField) -> None:
        """A complaint has been received."""
        if field.data is not None and field.data > clock.now():
            raise ValidationError(_("The time lies in the future"))

    def validate_refused_at(self, field: MomentField) -> None:
        """A refusal has been said, by somebody known."""
        if field.data is not None and field.data > clock.now():
            raise ValidationError(_("The time lies in the future"))

    def validate_refused(self, field: BooleanField) -> None:
        """An anonymous report refuses for nobody."""
        if field.data and not self.number.data:
            raise ValidationError(_("Enter the subscriber's number: a refusal belongs to a number"))

    def report(self) -> ReportedTicket:
        """Return what was reported; the form must have been validated."""
        calls = tuple(row.form.call() for row in self.calls if not row.form.is_blank)
        received_at = self.received_at.moment
        return ReportedTicket(
            channel=self.channel.data,
            received_at=received_at,
            content=self.content.data.strip(),
            number=self.number.data,
            external_ref=(self.external_ref.data or "").strip() or None,
            # The form's own number: sent twice, it is one ticket.
            row_key=f"form:{self.nonce.data}",
            unit_id=int(self.unit_id.data) if self.unit_id.data else None,
            complainant=(self.complainant.data or "").strip() or None,
            claimed_party=(self.claimed_party.data or "").strip() or None,
            claimed_calls=self.claimed_calls.data,
            sensitive=self.sensitive.data,
            stated_due_on=self.stated_due_on.data,
            calls=calls,
            demands=tuple(row.form.demand() for row in self.demands if not row.form.is_blank),
            refusal=self._refusal(calls, received_at),
        )

    def _refusal(self, calls: tuple[ReportedCall, ...], received_at: dt.datetime) -> ReportedRefusal | None:
        if not self.refused.data:
            return None
        latest = max((call.occurred_at for call in calls), default=received_at)
        return ReportedRefusal(
            said_at=self.refused_at.data or min(latest, received_at), how="call" if calls else "report"
        )
