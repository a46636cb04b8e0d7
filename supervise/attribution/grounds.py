"""What speaks for which party: the expressions that join records with registers.

Written once over named tables; the engine of the records runs them, for one incident or for a million. What the
grades mean stands in docs/rules.md (A-1).
"""

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from supervise.attribution import registers
from supervise.attribution.grades import GRADES, Grade, GroundKind
from supervise.evidence import matching
from supervise.evidence.engine import RecordQuery, unbound

#: Grounds that the application's database gives: claims, answers, patterns.
SAID = pa.schema([("incident_id", pa.int64()), ("ground", pa.string()), ("party_id", pa.int64())])
#: Who denied, by an answer to an inquiry.
DENIED = pa.schema([("incident_id", pa.int64()), ("party_id", pa.int64())])
#: A ground: the record that it rests on, if any, and what in it led to the party.
GROUNDS = pa.schema(
    [
        ("incident_id", pa.int64()),
        ("ground", pa.string()),
        ("grade", pa.string()),
        ("party_id", pa.int64()),
        ("on_day", pa.date32()),
        ("platform", pa.string()),
        ("record_id", pa.string()),
    ]
)


class _Registers:
    """The registers, unbound."""

    holders = unbound("holders", registers.HOLDERS)
    staff = unbound("staff", registers.STAFF)
    platforms = unbound("platforms", registers.PLATFORMS)
    channels = unbound("channels", registers.CHANNELS)


_R = _Registers()
#: What a ground rests on: a record, or the incident itself (platform and record id NULL).
_ORIGIN = ("ground", "incident_id", "on_day", "platform", "record_id")
_AN_INSTANT = ibis.interval(microseconds=1)


def _ground(kind: GroundKind) -> ir.StringScalar:
    return ibis.literal(kind.value)


def _at_an_instant(kind: GroundKind, records: ir.Table, number: str, moment: str) -> ir.Table:
    """Return the records as ``_held`` asks who held their *number* at their *moment*."""
    first = records[moment]
    origin = {name: records[name] for name in _ORIGIN[1:]}
    return records.select(ground=_ground(kind), **origin, number=records[number], first=first, end=first + _AN_INSTANT)


def _reported(incidents: ir.Table) -> ir.Table:
    """Return the incidents as ``_held`` asks who held the number that was reported, as exactly as the time is known."""
    asked = incidents.filter(incidents.caller.notnull())
    return asked.select(
        ground=_ground(GroundKind.HOLDER),
        incident_id=asked.incident_id,
        on_day=asked.on_day,
        platform=ibis.null().cast("string"),
        record_id=ibis.null().cast("string"),
        number=asked.caller,
        first=asked.occurred_at,
        end=asked.occurred_to,
    )


def _held(asked: ir.Table) -> ir.Table:
    """Return the origin of *asked*'s rows with each party that held ``number`` in ``[first, end)``."""
    then = [
        asked.number == _R.holders.name,
        _R.holders.held_from < asked.end,
        _R.holders.held_to > asked.first,
    ]
    return asked.join(_R.holders, then).select(*(asked[name] for name in _ORIGIN), party_id=_R.holders.party_id)


def _staffed(calls: ir.Table, orders: ir.Table) -> ir.Table:
    """Return calls and orders with the employer of their staff number on their day."""
    numbered = ibis.union(
        *(
            records.select(
                ground=_ground(kind),
                **{name: records[name] for name in _ORIGIN[1:]},
                staff_number=records.staff_number,
            )
            for records, kind in ((calls, GroundKind.CALL_STAFF), (orders, GroundKind.ORDER_STAFF))
        )
    )
    placed = numbered.join(_R.platforms, "platform")
    on_that_day = [
        placed.carrier_code == _R.staff.carrier_code,
        placed.staff_number == _R.staff.staff_number,
        placed.on_day >= _R.staff.from_day,
        placed.on_day < _R.staff.to_day,
    ]
    return placed.join(_R.staff, on_that_day).select(*(placed[name] for name in _ORIGIN), party_id=_R.staff.party_id)


def _sold(orders: ir.Table) -> ir.Table:
    """Return the orders with the party of their channel code on their day."""
    on_that_day = [
        orders.channel_code == _R.channels.channel_code,
        orders.on_day >= _R.channels.from_day,
        orders.on_day < _R.channels.to_day,
    ]
    origin = {name: orders[name] for name in _ORIGIN[1:]}
    sold = orders.join(_R.channels, on_that_day)
    return sold.select(ground=_ground(GroundKind.ORDER_CHANNEL), **origin, party_id=_R.channels.party_id)


def _said(incidents: ir.Table) -> ir.Table:
    said = unbound("said", SAID)
    return said.join(incidents, said.incident_id == incidents.incident_id).select(
        ground=said.ground,
        incident_id=said.incident_id,
        on_day=incidents.on_day,
        platform=ibis.null().cast("string"),
        record_id=ibis.null().cast("string"),
        party_id=said.party_id,
    )


def _graded(grounds: ir.Table) -> ir.Table:
    of_grade = {grade: [kind.value for kind in GroundKind if GRADES[kind] is grade] for grade in (Grade.A, Grade.B)}
    grade = ibis.cases(
        *((grounds.ground.isin(kinds), grade.value) for grade, kinds in of_grade.items()), else_=Grade.C.value
    )
    return grounds.mutate(grade=grade).select(GROUNDS.names)


def _every_ground() -> ir.Table:
    """Return every ground of every incident, the strongest first.

    The staff number of a call leads to its employer; where it leads nowhere, the line leads to its holder (domain F36).
    """
    incidents = unbound("incidents", matching.INCIDENTS)
    calls = unbound("found_calls", matching.FITTING_CALLS.schema)
    messages = unbound("found_messages", matching.FITTING_MESSAGES.schema)
    orders = unbound("found_orders", matching.FOLLOWING_ORDERS.schema)
    staffed = _staffed(calls, orders)
    lines = _at_an_instant(GroundKind.CALL_LINE, calls, "caller", "started_at").anti_join(
        staffed.filter(staffed.ground == GroundKind.CALL_STAFF.value), ["incident_id", "platform", "record_id"]
    )
    asked = ibis.union(lines, _at_an_instant(GroundKind.MESSAGE, messages, "port", "sent_at"), _reported(incidents))
    every = ibis.union(_held(asked), staffed, _sold(orders), _said(incidents), distinct=True)
    return _graded(every).order_by("incident_id", "grade", "ground", "party_id", "on_day", "platform", "record_id")


GROUNDS_QUERY = RecordQuery("grounds", _every_ground())
