"""Ratios measured in one run, with peak memory; no test asserts them."""
