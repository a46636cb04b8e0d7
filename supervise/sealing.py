"""What a sealed chain is made of: one spelling of each row, links under our key, anchors kept outside the database.

A chain inside the database alone proves nothing against truncation or a full rewrite (reliability E4).
"""

import datetime as dt
import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, text, type_coerce
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import NullType

from supervise.cipher import Keyring
from supervise.labels import translate

#: The ``previous_mac`` of the first seal of a chain.
GENESIS = "0" * 64
_ANCHOR_FIELDS = 3
_encode = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=repr).encode


class Anchor(NamedTuple):
    """A seal as it is written down outside the database."""

    seal_id: int
    mac: str
    sealed_at: str

    def __str__(self) -> str:
        return f"{self.seal_id} {self.mac} {self.sealed_at}"


class AnchorError(ValueError):
    """A line of an anchor file is not one."""


class Fault(NamedTuple):
    """A row that does not hold, and why; the message is translated where it is shown."""

    table: str
    row: str
    message: str

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {translate(self.message)}"


class BrokenError(Exception):
    """How a fault travels up to the one that verifies, never further."""

    def __init__(self, table: str, row: object, message: str) -> None:
        super().__init__(table, row, message)
        self.fault = Fault(table, str(row), message)


def encode(picture: Any) -> bytes:
    """Return the bytes of *picture*: ASCII JSON with sorted keys, the same on both engines and in every year."""
    return _encode(picture).encode("ascii")


def moment(value: Any) -> Any:
    """Spell a moment: ``2026-11-22T08:00:00.000000Z``, from a driver's aware value or SQLite's text."""
    if isinstance(value, dt.datetime):
        at = value.astimezone(dt.UTC) if value.tzinfo else value
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{value.replace(' ', 'T')}Z" if isinstance(value, str) else value


def raw(column: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """Return *column* as the driver gives it, so that a damaged value shows as different instead of failing."""
    return type_coerce(column, NullType())


def seal_mac(keyring: Keyring, content: bytes) -> str:
    """Return the HMAC-SHA256 of *content* under the seal key, 64 hex digits."""
    return hmac.new(keyring.seal_key, content, hashlib.sha256).hexdigest()


def is_mac_of(keyring: Keyring, content: bytes, mac: object) -> bool:
    """Say whether *mac*, as it is stored, is that of *content*."""
    return hmac.compare_digest(seal_mac(keyring, content).encode(), str(mac).encode())


def digest_of(rows: Iterable[tuple[int, bytes]]) -> tuple[int, str]:
    """Return the number and the digest of (id, content) in the order of ids; each is preceded by its length."""
    digest, count = hashlib.sha256(), 0
    for row_id, content in rows:
        digest.update(b"%d:%d:" % (row_id, len(content)))
        digest.update(content)
        count += 1
    return count, digest.hexdigest()


def hold_chain(connection: Connection, lock: int) -> None:
    """Let one transaction at a time add seals to the chain whose advisory lock is *lock*.

    Raises:
        RuntimeError: in an isolation level whose snapshot is older than the lock (reliability E4).
    """
    # On SQLite BEGIN IMMEDIATE is the lock.
    if connection.dialect.name != "postgresql":
        return
    level = connection.scalar(text("SHOW transaction_isolation"))
    if level != "read committed":
        raise RuntimeError(f"sealing needs READ COMMITTED, not {level}")
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})


def parse_anchor(line: str) -> Anchor:
    """Return the anchor that ``str`` gave.

    Raises:
        AnchorError: if *line* is no anchor.
    """
    parts = line.split()
    if len(parts) != _ANCHOR_FIELDS or not parts[0].isascii() or not parts[0].isdigit():
        raise AnchorError(f"not an anchor: {line!r}")
    return Anchor(int(parts[0]), parts[1], parts[2])


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
