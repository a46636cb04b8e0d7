"""Watching the records: what was found of each kind, by party and day, down to the records, and on to incidents."""

from supervise.views.watch import lists, records
from supervise.views.watch.blueprint import bp

__all__ = ["bp", "lists", "records"]
