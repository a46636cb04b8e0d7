"""The general ledger: balances, statements, entries with their story, periods, verification, the book as text."""

from supervise.views.ledger import books, checking, entries, months, reopening
from supervise.views.ledger.blueprint import bp

__all__ = ["books", "bp", "checking", "entries", "months", "reopening"]
