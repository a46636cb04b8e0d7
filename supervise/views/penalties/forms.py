"""What is filtered by, objected, decided and proposed about penalties."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf.file import MultipleFileField
from wtforms import BooleanField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, Regexp, ValidationError

from supervise.desk.penalty_story import Choice
from supervise.labels import _, _l
from supervise.money import FEN_MAX
from supervise.penalties.attention import Attention
from supervise.penalties.models import ObjectionState, PenaltyFamily, PenaltyState
from supervise.penalties.objections import DECISIONS
from supervise.penalties.queries import LISTED_STATES, PenaltyFilter
from supervise.views.forms import Form, WordsField, YuanField
from supervise.views.vaulting import chosen_files

_TEXT_MAX = 4_000
#: Files that come at once.
_FILES_MAX = 10
MONTH = r"20[0-9]{2}-(0[1-9]|1[0-2])"


class PenaltyFilterForm(Form):
    """The filters above the list; they stand in the address."""

    class Meta(Form.Meta):
        """A GET form has nothing to forge."""

        csrf = False

    q = WordsField(_l("Penalty number"), validators=[Optional(), Length(max=40)])
    state = SelectField(_l("State"), validators=[Optional()])
    family = SelectField(_l("Kind"), validators=[Optional()])
    party = SelectField(_l("Responsible party"), validators=[Optional()])
    unit = SelectField(_l("Branch"), validators=[Optional()])
    offence = SelectField(_l("Offence"), validators=[Optional()])
    month = SelectField(_l("Month of the call"), validators=[Optional()])
    attention = SelectField(_l("Needs attention"), validators=[Optional()])
    objected = BooleanField(_l("Objection open"))

    def __init__(
        self,
        *,
        user_id: int,
        attentions: Sequence[Attention],
        parties: Sequence[Choice],
        units: Sequence[Choice],
        offences: Mapping[str, str],
        months: Sequence[str],
        listed_only: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        every = ("", _("All"))
        states = LISTED_STATES if listed_only else tuple(PenaltyState)
        self.state.choices = [every, *((state.value, state.label) for state in states)]
        self.family.choices = [every, *((family.value, family.label) for family in PenaltyFamily)]
        self.party.choices = [every, *((str(one.id), one.name) for one in parties)]
        self.unit.choices = [every, *((str(one.id), one.name) for one in units)]
        self.offence.choices = [every, *offences.items()]
        self.month.choices = [every, *((month, month) for month in months)]
        self.attention.choices = [every, *((one.value, one.label) for one in attentions)]
        self._listed_only = listed_only
        self._user_id = user_id

    def wanted(self) -> PenaltyFilter:
        """Return what the address asks for; a value that is no choice narrows to nothing of that kind."""
        self.validate()
        return PenaltyFilter(
            state=PenaltyState(self.state.data) if _chosen(self.state) else None,
            family=PenaltyFamily(self.family.data) if _chosen(self.family) else None,
            party_id=int(self.party.data) if _chosen(self.party) else None,
            unit_id=int(self.unit.data) if _chosen(self.unit) else None,
            period=self.month.data if _chosen(self.month) else None,
            offence_code=self.offence.data if _chosen(self.offence) else None,
            reference=(self.q.data or "").strip() if not self.q.errors else "",
            listed_only=self._listed_only,
            with_open_objection=self.objected.data,
            attention=Attention(self.attention.data) if _chosen(self.attention) else None,
            user_id=self._user_id,
        )


def _chosen(field: SelectField) -> bool:
    return bool(field.data) and not field.errors


class _WithFiles(Form):
    """Words that files may come with."""

    files = MultipleFileField(
        _l("Files"), description=_l("Scans, recordings, tables; up to 50 MB each"), validators=[Optional()]
    )

    def validate_files(self, _field: MultipleFileField) -> None:
        """Refuse more files than are kept at once."""
        if len(self.uploads) > _FILES_MAX:
            raise ValidationError(_("At most %(most)d files", most=_FILES_MAX))

    @property
    def uploads(self) -> list[Any]:
        """The files that were chosen."""
        return chosen_files(self.files)


class ObjectionForm(_WithFiles):
    """What the charged party says against a penalty."""

    body = TextAreaField(
        _l("What is objected to"),
        description=_l("Say which fact or which rule is wrong. Name no subscriber's full number."),
        validators=[DataRequired(_l("Say what is objected to")), Length(max=_TEXT_MAX)],
    )


class AdditionForm(_WithFiles):
    """What the charged party answers or adds, once its objection is filed."""

    addition = TextAreaField(
        _l("Your words"),
        description=_l("Name no subscriber's full number."),
        validators=[DataRequired(_l("Write something")), Length(max=_TEXT_MAX)],
    )


class QuestionForm(Form):
    """What a supervisor asks before deciding."""

    question = TextAreaField(
        _l("Question to the charged party"), validators=[DataRequired(_l("Say what is asked")), Length(max=_TEXT_MAX)]
    )


class AdmissionForm(Form):
    """Whether a late objection is heard."""

    admission = RadioField(_l("Late objection"), validators=[InputRequired(_l("Choose a decision"))])
    reason = TextAreaField(
        _l("Reason, shown to the charged party"), validators=[DataRequired(_l("Give a reason")), Length(max=_TEXT_MAX)]
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.admission.choices = [("admit", _("Admit it")), ("refuse", _("Do not hear it"))]

    @property
    def is_admitted(self) -> bool:
        """Whether it is heard, after validation."""
        return bool(self.admission.data == "admit")


class DecisionForm(Form):
    """What a supervisor decides on an objection."""

    decision = RadioField(_l("Decision"), validators=[InputRequired(_l("Choose a decision"))])
    reduced_fen = YuanField(
        _l("Taken off (yuan)"),
        description=_l("Only if it is upheld in part"),
        validators=[Optional(), NumberRange(min=1, max=FEN_MAX)],
    )
    note = TextAreaField(
        _l("Reason, shown to the charged party"), validators=[DataRequired(_l("Give a reason")), Length(max=_TEXT_MAX)]
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decision.choices = [(decision.value, decision.label) for decision in DECISIONS]

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Check the fields, and ask for the amount where the decision needs one."""
        if not super().validate(extra_validators):
            return False
        if self.decision.data == ObjectionState.REDUCED.value and self.reduced_fen.data is None:
            self.reduced_fen.errors = [_("Enter what is taken off")]
            return False
        return True


class ReversalForm(Form):
    """What finance proposes to take back of a final penalty."""

    amount_fen = YuanField(
        _l("Amount to be reversed (yuan)"),
        description=_l("Empty: all that is left"),
        validators=[Optional(), NumberRange(min=1, max=FEN_MAX)],
    )
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=500)])


class StatementForm(Form):
    """The months of a statement."""

    class Meta(Form.Meta):
        """A GET form has nothing to forge."""

        csrf = False

    first = StringField(_l("First month"), validators=[Optional(), Regexp(f"^{MONTH}$", message=_l("Such as 2026-11"))])
    last = StringField(_l("Last month"), validators=[Optional(), Regexp(f"^{MONTH}$", message=_l("Such as 2026-11"))])
