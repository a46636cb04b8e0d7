"""The forms on the page of an incident."""

from collections.abc import Sequence
from typing import Any

from wtforms import HiddenField, RadioField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from supervise.attribution.findings import Proof, Seen
from supervise.attribution.models import CHARGEABLE_VERDICTS, FindingState, Verdict
from supervise.complaints.models import OffenceType
from supervise.labels import _, _l
from supervise.views.checklist_form import ChecklistForm
from supervise.views.filters import named
from supervise.views.forms import Form, only_for

_REASON_CHARS_MAX = 500


class VerdictForm(Form):
    """Who answers for the call; ``shown`` is the verdict in force that the user saw, empty for none."""

    shown = HiddenField(validators=[Optional(), Regexp(r"^[0-9]{1,18}$")])
    verdict = RadioField(
        _l("Verdict"),
        description=_l("“Attributed” and “official number” name a party that answers; the others name nobody"),
        validators=[InputRequired(_l("Choose a verdict"))],
    )
    party = StringField(
        _l("Responsible party"),
        description=_l("Code or name; only where somebody answers for the call"),
        # Not optional: that would skip validate_party, which knows when it may be empty.
        validators=[Length(max=100)],
        render_kw=only_for("verdict", *CHARGEABLE_VERDICTS),
    )
    reason = TextAreaField(
        _l("Reason"),
        description=_l("Needed against the suggestion, against a contradiction, and wherever no party answers"),
        validators=[Optional(), Length(max=_REASON_CHARS_MAX)],
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict.choices = [(verdict.value, verdict.label) for verdict in Verdict]

    def validate_party(self, field: StringField) -> None:
        """Ask for a party where one answers, and refuse it where none does."""
        if self.verdict.errors:
            return
        names_party = Verdict(self.verdict.data) in CHARGEABLE_VERDICTS
        if names_party and not (field.data or "").strip():
            raise ValidationError(_("Choose the party that answers"))
        if not names_party and (field.data or "").strip():
            raise ValidationError(_("This verdict names no party: leave the field empty"))

    @property
    def shown_id(self) -> int | None:
        """The verdict that the user saw in force."""
        return int(self.shown.data) if self.shown.data else None


class FindingsForm(ChecklistForm):
    """Which offences are proven, by which checklist, and which are found not to be, with one note of evidence."""

    ticked_in = "proven"
    #: The verdict and the findings that the user saw, each finding with its state: ``7;12:proven``.
    shown = HiddenField(validators=[Optional(), Regexp(r"^[0-9]{1,18}(;[0-9]{1,18}:(not_)?proven)*$")])
    proven = SelectMultipleField(
        _l("Proven"), validators=[Optional()], widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )
    not_proven = SelectMultipleField(
        _l("Checked and not proven"),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    evidence_note = TextAreaField(
        _l("Evidence"),
        description=_l("What was heard, seen or read, by whom and when; it is kept with every finding"),
        validators=[InputRequired(_l("Say what was heard, seen or read")), Length(max=2_000)],
    )

    def __init__(self, offences: Sequence[OffenceType], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        choices = [(offence.code, named(offence)) for offence in offences]
        self.proven.choices = choices
        self.not_proven.choices = choices

    @property
    def seen(self) -> Seen | None:
        """The verdict and findings that the user saw; None: the form does not say."""
        if not self.shown.data:
            return None
        return Seen(int(self.shown.data.partition(";")[0]), frozenset(self.states_seen))

    @property
    def states_seen(self) -> dict[int, FindingState]:
        """The findings that the user saw, each in the state that it was in."""
        _verdict, *findings = (self.shown.data or "").split(";")
        pairs = (finding.split(":") for finding in findings)
        return {int(finding_id): FindingState(state) for finding_id, state in pairs}

    def validate_not_proven(self, field: SelectMultipleField) -> None:
        """Refuse both answers to one question, and no answer at all."""
        both = set(self.proven.data or ()) & set(field.data or ())
        if both:
            raise ValidationError(_("An offence is either proven or not"))
        if not self.proven.data and not field.data:
            raise ValidationError(_("Choose at least one offence type"))

    @property
    def proofs(self) -> list[Proof]:
        """The findings as the decision takes them."""
        note, how = self.evidence_note.data, self.how
        proven = [Proof(code, True, note, self.answers(code), how) for code in self.found_proven]  # noqa: FBT003
        return [*proven, *(Proof(code, False, note, None, how) for code in self.not_proven.data or ())]  # noqa: FBT003


class ReasonForm(Form):
    """A step that says why."""

    reason = TextAreaField(
        _l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=_REASON_CHARS_MAX)]
    )


class LinkForm(ReasonForm):
    """Another ticket that reports the same call."""

    reference = StringField(
        _l("Number of the ticket"), validators=[InputRequired(_l("Enter a number")), Length(max=60)]
    )


class RowForm(ReasonForm):
    """A row of the page that the step is about: a ticket, or another incident."""

    row_id = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,18}$")])
