"""Records for tests: committed partitions from plain rows, as an import would have left them."""

import datetime as dt
import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.complaints.models import Incident, IncidentKind, SubscriberNumber
from supervise.evidence.models import (
    RecordImport,
    RecordImportState,
    RecordKind,
    RecordPartition,
    RecordSource,
)
from supervise.evidence.record_types import RECORD_TYPES
from supervise.evidence.store import store_of
from supervise.phone import normalise
from tests.factories.complaints import make_number
from tests.factories.parties import EVER_SINCE, make_carrier

_serial = count(1)


def make_source(
    session: Session,
    *,
    code: str = "crm",
    kind: RecordKind = RecordKind.CALLS,
    carrier_code: str = "CU",
    name: str = "外呼平台",
    valid_from: dt.date = EVER_SINCE,
    valid_to: dt.date | None = None,
) -> RecordSource:
    """The platform *code*; made if there is none yet."""
    source = session.scalar(select(RecordSource).where(RecordSource.code == code))
    if source is None:
        make_carrier(session, code=carrier_code)
        source = RecordSource(
            code=code, name=name, kind=kind, carrier_code=carrier_code, valid_from=valid_from, valid_to=valid_to
        )
        session.add(source)
        session.flush()
    return source


def write_records(
    session: Session,
    keyring: Keyring | None,
    kind: RecordKind,
    rows: Iterable[Mapping[str, Any]],
    *,
    platform: str = "crm",
    carrier_code: str = "CU",
    days: Iterable[dt.date] = (),
    actor_id: int = 1,
) -> RecordImport:
    """Write *rows* of one platform as committed partitions; *days* without a row are covered as well.

    A row holds the store's columns by name, but ``subscriber`` (plain digits) stands for ``subscriber_index``; moments
    are aware, and ``record_id`` may be left out.
    """
    kind_of = RECORD_TYPES[kind]
    source = make_source(session, code=platform, kind=kind, carrier_code=carrier_code)
    by_day: dict[dt.date, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        values = _stored(row, keyring, source, kind_of.moment)
        by_day[values["on_day"]].append(values)
    now = clock.now()
    every_day = sorted({*by_day, *days})
    batch = RecordImport(
        kind=kind,
        file_name="records.csv",
        sha256=secrets.token_hex(32),
        size_bytes=1,
        state=RecordImportState.COMMITTED,
        rows_total=sum(map(len, by_day.values())),
        rows_new=sum(map(len, by_day.values())),
        covers_from=min(every_day, default=None),
        covers_to=max(every_day) + dt.timedelta(days=1) if every_day else None,
        started_by=actor_id,
        started_at=now,
        finished_at=now,
    )
    session.add(batch)
    session.flush()
    session.add_all(_partition(session, batch, source, day, by_day.get(day, [])) for day in every_day)
    session.flush()
    return batch


def record_calls(
    session: Session,
    *incidents: Incident,
    platform: str = "crm",
    carrier_code: str = "CU",
    staff_number: str | None = None,
    caller: str | None = None,
) -> RecordImport:
    """The dialling platform's record of each call, to the second as it was reported; proof that it was made."""
    rows = [
        {
            "caller": caller or incident.caller_number,
            "subscriber_index": _index_of(session, incident),
            "started_at": incident.occurred_at,
            "answered": incident.answered,
            "talk_seconds": incident.seconds,
            "staff_number": staff_number,
        }
        for incident in incidents
    ]
    return write_records(session, None, RecordKind.CALLS, rows, platform=platform, carrier_code=carrier_code)


def record_every_call(session: Session) -> RecordImport:
    """The dialling platform's record of every reported call whose calling number is known."""
    query = select(Incident).where(Incident.kind == IncidentKind.CALL, Incident.caller_number.is_not(None))
    return record_calls(session, *session.scalars(query.order_by(Incident.id)))


def _index_of(session: Session, incident: Incident) -> str:
    """Who was called; an anonymous incident is given a number."""
    if incident.number_id is None:
        incident.number_id = make_number(session).id
        session.flush()
    return session.get_one(SubscriberNumber, incident.number_id).number_index


def record_order(
    session: Session,
    incident: Incident,
    *,
    after: dt.timedelta = dt.timedelta(days=1),
    channel_code: str = "QD01",
    platform: str = "boss",
    **values: Any,
) -> RecordImport:
    """An order on the subscriber's number *after* the call, 40 yuan a month dearer."""
    row = {
        "subscriber_index": _index_of(session, incident),
        "ordered_at": incident.occurred_at + after,
        "channel_code": channel_code,
        "plan_before": "P59",
        "plan_after": "P99",
        "price_difference_fen": 4_000,
        **values,
    }
    return write_records(session, None, RecordKind.ORDERS, [row], platform=platform)


def record_message(session: Session, incident: Incident, *, platform: str = "smsc", **values: Any) -> RecordImport:
    """The gateway's record of the message that was reported."""
    row = {
        "port": incident.caller_number,
        "subscriber_index": _index_of(session, incident),
        "sent_at": incident.occurred_at,
        "message_class": "marketing",
        **values,
    }
    return write_records(session, None, RecordKind.MESSAGES, [row], platform=platform)


def _stored(row: Mapping[str, Any], keyring: Keyring | None, source: RecordSource, moment: str) -> dict[str, Any]:
    values = dict(row)
    if "subscriber" in values:
        assert keyring is not None, "plain digits need the keys"
        values["subscriber_index"] = keyring.blind_index(normalise(values.pop("subscriber")))
    values.setdefault("record_id", f"R{next(_serial):08d}")
    china = values[moment].astimezone(clock.CHINA)
    values |= {"platform": source.code, "on_day": china.date(), "minute_of_day": china.hour * 60 + china.minute}
    return values


def _partition(
    session: Session, batch: RecordImport, source: RecordSource, day: dt.date, rows: list[dict[str, Any]]
) -> RecordPartition:
    partition = RecordPartition(
        import_id=batch.id, kind=batch.kind, source_id=source.id, on_day=day, rows=len(rows), size_bytes=0
    )
    if rows:
        kind_of = RECORD_TYPES[batch.kind]
        unknown = {name for row in rows for name in row} - set(kind_of.schema.names)
        assert not unknown, f"no columns of {batch.kind}: {unknown}"
        table = pa.Table.from_pylist(rows, schema=kind_of.schema)
        table = table.take(pc.sort_indices(table, [(kind_of.sorted_by, "ascending")]))
        partition.path = f"{batch.kind.value}/day={day}/{source.code}-{batch.id}-{secrets.token_hex(4)}.parquet"
        path = store_of(session).folder / partition.path
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        content = path.read_bytes()
        partition.size_bytes, partition.sha256 = len(content), hashlib.sha256(content).hexdigest()
    return partition
