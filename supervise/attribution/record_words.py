"""What a record says, in words: one sentence for each ground of a candidate."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from supervise import clock, money
from supervise.attribution.grades import GroundKind
from supervise.evidence.codes import shown
from supervise.evidence.matching import Found
from supervise.labels import N_

#: ``[message id, {parameters}]``, as it is stored; translated where it is shown.
Reason = list[Any]
Row = Mapping[str, Any]


class FoundRecords:
    """The records that were found, by the incident, platform and record id that a ground names."""

    def __init__(self, found: Found) -> None:
        self._calls, self._messages, self._orders = map(_by_key, found)

    def sentence(self, ground: GroundKind, key: tuple[int, str, str]) -> Reason:
        """Return what the record of a ground of grade A says."""
        rows, words = {
            GroundKind.CALL_STAFF: (self._calls, _staff_called),
            GroundKind.CALL_LINE: (self._calls, _line_called),
            GroundKind.MESSAGE: (self._messages, _sent),
            GroundKind.ORDER_CHANNEL: (self._orders, _sold_by_channel),
            GroundKind.ORDER_STAFF: (self._orders, _sold_by_staff),
        }[ground]
        return words(rows[key])

    def stored(self, ground: GroundKind, key: tuple[int, str, str]) -> dict[str, Any]:
        """Return what a verdict keeps of the record: enough to find it again, and to see whether it was corrected."""
        is_call = ground in (GroundKind.CALL_STAFF, GroundKind.CALL_LINE)
        rows = self._calls if is_call else self._messages if ground is GroundKind.MESSAGE else self._orders
        row = rows[key]
        return {"platform": row["platform"], "record_id": row["record_id"], "on_day": row["on_day"].isoformat()}


def _by_key(table: pa.Table) -> dict[tuple[int, str, str], Row]:
    return {(row["incident_id"], row["platform"], row["record_id"]): row for row in table.to_pylist()}


def china_time(at: dt.datetime) -> str:
    """Return *at* as China's clocks showed it."""
    return f"{at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}"


def _call_facts(row: Row) -> dict[str, Any]:
    return {
        "platform": row["platform"],
        "record": row["record_id"],
        "caller": row["caller"],
        "at": china_time(row["started_at"]),
        "seconds": row["talk_seconds"] or 0,
    }


def _staff_called(row: Row) -> Reason:
    return [
        N_(
            "Call record %(record)s of platform %(platform)s: %(caller)s called at %(at)s for %(seconds)d seconds, "
            "dialled by staff number %(staff)s."
        ),
        {**_call_facts(row), "staff": shown(row["staff_number"])},
    ]


def _line_called(row: Row) -> Reason:
    return [
        N_(
            "Call record %(record)s of platform %(platform)s: %(caller)s called at %(at)s for %(seconds)d seconds; "
            "no registered staff number, so the holder of the number answers."
        ),
        _call_facts(row),
    ]


def _sent(row: Row) -> Reason:
    facts = {
        "platform": row["platform"],
        "record": row["record_id"],
        "port": row["port"],
        "at": china_time(row["sent_at"]),
    }
    if row["signature"]:
        message = N_(
            "SMS record %(record)s of platform %(platform)s: sent from port %(port)s at %(at)s, signed %(signature)s."
        )
        return [message, {**facts, "signature": row["signature"]}]
    return [N_("SMS record %(record)s of platform %(platform)s: sent from port %(port)s at %(at)s."), facts]


def _order_facts(row: Row) -> dict[str, Any]:
    return {
        "order": row["record_id"],
        "at": china_time(row["ordered_at"]),
        "before": shown(row["plan_before"] or "-"),
        "after": shown(row["plan_after"] or "-"),
        "difference": money.format_yuan(row["price_difference_fen"] or 0),
    }


def _sold_by_channel(row: Row) -> Reason:
    return [
        N_(
            "Order %(order)s followed at %(at)s under channel code %(channel)s: plan %(before)s to %(after)s, "
            "%(difference)s yuan a month more."
        ),
        {**_order_facts(row), "channel": shown(row["channel_code"])},
    ]


def _sold_by_staff(row: Row) -> Reason:
    return [
        N_(
            "Order %(order)s followed at %(at)s under staff number %(staff)s: plan %(before)s to %(after)s, "
            "%(difference)s yuan a month more."
        ),
        {**_order_facts(row), "staff": shown(row["staff_number"])},
    ]


#: What is said of a party without a record.
SAID_WORDS: Mapping[GroundKind, str] = {
    GroundKind.CLAIM: N_("The caller claimed to be this party; a claim proves nothing."),
    GroundKind.SIGNATURE: N_("The message is signed with its name; anybody can sign so."),
    GroundKind.ANSWER_OURS: N_("The party answered that it was its own call."),
    GroundKind.ANSWER_NAMED: N_("Another party that was asked names it."),
    GroundKind.ANSWER_SILENT: N_("It was asked, and was silent beyond the deadline: not contested."),
    GroundKind.PATTERN: N_("Other incidents of the same number around that day were confirmed as its own."),
    GroundKind.ROTATION: N_(
        "Calls to the same subscriber around that day, from other numbers, were confirmed as its own."
    ),
    GroundKind.BURST: N_("So many other incidents of the same subscriber that day were confirmed as its own."),
}
