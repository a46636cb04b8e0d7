"""Records as evidence: what was imported, what is covered, what will soon be gone, what is kept and what is dropped."""

from supervise.views.records import coverage, expiring, imports, platforms, retention
from supervise.views.records.blueprint import bp

__all__ = ["bp", "coverage", "expiring", "imports", "platforms", "retention"]
