"""A stored explanation in words, for the page, the notice and the workbook."""

from collections.abc import Mapping
from typing import Any

from supervise.contracts.rules import (
    AcrossTypes,
    AggravationCode,
    Basis,
    CapPer,
    ShareMode,
    ThresholdBase,
    TierWindow,
)
from supervise.contracts.words import percent
from supervise.labels import N_, _, ngettext, translate
from supervise.money import format_yuan

_PRICE_WORDS = {
    Basis.PER_OFFENCE: N_(
        "Rule %(rule)s version %(number)s, in force on %(day)s, sets %(amount)s yuan for each offence."
    ),
    Basis.PER_CALL: N_("Rule %(rule)s version %(number)s, in force on %(day)s, sets %(amount)s yuan for each call."),
    Basis.PER_RECIPIENT: N_(
        "Rule %(rule)s version %(number)s, in force on %(day)s, sets %(amount)s yuan for each subscriber, once a day"
        " for each number or port."
    ),
    Basis.PER_NUMBER_MONTH: N_(
        "Rule %(rule)s version %(number)s, in force on %(day)s, sets %(amount)s yuan for each number, once a calendar"
        " month."
    ),
}
_CAP_WORDS = {
    CapPer.INCIDENT: N_("The cap for one call is %(limit)s yuan, of which %(used)s were used."),
    CapPer.SUBSCRIBER: N_("The cap for one subscriber is %(limit)s yuan, of which %(used)s were used."),
    CapPer.DAY: N_("The cap for one day is %(limit)s yuan, of which %(used)s were used."),
    CapPer.MONTH: N_("The cap for one month is %(limit)s yuan, of which %(used)s were used."),
}


def explain_in_words(explanation: dict[str, Any], offence_names: Mapping[str, str] | None = None) -> list[str]:
    """Return how the amount came about, one sentence for each step, in the current locale.

    *offence_names* gives words for offence codes; a code without stands for itself.
    """
    rule = explanation["rule"]
    words = [
        _(
            _PRICE_WORDS[Basis(explanation["basis"])],
            rule=rule["code"],
            number=rule["number"],
            day=explanation["occurred_on"],
            amount=format_yuan(explanation["rule_amount_fen"]),
        )
    ]
    words += _threshold_words(explanation)
    words += _tier_words(explanation)
    words += _aggravation_words(explanation)
    words += _across_words(explanation, offence_names or {})
    words += _cap_words(explanation)
    words += _share_words(explanation)
    words += _payer_words(explanation)
    words += _points_words(explanation)
    if explanation.get("loss_basis_fen") is not None:
        words.append(
            _(
                "Credits granted to the subscriber for this call so far: %(amount)s yuan.",
                amount=format_yuan(explanation["loss_basis_fen"]),
            )
        )
    return words


def _tier_words(explanation: dict[str, Any]) -> list[str]:
    tier = explanation["tier"]
    if tier is None:
        return []
    aggravation = explanation.get("aggravation")
    amount = format_yuan(aggravation["of_fen"] if aggravation else explanation["gross_fen"])
    if tier["window"] == TierWindow.CALENDAR_MONTH:
        return [
            _(
                "It is offence %(nth)s of this kind in the calendar month: %(amount)s yuan.",
                nth=tier["nth"],
                amount=amount,
            )
        ]
    return [
        ngettext(
            "It is offence %(nth)s of this kind within %(n)d day: %(amount)s yuan.",
            "It is offence %(nth)s of this kind within %(n)d days: %(amount)s yuan.",
            tier["days"],
            nth=tier["nth"],
            amount=amount,
        )
    ]


def _threshold_words(explanation: dict[str, Any]) -> list[str]:
    threshold = explanation.get("threshold")  # explanations from before there were thresholds have none
    if threshold is None:
        return []
    words = [
        _(
            "It is case %(nth)s of %(cases)s in the calendar month; the threshold is %(count)s cases.",
            nth=threshold["nth"],
            cases=threshold["cases"],
            count=threshold["above_count"],
        )
    ]
    if threshold["base"] is not None:
        words.append(
            _(
                "The threshold is also %(percent)s %% of a recorded figure (%(base)s: %(figure)s).",
                percent=percent(threshold["above_bp"]),
                base=ThresholdBase(threshold["base"]).label,
                figure=threshold["base_amount"],
            )
        )
    if threshold["spared"]:
        words.append(_("Only the excess is charged: the first %(spared)s cases are not.", spared=threshold["spared"]))
    return words


def _aggravation_words(explanation: dict[str, Any]) -> list[str]:
    aggravation = explanation.get("aggravation")
    if aggravation is None:
        return []
    words = [
        _(
            "%(what)s: %(percent)s %% of %(of)s yuan, rounded down to the fen.",
            what=AggravationCode(aggravation["code"]).label,
            percent=percent(aggravation["multiplier_bp"]),
            of=format_yuan(aggravation["of_fen"]),
        )
    ]
    proof = aggravation["proof"]
    words.append(translate(proof["says"], proof["facts"]))
    if aggravation["others"]:
        others = _(", ").join(AggravationCode(code).label for code in aggravation["others"])
        words.append(_("Also proven, but only the highest counts: %(others)s.", others=others))
    return words


def _points_words(explanation: dict[str, Any]) -> list[str]:
    points = explanation.get("points")
    if points is None:
        return []
    return [_("It takes %(each)s points, for %(months)s months.", each=points["each"], months=points["months"])]


def _across_words(explanation: dict[str, Any], names: Mapping[str, str]) -> list[str]:
    across = explanation["across"]
    if across is None:
        return []
    if across["rule"] == AcrossTypes.CUMULATIVE:
        return [_("The contract adds up the offence types of one call.")]
    spared = _(", ").join(f"{names.get(code, code)} {format_yuan(fen)}" for code, fen in across["spared"])
    return [_("Of the offence types of one call only the highest is charged; not charged: %(spared)s.", spared=spared)]


def _cap_words(explanation: dict[str, Any]) -> list[str]:
    words = []
    for cap in explanation["caps"]:
        limit, used = format_yuan(cap["limit_fen"]), format_yuan(cap["used_fen"])
        if cap.get("commission") is not None:
            words.append(
                _(
                    "The cap is %(percent)s %% of the month's commission of %(commission)s yuan, rounded down.",
                    percent=percent(cap["commission"]["bp"]),
                    commission=format_yuan(cap["commission"]["of_fen"]),
                )
            )
        if cap.get("release"):
            words.append(_("Room that a lifted penalty gives back is free again."))
        words.append(_(_CAP_WORDS[CapPer(cap["per"])], limit=limit, used=used))
        if cap["over_fen"]:
            words.append(_("%(over)s yuan exceed it and are not charged.", over=format_yuan(cap["over_fen"])))
    return words


def _share_words(explanation: dict[str, Any]) -> list[str]:
    share = explanation["share"]
    if share is None:
        return []
    whole = format_yuan(share["of_fen"])
    if share["mode"] == ShareMode.EQUAL:
        return [_("%(count)s parties bear %(whole)s yuan equally.", count=share["bearers"], whole=whole)]
    if share["mode"] == ShareMode.JOINT:
        return _joint_words(share, whole)
    return [_("This party bears %(percent)s %% of %(whole)s yuan.", percent=percent(share["share_bp"]), whole=whole)]


def _joint_words(share: dict[str, Any], whole: str) -> list[str]:
    own = (
        _(
            "%(count)s parties owe %(whole)s yuan jointly and severally, in equal parts among themselves.",
            count=share["bearers"],
            whole=whole,
        )
        if share["share_bp"] is None
        else _(
            "%(count)s parties owe %(whole)s yuan jointly and severally; this party's own part is %(percent)s %%.",
            count=share["bearers"],
            whole=whole,
            percent=percent(share["share_bp"]),
        )
    )
    if share.get("limit_fen") is None:
        return [own]
    return [own, _("It can be made to pay at most %(limit)s yuan of it.", limit=format_yuan(share["limit_fen"]))]


def _payer_words(explanation: dict[str, Any]) -> list[str]:
    payer = explanation.get("payer")
    if payer is None:
        return []
    if payer["because"] == "policy":
        return [
            _(
                "No party of the chain was under contract on that day: the sponsoring branch answers by %(policy)s.",
                policy=payer["contract"],
            )
        ]
    return [
        _(
            "The nearest party of the chain under contract on that day pays, by %(contract)s.",
            contract=payer["contract"],
        )
    ]
