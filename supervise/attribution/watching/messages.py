"""Irregular messages, each kind an expression over the messages of a day."""

import ibis.expr.types as ir

from supervise.attribution.watching.marking import beyond, marked, messages


def sms_burst() -> ir.Table:
    """Return the messages of one sender to one subscriber on a day after as many as are allowed.

    Sub-ports count as the port under which they are registered.
    """
    return marked(beyond(messages(), "line", "subscriber_index"))


def port_volume() -> ir.Table:
    """Return the messages of one port on a day after as many as are allowed."""
    return marked(beyond(messages(), "line"))
