"""A rule in words, one sentence for each clause: what a contract clerk checks and a charged party reads."""

from supervise.contracts.rules import (
    WHOLE_BP,
    AcrossTypes,
    Basis,
    Cap,
    CapPer,
    RuleParameters,
    ShareMode,
    Shares,
    Tiers,
    TierWindow,
)
from supervise.labels import N_, _, ngettext
from supervise.money import format_yuan

_PRICES = {
    Basis.PER_OFFENCE: N_("%(amount)s yuan for each proven offence."),
    Basis.PER_CALL: N_("%(amount)s yuan for each call, whatever the offences."),
    Basis.PER_RECIPIENT: N_("%(amount)s yuan for each recipient of a message."),
    Basis.PER_NUMBER_MONTH: N_("%(amount)s yuan for each number and month."),
}
_CAPS = {
    CapPer.INCIDENT: N_("At most %(limit)s for one call or message."),
    CapPer.SUBSCRIBER: N_("At most %(limit)s for one subscriber."),
    CapPer.DAY: N_("At most %(limit)s for one day."),
    CapPer.MONTH: N_("At most %(limit)s for one calendar month."),
}
_SHARE_MODES = {
    ShareMode.PERCENT: N_("Shared: %(parts)s."),
    ShareMode.EQUAL: N_("Shared equally: %(parts)s."),
    ShareMode.JOINT: N_("Owed jointly and severally: %(parts)s."),
}


def rule_in_words(parameters: RuleParameters) -> list[str]:
    """Return what the rule says, the price first, in the current locale."""
    words = [_(_PRICES[parameters.basis], amount=format_yuan(parameters.amount_fen))]
    if parameters.tiers is not None:
        words += _tiers(parameters.tiers)
    if parameters.basis is Basis.PER_OFFENCE:
        words.append(
            _("Several offence types of one call are charged side by side.")
            if parameters.across_types is AcrossTypes.CUMULATIVE
            else _("Of several offence types of one call only the highest is charged.")
        )
    words += [_cap(cap) for cap in parameters.caps]
    if parameters.shares is not None:
        words.append(_shares(parameters.shares))
    words += _further(parameters)
    return words


def _tiers(tiers: Tiers) -> list[str]:
    window = (
        _("Repeats in the calendar month of the call count:")
        if tiers.window is TierWindow.CALENDAR_MONTH
        else ngettext("Repeats within %(n)d day count:", "Repeats within %(n)d days count:", tiers.days or 0)
    )
    steps = _("; ").join(
        _("from offence %(count)s on %(amount)s yuan", count=step.from_count, amount=format_yuan(step.amount_fen))
        for step in tiers.steps
    )
    return [_("%(window)s %(steps)s.", window=window, steps=steps)]


def _cap(cap: Cap) -> str:
    limit = (
        _("%(amount)s yuan", amount=format_yuan(cap.limit_fen))
        if cap.limit_fen is not None
        else _("%(percent)s %% of the month's commission", percent=percent(cap.commission_bp or 0))
    )
    return _(_CAPS[cap.per], limit=limit)


def _shares(shares: Shares) -> str:
    parts = _(", ").join(
        part.kind.label if part.share_bp is None else f"{part.kind.label} {percent(part.share_bp)} %"
        for part in shares.parts
    )
    return _(_SHARE_MODES[shares.mode], parts=parts)


def _further(parameters: RuleParameters) -> list[str]:
    words = []
    if parameters.threshold is not None:
        words.append(
            _(
                "Only above %(count)s cases and %(percent)s %%.",
                count=parameters.threshold.above_count,
                percent=percent(parameters.threshold.above_bp),
            )
        )
    if parameters.recovery_bp is not None:
        words.append(
            _("%(percent)s %% of the credits are recovered from the party.", percent=percent(parameters.recovery_bp))
        )
    words += [
        _("With proof of %(code)s: %(percent)s %% of the amount.", code=one.code, percent=percent(one.multiplier_bp))
        for one in parameters.aggravations
    ]
    return words


def percent(basis_points: int) -> str:
    """Return basis points as a percentage without needless zeros: 3333 is ``33.33``."""
    return f"{basis_points * 100 / WHOLE_BP:g}"
