"""Marked records: what every expression of this subject gives, one row for each irregular record, and its joins."""

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from supervise.attribution.watching import tables
from supervise.evidence.engine import unbound
from supervise.evidence.record_types import CALLS, MESSAGES, MOMENT, ORDERS

#: A record that is irregular, and whose. ``sender`` is the calling number or the port, ``detail`` what is wrong in
#: the words of the expression; what a kind of record does not have is NULL.
MARKED = pa.schema(
    [
        ("platform", pa.string()),
        ("record_id", pa.string()),
        ("at", MOMENT),
        ("subscriber_index", pa.string()),
        ("sender", pa.string()),
        ("staff_number", pa.string()),
        ("channel_code", pa.string()),
        ("plan", pa.string()),
        ("party_id", pa.int64()),
        ("detail", pa.string()),
    ]
)
_MARKED = ibis.Schema.from_pyarrow(MARKED)

DESKS = unbound("desks", tables.DESKS)
LINES = unbound("lines", tables.LINES)
CHANNELS = unbound("channels", tables.CHANNELS)
FIGURES = unbound("figures", tables.FIGURES)


def staffed(records: ir.Table) -> ir.Table:
    """Return *records* with ``employer_id``, whose worker the staff number was on the day; NULL: nobody's."""
    on_that_day = [
        records.platform == DESKS.platform,
        records.staff_number == DESKS.staff_number,
        records.on_day >= DESKS.from_day,
        records.on_day < DESKS.to_day,
    ]
    return records.left_join(DESKS, on_that_day).select(records, employer_id=DESKS.party_id)


def held(records: ir.Table, sender: str, moment: str) -> ir.Table:
    """Return *records* with ``holder_id``, who held the number then, and ``registered``, under which number."""
    then = [
        records[sender] == LINES.sender,
        records[moment] >= LINES.from_at,
        records[moment] < LINES.to_at,
    ]
    return records.left_join(LINES, then).select(records, holder_id=LINES.party_id, registered=LINES.registered)


def calls(name: str = "calls") -> ir.Table:
    """Return the calls with ``party_id``: the employer by the staff number; else the holder of the number."""
    found = held(staffed(unbound(name, CALLS.schema)), "caller", "started_at")
    return found.mutate(party_id=ibis.coalesce(found.employer_id, found.holder_id)).rename(
        at="started_at", sender="caller"
    )


def messages() -> ir.Table:
    """Return the messages with ``party_id``, who held the port, and ``line``, its registered number or itself."""
    found = held(unbound("messages", MESSAGES.schema), "port", "sent_at")
    return found.mutate(party_id=found.holder_id, line=ibis.coalesce(found.registered, found.port)).rename(
        at="sent_at", sender="port"
    )


def orders() -> ir.Table:
    """Return the orders with ``party_id``: who sold under the channel code; else the employer by the staff number."""
    placed = staffed(unbound("orders", ORDERS.schema))
    found = placed.left_join(CHANNELS, placed.channel_code == CHANNELS.channel_code).select(
        placed, channel_kind=CHANNELS.channel_kind, seller_id=CHANNELS.party_id
    )
    return found.mutate(party_id=ibis.coalesce(found.seller_id, found.employer_id)).rename(
        at="ordered_at", plan="plan_after"
    )


def marked(records: ir.Table, *, detail: ir.Value | None = None) -> ir.Table:
    """Return *records* as ``MARKED``."""
    given = {name: records[name] for name in _MARKED if name in records.columns and name != "detail"}
    if detail is not None:
        given["detail"] = detail
    return records.select(**{name: given.get(name, ibis.null()).cast(kind) for name, kind in _MARKED.items()})


def beyond(records: ir.Table, *together: str | ir.Value) -> ir.Table:
    """Return the records after the first ``value`` (``FIGURES``) of those that have the values of *together* alike."""
    place = ibis.row_number().over(group_by=together, order_by=["at", "platform", "record_id"])
    numbered = records.mutate(place=place).cross_join(FIGURES)
    return numbered.filter(numbered.place >= numbered.value)
