"""Credits: the list, the page of one, sending them to billing, cancelling one."""

from supervise.views.credits import cancelling, lists, page, sending
from supervise.views.credits.blueprint import bp

__all__ = ["bp", "cancelling", "lists", "page", "sending"]
