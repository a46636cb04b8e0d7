"""Inquiries: asking parties about calls, their own page to answer on, and answers that contradict each other."""

from supervise.views.inquiries import answering, asking, conflicts, lists, page
from supervise.views.inquiries.blueprint import bp

__all__ = ["answering", "asking", "bp", "conflicts", "lists", "page"]
