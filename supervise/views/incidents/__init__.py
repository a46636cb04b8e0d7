"""Incidents: what nobody answers for yet, the page of a decision, what waits for a second person or a second look."""

from supervise.views.incidents import (
    decisions,
    evidence,
    holds,
    lists,
    page,
    same_call,
    spared,
    tracebacks,
    unattributed,
)
from supervise.views.incidents.blueprint import bp

__all__ = ["bp", "decisions", "evidence", "holds", "lists", "page", "same_call", "spared", "tracebacks", "unattributed"]
