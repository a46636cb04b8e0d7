"""Contracts, the assessment policy and their rule versions: drafted by one person, put into force by another."""

from supervise.views.contracts import amendments, pages, papers, rules, simulations
from supervise.views.contracts.blueprint import bp

__all__ = ["amendments", "bp", "pages", "papers", "rules", "simulations"]
