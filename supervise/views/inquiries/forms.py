"""The forms of inquiries: asking, answering, more time, taking back, settling what contradicts."""

from collections.abc import Sequence
from typing import Any

from flask_wtf.file import MultipleFileField
from wtforms import BooleanField, HiddenField, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, Regexp, ValidationError

from supervise.attribution.inquiries import DAYS_MAX, Answer
from supervise.attribution.inquiry_models import AnswerKind
from supervise.attribution.inquiry_queries import Standing
from supervise.attribution.models import CHARGEABLE_VERDICTS, Verdict
from supervise.labels import _, _l
from supervise.parties.models import Party
from supervise.views.forms import FilterForm, Form, MemberField, MomentField, only_for
from supervise.views.vaulting import chosen_files

_TEXT_MAX = 4_000
_REASON_MAX = 500
#: Files of one answer.
_FILES_MAX = 10
#: The choice that leaves the verdict in force.
STANDS = "stands"


class InquiryFilterForm(FilterForm):
    """The filters above the list."""

    state = MemberField(_l("State"), Standing, validators=[Optional()])
    mine = BooleanField(_l("Only what is asked of us"))

    @property
    def standing(self) -> Standing:
        """What the address asks for; without a word, what waits."""
        self.validate()
        return self.accepted(self.state) or Standing.OPEN


class AskForm(Form):
    """A question to one party, about the calls that the address names."""

    party = StringField(
        _l("Asked party"),
        description=_l("Code or name of a branch, an agent or another party"),
        validators=[DataRequired(_l("Choose the party to ask")), Length(max=100)],
    )
    question = TextAreaField(
        _l("Question"),
        description=_l("The party sees the call, the masked number and these words; name no subscriber."),
        validators=[DataRequired(_l("Say what is asked")), Length(max=_TEXT_MAX)],
    )
    working_days = IntegerField(
        _l("Working days to answer"),
        validators=[
            InputRequired(_l("Enter a number of days")),
            NumberRange(min=1, max=DAYS_MAX, message=_l("A deadline is 1 to 60 working days")),
        ],
    )


_NAMES_ANOTHER = only_for("kind", AnswerKind.AGENT, AnswerKind.HANDED_ON)


class AnswerForm(Form):
    """What the asked party says."""

    #: The number of the last answer that the user saw.
    shown = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,9}$")])
    kind = RadioField(_l("Answer"), validators=[InputRequired(_l("Choose an answer"))])
    named_party = SelectField(
        _l("Agent, or new holder of the number"),
        description=_l("Only for “an agent of ours” and “number handed on”"),
        validators=[Optional()],
        render_kw=_NAMES_ANOTHER,
    )
    named_text = StringField(
        _l("Or its name, if it is not registered"),
        validators=[Optional(), Length(max=200)],
        render_kw=_NAMES_ANOTHER,
    )
    handed_on_at = MomentField(
        _l("Handed on at"),
        description=_l("China time; only for “number handed on”"),
        validators=[Optional()],
        render_kw=only_for("kind", AnswerKind.HANDED_ON),
    )
    body = TextAreaField(
        _l("How you know it"),
        description=_l("Records, recordings, orders you looked at. Name no subscriber's full number."),
        validators=[DataRequired(_l("Say how you know it")), Length(max=_TEXT_MAX)],
    )
    files = MultipleFileField(
        _l("Files"), description=_l("Scans, recordings, tables; up to 50 MB each"), validators=[Optional()]
    )

    def __init__(self, below: Sequence[Party], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind.choices = [(kind.value, kind.label) for kind in AnswerKind]
        self.named_party.choices = [("", _("None")), *((str(one.id), f"{one.name} ({one.code})") for one in below)]

    @property
    def _names(self) -> bool:
        return self.kind.data in {AnswerKind.AGENT.value, AnswerKind.HANDED_ON.value}

    def validate_kind(self, _field: RadioField) -> None:
        """Ask for the other party where one is to be named, and refuse it elsewhere."""
        named = [text for text in (self.named_party.data, (self.named_text.data or "").strip()) if text]
        if self._names and len(named) != 1:
            raise ValidationError(_("Choose a party of your own, or type the name of another: one of the two"))
        if not self._names and named:
            raise ValidationError(_("This answer names no other party: leave those fields empty"))
        handed_on = self.kind.data == AnswerKind.HANDED_ON.value
        if handed_on and self.handed_on_at.data is None:
            raise ValidationError(_("Say when the number was handed on"))
        if not handed_on and self.handed_on_at.data is not None:
            raise ValidationError(_("Only “number handed on” has a time"))

    def validate_files(self, _field: MultipleFileField) -> None:
        """Refuse more files than one answer needs."""
        if len(self.uploads) > _FILES_MAX:
            raise ValidationError(_("At most %(most)d files", most=_FILES_MAX))

    @property
    def uploads(self) -> list[Any]:
        """The files that were chosen."""
        return chosen_files(self.files)

    @property
    def answer(self) -> Answer:
        """The answer as the decision takes it."""
        return Answer(
            AnswerKind(self.kind.data),
            self.body.data,
            named_party_id=int(self.named_party.data) if self.named_party.data else None,
            named_text=(self.named_text.data or "").strip() or None,
            handed_on_at=self.handed_on_at.data,
        )


class WithdrawForm(Form):
    """Why a question is taken back."""

    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=_REASON_MAX)])


class ExtendForm(WithdrawForm):
    """How many more days, and why."""

    working_days = IntegerField(
        _l("More working days"),
        validators=[
            InputRequired(_l("Enter a number of days")),
            NumberRange(min=1, max=DAYS_MAX, message=_l("A deadline is 1 to 60 working days")),
        ],
    )


class SettleForm(Form):
    """Who answers after all, with both texts read; ``conflict`` and ``shown`` are what the supervisor saw."""

    conflict = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,18}$")])
    shown = HiddenField(validators=[Optional(), Regexp(r"^[0-9]{1,18}$")])
    verdict = RadioField(_l("Verdict"), validators=[InputRequired(_l("Choose a verdict"))])
    party = StringField(
        _l("Responsible party"),
        description=_l("Code or name; only where somebody answers for the call"),
        # Not optional: that would skip validate_party, which knows when it may be empty.
        validators=[Length(max=100)],
        render_kw=only_for("verdict", *CHARGEABLE_VERDICTS),
    )
    reason = TextAreaField(
        _l("Reason"),
        description=_l("Which of the answers is believed, and why"),
        validators=[DataRequired(_l("Give a reason")), Length(min=4, max=_REASON_MAX)],
    )

    def __init__(self, *, may_stand: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        stands = [(STANDS, _("The verdict in force stands"))] if may_stand else []
        self.verdict.choices = [*stands, *((verdict.value, verdict.label) for verdict in Verdict)]

    def validate_party(self, field: StringField) -> None:
        """Ask for a party where one answers, and refuse it where none does."""
        if self.verdict.errors or not self.verdict.data:
            return
        named = bool((field.data or "").strip())
        names_party = self.chosen in CHARGEABLE_VERDICTS
        if names_party and not named:
            raise ValidationError(_("Choose the party that answers"))
        if not names_party and named:
            raise ValidationError(_("This verdict names no party: leave the field empty"))

    @property
    def chosen(self) -> Verdict | None:
        """The verdict; None: the one in force stands."""
        return None if self.verdict.data == STANDS else Verdict(self.verdict.data)

    @property
    def shown_id(self) -> int | None:
        """The verdict that the user saw in force."""
        return int(self.shown.data) if self.shown.data else None
