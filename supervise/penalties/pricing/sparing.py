"""Proven offences that cost nothing by themselves: below a threshold, or of a unit that is charged already."""

from bisect import bisect_left
from typing import Any

from supervise.contracts.rules import WHOLE_BP, Basis
from supervise.labels import N_
from supervise.money import format_yuan
from supervise.penalties.pricing.facts import Figure, FigureKind, Offence
from supervise.penalties.pricing.needs import figure_of
from supervise.penalties.pricing.outcomes import Charge, Spared, SparedError
from supervise.penalties.pricing.past import History, UnitKey, cases_key, month_of


def below_threshold(offence: Offence, history: History) -> Spared | None:
    """Return that *offence* lies below its rule's threshold, if so; *history* holds all cases of the month."""
    step = threshold_passed(offence, history)
    if step is None or step["nth"] > step["spared"]:
        return None
    words = {"nth": step["nth"], "cases": step["cases"], "month": month_of(offence.occurred_on)}
    if step["cases"] > step["spared"]:
        message = N_("Case %(nth)s of %(cases)s in %(month)s lies below the threshold; only the excess is charged")
    else:
        message = N_("The %(cases)s cases of %(month)s do not exceed the threshold")
    return Spared(offence, SparedError(message, **words))


def threshold_passed(offence: Offence, history: History) -> dict[str, Any] | None:
    """Return how *offence* stands to its rule's threshold: the how-manieth case it is, and how many are spared.

    The month needs more than the count, and a rate above the percentage: cases * 10,000 > base * percentage. With
    ``excess_only`` the first cases, up to the percentage of the base (rounded down) or else up to the count, are
    spared; without it none is, once the month is above.
    """
    threshold = offence.rule.parameters.threshold
    if threshold is None:
        return None
    cases = history.cases[cases_key(offence)]
    count = len(cases)
    figure: Figure | None = None
    floor = threshold.above_count
    above = count > threshold.above_count
    if threshold.above_bp and threshold.base is not None:
        figure = figure_of(offence, history, FigureKind(threshold.base.value))
        floor = figure.amount * threshold.above_bp // WHOLE_BP
        above = above and count * WHOLE_BP > figure.amount * threshold.above_bp
    spared = (floor if threshold.excess_only else 0) if above else count
    return {
        "nth": bisect_left(cases, (offence.occurred_at, offence.incident_id)) + 1,
        "cases": count,
        "spared": spared,
        "above_count": threshold.above_count,
        "above_bp": threshold.above_bp,
        "base": threshold.base.value if figure is not None and threshold.base is not None else None,
        "base_amount": figure.amount if figure is not None else None,
        "figure_id": figure.figure_id if figure is not None else None,
    }


def unit_of(offence: Offence) -> UnitKey | None:
    """Return what *offence* is charged by, if its rule charges a unit once; None: by the offence or call."""
    basis = offence.rule.parameters.basis
    if basis is Basis.PER_NUMBER_MONTH:
        subscriber_id, period = None, month_of(offence.occurred_on)
    elif basis is Basis.PER_RECIPIENT:
        subscriber_id, period = offence.subscriber_id, offence.occurred_on.isoformat()
    else:
        return None
    return UnitKey(offence.subject, offence.rule.code, offence.caller_number or "", subscriber_id, period)


def unit_charged(offence: Offence, history: History) -> Spared | None:
    """Return that the unit of *offence* is charged by another call, if so."""
    unit = unit_of(offence)
    charged_by = history.units.get(unit) if unit is not None else None
    if unit is None or charged_by is None or charged_by == offence.incident_id:
        return None
    message = (
        N_("%(number)s is charged once for %(period)s, by call %(incident)s")
        if unit.subscriber_id is None
        else N_("%(number)s is charged once for this subscriber on %(period)s, by call %(incident)s")
    )
    why = SparedError(message, number=unit.caller_number, period=unit.period, incident=charged_by)
    return Spared(offence, why)


def costs_less(charge: Charge, highest: Charge) -> Spared:
    """Return that another offence of the same call costs more."""
    why = SparedError(
        N_("Of the offences of one call only the highest is charged: %(offence)s, %(amount)s yuan"),
        offence=highest.offence.code,
        amount=format_yuan(highest.gross_fen),
    )
    return Spared(charge.offence, why)
