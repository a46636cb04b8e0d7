"""What one offence costs: its tier's amount, made higher by what aggravates it, less what exceeds the caps."""

from typing import Any

from supervise.contracts.rules import WHOLE_BP, Cap, RuleParameters
from supervise.penalties.pricing.facts import FigureKind, Offence
from supervise.penalties.pricing.needs import figure_of, require_named
from supervise.penalties.pricing.outcomes import Charge
from supervise.penalties.pricing.past import History
from supervise.penalties.pricing.sparing import threshold_passed

_Step = dict[str, Any]


def price_offence(offence: Offence, history: History) -> Charge:
    """Return what *offence* costs after *history*.

    Raises:
        RefusalError: if something that the rule reads is not known, a figure when it is read (``needs``).
    """
    parameters = offence.rule.parameters
    require_named(offence)
    gross_fen, tier = _tier(offence, history, parameters)
    gross_fen, aggravation = _aggravated(offence, parameters, gross_fen)
    capped_fen, caps = 0, []
    for cap in parameters.caps:
        step = _cap(cap, offence, history, gross_fen)
        capped_fen = max(capped_fen, step["over_fen"])
        caps.append(step)
    rule = offence.rule
    explanation = {
        "rule": {
            "version_id": rule.version_id,
            "code": rule.code,
            "number": rule.number,
            "content_sha256": rule.content_sha256,
        },
        "offence_code": offence.code,
        "occurred_on": offence.occurred_on.isoformat(),
        "basis": parameters.basis.value,
        "rule_amount_fen": parameters.amount_fen,
        "tier": tier,
        "aggravation": aggravation,
        "threshold": threshold_passed(offence, history),
        "caps": caps,
        "gross_fen": gross_fen,
        "capped_fen": capped_fen,
        "across": None,
        "share": None,
    }
    if parameters.points is not None:
        explanation["points"] = {"each": parameters.points.each, "months": parameters.points.months}
    return Charge(offence, gross_fen, capped_fen, explanation)


def _tier(offence: Offence, history: History, parameters: RuleParameters) -> tuple[int, _Step | None]:
    tiers = parameters.tiers
    if tiers is None:
        return parameters.amount_fen, None
    nth = history.earlier(offence, tiers) + 1
    amount_fen = parameters.amount_fen
    for step in tiers.steps:
        if step.from_count > nth:
            break
        amount_fen = step.amount_fen
    return amount_fen, {"nth": nth, "window": tiers.window.value, "days": tiers.days}


def _aggravated(offence: Offence, parameters: RuleParameters, amount_fen: int) -> tuple[int, _Step | None]:
    """Multiply by the highest factor that is proven; of equal ones the first of the rule. Rounded down to the fen."""
    if not parameters.aggravations or not offence.grounds:
        return amount_fen, None
    proofs = {ground.code: ground.proof for ground in offence.grounds}
    proven = [one for one in parameters.aggravations if one.code in proofs]
    if not proven:
        return amount_fen, None
    highest = max(proven, key=lambda one: one.multiplier_bp)
    step = {
        "code": highest.code.value,
        "multiplier_bp": highest.multiplier_bp,
        "of_fen": amount_fen,
        "proof": proofs[highest.code],
        "others": [one.code.value for one in proven if one is not highest],
    }
    return amount_fen * highest.multiplier_bp // WHOLE_BP, step


def _cap(cap: Cap, offence: Offence, history: History, gross_fen: int) -> _Step:
    step: _Step = {"per": cap.per.value}
    limit_fen = cap.limit_fen or 0
    if cap.commission_bp is not None:
        figure = figure_of(offence, history, FigureKind.COMMISSION)
        limit_fen = max(0, figure.amount) * cap.commission_bp // WHOLE_BP
        step["commission"] = {"bp": cap.commission_bp, "of_fen": figure.amount, "figure_id": figure.figure_id}
    used_fen = history.used(offence, cap.per, release=cap.release)
    if cap.release:
        step["release"] = True
    step["limit_fen"], step["used_fen"] = limit_fen, used_fen
    step["over_fen"] = min(gross_fen, max(0, used_fen + gross_fen - limit_fen))
    return step
