"""What a rule version may say: a strict, closed schema over the JSON in ``rule_version.parameters``.

The schema names every kind of clause of docs/rules.md; a clause that the engine (``penalties.pricing``) cannot
compute is refused in words when a version is activated, never ignored.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from supervise.contracts.clauses import (
    WHOLE_BP,
    AcrossTypes,
    Aggravation,
    AggravationCode,
    Basis,
    Cap,
    CapPer,
    Points,
    RecoveryBase,
    RuleParameters,
    ShareMode,
    SharePart,
    Shares,
    Step,
    Threshold,
    ThresholdBase,
    Tiers,
    TierWindow,
)
from supervise.errors import InvalidInputError
from supervise.labels import N_, LabelledEnum
from supervise.money import FEN_MAX, format_yuan
from supervise.parties.models import PartyKind

# Whoever reads a rule finds its clauses beside the parser.
__all__ = [
    "WHOLE_BP",
    "AcrossTypes",
    "Aggravation",
    "AggravationCode",
    "Basis",
    "Cap",
    "CapPer",
    "Points",
    "RecoveryBase",
    "RuleParameters",
    "RuleParametersError",
    "ShareMode",
    "SharePart",
    "Shares",
    "Step",
    "Threshold",
    "ThresholdBase",
    "TierWindow",
    "Tiers",
    "UnsupportedRuleError",
    "content_sha256",
    "highest_fen",
    "parse_parameters",
    "refuse_in_a_policy",
    "refuse_what_cannot_be_computed",
]

_COUNT_MAX = 1_000_000
_WITHIN_THE_CARRIER = (PartyKind.ORG_UNIT, PartyKind.EMPLOYEE_CALLER)


class RuleParametersError(InvalidInputError):
    """The parameters are no rule; the message names the field."""

    message = N_("The rule is not valid: %(field)s")


class UnsupportedRuleError(InvalidInputError):
    """The rule can be written down, but the engine cannot compute this clause yet; it stays a draft."""

    message = N_("The system cannot compute this clause yet: %(clause)s")


_Kind = TypeVar("_Kind", bound=LabelledEnum)


class _Fields:
    """The members of one JSON object; each is taken once, and none may be left over."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise RuleParametersError(field=path or "{}")
        self._left: dict[str, Any] = dict(value)
        self._path = path

    def path(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def refuse(self, name: str) -> RuleParametersError:
        return RuleParametersError(field=self.path(name))

    def has(self, name: str) -> bool:
        return self._left.get(name) is not None

    def take(self, name: str) -> Any:
        return self._left.pop(name, None)

    def whole(self, name: str, *, least: int = 1, most: int = FEN_MAX) -> int:
        value = self.take(name)
        # bool is an int in Python; a price of true is a mistake.
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.refuse(name)
        return value

    def one_of(self, name: str, kind: type[_Kind]) -> _Kind:
        value = self.take(name)
        try:
            return kind(value)
        except ValueError:
            raise self.refuse(name) from None

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise self.refuse(name)
        return value

    def within(self, name: str) -> "_Fields":
        return _Fields(self.take(name), self.path(name))

    def rows(self, name: str) -> list["_Fields"]:
        value = self.take(name)
        if not isinstance(value, list) or not value:
            raise self.refuse(name)
        return [_Fields(row, f"{self.path(name)}[{place}]") for place, row in enumerate(value)]

    def finish(self) -> None:
        for name, value in self._left.items():
            if value is not None:
                raise self.refuse(name)


def parse_parameters(value: object) -> RuleParameters:
    """Return the rule that JSON *value* says; a member that is NULL is as good as left out.

    Raises:
        RuleParametersError: naming the first field that is missing, unknown, or makes no sense.
    """
    fields = _Fields(value, "")
    parameters = RuleParameters(
        basis=fields.one_of("basis", Basis),
        amount_fen=fields.whole("amount_fen"),
        across_types=fields.one_of("across_types", AcrossTypes)
        if fields.has("across_types")
        else AcrossTypes.HIGHEST_ONLY,
        tiers=_tiers(fields.within("tiers")) if fields.has("tiers") else None,
        caps=tuple(_cap(row) for row in fields.rows("caps")) if fields.has("caps") else (),
        shares=_shares(fields.within("shares")) if fields.has("shares") else None,
        threshold=_threshold(fields.within("threshold")) if fields.has("threshold") else None,
        recovery_bp=fields.whole("recovery_bp", most=WHOLE_BP) if fields.has("recovery_bp") else None,
        recovery_base=fields.one_of("recovery_base", RecoveryBase) if fields.has("recovery_base") else None,
        aggravations=tuple(_aggravation(row) for row in fields.rows("aggravations"))
        if fields.has("aggravations")
        else (),
        points=_points(fields.within("points")) if fields.has("points") else None,
    )
    fields.finish()
    _refuse_contradictions(parameters)
    if parameters.recovery_bp is not None and parameters.recovery_base is None:
        return replace(parameters, recovery_base=RecoveryBase.CALL_PROVEN)
    return parameters


def _refuse_contradictions(parameters: RuleParameters) -> None:
    if parameters.basis is not Basis.PER_OFFENCE and parameters.across_types is AcrossTypes.CUMULATIVE:
        raise RuleParametersError(N_("Only a price per offence can add up over offence types"))
    if parameters.tiers is not None and parameters.tiers.steps[0].amount_fen != parameters.amount_fen:
        raise RuleParametersError(N_("The first tier must cost the rule's own amount"))
    if parameters.recovery_base is not None and parameters.recovery_bp is None:
        raise RuleParametersError(N_("What a recovery stands on needs the percentage that is recovered"))
    if len({one.code for one in parameters.aggravations}) != len(parameters.aggravations):
        raise RuleParametersError(N_("Each aggravation is named once"))
    most_fen = highest_fen(parameters)
    if most_fen > FEN_MAX:
        raise RuleParametersError(
            N_("With its aggravations an offence could cost %(amount)s yuan, more than any amount may be"),
            amount=format_yuan(most_fen),
        )
    if parameters.threshold is not None:
        _refuse_beside_threshold(parameters)
    if parameters.shares is not None:
        _refuse_limits_below_share(parameters.shares, most_fen)


def highest_fen(parameters: RuleParameters) -> int:
    """Return the most that one offence can cost before caps."""
    steps = parameters.tiers.steps if parameters.tiers is not None else ()
    amount_fen = max([parameters.amount_fen, *(step.amount_fen for step in steps)])
    return amount_fen * max([WHOLE_BP, *(one.multiplier_bp for one in parameters.aggravations)]) // WHOLE_BP


def _refuse_beside_threshold(parameters: RuleParameters) -> None:
    if parameters.tiers is not None:
        # A case below the threshold costs nothing until the month has more: it cannot be the n-th repeat meanwhile.
        raise RuleParametersError(N_("A threshold counts the cases of a month; it does not go with tiers"))
    if parameters.basis not in (Basis.PER_OFFENCE, Basis.PER_CALL):
        raise RuleParametersError(N_("A threshold counts calls; it goes with a price per offence or per call"))


def _refuse_limits_below_share(shares: Shares, most_fen: int) -> None:
    whole = sum(part.share_bp or 1 for part in shares.parts)
    for part in shares.parts:
        own_fen = -(-most_fen * (part.share_bp or 1) // whole)
        if part.limit_fen is not None and part.limit_fen < own_fen:
            raise RuleParametersError(
                N_("The limit of %(kind)s is below its own share, which can be %(amount)s yuan"),
                kind=part.kind.label,
                amount=format_yuan(own_fen),
            )


def _tiers(fields: _Fields) -> Tiers:
    window = fields.one_of("window", TierWindow)
    days = fields.whole("days", most=3660) if window is TierWindow.ROLLING_DAYS else None
    steps = []
    for row in fields.rows("steps"):
        steps.append(Step(row.whole("from_count", most=_COUNT_MAX), row.whole("amount_fen")))
        row.finish()
    counts = [step.from_count for step in steps]
    if counts[0] != 1 or counts != sorted(set(counts)):
        raise RuleParametersError(N_("Tiers begin with the first offence, and each begins after the one before"))
    fields.finish()
    return Tiers(window, days, tuple(steps))


def _cap(fields: _Fields) -> Cap:
    per = fields.one_of("per", CapPer)
    limit = fields.whole("limit_fen") if fields.has("limit_fen") else None
    commission = fields.whole("commission_bp", most=WHOLE_BP) if fields.has("commission_bp") else None
    release = fields.flag("release") if fields.has("release") else False
    fields.finish()
    if (limit is None) == (commission is None):
        raise RuleParametersError(N_("A cap is either an amount or a percentage of the commission"))
    if commission is not None and per is not CapPer.MONTH:
        raise RuleParametersError(N_("A percentage of the month's commission caps the month"))
    return Cap(per, limit, commission, release)


def _shares(fields: _Fields) -> Shares:
    mode = fields.one_of("mode", ShareMode)
    parts = []
    for row in fields.rows("parts"):
        has_bp = mode is ShareMode.PERCENT or (mode is ShareMode.JOINT and row.has("share_bp"))
        bp = row.whole("share_bp", most=WHOLE_BP) if has_bp else None
        limit = row.whole("limit_fen") if mode is ShareMode.JOINT and row.has("limit_fen") else None
        parts.append(SharePart(row.one_of("kind", PartyKind), bp, limit))
        row.finish()
    fields.finish()
    if len({part.kind for part in parts}) != len(parts):
        raise RuleParametersError(N_("Each kind of party has one share"))
    if mode is ShareMode.JOINT and any(part.kind in _WITHIN_THE_CARRIER for part in parts):
        raise RuleParametersError(
            N_("A branch or employee is the carrier itself and cannot owe it jointly with others")
        )
    if mode is ShareMode.JOINT and len(parts) == 1:
        raise RuleParametersError(N_("Joint liability needs two parties or more"))
    percentages = [part.share_bp for part in parts if part.share_bp is not None]
    if percentages and len(percentages) != len(parts):
        raise RuleParametersError(N_("Give every party a percentage, or none"))
    if percentages and sum(percentages) != WHOLE_BP:
        raise RuleParametersError(N_("Shares must add up to 100 percent"))
    return Shares(mode, tuple(parts))


def _threshold(fields: _Fields) -> Threshold:
    count = fields.whole("above_count", least=0, most=_COUNT_MAX)
    share = fields.whole("above_bp", least=0, most=WHOLE_BP)
    excess_only = fields.flag("excess_only")
    base = fields.one_of("base", ThresholdBase) if fields.has("base") else None
    fields.finish()
    if not count and not share:
        raise RuleParametersError(N_("A threshold needs a number of cases or a percentage"))
    if share and base is None:
        raise RuleParametersError(N_("A threshold in percent needs the figure that it is taken of"))
    return Threshold(count, share, excess_only, base)


def _aggravation(fields: _Fields) -> Aggravation:
    code = fields.one_of("code", AggravationCode)
    multiplier = fields.whole("multiplier_bp", least=WHOLE_BP, most=100 * WHOLE_BP)
    fields.finish()
    return Aggravation(code, multiplier)


def _points(fields: _Fields) -> Points:
    points = Points(fields.whole("each", most=100), fields.whole("months", most=60))
    fields.finish()
    return points


def refuse_what_cannot_be_computed(parameters: RuleParameters) -> None:
    """Refuse a rule with a clause that the pricing engine does not compute; checked at activation.

    Raises:
        UnsupportedRuleError: naming the clause, since leaving it out silently would charge a wrong amount.
    """
    if _repeats_cost_less(parameters):
        raise UnsupportedRuleError(N_("A repeat cannot cost less than the offence before it"))


def refuse_in_a_policy(parameters: RuleParameters) -> None:
    """Refuse what a branch, which is the carrier itself, cannot owe under an assessment policy.

    Raises:
        UnsupportedRuleError: saying why.
    """
    if parameters.shares is not None:
        raise UnsupportedRuleError(N_("A policy charges its branch alone; shares belong to a contract"))
    if any(cap.commission_bp is not None for cap in parameters.caps):
        raise UnsupportedRuleError(N_("A branch earns no commission that a policy could cap by"))
    if parameters.recovery_bp is not None:
        raise UnsupportedRuleError(N_("A branch gives nothing back: its credits are the carrier's own"))


def _repeats_cost_less(parameters: RuleParameters) -> bool:
    amounts = [step.amount_fen for step in parameters.tiers.steps] if parameters.tiers is not None else []
    return amounts != sorted(amounts)


def content_sha256(value: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON *value*, independent of the order of its members."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
