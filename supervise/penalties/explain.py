"""A stored explanation in words, for the page, the notice and the workbook."""

from collections.abc import Mapping
from typing import Any

from supervise.contracts.rules import WHOLE_BP, AcrossTypes, Basis, CapPer, ShareMode, TierWindow
from supervise.labels import N_, _, ngettext
from supervise.money import format_yuan

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
    per_call = explanation["basis"] == Basis.PER_CALL
    price = (
        N_("Rule %(rule)s version %(number)s, in force on %(day)s, sets %(amount)s yuan for each call.")
        if per_call
        else N_("Rule %(rule)s version %(number)s, in force on %(day)s, sets %(amount)s yuan for each offence.")
    )
    words = [
        _(
            price,
            rule=rule["code"],
            number=rule["number"],
            day=explanation["occurred_on"],
            amount=format_yuan(explanation["rule_amount_fen"]),
        )
    ]
    words += _tier_words(explanation)
    words += _across_words(explanation, offence_names or {})
    words += _cap_words(explanation)
    words += _share_words(explanation)
    words += _payer_words(explanation)
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
    amount = format_yuan(explanation["gross_fen"])
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
    percent = f"{share['share_bp'] * 100 / WHOLE_BP:g}"
    return [_("This party bears %(percent)s %% of %(whole)s yuan.", percent=percent, whole=whole)]


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
