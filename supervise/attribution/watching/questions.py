"""What is asked of marked records: how many by party, and which ones, page by page.

The same marked records stand behind a figure and the rows that it opens.
"""

import functools
from collections.abc import Callable, Mapping
from enum import Enum

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from supervise.attribution.watching import calls, marking, messages, orders
from supervise.attribution.watching.kinds import BASES, Irregularity
from supervise.attribution.watching.marking import FIGURES, MARKED
from supervise.evidence.engine import RecordQuery, unbound
from supervise.evidence.record_types import CALLS, MESSAGES, MOMENT


class Amount(Enum):
    """How many rows one question gives at most, beside the one that shows whether there are more."""

    PAGE = 50
    #: Of one decision.
    DECISION = 1_000
    FILE = 50_000


#: Which rows are asked for: those of the party (NULL: of nobody) after a place in (time, platform, record id).
ASKED = pa.schema(
    [("party_id", pa.int64()), ("after_at", MOMENT), ("after_platform", pa.string()), ("after_record_id", pa.string())]
)
#: Records by name, for those that a person chose.
CHOSEN = pa.schema([("platform", pa.string()), ("record_id", pa.string())])
ORDER = ("at", "platform", "record_id")

MARKS: Mapping[Irregularity, Callable[[], ir.Table]] = {
    Irregularity.AFTER_REFUSAL: calls.after_refusal,
    Irregularity.OUTSIDE_HOURS: calls.outside_hours,
    Irregularity.SUBSCRIBER_TOO_OFTEN: calls.subscriber_too_often,
    Irregularity.STAFF_PACE: calls.staff_pace,
    Irregularity.NUMBER_BURST: calls.number_burst,
    Irregularity.NUMBER_ROTATION: calls.number_rotation,
    Irregularity.UNOFFICIAL_NUMBER: calls.unofficial_number,
    Irregularity.NO_PERMISSION: calls.no_permission,
    Irregularity.NO_RECORDING: calls.no_recording,
    Irregularity.NO_QUALITY_CHECK: calls.no_quality_check,
    Irregularity.SMS_BURST: messages.sms_burst,
    Irregularity.PORT_VOLUME: messages.port_volume,
    Irregularity.ORDER_STEP_MISSING: orders.order_step_missing,
    Irregularity.ORDER_STEPS_SWAPPED: orders.order_steps_swapped,
    Irregularity.PLAN_UNPUBLISHED: orders.plan_unpublished,
    Irregularity.PLAN_NOT_ON_CHANNEL: orders.plan_not_on_channel,
    Irregularity.PLAN_UNKNOWN: orders.plan_unknown,
}


def _summary(kind: Irregularity) -> ir.Table:
    found = MARKS[kind]()
    counted = found.group_by("party_id").aggregate(
        records=found.count(), subscribers=found.subscriber_index.nunique(), looked_at=ibis.null().cast("int64")
    )
    if BASES[kind].counts_all:
        return _counted_whole(counted.drop("looked_at"))
    if not BASES[kind].is_coverage:
        return counted.mutate(is_suspected=ibis.literal(True)).order_by("party_id")  # noqa: FBT003 - Ibis's way
    return _coverage(counted.drop("looked_at"))


def _of_whole(every: ir.Table, found: ir.Table) -> ir.Table:
    """Return each party of *every* with how many of its records were *found*, of how many."""
    whole = every.group_by("party_id").aggregate(looked_at=every.count())
    # Nobody's records are a group of their own: NULL equals NULL here.
    return whole.left_join(found, whole.party_id.identical_to(found.party_id)).select(
        whole.party_id,
        records=found.records.fill_null(0),
        subscribers=found.subscribers.fill_null(0),
        looked_at=whole.looked_at,
    )


def _counted_whole(found: ir.Table) -> ir.Table:
    """Return every party with orders, suspected as soon as one is irregular."""
    joined = _of_whole(marking.orders(), found)
    suspected = joined.mutate(is_suspected=joined.records > 0)
    return suspected.select("party_id", "records", "subscribers", "looked_at", "is_suspected").order_by("party_id")


def _coverage(lacking: ir.Table) -> ir.Table:
    """Return every party with answered calls, suspected if too many of them lack what is due (domain F53)."""
    joined = _of_whole(calls.answered(), lacking)
    figured = joined.cross_join(FIGURES)
    has = (figured.looked_at - figured.records) * 100
    suspected = figured.mutate(is_suspected=has < figured.looked_at * figured.value)
    return suspected.select("party_id", "records", "subscribers", "looked_at", "is_suspected").order_by("party_id")


def _rows(kind: Irregularity, limit: int) -> ir.Table:
    asked = unbound("asked", ASKED)
    found = MARKS[kind]().cross_join(asked.rename(asked_party_id="party_id"))
    later = (
        found.after_at.isnull()
        | (found.at > found.after_at)
        | ((found.at == found.after_at) & (found.platform > found.after_platform))
        | (
            (found.at == found.after_at)
            & (found.platform == found.after_platform)
            & (found.record_id > found.after_record_id)
        )
    )
    of_party = found.party_id.identical_to(found.asked_party_id)
    return found.filter(of_party & later).select(*MARKED.names).order_by(*ORDER).limit(limit)


def _chosen(kind: Irregularity) -> ir.Table:
    found, chosen = MARKS[kind](), unbound("chosen", CHOSEN)
    return found.semi_join(chosen, ["platform", "record_id"]).order_by(*ORDER)


# Each is put together, and compiled, once for each process, when it is first asked.


@functools.cache
def summary_of(kind: Irregularity) -> RecordQuery:
    """Return the question for the parties: how many records and subscribers, of how many, and whether suspected."""
    return RecordQuery(f"{kind.value}_by_party", _summary(kind))


@functools.cache
def rows_asked(kind: Irregularity, amount: Amount) -> RecordQuery:
    """Return the question for the rows of a party (``ASKED``) in order (``ORDER``)."""
    return RecordQuery(f"{kind.value}_{amount.name}", _rows(kind, amount.value + 1))


@functools.cache
def rows_chosen(kind: Irregularity) -> RecordQuery:
    """Return the question for those of the rows that are named (``CHOSEN``)."""
    return RecordQuery(f"{kind.value}_chosen", _chosen(kind))


def _senders(name: str, schema: pa.Schema, column: str) -> RecordQuery:
    records = unbound(name, schema)
    return RecordQuery(f"senders_of_{name}", records.select(sender=records[column]).distinct().order_by("sender"))


#: The calling numbers, or ports, of some records.
CALLERS = _senders("calls", CALLS.schema, "caller")
PORTS = _senders("messages", MESSAGES.schema, "port")
