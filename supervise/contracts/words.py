"""A rule in words, one sentence for each clause: what a contract clerk checks and a charged party reads."""

from collections.abc import Sequence
from typing import NamedTuple

from supervise.contracts.rules import (
    WHOLE_BP,
    AcrossTypes,
    Basis,
    Cap,
    CapPer,
    Points,
    RecoveryBase,
    RuleParameters,
    ShareMode,
    SharePart,
    Shares,
    Threshold,
    ThresholdBase,
    Tiers,
    TierWindow,
)
from supervise.labels import N_, _, ngettext
from supervise.money import format_yuan

_PRICES = {
    Basis.PER_OFFENCE: N_("%(amount)s yuan for each proven offence."),
    Basis.PER_CALL: N_("%(amount)s yuan for each call, whatever the offences."),
    Basis.PER_RECIPIENT: N_("%(amount)s yuan for each subscriber whom a number reached, once a day."),
    Basis.PER_NUMBER_MONTH: N_("%(amount)s yuan for each number and month."),
}
_CAPS = {
    CapPer.INCIDENT: N_("At most %(limit)s for one call or message."),
    CapPer.SUBSCRIBER: N_("At most %(limit)s for one subscriber in a calendar month."),
    CapPer.DAY: N_("At most %(limit)s for one day."),
    CapPer.MONTH: N_("At most %(limit)s for one calendar month."),
}
_SHARE_MODES = {
    ShareMode.PERCENT: N_("Shared: %(parts)s."),
    ShareMode.EQUAL: N_("Shared equally: %(parts)s."),
    ShareMode.JOINT: N_("Owed jointly and severally: %(parts)s."),
}
_BASES = {
    ThresholdBase.ORDERS: N_("%(percent)s %% of the month's orders"),
    ThresholdBase.ANSWERED_CALLS: N_("%(percent)s %% of the month's answered calls"),
}
_RECOVERIES = {
    RecoveryBase.CALL_PROVEN: N_(
        "%(percent)s %% of the credits are recovered from the party, even when the penalty is overturned."
    ),
    RecoveryBase.FINDING: N_("%(percent)s %% of the credits are recovered from the party, unless the penalty falls."),
}


class Clause(NamedTuple):
    """One thing that a rule says: *name* is the same in every version, so that two of them can be compared."""

    name: str
    words: str


class ClauseChange(NamedTuple):
    """What a clause says in two versions; None: one of them is silent about it."""

    name: str
    before: str | None
    after: str | None

    @property
    def is_change(self) -> bool:
        """Whether the two versions differ in it."""
        return self.before != self.after


def rule_in_words(parameters: RuleParameters) -> list[str]:
    """Return what the rule says, the price first, in the current locale."""
    return [clause.words for clause in clauses_in_words(parameters)]


def clauses_in_words(parameters: RuleParameters) -> list[Clause]:
    """Return what the rule says clause by clause, the price first, in the current locale."""
    price = _(_PRICES[parameters.basis], amount=format_yuan(parameters.amount_fen))
    clauses = [Clause(_("Price"), price)]
    if parameters.tiers is not None:
        clauses.append(Clause(_("Repeat offences"), _tiers(parameters.tiers)))
    if parameters.basis is Basis.PER_OFFENCE:
        several = (
            _("Several offence types of one call are charged side by side.")
            if parameters.across_types is AcrossTypes.CUMULATIVE
            else _("Of several offence types of one call only the highest is charged.")
        )
        clauses.append(Clause(_("Several offence types"), several))
    clauses += _aggravations(parameters)
    if parameters.threshold is not None:
        clauses.append(Clause(_("Threshold"), _threshold(parameters.threshold)))
    clauses += [_cap(cap) for cap in parameters.caps]
    if parameters.shares is not None:
        clauses.append(Clause(_("Who bears it"), _shares(parameters.shares)))
    if parameters.recovery_bp is not None:
        base = parameters.recovery_base or RecoveryBase.CALL_PROVEN
        words = _(_RECOVERIES[base], percent=percent(parameters.recovery_bp))
        clauses.append(Clause(_("Recovery of credits"), words))
    if parameters.points is not None:
        clauses.append(Clause(_("Points"), _points(parameters.points)))
    return clauses


def changes_between(before: Sequence[Clause], after: Sequence[Clause]) -> list[ClauseChange]:
    """Return every clause of two versions, what they differ in first; clauses of one name count as one."""
    old, new = _by_name(before), _by_name(after)
    names = list(dict.fromkeys([*new, *old]))
    changes = [ClauseChange(name, old.get(name), new.get(name)) for name in names]
    return sorted(changes, key=lambda change: not change.is_change)


def _by_name(clauses: Sequence[Clause]) -> dict[str, str]:
    words: dict[str, str] = {}
    for name, sentence in clauses:
        words[name] = f"{words[name]} {sentence}" if name in words else sentence
    return words


def _tiers(tiers: Tiers) -> str:
    window = (
        _("Repeats in the calendar month of the call count:")
        if tiers.window is TierWindow.CALENDAR_MONTH
        else ngettext("Repeats within %(n)d day count:", "Repeats within %(n)d days count:", tiers.days or 0)
    )
    steps = _("; ").join(
        _("from offence %(count)s on %(amount)s yuan", count=step.from_count, amount=format_yuan(step.amount_fen))
        for step in tiers.steps
    )
    return _("%(window)s %(steps)s.", window=window, steps=steps)


def _aggravations(parameters: RuleParameters) -> list[Clause]:
    return [
        Clause(
            _("Aggravation: %(code)s", code=one.code.label),
            _("%(code)s: %(times)s times the amount.", code=one.code.label, times=times(one.multiplier_bp))
            if len(parameters.aggravations) == 1
            else _(
                "%(code)s: %(times)s times the amount; of several only the highest.",
                code=one.code.label,
                times=times(one.multiplier_bp),
            ),
        )
        for one in parameters.aggravations
    ]


def _cap(cap: Cap) -> Clause:
    limit = (
        _("%(amount)s yuan", amount=format_yuan(cap.limit_fen))
        if cap.limit_fen is not None
        else _("%(percent)s %% of the month's commission", percent=percent(cap.commission_bp or 0))
    )
    words = _(_CAPS[cap.per], limit=limit)
    name = (
        _("Cap: %(per)s", per=cap.per.label) if cap.limit_fen is not None else _("Cap: part of the month's commission")
    )
    freed = _("%(cap)s Room that a lifted penalty frees is offered again.", cap=words)
    return Clause(name, freed if cap.release else words)


def _shares(shares: Shares) -> str:
    return _(_SHARE_MODES[shares.mode], parts=_(", ").join(_part(part) for part in shares.parts))


def _part(part: SharePart) -> str:
    words = part.kind.label if part.share_bp is None else f"{part.kind.label} {percent(part.share_bp)} %"
    if part.limit_fen is None:
        return words
    return _("%(part)s (at most %(amount)s yuan of a charge)", part=words, amount=format_yuan(part.limit_fen))


def _threshold(threshold: Threshold) -> str:
    limits = []
    if threshold.above_count:
        limits.append(ngettext("%(n)d case", "%(n)d cases", threshold.above_count))
    if threshold.above_bp and threshold.base is not None:
        limits.append(_(_BASES[threshold.base], percent=percent(threshold.above_bp)))
    words = _("Nothing unless a month has more than %(limits)s.", limits=_(" and more than ").join(limits))
    then = _("Then only the cases above cost.") if threshold.excess_only else _("Then every case costs.")
    return f"{words} {then}"


def _points(points: Points) -> str:
    each = ngettext("%(n)d point", "%(n)d points", points.each)
    months = ngettext("%(n)d month", "%(n)d months", points.months)
    return _("Each offence takes %(points)s off the party, for %(months)s.", points=each, months=months)


def percent(basis_points: int) -> str:
    """Return basis points as a percentage without needless zeros: 3333 is ``33.33``."""
    return f"{basis_points * 100 / WHOLE_BP:g}"


def times(basis_points: int) -> str:
    """Return basis points as a multiplier without needless zeros: 15000 is ``1.5``."""
    return f"{basis_points / WHOLE_BP:g}"
