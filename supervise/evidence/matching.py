"""Which records an incident may be about: calls and messages around its moment, orders after it.

Facts only: what a record proves, and whom, is the next subject's question (``attribution``). An answer has one row for
each record that fits, the nearest in time first. Whom an anonymous report is about, no record can say.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.orm import Session

from supervise.evidence.engine import FEW_ROWS, RecordQuery, Wanted, unbound
from supervise.evidence.models import RecordKind
from supervise.evidence.record_types import CALLS, MESSAGES, MOMENT, ORDERS
from supervise.evidence.store import current_files, store_of

#: No summer time since 1991, and no records from before: arithmetic on a million rows needs no calendar.
_CHINA_AHEAD = dt.timedelta(hours=8)

#: An incident as records are asked about it. It happened in ``[occurred_at, occurred_to)``, as exactly as it was
#: reported. A record fits that began in ``[from_at, to_at)``, which allows for clocks that differ; an order, that was
#: placed in ``[order_from, order_to)``. Without a subscriber no order is looked for.
INCIDENTS = pa.schema(
    [
        ("incident_id", pa.int64()),
        ("is_call", pa.bool_()),
        ("caller", pa.string()),
        ("subscriber_index", pa.string()),
        ("occurred_at", MOMENT),
        ("occurred_to", MOMENT),
        ("on_day", pa.date32()),
        ("from_at", MOMENT),
        ("to_at", MOMENT),
        ("order_from", MOMENT),
        ("order_to", MOMENT),
    ]
)


class AskedIncident(NamedTuple):
    """A row of ``INCIDENTS``."""

    incident_id: int
    is_call: bool
    caller: str | None
    subscriber_index: str | None
    occurred_at: dt.datetime
    occurred_to: dt.datetime
    on_day: dt.date
    from_at: dt.datetime
    to_at: dt.datetime
    order_from: dt.datetime
    order_to: dt.datetime


class Found(NamedTuple):
    """The records that fit some incidents: the answers of the three queries."""

    calls: pa.Table
    messages: pa.Table
    orders: pa.Table


def asked_table(rows: Iterable[AskedIncident]) -> pa.Table:
    """Return the incidents as the queries take them."""
    columns = list(zip(*rows, strict=True)) or [()] * len(INCIDENTS)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, INCIDENTS, strict=True)]
    return pa.table(arrays, schema=INCIDENTS)


#: What is carried on of a record: what it proves by, and what is said of it in words.
_OF_CALL = ("platform", "record_id", "caller", "started_at", "talk_seconds", "staff_number", "on_day")
_OF_MESSAGE = ("platform", "record_id", "port", "sent_at", "signature", "message_class", "on_day")
_OF_ORDER = (
    "platform",
    "record_id",
    "ordered_at",
    "channel_code",
    "staff_number",
    "plan_before",
    "plan_after",
    "price_difference_fen",
    "on_day",
)


def _begun_around(incidents: ir.Table, records: ir.Table, moment: str) -> ir.Table:
    """Return each incident joined with its subscriber's records around its moment; nobody's, if it is not known."""
    within = [records[moment] >= incidents.from_at, records[moment] < incidents.to_at]
    return incidents.join(records, [incidents.subscriber_index == records.subscriber_index, *within])


def _second(moment: ir.Value) -> ir.Value:
    """Return the whole second of a moment; DuckDB's answer has a fraction that Ibis does not know of."""
    return moment.epoch_seconds().cast("float64").floor().cast("int64")


def _found(joined: ir.Table, incidents: ir.Table, records: ir.Table, moment: str, columns: Sequence[str]) -> ir.Table:
    apart = (_second(records[moment]) - _second(incidents.occurred_at)).abs()
    return joined.select(
        incident_id=incidents.incident_id, seconds_apart=apart, **{name: records[name] for name in columns}
    )


def fitting_calls(incidents: ir.Table, calls: ir.Table) -> ir.Table:
    """Return the records of each reported call: from the number reported, or from any if none was."""
    reported = incidents.filter(incidents.is_call)
    same_caller = reported.caller.isnull() | (reported.caller == calls.caller)
    joined = _begun_around(reported, calls, "started_at").filter(same_caller)
    return _found(joined, reported, calls, "started_at", _OF_CALL)


def fitting_messages(incidents: ir.Table, messages: ir.Table) -> ir.Table:
    """Return the records of each reported SMS; a sub-port counts as its port, and the other way round."""
    reported = incidents.filter(~incidents.is_call)
    same_port = messages.port.startswith(reported.caller) | reported.caller.startswith(messages.port)
    joined = _begun_around(reported, messages, "sent_at").filter(reported.caller.isnull() | same_port)
    return _found(joined, reported, messages, "sent_at", _OF_MESSAGE)


def following_orders(incidents: ir.Table, orders: ir.Table) -> ir.Table:
    """Return the orders on each subscriber's number after the incident; one before it proves nothing (domain F31)."""
    placed = [orders.ordered_at >= incidents.order_from, orders.ordered_at < incidents.order_to]
    joined = incidents.join(orders, [incidents.subscriber_index == orders.subscriber_index, *placed])
    return _found(joined, incidents, orders, "ordered_at", _OF_ORDER)


def _query(name: str, expression: ir.Table) -> RecordQuery:
    return RecordQuery(name, expression.order_by("incident_id", "seconds_apart", "platform", "record_id"))


_INCIDENTS = unbound("incidents", INCIDENTS)
FITTING_CALLS = _query("fitting_calls", fitting_calls(_INCIDENTS, unbound("calls", CALLS.schema)))
FITTING_MESSAGES = _query("fitting_messages", fitting_messages(_INCIDENTS, unbound("messages", MESSAGES.schema)))
FOLLOWING_ORDERS = _query("following_orders", following_orders(_INCIDENTS, unbound("orders", ORDERS.schema)))
MATCHING_QUERIES = (FITTING_CALLS, FITTING_MESSAGES, FOLLOWING_ORDERS)


def matching_records(session: Session, asked: pa.Table) -> Found:
    """Return the records that fit the *asked* incidents (``INCIDENTS``); only files of their days are read."""
    store = store_of(session)
    wanted = subscribers_of(asked)
    answers = []
    for query, kind, first, end in (
        (FITTING_CALLS, RecordKind.CALLS, "from_at", "to_at"),
        (FITTING_MESSAGES, RecordKind.MESSAGES, "from_at", "to_at"),
        (FOLLOWING_ORDERS, RecordKind.ORDERS, "order_from", "order_to"),
    ):
        files = current_files(session, kind, _days(asked, kind, first, end))
        if files.paths:
            files = dataclasses.replace(files, wanted=wanted)
            answers.append(store.engine.run(query, {"incidents": asked, kind.value: files}))
        else:
            answers.append(query.schema.empty_table())
    return Found(*answers)


def subscribers_of(asked: pa.Table) -> Wanted | None:
    """Return whose records can fit: for a few incidents the files are looked through for nothing else."""
    if len(asked) > FEW_ROWS:
        return None
    return Wanted("subscriber_index", pc.unique(asked["subscriber_index"].drop_null()).to_pylist())


def _days(asked: pa.Table, kind: RecordKind, first: str, end: str) -> set[dt.date]:
    """Return the China days in which records of *kind* can fit the incidents."""
    if kind is not RecordKind.ORDERS:
        asked = asked.filter(pc.equal(asked["is_call"], kind is RecordKind.CALLS))
    bounds = pa.table({"begin": _china_days(asked[first]), "stop": _china_days(asked[end], last=True)})
    days: set[dt.date] = set()
    for pair in bounds.group_by(["begin", "stop"]).aggregate([]).to_pylist():
        days.update(pair["begin"] + dt.timedelta(days=n) for n in range((pair["stop"] - pair["begin"]).days + 1))
    return days


def _china_days(moments: pa.ChunkedArray, *, last: bool = False) -> pa.ChunkedArray:
    """Return the China day of each moment; of the end of a half-open period, the *last* day that is in it."""
    shift = _CHINA_AHEAD - (dt.timedelta(microseconds=1) if last else dt.timedelta())
    shifted = pc.add(moments.cast(pa.timestamp("us")), pa.scalar(shift, pa.duration("us")))
    return shifted.cast(pa.date32(), safe=False)
