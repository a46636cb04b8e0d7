"""Incidents: what nobody answers for yet, the page of a decision, what waits for a second person or a second look."""

from supervise.views.incidents import decisions, evidence, lists, page, same_call
from supervise.views.incidents.blueprint import bp

__all__ = ["bp", "decisions", "evidence", "lists", "page", "same_call"]
