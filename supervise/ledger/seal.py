"""Sealing: closed entries become links of an HMAC chain whose newest link is anchored outside the database.

A chain inside the database alone proves nothing against truncation or a full rewrite (reliability E4).
"""

import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.config import ConfigError
from supervise.ledger.canonical import (
    StoredEntry,
    chart_picture,
    encode,
    moment,
    periods_picture,
    unsealed_entries,
)
from supervise.ledger.models import Seal, SealEntry

#: The ``previous_mac`` of the first seal.
GENESIS = "0" * 64
#: One seal holds at most so many entries, so that sealing needs little memory.
_ENTRIES_MAX = 10_000
_LOCK = 727_420_002
_ANCHOR_FIELDS = 3


class Anchor(NamedTuple):
    """A seal as it is written down outside the database."""

    seal_id: int
    mac: str
    sealed_at: str

    def __str__(self) -> str:
        return f"{self.seal_id} {self.mac} {self.sealed_at}"


class AnchorError(ValueError):
    """A line of an anchor file is not one."""


def parse_anchor(line: str) -> Anchor:
    """Return the anchor that ``str`` gave.

    Raises:
        AnchorError: if *line* is no anchor.
    """
    parts = line.split()
    if len(parts) != _ANCHOR_FIELDS or not parts[0].isascii() or not parts[0].isdigit():
        raise AnchorError(f"not an anchor: {line!r}")
    return Anchor(int(parts[0]), parts[1], parts[2])


def seal_closed_entries(session: Session, keyring: Keyring) -> Sequence[Anchor]:
    """Seal every closed entry that no seal holds, and the chart and periods if they have changed.

    Returns the anchors of the new seals, the newest last; none if there was nothing to seal. Append the
    newest to the anchor file after the commit, never before it.

    Raises:
        RuntimeError: in an isolation level whose snapshot is older than the lock (reliability E4).
    """
    session.flush()
    connection = session.connection()
    _lock(connection)
    facts = {"accounts": chart_picture(connection), "periods": periods_picture(connection)}
    head = _newest(connection)
    is_news = head is None or _facts_of(head.content) != encode(facts)
    previous = (0, GENESIS) if head is None else (head.id, head.mac)
    new: list[Anchor] = []
    after_id = 0
    while True:
        entries = list(unsealed_entries(connection, after_id=after_id, limit=_ENTRIES_MAX))
        if not entries and not is_news:
            return new
        is_news = False
        anchor = _add_seal(connection, keyring, previous, entries, facts)
        previous = anchor.seal_id, anchor.mac
        new.append(anchor)
        if len(entries) < _ENTRIES_MAX:
            return new
        after_id = entries[-1].entry_id


def refuse_other_seal_key(session: Session, keyring: Keyring) -> None:
    """Refuse a seal key that is not the one of this ledger: what it sealed from now on, no verification could follow.

    One damaged seal is for ``verify`` to name, not a reason to stand still.

    Raises:
        ConfigError: if neither the first nor the newest seal was made with the key.
    """
    ends = select(func.min(Seal.id)).union(select(func.max(Seal.id)))
    seals = session.execute(select(Seal.content, Seal.mac).where(Seal.id.in_(ends))).all()
    if seals and not any(hmac.compare_digest(seal_mac(keyring, seal.content), seal.mac) for seal in seals):
        raise ConfigError("the seal key is not the one this ledger was sealed with: set SUPERVISE_KEY_FILE")


def newest_anchor(session: Session) -> Anchor | None:
    """Return the newest seal, to be written down outside; None before the first one."""
    head = _newest(session.connection())
    return None if head is None else Anchor(head.id, head.mac, moment(head.sealed_at))


def append_anchor(path: Path, anchor: Anchor) -> None:
    """Append *anchor* to the file at *path* and wait until it is on the disk; a repetition adds nothing."""
    if path.exists() and anchor in read_anchors(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{anchor}\n".encode("ascii"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_anchors(path: Path) -> list[Anchor]:
    """Return the anchors of the file at *path*, in order; a file that is not there has none.

    Raises:
        AnchorError: naming the line that is no anchor.
    """
    if not path.exists():
        return []
    return [parse_anchor(line) for line in path.read_text(encoding="ascii", errors="replace").splitlines()]


def seal_content(
    number: int, previous_mac: str, sealed_at: str, entries: tuple[int, str], facts: dict[str, Any]
) -> bytes:
    """Return the bytes of a seal: its place, how many entries it holds and their digest, chart and periods."""
    count, digest = entries
    picture = {
        "entries": count,
        "entries_sha256": digest,
        "previous_mac": previous_mac,
        "seal": number,
        "sealed_at": sealed_at,
        **facts,
    }
    return encode(picture)


def seal_mac(keyring: Keyring, content: bytes) -> str:
    """Return the HMAC-SHA256 of *content* under the seal key, 64 hex digits."""
    return hmac.new(keyring.seal_key, content, hashlib.sha256).hexdigest()


def entries_digest(entries: Iterable[tuple[int, bytes]]) -> tuple[int, str]:
    """Return the number and the digest of (id, content) in the order of ids; each is preceded by its length."""
    digest, count = hashlib.sha256(), 0
    for entry_id, content in entries:
        digest.update(b"%d:%d:" % (entry_id, len(content)))
        digest.update(content)
        count += 1
    return count, digest.hexdigest()


def _lock(connection: Connection) -> None:
    # On SQLite BEGIN IMMEDIATE is the lock.
    if connection.dialect.name != "postgresql":
        return
    level = connection.scalar(text("SHOW transaction_isolation"))
    if level != "read committed":
        raise RuntimeError(f"sealing needs READ COMMITTED, not {level}")
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _newest(connection: Connection) -> Any:
    return connection.execute(
        select(Seal.id, Seal.mac, Seal.sealed_at, Seal.content).order_by(Seal.id.desc()).limit(1)
    ).first()


def _facts_of(content: bytes) -> bytes:
    picture = json.loads(content)
    return encode({"accounts": picture["accounts"], "periods": picture["periods"]})


def _add_seal(
    connection: Connection,
    keyring: Keyring,
    previous: tuple[int, str],
    entries: Sequence[StoredEntry],
    facts: dict[str, Any],
) -> Anchor:
    sealed_at = clock.now()
    number, previous_mac = previous[0] + 1, previous[1]
    contents = [(entry.entry_id, encode(entry.picture)) for entry in entries]
    content = seal_content(number, previous_mac, moment(sealed_at), entries_digest(contents), facts)
    mac = seal_mac(keyring, content)
    row = {"id": number, "previous_mac": previous_mac, "sealed_at": sealed_at, "content": content, "mac": mac}
    connection.execute(insert(Seal), row)
    if contents:
        rows = [{"entry_id": entry_id, "seal_id": number, "content": stored} for entry_id, stored in contents]
        connection.execute(insert(SealEntry), rows)
    return Anchor(number, mac, moment(sealed_at))
