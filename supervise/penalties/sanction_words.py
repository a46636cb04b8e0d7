"""Steps of the ladder, and what they counted, in words."""

from collections.abc import Mapping
from typing import Any

from supervise.labels import _, ngettext
from supervise.money import format_yuan
from supervise.parties.sanction_models import SanctionRule, SanctionTrigger
from supervise.parties.sanctions import SanctionLine


def trigger_in_words(rule: SanctionRule) -> str:
    """Return what leads to the step."""
    if rule.trigger_kind is SanctionTrigger.POINTS_LEFT:
        left = rule.points_left or 0
        return ngettext("At most %(n)d point is left", "At most %(n)d points are left", left)
    if rule.trigger_kind is SanctionTrigger.CONSECUTIVE_WARNINGS:
        return _("Warnings in %(n)d months one after another", n=rule.warnings)
    if rule.trigger_kind is SanctionTrigger.CUMULATIVE_WARNINGS:
        return _("%(n)d warnings within %(months)d months", n=rule.warnings, months=rule.within_months)
    return _("The deposit was not topped up in time")


def length_in_words(rule: SanctionRule) -> str:
    """Return how long the sanction of the step lasts."""
    if rule.months is None:
        return _("until it is lifted")
    return ngettext("%(n)d month", "%(n)d months", rule.months)


def because(line: SanctionLine) -> str:
    """Return on what a sanction stands: the step that was reached and what it counted, or the person's reason."""
    if line.rule is None:
        return str(line.row.reason)
    words = trigger_in_words(line.rule)
    counted = _counted(line.row.facts or {})
    return f"{words} ({counted})" if counted else words


def _counted(facts: Mapping[str, Any]) -> str:
    if "points_left" in facts:
        return _("%(left)d of %(start)d left", left=facts["points_left"], start=facts["points_start"])
    if "warning_ids" in facts:
        warnings = len(facts["warning_ids"])
        return ngettext("%(n)d warning counted", "%(n)d warnings counted", warnings)
    if "top_up_fen" in facts:
        return _("%(amount)s yuan by %(day)s", amount=format_yuan(facts["top_up_fen"]), day=facts["top_up_by"])
    return ""
