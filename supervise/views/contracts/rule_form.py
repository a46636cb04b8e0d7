"""A rule as a contract clerk enters it, clause by clause; it hands over the rule's parameters."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from wtforms import BooleanField, DateField, FieldList, FormField, HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from supervise.contracts.models import RuleVersion
from supervise.contracts.rule_versions import RuleDraft, shown
from supervise.contracts.rules import (
    AcrossTypes,
    AggravationCode,
    Basis,
    RecoveryBase,
    RuleParametersError,
    ShareMode,
    ThresholdBase,
    TierWindow,
    parse_parameters,
)
from supervise.errors import ConflictError
from supervise.labels import N_, LabelledEnum, _, _l
from supervise.money import FEN_MAX
from supervise.views.contracts.rule_rows import CapForm, PercentField, RowForm, ShareForm, StepForm, TimesField
from supervise.views.forms import Form, YuanField

_ONE_DAY = dt.timedelta(days=1)
ROWS_MAX = 12
_AGGRAVATIONS = {code: f"times_{code.value}" for code in AggravationCode}
#: Beside which field a clause stands that makes no rule together with those before it.
_PLACES = {
    "basis": "basis",
    "amount_fen": "amount_fen",
    "across_types": "across_types",
    "tiers": "window",
    "aggravations": "times_after_refusal",
    "threshold": "threshold_count",
    "caps": "basis",
    "shares": "share_mode",
    "recovery_bp": "recovery_bp",
    "recovery_base": "recovery_base",
    "points": "points_each",
}


class NotInThisFormError(ConflictError):
    """A version that was written by other means says more than the form has fields for."""

    message = N_("This version has clauses that the form cannot show; draft the next one without copying it")


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
    window = SelectField(_l("Repeat offences"), default="", validators=[Optional()])
    days = IntegerField(_l("Days of the window"), validators=[Optional(), NumberRange(min=1, max=3660)])
    steps = FieldList(FormField(StepForm), max_entries=ROWS_MAX)
    times_after_refusal = TimesField(validators=[Optional()])
    times_night = TimesField(validators=[Optional()])
    times_official_number = TimesField(validators=[Optional()])
    times_after_push = TimesField(validators=[Optional()])
    threshold_count = IntegerField(
        _l("Nothing unless a month has more cases than"), validators=[Optional(), NumberRange(min=0, max=1_000_000)]
    )
    threshold_bp = PercentField(_l("And more than this percentage"), validators=[Optional()])
    threshold_base = SelectField(_l("Percentage of"), default="", validators=[Optional()])
    excess_only = BooleanField(_l("Only the cases above cost; else all of them"))
    caps = FieldList(FormField(CapForm), max_entries=ROWS_MAX)
    share_mode = SelectField(_l("Who bears it"), default="", validators=[Optional()])
    shares = FieldList(FormField(ShareForm), max_entries=ROWS_MAX)
    recovery_bp = PercentField(_l("Credits recovered from the party (percent)"), validators=[Optional()])
    recovery_base = SelectField(
        _l("The recovery stands on"), default=RecoveryBase.CALL_PROVEN.value, validators=[Optional()]
    )
    points_each = IntegerField(_l("Points for each offence"), validators=[Optional(), NumberRange(min=1, max=100)])
    points_months = IntegerField(_l("For how many months"), validators=[Optional(), NumberRange(min=1, max=60)])
    shown_sha256 = HiddenField()

    def __init__(self, offences: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offence_code.choices = [("", _("Any offence without a rule of its own")), *offences.items()]
        self.basis.choices = _choices(Basis)
        self.across_types.choices = _choices(AcrossTypes)
        self.window.choices = [("", _("cost the same each time")), *_choices(TierWindow)]
        self.threshold_base.choices = [("", "—"), *_choices(ThresholdBase)]
        self.share_mode.choices = [("", _("The payer alone")), *_choices(ShareMode)]
        self.recovery_base.choices = _choices(RecoveryBase)
        for code, name in _AGGRAVATIONS.items():
            self[name].label.text = _("%(code)s: times the amount", code=code.label)
        for rows in (self.steps, self.caps, self.shares):
            if len(rows) == 0:
                rows.append_entry()

    def validate_last_on(self, field: DateField) -> None:
        """Refuse an end before the start."""
        if field.data is not None and self.valid_from.data is not None and field.data < self.valid_from.data:
            raise ValidationError(_("The last day is before the first"))

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Check the fields, then the rule as a whole."""
        if not super().validate(extra_validators):
            return False
        self._say_what_lacks()
        return not self.errors and self._is_a_rule()

    def _say_what_lacks(self) -> None:
        """Say beside each field what its clause lacks."""
        self._check_tiers()
        self._check_bearers()
        if self.threshold_bp.data and not self.threshold_base.data:
            self.threshold_base.errors = [_("Choose the figure that the percentage is taken of")]
        if self.excess_only.data and not self._has_threshold:
            self.threshold_count.errors = [_("Enter a number of cases or a percentage")]
        if (self.points_each.data is None) != (self.points_months.data is None):
            empty = self.points_each if self.points_each.data is None else self.points_months
            empty.errors = [_("Points need both their number and their months")]

    def _check_tiers(self) -> None:
        steps = _filled(self.steps)
        if steps and not self.window.data:
            self.window.errors = [_("Choose which earlier offences count for the tiers below")]
        if self.window.data and not steps:
            self.window.errors = [_("Enter the tiers below")]
        if self.window.data == TierWindow.ROLLING_DAYS.value and self.days.data is None:
            self.days.errors = [_("Enter the number of days")]

    def _check_bearers(self) -> None:
        bearers = _filled(self.shares)
        if bearers and not self.share_mode.data:
            self.share_mode.errors = [_("Choose how the parties below bear it")]
        if self.share_mode.data and not bearers:
            self.share_mode.errors = [_("Enter the parties below")]
        for row in bearers if self.share_mode.data else []:
            row.check_against(ShareMode(self.share_mode.data))
        if any(row.errors for row in bearers):
            self.shares.errors = [entry.errors for entry in self.shares]

    @property
    def _has_threshold(self) -> bool:
        return bool(self.threshold_count.data or self.threshold_bp.data)

    def _is_a_rule(self) -> bool:
        """Add clause after clause, so that a refusal stands beside the clause that brings it."""
        parameters, said = self.parameters(), {}
        for clause, place in _PLACES.items():
            if clause not in parameters:
                continue
            said[clause] = parameters[clause]
            if "amount_fen" not in said:
                continue
            try:
                parse_parameters(said)
            except RuleParametersError as error:
                self[place].errors = [str(error)]
                return False
        return True

    def parameters(self) -> dict[str, Any]:
        """Return the rule as ``contracts.rules.parse_parameters`` reads it; nothing that was left empty."""
        parameters: dict[str, Any] = {"basis": self.basis.data, "amount_fen": self.amount_fen.fen}
        if self.across_types.data != AcrossTypes.HIGHEST_ONLY.value:
            parameters["across_types"] = self.across_types.data
        if self.window.data:
            rolling = self.window.data == TierWindow.ROLLING_DAYS.value
            days = {"days": self.days.data} if rolling else {}
            parameters["tiers"] = {"window": self.window.data, **days, "steps": _clauses(self.steps)}
        aggravations = [
            {"code": code.value, "multiplier_bp": self[name].data}
            for code, name in _AGGRAVATIONS.items()
            if self[name].data is not None
        ]
        if aggravations:
            parameters["aggravations"] = aggravations
        if self._has_threshold:
            parameters["threshold"] = self._threshold()
        if caps := _clauses(self.caps):
            parameters["caps"] = caps
        if self.share_mode.data:
            parameters["shares"] = {"mode": self.share_mode.data, "parts": _clauses(self.shares)}
        if self.recovery_bp.data:
            parameters |= {"recovery_bp": self.recovery_bp.data, "recovery_base": self.recovery_base.data}
        if self.points_each.data:
            parameters["points"] = {"each": self.points_each.data, "months": self.points_months.data}
        return parameters

    def _threshold(self) -> dict[str, Any]:
        threshold = {
            "above_count": self.threshold_count.data or 0,
            "above_bp": self.threshold_bp.data or 0,
            "excess_only": bool(self.excess_only.data),
        }
        return threshold | ({"base": self.threshold_base.data} if self.threshold_base.data else {})

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


def _choices(kind: type[LabelledEnum]) -> list[tuple[str, str]]:
    return [(one.value, one.label) for one in kind]


def _filled(rows: FieldList) -> list[Any]:
    forms: list[RowForm] = [entry.form for entry in rows]
    return [form for form in forms if not form.is_empty]


def _clauses(rows: FieldList) -> list[dict[str, Any]]:
    return [form.clause() for form in _filled(rows)]


def shown_rule(rule: RuleVersion) -> dict[str, Any]:
    """Return what the form shows of *rule* at first.

    Raises:
        NotInThisFormError: if the rule has more rows than the form has places: nothing is dropped silently.
    """
    parameters = parse_parameters(rule.parameters)
    tiers, shares, threshold = parameters.tiers, parameters.shares, parameters.threshold
    steps, parts = tiers.steps if tiers else (), shares.parts if shares else ()
    if max(len(steps), len(parts), len(parameters.caps)) > ROWS_MAX:
        raise NotInThisFormError
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
        "steps": [asdict(one) for one in steps],
        **{_AGGRAVATIONS[one.code]: one.multiplier_bp for one in parameters.aggravations},
        "threshold_count": threshold.above_count if threshold else None,
        "threshold_bp": (threshold.above_bp or None) if threshold else None,
        "threshold_base": threshold.base.value if threshold and threshold.base else "",
        "excess_only": threshold.excess_only if threshold else False,
        "caps": [asdict(one) | {"per": one.per.value} for one in parameters.caps],
        "share_mode": shares.mode.value if shares else "",
        "shares": [asdict(one) | {"kind": one.kind.value} for one in parts],
        "recovery_bp": parameters.recovery_bp,
        "recovery_base": (parameters.recovery_base or RecoveryBase.CALL_PROVEN).value,
        "points_each": parameters.points.each if parameters.points else None,
        "points_months": parameters.points.months if parameters.points else None,
        "shown_sha256": shown(rule),
    }
