"""Refusals and consents: what a subscriber said to whom, and what holds now."""
