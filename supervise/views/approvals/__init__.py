"""The approver's pages: what waits, with its reasons, and the decisions on it."""

from supervise.views.approvals import decisions, lists
from supervise.views.approvals.blueprint import bp

__all__ = ["bp", "decisions", "lists"]
