"""The pages of sanctions: list, page, propose, decide, lift, extend, and the list for other systems."""

from supervise.views.sanctions import decisions, lists, pages
from supervise.views.sanctions.blueprint import bp

__all__ = ["bp", "decisions", "lists", "pages"]
