"""The clauses of a rule version, as values: what ``contracts.rules`` parses and ``penalties.pricing`` computes.

Amounts are fen; percentages are basis points (``_bp``, 10,000 = 100 %).
"""

from dataclasses import dataclass

from supervise.labels import N_, LabelledEnum
from supervise.parties.models import PartyKind

WHOLE_BP = 10_000


class Basis(LabelledEnum):
    """What one amount is for."""

    PER_OFFENCE = "per_offence", N_("Per proven offence")
    PER_CALL = "per_call", N_("Per call, whatever the offences")
    #: Each subscriber once for each calling number or port and China day.
    PER_RECIPIENT = "per_recipient", N_("Per recipient of a number or port, once a day")
    #: Each calling number or port once a calendar month.
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
    """Over what a cap sums; a subscriber's calls are summed over the calendar month."""

    INCIDENT = "incident", N_("Call or message")
    SUBSCRIBER = "subscriber", N_("Subscriber")
    DAY = "day", N_("Day")
    MONTH = "month", N_("Calendar month")


class ThresholdBase(LabelledEnum):
    """The month's figure of the party that a percentage of cases is taken of."""

    ORDERS = "orders", N_("Orders of the month")
    ANSWERED_CALLS = "answered_calls", N_("Answered calls of the month")


class AggravationCode(LabelledEnum):
    """What makes an offence worse; each needs dated proof as of the call (domain F49)."""

    AFTER_REFUSAL = "after_refusal", N_("The subscriber had refused before")
    AFTER_PUSH = "after_push", N_("The party had been told not to call")
    NIGHT = "night", N_("Outside the hours allowed")
    OFFICIAL_NUMBER = "official_number", N_("An official number was misused")


class RecoveryBase(LabelledEnum):
    """What a recovery of credits stands on."""

    CALL_PROVEN = "call_proven", N_("The proven call: it stays when the penalty is overturned")
    FINDING = "finding", N_("The finding: it falls with the penalty")


class ShareMode(LabelledEnum):
    """How several parties of one chain bear an amount."""

    PERCENT = "percent", N_("By percentages")
    EQUAL = "equal", N_("Equally")
    JOINT = "joint", N_("Jointly and severally")


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
    """At most *limit_fen*, or *commission_bp* of the month's commission, over *per*.

    *release*: room that a lifted penalty gives back is offered to what the cap had cut; else it stays taken.
    """

    per: CapPer
    limit_fen: int | None
    commission_bp: int | None
    release: bool = False


@dataclass(frozen=True)
class SharePart:
    """The part of the chain's party of this kind.

    *share_bp* is set with percentages, never with equal parts; jointly liable parties have either all a percentage
    or all none, and then bear it equally among themselves (Civil Code, article 519). *limit_fen* is the most that a
    jointly liable party can be made to pay of one charge.
    """

    kind: PartyKind
    share_bp: int | None
    limit_fen: int | None = None


@dataclass(frozen=True)
class Shares:
    """Who of the chain bears the amount, in the order in which leftover fen are handed out.

    Recourse cannot circle: each kind has one part, and who paid more than its own part turns to those whose parts it
    paid, who then owe nothing more of this charge. There is no recourse for recourse.
    """

    mode: ShareMode
    parts: tuple[SharePart, ...]


@dataclass(frozen=True)
class Threshold:
    """Nothing unless a month has more than *above_count* cases and more than *above_bp* of the base.

    *excess_only*: only the cases above the percentage cost; without a percentage, those above the count. *base* is
    read only for a percentage.
    """

    above_count: int
    above_bp: int
    excess_only: bool
    base: ThresholdBase | None = None


@dataclass(frozen=True)
class Aggravation:
    """With dated proof of *code* the amount is multiplied by *multiplier_bp*, rounded down to the fen."""

    code: AggravationCode
    multiplier_bp: int


@dataclass(frozen=True)
class Points:
    """An offence takes *each* points off the party, for *months* calendar months."""

    each: int
    months: int


@dataclass(frozen=True)
class RuleParameters:
    """One rule, as parsed; ``rules.parse_parameters`` is the only way in from JSON."""

    basis: Basis
    amount_fen: int
    across_types: AcrossTypes = AcrossTypes.HIGHEST_ONLY
    tiers: Tiers | None = None
    caps: tuple[Cap, ...] = ()
    shares: Shares | None = None
    threshold: Threshold | None = None
    #: Part of the subscriber's credits that the party bears.
    recovery_bp: int | None = None
    #: Set if *recovery_bp* is.
    recovery_base: RecoveryBase | None = None
    aggravations: tuple[Aggravation, ...] = ()
    points: Points | None = None
