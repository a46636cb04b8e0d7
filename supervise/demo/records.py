"""The records that the demo's platforms deliver each week: most calls of its story, by no means all."""

import csv
import datetime as dt
import io
import random
import tempfile
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.cipher import Keyring
from supervise.complaints.models import IncidentKind
from supervise.complaints.reported import ReportedCall
from supervise.demo.registers import HANDED_OVER, NUMBERS, OFFICIAL, Registers
from supervise.evidence.importing import run_import
from supervise.evidence.manifest import open_import
from supervise.evidence.models import RecordKind, RecordSource

#: Code, name, what it delivers.
SOURCES = (("WH01", "省公司外呼平台", RecordKind.CALLS), ("DX01", "短信网关", RecordKind.MESSAGES))
_HEADS = {
    RecordKind.CALLS: ("话单号", "主叫号码", "被叫号码", "开始时间", "结束时间", "通话时长", "是否接通", "工号"),
    RecordKind.MESSAGES: ("短信标识", "端口号", "接收号码", "发送时间", "签名", "短信类别", "短信内容"),
    RecordKind.ORDERS: ("订单号", "用户号码", "受理时间", "渠道编码", "工号", "原套餐", "新套餐", "月费差额"),
}
#: Who dials from the outsourcer's lines, and from the official number for whoever has the job.
_STAFF = ("8001", "8002")
_OFFICIAL_STAFF = ("8001", "9583")
_RECORDED = 0.87
#: Nobody of ours dialled the rest: those show a number that is not theirs.
_DIALLED_OFFICIALLY = 0.6
_SEED = 20_261_129


class Called(NamedTuple):
    """A call or message that was reported, and the subscriber's number."""

    number: str
    call: ReportedCall


def make_sources(session: Session, since: dt.date) -> None:
    """Enter the platforms that deliver records."""
    session.add_all(
        RecordSource(code=code, name=name, kind=kind, carrier_code="CU", valid_from=since)
        for code, name, kind in SOURCES
    )


def deliver(
    keyring: Keyring, registers: Registers, called: Sequence[Called], covers: tuple[dt.date, dt.date], serial: int
) -> None:
    """Import what the platforms recorded of *called*, for the days *covers*; opens its own transactions."""
    chance = random.Random(_SEED + serial)  # noqa: S311 - a story, not a secret
    rows: dict[RecordKind, list[Sequence[object]]] = {RecordKind.CALLS: [], RecordKind.MESSAGES: []}
    for place, one in enumerate(called):
        record_id = f"{serial:02d}{place:04d}"
        if one.call.kind is IncidentKind.SMS:
            if chance.random() < _RECORDED:
                rows[RecordKind.MESSAGES].append(_message(f"SM{record_id}", one))
        elif chance.random() < _likely(one.call.caller_number):
            rows[RecordKind.CALLS].append(_call(chance, f"HD{record_id}", one))
    for source in SOURCES:
        if rows[source[2]]:
            import_records(keyring, registers.users["triager"], (source[0], source[2]), rows[source[2]], covers)


def _likely(caller: str | None) -> float:
    if caller == OFFICIAL:
        return _DIALLED_OFFICIALLY
    known = caller == HANDED_OVER or any(caller in numbers for numbers in NUMBERS.values())
    return _RECORDED if known else 0


def _call(chance: random.Random, record_id: str, one: Called) -> Sequence[object]:
    caller, seconds = one.call.caller_number, one.call.seconds or 0
    started_at = one.call.occurred_at + dt.timedelta(seconds=chance.randrange(50))
    ended_at = started_at + dt.timedelta(seconds=seconds + 12)
    staff = ""
    if caller == OFFICIAL:
        staff = chance.choice(_OFFICIAL_STAFF)
    elif caller in NUMBERS["LD"]:
        staff = chance.choice(_STAFF)
    answered = "是" if one.call.answered else "否"
    return (record_id, caller, one.number, _china(started_at), _china(ended_at), seconds, answered, staff)


def _message(record_id: str, one: Called) -> Sequence[object]:
    text = one.call.sms_text or ""
    signature = text[: text.find("】") + 1]
    sent_at = _china(one.call.occurred_at + dt.timedelta(seconds=5))
    return (record_id, one.call.caller_number, one.number, sent_at, signature, "营销", text)


def _china(at: dt.datetime) -> str:
    return f"{at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}"


def import_records(
    keyring: Keyring,
    actor_id: int,
    source: tuple[str, RecordKind],
    rows: Iterable[Sequence[object]],
    covers: tuple[dt.date, dt.date],
) -> None:
    """Import a platform's file that is complete for the days *covers*; opens its own transactions."""
    platform, kind = source
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_HEADS[kind])
    writer.writerows(rows)
    content = text.getvalue().encode("utf-8-sig")
    batch = db.decide(
        open_import,
        kind,
        file_name=f"{platform}-{covers[0]:%Y%m%d}.csv",
        size_bytes=len(content),
        platform=platform,
        covers=covers,
        actor_id=actor_id,
    )
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        run_import(keyring, batch.id, file, lambda _done, _total: None)
