"""What calls cost: their offences together, call by call in the order of time."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from supervise.contracts.rules import AcrossTypes, Basis, RuleParameters
from supervise.penalties.pricing.amounts import price_offence
from supervise.penalties.pricing.facts import Offence
from supervise.penalties.pricing.outcomes import Charge, Spared
from supervise.penalties.pricing.past import History
from supervise.penalties.pricing.sparing import below_threshold, costs_less, unit_charged, unit_of

_IN_ORDER = attrgetter("occurred_at", "incident_id", "finding_id")
_ONE_CALL = attrgetter("occurred_at", "incident_id")


def price_calls(offences: Iterable[Offence], history: History) -> list[Charge | Spared]:
    """Return what each offence costs, call by call in the order of time, each counting towards the next.

    *history* holds what was charged before and is added to. The cases of a threshold are counted before the first
    is priced: whether a month is above it does not depend on the order.

    Raises:
        RefusalError: if something that a rule reads is not known (``needs.require_known`` tells beforehand).
    """
    in_order = sorted(offences, key=_IN_ORDER)
    history.add_cases(in_order)
    outcomes: list[Charge | Spared] = []
    for _call, together in groupby(in_order, key=_ONE_CALL):
        call = list(together)
        outcomes += _price_call(call, history) if len(call) > 1 else [_price_alone(call[0], history)]
    return outcomes


def adds_up(rules: Iterable[RuleParameters]) -> bool:
    """Say whether offence types of one call are owed side by side: only if every rule concerned says so."""
    return all(rule.basis is Basis.PER_OFFENCE and rule.across_types is AcrossTypes.CUMULATIVE for rule in rules)


def _price_alone(offence: Offence, history: History) -> Charge | Spared:
    """Return what the only offence of a call costs, as most are."""
    spared = below_threshold(offence, history) or unit_charged(offence, history)
    if spared is not None:
        return spared
    charge = price_offence(offence, history)
    _count(charge, history)
    return charge


def _price_call(call: Sequence[Offence], history: History) -> Iterator[Charge | Spared]:
    spared = {
        offence.finding_id: why
        for offence in call
        if (why := below_threshold(offence, history) or unit_charged(offence, history)) is not None
    }
    costing = [offence for offence in call if offence.finding_id not in spared]
    beside = adds_up(offence.rule.parameters for offence in call)
    charged = _beside(costing, history) if beside else _highest(costing, history)
    outcomes = spared | charged
    return (outcomes[offence.finding_id] for offence in call)


def _beside(costing: Sequence[Offence], history: History) -> dict[int, Charge | Spared]:
    charged: dict[int, Charge | Spared] = {}
    for offence in costing:
        charge = price_offence(offence, history)
        _count(charge, history)
        charge.explanation["across"] = {"rule": AcrossTypes.CUMULATIVE.value, "spared": []}
        charged[offence.finding_id] = charge
    return charged


def _highest(costing: Sequence[Offence], history: History) -> dict[int, Charge | Spared]:
    if not costing:
        return {}
    charges = [price_offence(offence, history) for offence in costing]
    # The highest before caps; of equals the first finding.
    highest = max(charges, key=attrgetter("gross_fen"))
    if len(charges) > 1:
        lower = [[charge.offence.code, charge.gross_fen] for charge in charges if charge is not highest]
        highest.explanation["across"] = {"rule": AcrossTypes.HIGHEST_ONLY.value, "spared": lower}
    _count(highest, history)
    return {
        charge.offence.finding_id: charge if charge is highest else costs_less(charge, highest) for charge in charges
    }


def _count(charge: Charge, history: History) -> None:
    """Count a charge: as an offence, as an amount, and as what charges its unit."""
    offence = charge.offence
    history.add_offence(offence.subject, offence.code, offence.occurred_at, offence.incident_id)
    history.add_amount(
        offence.subject,
        offence.incident_id,
        offence.occurred_on,
        charge.amount_fen,
        subscriber_id=offence.subscriber_id,
    )
    unit = unit_of(offence)
    if unit is not None:
        history.units[unit] = offence.incident_id
