"""The approver's pages: what waits, with its reasons, and the decisions on it."""

from supervise.views.approvals import adjustments, decisions, lists
from supervise.views.approvals.blueprint import bp

__all__ = ["adjustments", "bp", "decisions", "lists"]
