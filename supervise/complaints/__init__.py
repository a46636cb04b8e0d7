"""Tickets, incidents, subscribers: what came in, by whom, about which calls, due when."""
