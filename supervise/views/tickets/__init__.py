"""Tickets: the queue, the page of one, and what is done with one or with many."""

from supervise.views.tickets import bulk, disputes, export, page, queue, steps, views_kept
from supervise.views.tickets.blueprint import bp

__all__ = ["bp", "bulk", "disputes", "export", "page", "queue", "steps", "views_kept"]
