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


def _columns(schema: pa.Schema, **values: ir.Value) -> dict[str, ir.Value]:
    """Return *values* in the order and with the types of *schema*; what is not given is NULL."""
    ibis_schema = ibis.Schema.from_pyarrow(schema)
    return {name: values.get(name, ibis.null()).cast(kind) for name, kind in ibis_schema.items()}


def _ground(table: ir.Table, kind: GroundKind, **values: ir.Value) -> ir.Table:
    return table.select(
        **_columns(GROUNDS, ground=ibis.literal(kind.value), grade=ibis.literal(GRADES[kind].value), **values)
    )


class _Registers:
    """The registers, unbound."""

    names = unbound("names", registers.NAMES)
    holders = unbound("holders", registers.HOLDERS)
    staff = unbound("staff", registers.STAFF)
    platforms = unbound("platforms", registers.PLATFORMS)
    channels = unbound("channels", registers.CHANNELS)


_R = _Registers()
_ORIGIN = ("incident_id", "on_day", "platform", "record_id")
_AN_INSTANT = ibis.interval(microseconds=1)


def _held(asked: ir.Table) -> ir.Table:
    """Return the origin of *asked*'s rows with each party that held ``number`` in ``[first, end)``.

    Of the beginnings under which a 106 port is registered, the longest that somebody held then counts.
    """
    named = asked.join(_R.names, asked.number == _R.names.digits).drop("digits")
    then = [
        named.name == _R.holders.name,
        named.is_whole | _R.holders.is_prefix,
        _R.holders.held_from < named.end,
        _R.holders.held_to > named.first,
    ]
    found = named.join(_R.holders, then).select(
        named.key, named.length, *(named[name] for name in _ORIGIN), party_id=_R.holders.party_id
    )
    longest = found.group_by("key").aggregate(longest=found.length.max())
    return found.join(longest, [found.key == longest.key, found.length == longest.longest]).select(
        *(found[name] for name in _ORIGIN), found.party_id
    )


def _staffed(records: ir.Table) -> ir.Table:
    """Return the origin of the records with the employer of their staff number on their day."""
    placed = records.join(_R.platforms, "platform")
    on_that_day = [
        placed.carrier_code == _R.staff.carrier_code,
        placed.staff_number == _R.staff.staff_number,
        placed.on_day >= _R.staff.from_day,
        placed.on_day < _R.staff.to_day,
    ]
    return placed.join(_R.staff, on_that_day).select(*(placed[name] for name in _ORIGIN), party_id=_R.staff.party_id)


def _of(table: ir.Table, kind: GroundKind) -> ir.Table:
    """Return rows of an origin and a party as grounds of *kind*."""
    origin = {name: table[name] for name in _ORIGIN}
    return _ground(table, kind, **origin, party_id=table.party_id)


def _at_an_instant(records: ir.Table, number: str, moment: str) -> ir.Table:
    """Return the records as ``_held`` asks who held *number* at their *moment*."""
    key = records.incident_id.cast("string") + "|" + records.platform + "|" + records.record_id
    first = records[moment]
    return records.select(*_ORIGIN, key=key, number=records[number], first=first, end=first + _AN_INSTANT)


def _from_calls(found: ir.Table) -> list[ir.Table]:
    """The staff number leads to the employer; where it leads nowhere, the line leads to its holder (domain F36)."""
    staffed = _staffed(found)
    unknown = _at_an_instant(found, "caller", "started_at").anti_join(staffed, list(_ORIGIN))
    return [_of(staffed, GroundKind.CALL_STAFF), _of(_held(unknown), GroundKind.CALL_LINE)]


def _from_messages(found: ir.Table) -> list[ir.Table]:
    return [_of(_held(_at_an_instant(found, "port", "sent_at")), GroundKind.MESSAGE)]


def _from_orders(found: ir.Table) -> list[ir.Table]:
    on_that_day = [
        found.channel_code == _R.channels.channel_code,
        found.on_day >= _R.channels.from_day,
        found.on_day < _R.channels.to_day,
    ]
    sold = found.join(_R.channels, on_that_day).select(
        *(found[name] for name in _ORIGIN), party_id=_R.channels.party_id
    )
    return [_of(sold, GroundKind.ORDER_CHANNEL), _of(_staffed(found), GroundKind.ORDER_STAFF)]


def _from_register(incidents: ir.Table) -> list[ir.Table]:
    asked = incidents.filter(incidents.caller.notnull()).select(
        "incident_id",
        "on_day",
        platform=ibis.null().cast("string"),
        record_id=ibis.null().cast("string"),
        key=incidents.incident_id.cast("string"),
        number=incidents.caller,
        first=incidents.occurred_at,
        end=incidents.occurred_to,
    )
    return [_of(_held(asked), GroundKind.HOLDER)]


def _from_words(incidents: ir.Table) -> list[ir.Table]:
    said = unbound("said", SAID)
    of_incident = said.join(incidents, said.incident_id == incidents.incident_id)
    grade = ibis.literal(Grade.C.value)
    values = {"incident_id": said.incident_id, "ground": said.ground, "party_id": said.party_id}
    return [of_incident.select(**_columns(GROUNDS, **values, grade=grade, on_day=incidents.on_day))]


def _every_ground() -> ir.Table:
    """Return every ground of every incident, the strongest first."""
    incidents = unbound("incidents", matching.INCIDENTS)
    tables = [
        *_from_calls(unbound("found_calls", matching.FITTING_CALLS.schema)),
        *_from_messages(unbound("found_messages", matching.FITTING_MESSAGES.schema)),
        *_from_orders(unbound("found_orders", matching.FOLLOWING_ORDERS.schema)),
        *_from_register(incidents),
        *_from_words(incidents),
    ]
    return ibis.union(*tables, distinct=True).order_by(
        "incident_id", "grade", "ground", "party_id", "on_day", "platform", "record_id"
    )


GROUNDS_QUERY = RecordQuery("grounds", _every_ground())
