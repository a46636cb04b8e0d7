"""A rule as a contract clerk enters it: price, tiers, caps, shares; it hands over the rule's parameters."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from wtforms import DateField, FieldList, FormField, HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from supervise.contracts.models import RuleVersion
from supervise.contracts.rule_versions import RuleDraft, shown
from supervise.contracts.rules import (
    WHOLE_BP,
    AcrossTypes,
    Basis,
    CapPer,
    RuleParametersError,
    ShareMode,
    TierWindow,
    parse_parameters,
)
from supervise.contracts.words import percent
from supervise.errors import ConflictError
from supervise.labels import N_, _, _l
from supervise.money import FEN_MAX
from supervise.parties.models import PartyKind
from supervise.views.forms import Form, YuanField

_ONE_DAY = dt.timedelta(days=1)
#: What the form can say; the engine computes no more (contracts.rules.refuse_what_cannot_be_computed).
_BASES = (Basis.PER_OFFENCE, Basis.PER_CALL)
_SHARE_MODES = (ShareMode.PERCENT, ShareMode.EQUAL)
_CAP_FIELDS = {CapPer.MONTH: "cap_month_fen", CapPer.DAY: "cap_day_fen", CapPer.INCIDENT: "cap_incident_fen"}
_KNOWN = {"basis", "amount_fen", "across_types", "tiers", "caps", "shares"}
ROWS_MAX = 12


class NotInThisFormError(ConflictError):
    """A version that was written by other means says more than the form has fields for."""

    message = N_("This version has clauses that the form cannot show; draft the next one without copying it")


class PercentField(StringField):  # type: ignore[misc]
    """A percentage with at most two decimals, handed over in basis points."""

    data: int | None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else percent(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the typed percentage."""
        self.data = None
        if not valuelist or not valuelist[0].strip():
            return
        try:
            bp = Decimal(valuelist[0].strip().removesuffix("%").strip()) * 100
        except InvalidOperation:
            raise ValueError(_("Enter a percentage, such as 33.33")) from None
        if not bp.is_finite() or bp != int(bp) or not 0 < bp <= WHOLE_BP:
            raise ValueError(_("Enter a percentage, such as 33.33"))
        self.data = int(bp)


class StepForm(Form):
    """One tier: from which offence on it costs how much."""

    class Meta(Form.Meta):
        """Its form is checked as a whole."""

        csrf = False

    from_count = IntegerField(_l("From offence number"), validators=[Optional(), NumberRange(min=1, max=1_000_000)])
    amount_fen = YuanField(_l("Amount (yuan)"), validators=[Optional(), NumberRange(min=1, max=FEN_MAX)])


class ShareForm(Form):
    """One bearer: the party of a kind in the chain, and its part."""

    class Meta(Form.Meta):
        """Its form is checked as a whole."""

        csrf = False

    kind = SelectField(_l("Kind of party"), validators=[Optional()])
    share_bp = PercentField(_l("Part (percent)"), validators=[Optional()])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind.choices = [("", "—"), *((kind.value, kind.label) for kind in PartyKind)]


class RuleForm(Form):
    """A dated price."""

    code = StringField(_l("Rule code"), validators=[InputRequired(_l("Enter a code")), Length(max=60)])
    offence_code = SelectField(_l("Offence"), description=_l("A rule for one offence goes before one for any"))
    priority = IntegerField(
        _l("Priority"),
        description=_l("Of several rules that fit, the highest wins"),
        validators=[InputRequired(_l("Enter a number")), NumberRange(min=0, max=1000)],
    )
    valid_from = DateField(_l("First day"), validators=[InputRequired(_l("Enter the first day"))])
    last_on = DateField(_l("Last day"), description=_l("Empty: until another version follows"), validators=[Optional()])
    basis = SelectField(_l("What one amount is for"), validators=[InputRequired()])
    amount_fen = YuanField(
        _l("Amount (yuan)"), validators=[InputRequired(_l("Enter an amount")), NumberRange(min=1, max=FEN_MAX)]
    )
    across_types = SelectField(_l("Several offence types of one call"), validators=[InputRequired()])
    window = SelectField(_l("Repeats"), validators=[Optional()])
    days = IntegerField(_l("Days of the window"), validators=[Optional(), NumberRange(min=1, max=3660)])
    steps = FieldList(FormField(StepForm), max_entries=ROWS_MAX)
    cap_month_fen = YuanField(_l("At most in a month (yuan)"), validators=[Optional(), NumberRange(min=1, max=FEN_MAX)])
    cap_day_fen = YuanField(_l("At most in a day (yuan)"), validators=[Optional(), NumberRange(min=1, max=FEN_MAX)])
    cap_incident_fen = YuanField(
        _l("At most for one call (yuan)"), validators=[Optional(), NumberRange(min=1, max=FEN_MAX)]
    )
    share_mode = SelectField(_l("Who bears it"), validators=[Optional()])
    shares = FieldList(FormField(ShareForm), max_entries=ROWS_MAX)
    shown_sha256 = HiddenField()

    def __init__(self, offences: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offence_code.choices = [("", _("Any offence without a rule of its own")), *offences.items()]
        self.basis.choices = [(one.value, one.label) for one in _BASES]
        self.across_types.choices = [(one.value, one.label) for one in AcrossTypes]
        self.window.choices = [("", _("cost the same each time")), *((one.value, one.label) for one in TierWindow)]
        self.share_mode.choices = [("", _("The payer alone")), *((one.value, one.label) for one in _SHARE_MODES)]
        while len(self.steps) == 0:
            self.steps.append_entry()
        while len(self.shares) == 0:
            self.shares.append_entry()

    def validate_last_on(self, field: DateField) -> None:
        """Refuse an end before the start."""
        if field.data is not None and self.valid_from.data is not None and field.data < self.valid_from.data:
            raise ValidationError(_("The last day is before the first"))

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Check the fields, then the rule as a whole."""
        if not super().validate(extra_validators):
            return False
        if self.window.data == TierWindow.ROLLING_DAYS.value and self.days.data is None:
            self.days.errors = [_("Enter the number of days")]
            return False
        try:
            parse_parameters(self.parameters())
        except RuleParametersError as error:
            self.form_errors.append(str(error))
            return False
        return True

    def parameters(self) -> dict[str, Any]:
        """Return the rule as ``contracts.rules.parse_parameters`` reads it; nothing that was left empty."""
        parameters: dict[str, Any] = {"basis": self.basis.data, "amount_fen": self.amount_fen.fen}
        if self.basis.data == Basis.PER_OFFENCE.value and self.across_types.data != AcrossTypes.HIGHEST_ONLY.value:
            parameters["across_types"] = self.across_types.data
        if self.window.data:
            parameters["tiers"] = self._tiers()
        caps = [
            {"per": per.value, "limit_fen": self[name].data} for per, name in _CAP_FIELDS.items() if self[name].data
        ]
        if caps:
            parameters["caps"] = caps
        if self.share_mode.data:
            parameters["shares"] = self._shares()
        return parameters

    def _tiers(self) -> dict[str, Any]:
        steps = [
            {"from_count": row.form.from_count.data, "amount_fen": row.form.amount_fen.data}
            for row in self.steps
            if row.form.from_count.data is not None or row.form.amount_fen.data is not None
        ]
        tiers: dict[str, Any] = {"window": self.window.data, "steps": steps}
        if self.window.data == TierWindow.ROLLING_DAYS.value:
            tiers["days"] = self.days.data
        return tiers

    def _shares(self) -> dict[str, Any]:
        by_percent = self.share_mode.data == ShareMode.PERCENT.value
        parts = [
            {"kind": row.form.kind.data} | ({"share_bp": row.form.share_bp.data} if by_percent else {})
            for row in self.shares
            if row.form.kind.data
        ]
        return {"mode": self.share_mode.data, "parts": parts}

    def draft(self) -> RuleDraft:
        """Return what was entered, after validation."""
        return RuleDraft(
            code=self.code.data.strip(),
            offence_code=self.offence_code.data or None,
            priority=self.priority.data,
            parameters=self.parameters(),
            valid_from=self.valid_from.data,
            valid_to=self.last_on.data + _ONE_DAY if self.last_on.data else None,
        )


def shown_rule(rule: RuleVersion) -> dict[str, Any]:
    """Return what the form shows of *rule* at first.

    Raises:
        NotInThisFormError: if the rule says more than the form has fields for: nothing is dropped silently.
    """
    said = {name: value for name, value in rule.parameters.items() if value is not None}
    parameters = parse_parameters(said)
    caps = {cap.per: cap.limit_fen for cap in parameters.caps}
    fits = (
        said.keys() <= _KNOWN
        and parameters.basis in _BASES
        and caps.keys() <= _CAP_FIELDS.keys()
        and None not in caps.values()
        and len(caps) == len(parameters.caps)
        and (parameters.shares is None or parameters.shares.mode in _SHARE_MODES)
    )
    if not fits:
        raise NotInThisFormError
    tiers, shares = parameters.tiers, parameters.shares
    return {
        "code": rule.code,
        "offence_code": rule.offence_code or "",
        "priority": rule.priority,
        "valid_from": rule.valid_from,
        "last_on": rule.valid_to - _ONE_DAY if rule.valid_to else None,
        "basis": parameters.basis.value,
        "amount_fen": parameters.amount_fen,
        "across_types": parameters.across_types.value,
        "window": tiers.window.value if tiers else "",
        "days": tiers.days if tiers else None,
        "steps": [{"from_count": one.from_count, "amount_fen": one.amount_fen} for one in tiers.steps] if tiers else [],
        **{name: caps.get(per) for per, name in _CAP_FIELDS.items()},
        "share_mode": shares.mode.value if shares else "",
        "shares": [{"kind": one.kind.value, "share_bp": one.share_bp} for one in shares.parts] if shares else [],
        "shown_sha256": shown(rule),
    }
