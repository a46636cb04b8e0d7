"""Org units, parties, chains, staff, numbers over time, and who sees whose rows."""
