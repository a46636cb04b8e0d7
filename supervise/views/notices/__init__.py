"""Notices: what the charged parties were told, what they accept, and how it reached those without an account."""

from supervise.views.notices import decisions, lists, pages
from supervise.views.notices.blueprint import bp

__all__ = ["bp", "decisions", "lists", "pages"]
