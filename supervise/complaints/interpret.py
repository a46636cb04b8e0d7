"""One row of a complaint file: from cells as text to checked values, and from those to a report.

What cannot be read is a remark on the row, never a guess. The checked values are kept as JSON between preview and
commit, times as China wall clock.
"""

import datetime as dt
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from supervise import clock, phone
from supervise.complaints.models import CallerKind, Channel, DemandHead, IncidentKind, Precision
from supervise.complaints.reported import ReportedCall, ReportedDemand, ReportedRefusal, ReportedTicket
from supervise.files import values
from supervise.files.identity import Value
from supervise.files.mapping import Columns, MappedRow
from supervise.files.remarks import Remark
from supervise.files.row_values import RowValues
from supervise.labels import N_
from supervise.phone import NumberClass, NumberingPlan

#: Complaint texts are kept whole up to this; a longer one is no complaint but a mistake.
TEXT_MAX = 100_000
_SHORT_MAX = 200
_SMS_WORDS = ("短信", "彩信", "信息", "sms", "message")
_ROBOT_WORDS = ("机器", "录音", "语音", "ai", "robot", "recorded")
_HUMAN_WORDS = ("人工", "真人", "human")
#: Fields that say the same few things in row after row: each is read once.
_FEW_WORDS = frozenset({"kind", "seconds", "answered", "caller_kind", "refused", "opt_out_sent", "sensitive"})
_WORDS_REMEMBERED = 256
_MOMENTS_REMEMBERED = 4096
_CALLERS_REMEMBERED = 4096
_NEGATIONS = ("未", "没", "无", "不")
#: A year that no complaint file means: a slip of the finger, or a two-digit year.
_EARLIEST_YEAR = 2000


class Interpreted(NamedTuple):
    """A row that was read: its values if nothing is wrong with it, and what there is to say."""

    row_number: int
    #: Checked values by field; of a wrong row the cells as they came.
    cells: dict[str, Any]
    remarks: list[Remark]
    is_wrong: bool


@dataclass(frozen=True)
class Interpreter:
    """Reads the rows of one file by its columns."""

    columns: Columns
    channel: Channel
    now: dt.datetime
    _numbers: dict[str, str] = field(default_factory=dict)
    _moments: dict[str, values.Moment] = field(default_factory=dict)

    def read(self, row: MappedRow) -> Interpreted:
        """Return what *row* says; every wrong cell is named at once."""
        cells = RowValues(row, self.columns)
        found: dict[str, Any] = {}
        self._read_times(cells, row, found)
        for name, parse in self._parsers:
            value = cells.optional(name, parse)
            if value is not None:
                found[name] = value
        if not row.problems and not any(row.cells.values()):
            cells.add("content", N_("The row is empty"))
        if cells.remarks:
            return Interpreted(row.number, dict(row.cells), cells.remarks, is_wrong=True)
        return Interpreted(row.number, found, self._notes(found), is_wrong=False)

    @functools.cached_property
    def _parsers(self) -> Sequence[tuple[str, Callable[[str], Any]]]:
        """What reads each field that this file has, but for the times."""
        parsers = {
            **_PARSERS,
            "number": self._number,
            "caller_number": self._number,
            "stated_due_on": self._day,
        }
        present = {*self.columns.places, *self.columns.mapping.constants}
        return [
            (name, functools.lru_cache(_WORDS_REMEMBERED)(parse) if name in _FEW_WORDS else parse)
            for name, parse in parsers.items()
            if name in present
        ]

    def _number(self, text: str) -> str:
        # A day's file names few callers many times.
        if text not in self._numbers:
            self._numbers[text] = phone.normalise(text, self.columns.mapping.plan)
        return self._numbers[text]

    def _day(self, text: str) -> str:
        return values.parse_day(text, self.columns.mapping.date_formats).isoformat()

    def _moment(self, text: str) -> values.Moment:
        if text not in self._moments:
            self._moments[text] = values.parse_moment(text, self.columns.mapping.date_formats)
        return self._moments[text]

    def _call_time(self, row: MappedRow) -> Callable[[str], values.Moment]:
        """Return what reads the time of a call: a day in one column and the time of day in another count as one."""
        time_of_day = row.cells.get("occurred_clock", "")
        if not time_of_day:
            return self._moment
        return lambda text: self._moment(f"{self._day(text)} {time_of_day}")

    def _read_times(self, cells: RowValues, row: MappedRow, found: dict[str, Any]) -> None:
        for name in ("received_at", "occurred_at", "refused_at"):
            text = row.cells.get(name, "")
            if not text:
                continue
            moment = cells.optional(name, self._call_time(row) if name == "occurred_at" else self._moment)
            if moment is None:
                continue
            if moment.at > self.now:
                cells.add(name, N_("The time lies in the future: %(text)s"), text=text)
            elif moment.at.year < _EARLIEST_YEAR:
                cells.add(name, N_("There is no such date or time: %(text)s"), text=text)
            found[name] = _china_text(moment.at)
            found[f"{name}_precision"] = moment.precision.value
        if "occurred_at" in found:
            found["occurred_text"] = " ".join(
                filter(None, (row.cells["occurred_at"], row.cells.get("occurred_clock", "")))
            )

    def _notes(self, found: Mapping[str, Any]) -> list[Remark]:
        """Return what a clerk should know of a right row."""
        notes: list[Remark] = []
        if "occurred_at" not in found:
            notes.append((N_("No time of a call: the ticket will have no incident"), {}))
        elif "caller_number" not in found:
            notes.append((N_("No caller's number: the incident cannot be attributed"), {}))
        if "number" not in found:
            notes.append((N_("No subscriber's number: an anonymous report, no credit is possible"), {}))
        if _is_after_complaint(found):
            notes.append((N_("The call is later than the complaint"), {}))
        return notes


@functools.lru_cache(_MOMENTS_REMEMBERED)
def _china_text(at: dt.datetime) -> str:
    return at.astimezone(clock.CHINA).replace(tzinfo=None).isoformat(sep=" ")


@functools.lru_cache(_MOMENTS_REMEMBERED)
def _from_china_text(text: str) -> dt.datetime:
    return clock.from_china(dt.datetime.fromisoformat(text))


@functools.lru_cache(_CALLERS_REMEMBERED)
def _caller_class(caller: str) -> NumberClass:
    # Few callers call many; of the callers alone, so that no subscriber's number stays in memory.
    return phone.classify(caller)


def _is_after_complaint(found: Mapping[str, Any]) -> bool:
    if "occurred_at" not in found or "received_at" not in found:
        return False
    occurred, received = found["occurred_at"], found["received_at"]
    if Precision.DAY.value in {found["occurred_at_precision"], found["received_at_precision"]}:
        occurred, received = occurred[:10], received[:10]
    return bool(occurred > received)


def _text(limit: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if len(text) > limit:
            raise values.CellError(N_("The text is longer than %(limit)d characters"), limit=limit)
        return values.parse_text(text)

    return parse


def _kind(text: str) -> str:
    folded = text.casefold()
    return (IncidentKind.SMS if any(word in folded for word in _SMS_WORDS) else IncidentKind.CALL).value


def _caller_kind(text: str) -> str:
    folded = text.casefold()
    for kind, words in ((CallerKind.ROBOT, _ROBOT_WORDS), (CallerKind.HUMAN, _HUMAN_WORDS)):
        if any(word in folded for word in words):
            return kind.value
    return (CallerKind.ROBOT if values.parse_boolean(text) else CallerKind.HUMAN).value


def _whether(word: str) -> Callable[[str], bool]:
    """Return what reads yes, no, or the *word* with or without a negation, as 已接听 and 未接听."""

    def parse(text: str) -> bool:
        return not any(no in text for no in _NEGATIONS) if word in text else values.parse_boolean(text)

    return parse


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "external_ref": _text(_SHORT_MAX),
    "kind": _kind,
    "seconds": values.parse_seconds,
    "answered": _whether("接"),
    "caller_kind": _caller_kind,
    "subject": _text(_SHORT_MAX),
    "content": _text(TEXT_MAX),
    "demand": _text(TEXT_MAX),
    "claimed_amount": values.parse_yuan,
    "claimed_calls": values.parse_count,
    "claimed_party": _text(_SHORT_MAX),
    "complainant": _text(_SHORT_MAX),
    "region": _text(_SHORT_MAX),
    "region_detail": _text(_SHORT_MAX),
    "refused": _whether("拒绝"),
    "sms_text": _text(TEXT_MAX),
    "opt_out_sent": _whether("退订"),
    "sensitive": values.parse_boolean,
}


def identity_values(found: Mapping[str, Any]) -> Mapping[str, Value]:
    """Return the values that make two rows without a reference the same row."""
    return {name: value for name, value in found.items() if not name.endswith("_precision") and name != "unit_id"}


def call_of(found: Mapping[str, Any], plan: NumberingPlan) -> ReportedCall | None:
    """Return the call that the checked values of a row report; None if they give no time."""
    if "occurred_at" not in found:
        return None
    caller = found.get("caller_number")
    is_sms = "sms_text" in found or found.get("kind") == IncidentKind.SMS.value
    return ReportedCall(
        kind=IncidentKind.SMS if is_sms else IncidentKind.CALL,
        occurred_at=_from_china_text(found["occurred_at"]),
        precision=Precision(found["occurred_at_precision"]),
        occurred_text=found["occurred_text"],
        caller_number=caller,
        caller_class=_caller_class(caller) if caller and plan is NumberingPlan.CHINA else None,
        numbering_plan=plan,
        answered=found.get("answered"),
        seconds=found.get("seconds"),
        caller_kind=CallerKind(found.get("caller_kind", CallerKind.UNKNOWN)),
        subject=found.get("subject"),
        sms_text=found.get("sms_text"),
        opt_out_sent=found.get("opt_out_sent"),
    )


def report_of(
    found: Mapping[str, Any],
    *,
    channel: Channel,
    plan: NumberingPlan,
    row_key: str | None,
    batch_id: int,
    now: dt.datetime,
) -> ReportedTicket:
    """Return the report that the checked values of a row make; without a time of receipt it was received *now*."""
    call = call_of(found, plan)
    received_at = _from_china_text(found["received_at"]) if "received_at" in found else now
    stated = found.get("stated_due_on")
    region = " ".join(filter(None, (found.get("region"), found.get("region_detail")))) or None
    amount_fen = found.get("claimed_amount")
    return ReportedTicket(
        channel=channel,
        received_at=received_at,
        received_precision=Precision(found.get("received_at_precision", Precision.SECOND)),
        content=content_of(found),
        number=found.get("number"),
        external_ref=found.get("external_ref"),
        row_key=None if "external_ref" in found else row_key,
        batch_id=batch_id,
        unit_id=found.get("unit_id"),
        region_text=region,
        complainant=found.get("complainant"),
        claimed_party=found.get("claimed_party"),
        claimed_calls=found.get("claimed_calls"),
        sensitive=bool(found.get("sensitive", False)),
        stated_due_on=dt.date.fromisoformat(stated) if stated else None,
        calls=(call,) if call else (),
        demands=(ReportedDemand(head=DemandHead.OTHER, units=1, unit_fen=amount_fen),) if amount_fen else (),
        refusal=_refusal(found, call, received_at),
    )


def content_of(found: Mapping[str, Any]) -> str:
    """Return the complaint's text: description and demand as the source gives them."""
    texts = [found.get("content"), found.get("demand")]
    return "\n".join(text for text in texts if text)


def _refusal(found: Mapping[str, Any], call: ReportedCall | None, received_at: dt.datetime) -> ReportedRefusal | None:
    if not found.get("refused"):
        return None
    if "refused_at" in found:
        return ReportedRefusal(said_at=_from_china_text(found["refused_at"]), how="report")
    # Said during the call, and at the latest when the complaint was made.
    said_at = min(call.occurred_at, received_at) if call else received_at
    return ReportedRefusal(said_at=said_at, how="call" if call else "report")
