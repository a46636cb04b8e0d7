"""What proven offences cost: a pure engine, without database or clock (docs/rules.md, P-1 to P-9).

The same rule and the same facts give the same fen and the same explanation, at proposal and again at approval.
"""

from supervise.penalties.pricing.amounts import price_offence
from supervise.penalties.pricing.calls import adds_up, price_calls
from supervise.penalties.pricing.facts import Figure, FigureKind, Ground, Offence, Rule, Subject
from supervise.penalties.pricing.needs import (
    FigureUnknownError,
    NumberUnknownError,
    SubscriberUnknownError,
    figures_needed,
    require_known,
)
from supervise.penalties.pricing.outcomes import Charge, Portion, Spared, SparedError
from supervise.penalties.pricing.past import History, cap_key
from supervise.penalties.pricing.shares import recover, share_out
from supervise.penalties.pricing.sparing import below_threshold, unit_of

__all__ = [
    "Charge",
    "Figure",
    "FigureKind",
    "FigureUnknownError",
    "Ground",
    "History",
    "NumberUnknownError",
    "Offence",
    "Portion",
    "Rule",
    "Spared",
    "SparedError",
    "Subject",
    "SubscriberUnknownError",
    "adds_up",
    "below_threshold",
    "cap_key",
    "figures_needed",
    "price_calls",
    "price_offence",
    "recover",
    "require_known",
    "share_out",
    "unit_of",
]
