"""What a rule version may say: a strict, closed schema over the JSON in ``rule_version.parameters``.

The schema already names every kind of clause of docs/rules.md, so that none needs a rewrite later; clauses that
the engine (``penalties.pricing``) cannot compute yet are refused in words when a version is activated, never
ignored. Amounts are fen; percentages are basis points (``_bp``, 10,000 = 100 %).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from supervise.errors import InvalidInputError
from supervise.labels import N_, LabelledEnum
from supervise.money import FEN_MAX
from supervise.parties.models import PartyKind

WHOLE_BP = 10_000
_COUNT_MAX = 1_000_000


class Basis(LabelledEnum):
    """What one amount is for."""

    PER_OFFENCE = "per_offence", N_("Per proven offence")
    PER_CALL = "per_call", N_("Per call, whatever the offences")
    PER_RECIPIENT = "per_recipient", N_("Per recipient of a message")
    PER_NUMBER_MONTH = "per_number_month", N_("Per number and month")


class AcrossTypes(LabelledEnum):
    """What several offence types of one call cost together."""

    HIGHEST_ONLY = "highest_only", N_("The highest only")
    CUMULATIVE = "cumulative", N_("All of them")


class TierWindow(LabelledEnum):
    """Which earlier offences make a repeat."""

    ROLLING_DAYS = "rolling_days", N_("Within a number of days before the call")
    CALENDAR_MONTH = "calendar_month", N_("In the calendar month of the call")


class CapPer(LabelledEnum):
    """Over what a cap sums."""

    INCIDENT = "incident", N_("Call or message")
    SUBSCRIBER = "subscriber", N_("Subscriber")
    DAY = "day", N_("Day")
    MONTH = "month", N_("Calendar month")


class ShareMode(LabelledEnum):
    """How several parties of one chain bear an amount."""

    PERCENT = "percent", N_("By percentages")
    EQUAL = "equal", N_("Equally")
    JOINT = "joint", N_("Jointly and severally")


class RuleParametersError(InvalidInputError):
    """The parameters are no rule; the message names the field."""

    message = N_("The rule is not valid: %(field)s")


class UnsupportedRuleError(InvalidInputError):
    """The rule can be written down, but the engine cannot compute this clause yet; it stays a draft."""

    message = N_("The system cannot compute this clause yet: %(clause)s")


@dataclass(frozen=True)
class Step:
    """From the *from_count*-th offence in the window on, *amount_fen* each."""

    from_count: int
    amount_fen: int


@dataclass(frozen=True)
class Tiers:
    """Prices that rise with repeats; the first step begins at 1, counts and steps rise strictly."""

    window: TierWindow
    #: Length of a rolling window; the day of the call less this many days is still inside.
    days: int | None
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Cap:
    """At most *limit_fen*, or *commission_bp* of the month's commission, over *per*."""

    per: CapPer
    limit_fen: int | None
    commission_bp: int | None


@dataclass(frozen=True)
class SharePart:
    """The part of the chain's party of this kind; *share_bp* only with percentages."""

    kind: PartyKind
    share_bp: int | None


@dataclass(frozen=True)
class Shares:
    """Who of the chain bears the amount, in the order in which leftover fen are handed out."""

    mode: ShareMode
    parts: tuple[SharePart, ...]


@dataclass(frozen=True)
class Threshold:
    """Nothing below *above_count* cases or *above_bp* of the base; *excess_only*: only what lies above costs."""

    above_count: int
    above_bp: int
    excess_only: bool


@dataclass(frozen=True)
class Aggravation:
    """With dated proof of *code* the amount is multiplied by *multiplier_bp*."""

    code: str
    multiplier_bp: int


@dataclass(frozen=True)
class RuleParameters:
    """One rule, as parsed; ``parse_parameters`` is the only way in from JSON."""

    basis: Basis
    amount_fen: int
    across_types: AcrossTypes = AcrossTypes.HIGHEST_ONLY
    tiers: Tiers | None = None
    caps: tuple[Cap, ...] = ()
    shares: Shares | None = None
    threshold: Threshold | None = None
    recovery_bp: int | None = None
    aggravations: tuple[Aggravation, ...] = ()


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
    basis = fields.one_of("basis", Basis)
    parameters = RuleParameters(
        basis=basis,
        amount_fen=fields.whole("amount_fen"),
        across_types=fields.one_of("across_types", AcrossTypes)
        if fields.has("across_types")
        else AcrossTypes.HIGHEST_ONLY,
        tiers=_tiers(_Fields(fields.take("tiers"), "tiers")) if fields.has("tiers") else None,
        caps=tuple(_cap(row) for row in fields.rows("caps")) if fields.has("caps") else (),
        shares=_shares(_Fields(fields.take("shares"), "shares")) if fields.has("shares") else None,
        threshold=_threshold(_Fields(fields.take("threshold"), "threshold")) if fields.has("threshold") else None,
        recovery_bp=fields.whole("recovery_bp", most=WHOLE_BP) if fields.has("recovery_bp") else None,
        aggravations=tuple(_aggravation(row) for row in fields.rows("aggravations"))
        if fields.has("aggravations")
        else (),
    )
    fields.finish()
    if basis is Basis.PER_CALL and parameters.across_types is AcrossTypes.CUMULATIVE:
        raise RuleParametersError(
            N_("A price per call is charged once for the call; it cannot add up over offence types")
        )
    if parameters.tiers is not None and parameters.tiers.steps[0].amount_fen != parameters.amount_fen:
        raise RuleParametersError(N_("The first tier must cost the rule's own amount"))
    return parameters


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
    fields.finish()
    if (limit is None) == (commission is None):
        raise RuleParametersError(N_("A cap is either an amount or a percentage of the commission"))
    return Cap(per, limit, commission)


def _shares(fields: _Fields) -> Shares:
    mode = fields.one_of("mode", ShareMode)
    parts = []
    for row in fields.rows("parts"):
        bp = row.whole("share_bp", most=WHOLE_BP) if mode is ShareMode.PERCENT else None
        parts.append(SharePart(row.one_of("kind", PartyKind), bp))
        row.finish()
    fields.finish()
    if len({part.kind for part in parts}) != len(parts):
        raise RuleParametersError(N_("Each kind of party has one share"))
    if mode is ShareMode.PERCENT and sum(part.share_bp or 0 for part in parts) != WHOLE_BP:
        raise RuleParametersError(N_("Shares must add up to 100 percent"))
    return Shares(mode, tuple(parts))


def _threshold(fields: _Fields) -> Threshold:
    count = fields.whole("above_count", least=0, most=_COUNT_MAX)
    share = fields.whole("above_bp", least=0, most=WHOLE_BP)
    excess = fields.take("excess_only")
    if not isinstance(excess, bool):
        raise fields.refuse("excess_only")
    fields.finish()
    return Threshold(count, share, excess)


def _aggravation(fields: _Fields) -> Aggravation:
    code = fields.take("code")
    if not isinstance(code, str) or not code:
        raise fields.refuse("code")
    multiplier = fields.whole("multiplier_bp", least=WHOLE_BP, most=100 * WHOLE_BP)
    fields.finish()
    return Aggravation(code, multiplier)


def refuse_what_cannot_be_computed(parameters: RuleParameters) -> None:
    """Refuse a rule with a clause that the pricing engine does not compute; checked at activation.

    Raises:
        UnsupportedRuleError: naming the clause, since leaving it out silently would charge a wrong amount.
    """
    if parameters.basis not in (Basis.PER_OFFENCE, Basis.PER_CALL):
        raise UnsupportedRuleError(clause=parameters.basis.label)
    if any(cap.commission_bp is not None for cap in parameters.caps):
        raise UnsupportedRuleError(N_("The system cannot compute a cap by commission yet; give it as an amount"))
    if any(cap.per is CapPer.SUBSCRIBER for cap in parameters.caps):
        raise UnsupportedRuleError(N_("The system cannot compute a cap per subscriber yet"))
    if parameters.shares is not None and parameters.shares.mode is ShareMode.JOINT:
        raise UnsupportedRuleError(N_("The system cannot compute joint liability yet; give percentages"))
    if parameters.threshold is not None:
        raise UnsupportedRuleError(N_("The system cannot compute a threshold yet"))
    if parameters.recovery_bp is not None:
        raise UnsupportedRuleError(N_("The system cannot recover credits from the party by a rule yet"))
    if parameters.aggravations:
        raise UnsupportedRuleError(N_("The system cannot compute aggravations yet; give the offence its own rule"))


def content_sha256(value: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON *value*, independent of the order of its members."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
