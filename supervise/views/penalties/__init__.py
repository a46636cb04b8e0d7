"""Penalties as everybody sees them within their scope, and what the charged party and supervisors do with one."""

from supervise.views.penalties import decisions, exchange, lists, pages, waiving
from supervise.views.penalties.blueprint import bp

__all__ = ["bp", "decisions", "exchange", "lists", "pages", "waiving"]
