"""Sealing: closed entries become links of an HMAC chain whose newest link is anchored outside the database.

A chain inside the database alone proves nothing against truncation or a full rewrite (reliability E4).
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.config import ConfigError
from supervise.ledger.canonical import StoredEntry, chart_picture, periods_picture, unsealed_entries
from supervise.ledger.models import Seal, SealEntry
from supervise.sealing import GENESIS, Anchor, digest_of, encode, hold_chain, is_mac_of, moment, seal_mac

#: One seal holds at most so many entries, so that sealing needs little memory.
_ENTRIES_MAX = 10_000
_LOCK = 727_420_002


def seal_closed_entries(session: Session, keyring: Keyring) -> Sequence[Anchor]:
    """Seal every closed entry that no seal holds, and the chart and periods if they have changed.

    Returns the anchors of the new seals, the newest last; none if there was nothing to seal. Append the
    newest to the anchor file after the commit, never before it.

    Raises:
        RuntimeError: in an isolation level whose snapshot is older than the lock (reliability E4).
    """
    session.flush()
    connection = session.connection()
    hold_chain(connection, _LOCK)
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
    if seals and not any(is_mac_of(keyring, seal.content, seal.mac) for seal in seals):
        raise ConfigError("the seal key is not the one this ledger was sealed with: set SUPERVISE_KEY_FILE")


def newest_anchor(session: Session) -> Anchor | None:
    """Return the newest seal, to be written down outside; None before the first one."""
    head = _newest(session.connection())
    return None if head is None else Anchor(head.id, head.mac, moment(head.sealed_at))


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
    content = seal_content(number, previous_mac, moment(sealed_at), digest_of(contents), facts)
    mac = seal_mac(keyring, content)
    row = {"id": number, "previous_mac": previous_mac, "sealed_at": sealed_at, "content": content, "mac": mac}
    connection.execute(insert(Seal), row)
    if contents:
        rows = [{"entry_id": entry_id, "seal_id": number, "content": stored} for entry_id, stored in contents]
        connection.execute(insert(SealEntry), rows)
    return Anchor(number, mac, moment(sealed_at))
