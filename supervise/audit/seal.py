"""Sealing the audit trail: its events become links of an HMAC chain whose newest link is anchored outside.

The triggers of migration 0001 keep the application from changing an event; this finds what somebody changed past
them, and names the first row that does not hold (domain F112). Events are sealed by their absence from
``audit_seal_event``, never by a range of ids, since a late committer may come with a lower id.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise import clock
from supervise.audit.models import AuditEvent, AuditSeal, AuditSealEvent
from supervise.cipher import Keyring
from supervise.labels import N_
from supervise.sealing import (
    GENESIS,
    Anchor,
    BrokenError,
    Fault,
    digest_of,
    encode,
    hold_chain,
    is_mac_of,
    moment,
    raw,
    seal_mac,
)

#: One seal holds at most so many events, so that sealing needs little memory.
_EVENTS_MAX = 10_000
_BATCH = 5_000
_LOCK = 727_420_003
_COLUMNS: tuple[InstrumentedAttribute[Any], ...] = (
    AuditEvent.id,
    AuditEvent.at,
    AuditEvent.actor_id,
    AuditEvent.action,
    AuditEvent.subject,
    AuditEvent.subject_id,
    AuditEvent.changes,
    AuditEvent.reason,
    AuditEvent.address,
    AuditEvent.request_id,
)


class TrailReport(NamedTuple):
    """What a verification of the trail found; numbers count what was read before the first fault."""

    events: int
    seals: int
    #: Events that no seal holds yet, and when the oldest of them was recorded.
    unsealed: int
    oldest_unsealed_at: dt.datetime | None
    fault: Fault | None


class _StoredEvent(NamedTuple):
    event_id: int
    #: Of the event as it stands now; None if it is gone.
    sha256: bytes | None
    seal_id: int
    sealed: bytes


def anchor_file_beside(anchor_file: Path) -> Path:
    """Return where the trail's seals are anchored: beside the *anchor_file* of the ledger."""
    return anchor_file.with_name(f"audit-{anchor_file.name}")


def seal_events(session: Session, keyring: Keyring) -> Sequence[Anchor]:
    """Seal every event that no seal holds.

    Returns the anchors of the new seals, the newest last; none if there was nothing to seal. Append the
    newest to the anchor file after the commit, never before it.

    Raises:
        RuntimeError: in an isolation level whose snapshot is older than the lock (reliability E4).
    """
    session.flush()
    connection = session.connection()
    hold_chain(connection, _LOCK)
    head = connection.execute(select(AuditSeal.id, AuditSeal.mac).order_by(AuditSeal.id.desc()).limit(1)).first()
    previous = (0, GENESIS) if head is None else (head.id, head.mac)
    new: list[Anchor] = []
    after_id = 0
    while events := _unsealed(connection, after_id):
        anchor = _add_seal(connection, keyring, previous, events)
        previous = anchor.seal_id, anchor.mac
        new.append(anchor)
        after_id = events[-1][0]
    return new


def verify_trail(session: Session, keyring: Keyring, anchors: Iterable[Anchor] = ()) -> TrailReport:
    """Compute the chain of the trail again, each sealed event, and *anchors* kept elsewhere.

    Events and seals that are added meanwhile do not disturb it.
    """
    session.flush()
    verification = _Verification(session.connection(), keyring)
    fault = None
    try:
        verification.run(anchors)
    except BrokenError as broken:
        fault = broken.fault
    sealed = select(AuditSealEvent.event_id).where(AuditSealEvent.event_id == AuditEvent.id)
    query = select(func.count(), func.min(AuditEvent.at)).select_from(AuditEvent).where(~sealed.exists())
    unsealed, oldest_at = session.execute(query).one()
    return TrailReport(verification.events, verification.seals, unsealed, oldest_at, fault)


def seal_content(number: int, previous_mac: str, sealed_at: str, events: tuple[int, str]) -> bytes:
    """Return the bytes of a seal: its place, how many events it holds and their digest."""
    count, digest = events
    picture = {
        "events": count,
        "events_sha256": digest,
        "previous_mac": previous_mac,
        "seal": number,
        "sealed_at": sealed_at,
    }
    return encode(picture)


def event_content(columns: Sequence[Any]) -> bytes:
    """Return the bytes of an event from its columns as the driver gives them, in the order of the table."""
    picture = {column.key: value for column, value in zip(_COLUMNS, columns, strict=True)}
    picture["at"] = moment(picture["at"])
    picture["changes"] = _json(picture["changes"])
    return encode(picture)


def _json(value: Any) -> Any:
    # PostgreSQL's driver reads JSON itself, SQLite's gives its text; damaged text is spelt as it is.
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _unsealed(connection: Connection, after_id: int) -> list[tuple[int, bytes]]:
    """Return (id, digest) of the next events that no seal holds; *after_id* pages within one run."""
    sealed = select(AuditSealEvent.event_id).where(AuditSealEvent.event_id == AuditEvent.id)
    query = (
        select(*(raw(column) for column in _COLUMNS))
        .where(AuditEvent.id > after_id, ~sealed.exists())
        .order_by(AuditEvent.id)
        .limit(_EVENTS_MAX)
    )
    return [(row[0], hashlib.sha256(event_content(row)).digest()) for row in connection.execute(query)]


def _add_seal(
    connection: Connection, keyring: Keyring, previous: tuple[int, str], events: Sequence[tuple[int, bytes]]
) -> Anchor:
    sealed_at = clock.now()
    number, previous_mac = previous[0] + 1, previous[1]
    content = seal_content(number, previous_mac, moment(sealed_at), digest_of(events))
    mac = seal_mac(keyring, content)
    row = {"id": number, "previous_mac": previous_mac, "sealed_at": sealed_at, "content": content, "mac": mac}
    connection.execute(insert(AuditSeal), row)
    rows = [{"event_id": event_id, "seal_id": number, "sha256": digest} for event_id, digest in events]
    connection.execute(insert(AuditSealEvent), rows)
    return Anchor(number, mac, moment(sealed_at))


class _Verification:
    """One pass over the trail; each step raises ``BrokenError`` at the first row that does not hold."""

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        self.connection = connection
        self.keyring = keyring
        self.events = self.seals = 0
        self.last_seal: int = connection.scalar(select(func.coalesce(func.max(AuditSeal.id), 0))) or 0
        self.anchors: dict[int, Anchor] = {}

    def run(self, anchors: Iterable[Anchor]) -> None:
        self._check_chain()
        seal = select(AuditSeal.id).where(AuditSeal.id == AuditSealEvent.seal_id)
        stray = self.connection.scalar(select(AuditSealEvent.event_id).where(~seal.exists()).limit(1))
        if stray is not None:
            raise BrokenError("audit_seal_event", stray, N_("belongs to no seal"))
        for anchor in anchors:
            if self.anchors.get(anchor.seal_id) != anchor:
                message = N_("is not the one anchored outside: the trail was cut or replaced")
                raise BrokenError("audit_seal", anchor.seal_id, message)

    def _check_chain(self) -> None:
        columns = (AuditSeal.id, AuditSeal.previous_mac, AuditSeal.sealed_at, AuditSeal.content, AuditSeal.mac)
        query = select(*(raw(column) for column in columns)).where(AuditSeal.id <= self.last_seal)
        with closing(self._sealed_events()) as events:
            groups = groupby(events, key=_seal_of)
            group = next(groups, None)
            previous_mac = GENESIS
            for number, seal in enumerate(self.connection.execute(query.order_by(AuditSeal.id)), start=1):
                if seal.id != number:
                    raise BrokenError("audit_seal", number, N_("is missing"))
                is_mine = group is not None and group[0] == number
                self._check_seal(seal, previous_mac, list(group[1]) if group is not None and is_mine else [])
                if is_mine:
                    group = next(groups, None)
                self.anchors[number] = Anchor(number, seal.mac, moment(seal.sealed_at))
                previous_mac = seal.mac
                self.seals += 1

    def _check_seal(self, seal: Row[*tuple[Any, ...]], previous_mac: str, events: Sequence[_StoredEvent]) -> None:
        content = bytes(seal.content)
        if not is_mac_of(self.keyring, content, seal.mac):
            raise BrokenError("audit_seal", seal.id, N_("its content was not sealed with our key"))
        for event in events:
            self._check_event(event)
        digest = digest_of((event.event_id, event.sealed) for event in events)
        spelt = seal_content(seal.id, previous_mac, moment(seal.sealed_at), digest)
        if spelt != content or seal.previous_mac != previous_mac:
            message = N_("does not hold the events, or does not follow the seal, that it was made of")
            raise BrokenError("audit_seal", seal.id, message)
        self.events += len(events)

    def _check_event(self, event: _StoredEvent) -> None:
        if event.sha256 is None:
            raise BrokenError("audit_event", event.event_id, N_("is missing"))
        if event.sha256 != event.sealed:
            raise BrokenError("audit_event", event.event_id, N_("is not what was sealed"))

    def _sealed_events(self) -> Generator[_StoredEvent]:
        query = (
            select(
                AuditSealEvent.event_id,
                AuditSealEvent.seal_id,
                AuditSealEvent.sha256,
                *(raw(column) for column in _COLUMNS),
            )
            .outerjoin(AuditEvent, AuditEvent.id == AuditSealEvent.event_id)
            .where(AuditSealEvent.seal_id <= self.last_seal)
            .order_by(AuditSealEvent.seal_id, AuditSealEvent.event_id)
        )
        with self.connection.execute(query.execution_options(yield_per=_BATCH)) as rows:
            for event_id, seal_id, sealed, *columns in rows:
                now = None if columns[0] is None else hashlib.sha256(event_content(columns)).digest()
                yield _StoredEvent(event_id, now, seal_id, bytes(sealed))


def _seal_of(event: _StoredEvent) -> int:
    return event.seal_id
