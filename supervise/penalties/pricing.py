"""What proven offences cost: a pure engine, without database or clock (docs/rules.md, P-1 to P-6).

The same rule and the same facts give the same fen and the same explanation, at proposal and again at approval.
"""

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from supervise import clock
from supervise.contracts.rules import AcrossTypes, Basis, CapPer, RuleParameters, ShareMode, Tiers, TierWindow
from supervise.money import split_by_largest_remainder


class Subject(NamedTuple):
    """Whose repeats and caps are counted together: a contract, or under a policy one branch's party."""

    contract_id: int
    party_id: int | None


@dataclass(frozen=True)
class Rule:
    """A rule version as the engine reads it."""

    version_id: int
    code: str
    number: int
    content_sha256: str
    parameters: RuleParameters


@dataclass(frozen=True)
class Offence:
    """A proven finding of one call, the rule in force at the call, and whose history it belongs to."""

    finding_id: int
    incident_id: int
    code: str
    occurred_at: dt.datetime
    occurred_on: dt.date
    subject: Subject
    rule: Rule

    @property
    def order(self) -> tuple[dt.datetime, int, int]:
        """Offences are priced in the order of their calls."""
        return self.occurred_at, self.incident_id, self.finding_id


class CapKey(NamedTuple):
    """One bucket of a cap: whose, over what, which."""

    subject: Subject
    per: CapPer
    bucket: str


@dataclass(frozen=True)
class Charge:
    """What an offence costs: *amount_fen* = *gross_fen* - *capped_fen*."""

    offence: Offence
    gross_fen: int
    capped_fen: int
    explanation: dict[str, Any]

    @property
    def amount_fen(self) -> int:
        """What is left after the caps."""
        return self.gross_fen - self.capped_fen


@dataclass(frozen=True)
class Spared:
    """An offence that costs nothing, because another one of the same call costs more."""

    offence: Offence
    by_code: str
    by_fen: int


@dataclass(frozen=True)
class Portion:
    """One bearer's part of a charge."""

    party_id: int
    gross_fen: int
    capped_fen: int
    explanation: dict[str, Any]


@dataclass
class History:
    """The earlier offences that tiers count, and the amounts that caps have taken in; grows while pricing."""

    #: The moment and the incident of each charged offence, by subject and type, in time.
    offences: dict[tuple[Subject, str], list[tuple[dt.datetime, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    used_fen: dict[CapKey, int] = field(default_factory=lambda: defaultdict(int))

    def add_offence(self, subject: Subject, code: str, occurred_at: dt.datetime, incident_id: int) -> None:
        """Count one more charged offence; one incident counts once for each offence type."""
        known = self.offences[subject, code]
        entry = (occurred_at, incident_id)
        place = bisect_left(known, entry)
        if place == len(known) or known[place] != entry:
            known.insert(place, entry)

    def add_amount(self, subject: Subject, incident_id: int, occurred_on: dt.date, amount_fen: int) -> None:
        """Let an amount take room in each cap that it falls under."""
        for per in CapPer:
            self.used_fen[_cap_key(subject, per, incident_id, occurred_on)] += amount_fen

    def add(self, charge: Charge) -> None:
        """Count a charge, as an offence and as an amount."""
        offence = charge.offence
        self.add_offence(offence.subject, offence.code, offence.occurred_at, offence.incident_id)
        self.add_amount(offence.subject, offence.incident_id, offence.occurred_on, charge.amount_fen)

    def earlier(self, offence: Offence, tiers: Tiers) -> int:
        """Return how many offences of the subject and type came before this call in the window."""
        if tiers.window is TierWindow.CALENDAR_MONTH:
            first = offence.occurred_on.replace(day=1)
        else:
            first = offence.occurred_on - dt.timedelta(days=tiers.days or 0)
        charged = self.offences[offence.subject, offence.code]
        start = bisect_left(charged, (clock.start_of_day(first), 0))
        return max(0, bisect_left(charged, (offence.occurred_at, offence.incident_id)) - start)


def _cap_key(subject: Subject, per: CapPer, incident_id: int, occurred_on: dt.date) -> CapKey:
    bucket = {CapPer.INCIDENT: str(incident_id), CapPer.DAY: f"{occurred_on}", CapPer.MONTH: f"{occurred_on:%Y-%m}"}
    return CapKey(subject, per, bucket.get(per, ""))


def price_offence(offence: Offence, history: History) -> Charge:
    """Return what *offence* costs after *history*: its tier's amount, less what exceeds the tightest cap."""
    parameters = offence.rule.parameters
    gross_fen, tier = parameters.amount_fen, None
    if parameters.tiers is not None:
        nth = history.earlier(offence, parameters.tiers) + 1
        step = [step for step in parameters.tiers.steps if step.from_count <= nth][-1]
        gross_fen = step.amount_fen
        tier = {"nth": nth, "window": parameters.tiers.window.value, "days": parameters.tiers.days}
    capped_fen, caps = 0, []
    for cap in parameters.caps:
        limit_fen = cap.limit_fen or 0  # a cap by commission never gets this far (rules.refuse_what_cannot_...)
        used_fen = history.used_fen[_cap_key(offence.subject, cap.per, offence.incident_id, offence.occurred_on)]
        over_fen = min(gross_fen, max(0, used_fen + gross_fen - limit_fen))
        capped_fen = max(capped_fen, over_fen)
        caps.append({"per": cap.per.value, "limit_fen": limit_fen, "used_fen": used_fen, "over_fen": over_fen})
    explanation = {
        "rule": {
            "version_id": offence.rule.version_id,
            "code": offence.rule.code,
            "number": offence.rule.number,
            "content_sha256": offence.rule.content_sha256,
        },
        "offence_code": offence.code,
        "occurred_on": offence.occurred_on.isoformat(),
        "basis": parameters.basis.value,
        "rule_amount_fen": parameters.amount_fen,
        "tier": tier,
        "caps": caps,
        "gross_fen": gross_fen,
        "capped_fen": capped_fen,
        "across": None,
        "share": None,
    }
    return Charge(offence, gross_fen, capped_fen, explanation)


def price_calls(offences: Iterable[Offence], history: History) -> list[Charge | Spared]:
    """Return what each offence costs, call by call in the order of time, each counting towards the next.

    *history* holds what was charged before and is added to.
    """
    calls: dict[tuple[dt.datetime, int], list[Offence]] = defaultdict(list)
    for offence in sorted(offences, key=lambda offence: offence.order):
        calls[offence.occurred_at, offence.incident_id].append(offence)
    return [outcome for call in calls.values() for outcome in _price_call(call, history)]


def adds_up(rules: Iterable[RuleParameters]) -> bool:
    """Say whether offence types of one call are owed side by side: only if every rule concerned says so."""
    return all(rule.basis is Basis.PER_OFFENCE and rule.across_types is AcrossTypes.CUMULATIVE for rule in rules)


def _price_call(call: Sequence[Offence], history: History) -> list[Charge | Spared]:
    if len(call) > 1 and adds_up(offence.rule.parameters for offence in call):
        return [_charge_beside(offence, history) for offence in call]
    charges = [price_offence(offence, history) for offence in call]
    # The highest before caps; of equals the first finding.
    highest = max(charges, key=lambda charge: charge.gross_fen)
    kept = highest
    if len(call) > 1:
        spared = [[charge.offence.code, charge.gross_fen] for charge in charges if charge is not highest]
        across = {"rule": AcrossTypes.HIGHEST_ONLY.value, "spared": spared}
        kept = replace(highest, explanation={**highest.explanation, "across": across})
    history.add(kept)
    return [
        kept if charge is highest else Spared(charge.offence, highest.offence.code, highest.gross_fen)
        for charge in charges
    ]


def _charge_beside(offence: Offence, history: History) -> Charge:
    charge = price_offence(offence, history)
    history.add(charge)
    across = {"rule": AcrossTypes.CUMULATIVE.value, "spared": []}
    return replace(charge, explanation={**charge.explanation, "across": across})


def share_out(charge: Charge, bearers: Sequence[int]) -> list[Portion]:
    """Return each bearer's part of *charge*, in the order of the rule's shares; the parts sum to it exactly.

    *bearers* are party ids, one for each share of the rule, or the payer alone if it has none. Leftover fen go to
    the largest remainders, ties to the earlier bearer (domain 7.6). A bearer whose part is nothing has no row.
    """
    shares = charge.offence.rule.parameters.shares
    if shares is None:
        [payer_id] = bearers
        return [Portion(payer_id, charge.gross_fen, charge.capped_fen, charge.explanation)]
    weights = [part.share_bp or 1 for part in shares.parts]
    # Amount and cut are split, and the gross is their sum: a share of the gross alone could fall below its cut.
    amounts = split_by_largest_remainder(charge.amount_fen, weights)
    cuts = split_by_largest_remainder(charge.capped_fen, weights)
    portions = []
    for party_id, part, amount_fen, cut_fen in zip(bearers, shares.parts, amounts, cuts, strict=True):
        share = {
            "mode": shares.mode.value,
            "share_bp": part.share_bp if shares.mode is ShareMode.PERCENT else None,
            "bearers": len(bearers),
            "of_fen": charge.amount_fen,
        }
        if amount_fen + cut_fen:
            explanation = {**charge.explanation, "share": share}
            portions.append(Portion(party_id, amount_fen + cut_fen, cut_fen, explanation))
    return portions
