"""What a record of each kind holds: the columns of its Parquet files, and the headings under which files bring them.

One list serves the import, the query layer, the pages and the manual. A subscriber's number is never a column: its
keyed blind index is. Moments are UTC to the microsecond; ``on_day`` is the China day of the first moment, and
``minute_of_day`` its minute in China, so that no engine needs a time zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import pyarrow as pa

from supervise.evidence.models import RecordKind

MOMENT = pa.timestamp("us", tz="UTC")


class Reading(Enum):
    """How the text of a cell becomes the column's value."""

    #: A name in the source's own system; if it holds what could be a subscriber's number, its keyed index instead.
    IDENTITY = auto()
    #: Short business words: staff number, plan, channel code; if one holds a telephone number, its keyed index instead.
    CODE = auto()
    #: Words that may hold numbers: masked.
    TEXT = auto()
    #: Free text of which only the hash and the masked words are kept.
    CONTENT = auto()
    #: The hash that a platform gives in the place of the content: keyed anew, so that it tells no more than ours.
    CONTENT_HASH = auto()
    #: A calling number or a port: business data, plain digits.
    CALLER = auto()
    #: A subscriber's number: its keyed blind index.
    SUBSCRIBER = auto()
    MOMENT = auto()
    SECONDS = auto()
    YES_NO = auto()
    #: Yuan in the file, fen in the store.
    FEN = auto()
    #: One of three words for the class of an SMS.
    MESSAGE_CLASS = auto()


class RecordColumn(NamedTuple):
    """A column of a record file."""

    name: str
    reading: Reading
    #: Accepted in the file's header, the preferred one first.
    headings: tuple[str, ...]
    #: The file must have the column, and each row a value in it.
    required: bool = False


#: The store's type of each reading.
TYPES: Mapping[Reading, pa.DataType] = {
    Reading.IDENTITY: pa.string(),
    Reading.CODE: pa.string(),
    Reading.TEXT: pa.string(),
    Reading.CONTENT: pa.string(),
    Reading.CONTENT_HASH: pa.string(),
    Reading.CALLER: pa.string(),
    Reading.SUBSCRIBER: pa.string(),
    Reading.MOMENT: MOMENT,
    Reading.SECONDS: pa.int32(),
    Reading.YES_NO: pa.bool_(),
    Reading.FEN: pa.int64(),
    Reading.MESSAGE_CLASS: pa.string(),
}
#: The column that says which platform a row is of; without it, whoever imports names one for all rows.
PLATFORM_HEADINGS = ("平台", "平台编码", "platform")


@dataclass(frozen=True)
class RecordType:
    """The columns of one kind of record."""

    kind: RecordKind
    columns: tuple[RecordColumn, ...]
    #: The column that the day goes by.
    moment: str
    #: The column whose equal values stand together in a file, so that one subscriber's rows are in one row group.
    sorted_by: str = "subscriber_index"

    @property
    def schema(self) -> pa.Schema:
        """The columns of the Parquet files, in order."""
        fields = [pa.field("platform", pa.string())]
        fields += [pa.field(column.name, TYPES[column.reading]) for column in self.columns]
        fields += [pa.field("on_day", pa.date32()), pa.field("minute_of_day", pa.int16())]
        return pa.schema(fields)


_STAFF = RecordColumn("staff_number", Reading.CODE, ("工号", "坐席工号", "staff_number"))

CALLS = RecordType(
    RecordKind.CALLS,
    (
        RecordColumn("record_id", Reading.IDENTITY, ("话单号", "通话标识", "记录编号", "record_id"), required=True),
        RecordColumn("caller", Reading.CALLER, ("主叫号码", "主叫", "caller"), required=True),
        RecordColumn("subscriber_index", Reading.SUBSCRIBER, ("被叫号码", "被叫", "用户号码", "callee"), required=True),
        RecordColumn("started_at", Reading.MOMENT, ("开始时间", "呼叫时间", "started_at"), required=True),
        RecordColumn("ended_at", Reading.MOMENT, ("结束时间", "ended_at")),
        RecordColumn("ring_seconds", Reading.SECONDS, ("振铃时长", "ring_seconds")),
        RecordColumn("talk_seconds", Reading.SECONDS, ("通话时长", "talk_seconds")),
        RecordColumn("answered", Reading.YES_NO, ("是否接通", "接通", "answered")),
        RecordColumn("campaign", Reading.TEXT, ("活动", "营销活动", "campaign")),
        _STAFF,
        RecordColumn("recording_ref", Reading.TEXT, ("录音编号", "录音流水号", "recording_ref")),
    ),
    moment="started_at",
)
MESSAGES = RecordType(
    RecordKind.MESSAGES,
    (
        RecordColumn("record_id", Reading.IDENTITY, ("短信标识", "记录编号", "record_id"), required=True),
        RecordColumn("port", Reading.CALLER, ("端口号", "发送端口", "port"), required=True),
        RecordColumn(
            "subscriber_index", Reading.SUBSCRIBER, ("接收号码", "用户号码", "被叫号码", "recipient"), required=True
        ),
        RecordColumn("sent_at", Reading.MOMENT, ("发送时间", "sent_at"), required=True),
        RecordColumn("signature", Reading.TEXT, ("签名", "短信签名", "signature")),
        RecordColumn("opt_out_text", Reading.TEXT, ("退订方式", "退订内容", "opt_out_text")),
        RecordColumn("message_class", Reading.MESSAGE_CLASS, ("短信类别", "短信类型", "class")),
        RecordColumn("content", Reading.CONTENT, ("短信内容", "内容", "content")),
        RecordColumn("content_sha256", Reading.CONTENT_HASH, ("内容摘要", "短信内容哈希", "content_hash")),
    ),
    moment="sent_at",
)
ORDERS = RecordType(
    RecordKind.ORDERS,
    (
        RecordColumn("record_id", Reading.IDENTITY, ("订单号", "order_id", "record_id"), required=True),
        RecordColumn("subscriber_index", Reading.SUBSCRIBER, ("用户号码", "号码", "subscriber"), required=True),
        RecordColumn("ordered_at", Reading.MOMENT, ("受理时间", "办理时间", "ordered_at"), required=True),
        RecordColumn("channel_code", Reading.CODE, ("渠道编码", "渠道代码", "channel_code"), required=True),
        _STAFF,
        RecordColumn("plan_before", Reading.CODE, ("原套餐", "plan_before")),
        RecordColumn("plan_after", Reading.CODE, ("新套餐", "套餐编码", "plan_after")),
        RecordColumn("price_difference_fen", Reading.FEN, ("月费差额", "价差", "price_difference")),
        RecordColumn("consented_at", Reading.MOMENT, ("用户同意时间", "consented_at")),
        RecordColumn("confirmation_sent_at", Reading.MOMENT, ("确认短信发送时间", "confirmation_sent_at")),
        RecordColumn("confirmed_at", Reading.MOMENT, ("确认短信回复时间", "confirmed_at")),
        RecordColumn("notice_sent_at", Reading.MOMENT, ("办理结果通知时间", "notice_sent_at")),
    ),
    moment="ordered_at",
)
QUALITY = RecordType(
    RecordKind.QUALITY,
    (
        RecordColumn("record_id", Reading.IDENTITY, ("质检编号", "记录编号", "record_id"), required=True),
        RecordColumn("call_record_id", Reading.IDENTITY, ("话单号", "通话标识", "call_record_id"), required=True),
        RecordColumn("call_platform", Reading.CODE, ("话单平台", "call_platform")),
        RecordColumn("subscriber_index", Reading.SUBSCRIBER, ("被叫号码", "用户号码", "callee"), required=True),
        RecordColumn("checked_at", Reading.MOMENT, ("质检时间", "checked_at"), required=True),
        RecordColumn("checked_by", Reading.CODE, ("质检员工号", "checked_by")),
        RecordColumn("passed", Reading.YES_NO, ("是否合格", "passed"), required=True),
        RecordColumn("remark", Reading.TEXT, ("质检意见", "remark")),
    ),
    moment="checked_at",
)
RECORD_TYPES: Mapping[RecordKind, RecordType] = {one.kind: one for one in (CALLS, MESSAGES, ORDERS, QUALITY)}
