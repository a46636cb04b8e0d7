"""An amendment in words, one sentence for each term that it changes."""

import datetime as dt

from supervise.complaints.models import DayType
from supervise.complaints.workdays import days_in_words
from supervise.contracts.models import ContractAmendment
from supervise.labels import _, ngettext
from supervise.money import format_yuan

_ONE_DAY = dt.timedelta(days=1)


def amendment_in_words(amendment: ContractAmendment) -> list[str]:
    """Return what an amendment changes, in the current locale."""
    words = []
    if amendment.ends_on is not None:
        words.append(_("The contract's last day is %(day)s.", day=amendment.ends_on - _ONE_DAY))
    words += _days_to_object(amendment.appeal_days, amendment.appeal_day_type)
    if amendment.deemed_days is not None:
        words.append(
            ngettext(
                "Counts as delivered after %(n)d working day.",
                "Counts as delivered after %(n)d working days.",
                amendment.deemed_days,
            )
        )
    if amendment.deposit_required_fen is not None:
        words.append(_("Deposit required: %(amount)s yuan.", amount=format_yuan(amendment.deposit_required_fen)))
    if amendment.top_up_days is not None:
        words.append(
            ngettext(
                "The deposit is topped up within %(n)d working day.",
                "The deposit is topped up within %(n)d working days.",
                amendment.top_up_days,
            )
        )
    if amendment.settlement_order is not None:
        words.append(_("Debts are taken from: %(order)s.", order=amendment.settlement_order.label))
    return words


def _days_to_object(days: int | None, kind: DayType | None) -> list[str]:
    if days is None:
        return [] if kind is None else [_("Days to object are counted in: %(kind)s.", kind=kind.label)]
    if kind is None:
        return [ngettext("%(n)d day to object.", "%(n)d days to object.", days)]
    return [_("%(period)s to object.", period=days_in_words(days, kind))]
