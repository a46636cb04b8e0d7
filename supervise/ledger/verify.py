"""Verifying: everything is computed again, and the first row that does not hold is named."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from supervise.cipher import Keyring
from supervise.labels import N_
from supervise.ledger.canonical import (
    StoredEntry,
    chart_picture,
    confirmed_reopenings,
    periods_picture,
    sealed_entries,
    unsealed_entries,
)
from supervise.ledger.drafts import content_hash
from supervise.ledger.models import JournalEntry, Posting, Seal, SealEntry
from supervise.ledger.seal import seal_content
from supervise.sealing import GENESIS, Anchor, BrokenError, Fault, digest_of, encode, is_mac_of, moment, raw


@dataclass(frozen=True)
class VerifyReport:
    """What a verification found; numbers count what was read before the first fault."""

    entries: int
    seals: int
    #: Entries that no seal holds yet, and when the oldest of them was recorded.
    unsealed: int
    oldest_unsealed_at: dt.datetime | None
    fault: Fault | None

    @property
    def holds(self) -> bool:
        """True if every row holds."""
        return self.fault is None


def verify(session: Session, keyring: Keyring, anchors: Iterable[Anchor] = ()) -> VerifyReport:
    """Compute the whole ledger again: each entry, the chain of all seals, and *anchors* kept elsewhere.

    Entries and seals that are added meanwhile do not disturb it.
    """
    session.flush()
    verification = _Verification(session.connection(), keyring)
    fault = None
    try:
        verification.run(anchors)
    except BrokenError as broken:
        fault = broken.fault
    unsealed, oldest_at = _unsealed(session)
    return VerifyReport(verification.entries, verification.seals, unsealed, oldest_at, fault)


class _Verification:
    """One pass over the ledger; each step raises ``BrokenError`` at the first row that does not hold."""

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        self.connection = connection
        self.keyring = keyring
        self.entries = self.seals = 0
        self.last_seal: int = connection.scalar(select(func.coalesce(func.max(Seal.id), 0))) or 0
        self.chart = {row[0]: row for row in chart_picture(connection)}
        #: Read on both sides of the periods: two people may reopen one meanwhile.
        self.reopenings_before = confirmed_reopenings(connection)
        self.periods = {row[0]: row for row in periods_picture(connection)}
        self.reopenings = confirmed_reopenings(connection)
        self.reopened = {reopening.closing for reopening in self.reopenings}
        #: The HMAC of each seal that holds, by its id.
        self.macs: dict[int, Anchor] = {}

    def run(self, anchors: Iterable[Anchor]) -> None:
        self._check_chain()
        self._check_reopenings()
        with closing(unsealed_entries(self.connection)) as entries:
            for entry in entries:
                self._check_entry(entry)
        for table, query, message in _damage():
            found = self.connection.scalar(query.limit(1))
            if found is not None:
                raise BrokenError(table, found, message)
        for anchor in anchors:
            if self.macs.get(anchor.seal_id) != anchor:
                message = N_("is not the one anchored outside: the book was cut or replaced")
                raise BrokenError("seal", anchor.seal_id, message)

    def _check_chain(self) -> None:
        columns = (Seal.id, Seal.previous_mac, Seal.sealed_at, Seal.content, Seal.mac)
        query = select(*(raw(column) for column in columns)).where(Seal.id <= self.last_seal).order_by(Seal.id)
        with (
            self.connection.execute(query.execution_options(yield_per=500)) as seals,
            closing(sealed_entries(self.connection, self.last_seal)) as entries,
        ):
            groups = groupby(entries, key=_seal_of)
            group = next(groups, None)
            previous_mac, known_facts = GENESIS, b""
            for number, seal in enumerate(seals, start=1):
                if seal.id != number:
                    raise BrokenError("seal", number, N_("is missing"))
                is_mine = group is not None and group[0] == number
                picture = self._check_seal(seal, previous_mac, group[1] if group is not None and is_mine else ())
                if is_mine:
                    group = next(groups, None)
                facts = encode([picture["accounts"], picture["periods"]])
                if facts != known_facts:
                    self._check_facts(picture)
                self.macs[number] = Anchor(number, seal.mac, moment(seal.sealed_at))
                previous_mac, known_facts = seal.mac, facts
                self.seals += 1

    def _check_seal(
        self, seal: Row[*tuple[Any, ...]], previous_mac: str, entries: Iterable[StoredEntry]
    ) -> dict[str, Any]:
        content = bytes(seal.content)
        if not is_mac_of(self.keyring, content, seal.mac):
            raise BrokenError("seal", seal.id, N_("its content was not sealed with our key"))
        picture: dict[str, Any] = json.loads(content)
        stored: list[tuple[int, bytes]] = []
        now: list[tuple[int, bytes]] = []
        changed: BrokenError | None = None
        for entry in entries:
            spelt, sealed = encode(entry.picture), entry.sealed or b""
            stored.append((entry.entry_id, sealed))
            now.append((entry.entry_id, spelt))
            if spelt != sealed:
                changed = changed or _difference(entry)
            elif changed is None:
                self._check_entry(entry)
        facts = {"accounts": picture["accounts"], "periods": picture["periods"]}
        wanted = (picture["entries"], picture["entries_sha256"])
        if wanted not in (digest_of(stored), digest_of(now)):
            raise changed or BrokenError("seal", seal.id, N_("an entry that it sealed is missing, or one was added"))
        if wanted != digest_of(stored):
            raise BrokenError("seal_entry", _first_unequal(stored, now), N_("is not what was sealed"))
        if changed is not None:
            raise changed
        spelt = seal_content(seal.id, seal.previous_mac, moment(seal.sealed_at), wanted, facts)
        if spelt != content or seal.previous_mac != previous_mac:
            raise BrokenError("seal", seal.id, N_("does not follow the seal before it as it was sealed"))
        return picture

    def _check_facts(self, picture: Mapping[str, Any]) -> None:
        for account in picture["accounts"]:
            if self.chart.get(account[0]) != account:
                raise BrokenError("account", account[1], N_("is not what was sealed"))
        for period in picture["periods"]:
            now = self.periods.get(period[0])
            # Until it closed a period could change its state; a closing stands unless two people reopened it.
            is_bound = period[_STATE] == "closed" and (period[0], period[_CLOSED_AT]) not in self.reopened
            if now is None or (now != period if is_bound else now[:_STATE] != period[:_STATE]):
                raise BrokenError("period", period[0], N_("is not what was sealed"))

    def _check_reopenings(self) -> None:
        for reopening in self.reopenings:
            if not is_mac_of(self.keyring, encode(reopening.picture), reopening.mac):
                raise BrokenError("period_reopening", reopening.id, N_("its content was not sealed with our key"))
        for reopening in self.reopenings_before:
            month, closed_at = reopening.closing
            period = self.periods.get(month)
            if period is None or period[_CLOSED_AT] == closed_at:
                raise BrokenError("period", month, N_("is closed as it was before two people reopened it"))

    def _check_entry(self, entry: StoredEntry) -> None:
        picture = entry.picture
        postings = picture["postings"]
        places = [[line, lines] for line, lines, *_rest in postings]
        if places != [[line, picture["lines"]] for line in range(1, len(postings) + 1)] or not postings:
            raise BrokenError("journal_entry", entry.entry_id, N_("its postings do not fill its lines"))
        if len(postings) != picture["lines"]:
            raise BrokenError("journal_entry", entry.entry_id, N_("its postings do not fill its lines"))
        self._check_accounts(entry.entry_id, postings)
        facts = [
            picture["idempotency_key"],
            picture["event"],
            picture["effective_on"],
            [posting[3:] for posting in postings],
            picture["actor_id"],
            picture["approver_id"],
            picture["reverses_id"],
            picture["reason"],
        ]
        if content_hash(*facts) != picture["content_sha256"]:
            raise BrokenError("journal_entry", entry.entry_id, N_("its content is not what was posted"))
        if not picture["effective_on"][:7] <= picture["period"]:
            raise BrokenError("journal_entry", entry.entry_id, N_("it is booked before it took effect"))
        self.entries += 1

    def _check_accounts(self, entry_id: int, postings: list[list[Any]]) -> None:
        families = set()
        for line, _lines, account_id, _code, dimension_id, amount_fen in postings:
            account = self.chart.get(account_id)
            if account is None or type(amount_fen) is not int or (account[4] == "none") != (dimension_id is None):
                raise BrokenError("posting", f"{entry_id}/{line}", N_("has no such account, dimension or amount"))
            families.add(account[2])
        if len(families) != 1:
            raise BrokenError("journal_entry", entry_id, N_("it mixes account families"))
        if sum(posting[5] for posting in postings):
            raise BrokenError("journal_entry", entry_id, N_("its postings do not sum to zero"))


#: Where ``canonical.periods_picture`` has the state; before it: month, opened at, opened by.
_STATE = 3
_CLOSED_AT = 4


def _seal_of(entry: StoredEntry) -> int | None:
    return entry.seal_id


def _first_unequal(stored: list[tuple[int, bytes]], now: list[tuple[int, bytes]]) -> int:
    return next(entry_id for (entry_id, old), (_id, new) in zip(stored, now, strict=True) if old != new)


def _difference(entry: StoredEntry) -> BrokenError:
    """Name the row, and if it can be told the column, in which *entry* is not what was sealed."""
    if not entry.picture:
        return BrokenError("journal_entry", entry.entry_id, N_("is missing"))
    try:
        sealed = json.loads(entry.sealed or b"")
        columns = [name for name in entry.picture if name != "postings" and entry.picture[name] != sealed[name]]
        lines = {line[0]: line for line in sealed["postings"]}
    except (ValueError, KeyError, TypeError, IndexError):
        return BrokenError("seal_entry", entry.entry_id, N_("is not what was sealed"))
    if columns:
        return BrokenError("journal_entry", f"{entry.entry_id}.{columns[0]}", N_("is not what was sealed"))
    for posting in entry.picture["postings"]:
        if lines.pop(posting[0], None) != posting:
            return BrokenError("posting", f"{entry.entry_id}/{posting[0]}", N_("is not what was sealed"))
    return BrokenError("posting", f"{entry.entry_id}/{next(iter(lines), '?')}", N_("is missing"))


@cache
def _damage() -> Sequence[tuple[str, Select[int], str]]:
    """Return what a whole table must not hold: the table, a query of ids that do not hold, why."""
    entry = select(JournalEntry.id).where(JournalEntry.id == Posting.entry_id)
    seal = select(Seal.id).where(Seal.id == SealEntry.seal_id)
    original = aliased(JournalEntry)
    is_original = select(original.id).where(original.id == JournalEntry.reverses_id, original.reverses_id.is_(None))
    reversals = select(JournalEntry.id).where(JournalEntry.reverses_id.is_not(None))
    misnumbered = (
        select(func.min(JournalEntry.id))
        .where(JournalEntry.reverses_id.is_not(None))
        .group_by(JournalEntry.reverses_id)
        .having(or_(func.min(JournalEntry.reversal_no) != 1, func.max(JournalEntry.reversal_no) != func.count()))
    )
    return (
        ("posting", select(Posting.entry_id).where(~entry.exists()), N_("belongs to no journal entry")),
        ("seal_entry", select(SealEntry.entry_id).where(~seal.exists()), N_("belongs to no seal")),
        ("journal_entry", reversals.where(~is_original.exists()), N_("reverses what is no original entry")),
        ("journal_entry", misnumbered, N_("its number among the reversals is wrong")),
        ("journal_entry", _over_reversed(), N_("is reversed by more than it posted")),
    )


def _over_reversed() -> Select[int]:
    # The same condition as in the trigger journal_entry_reversal of migration 0002.
    reversal = aliased(JournalEntry)
    is_reversed = select(reversal.id).where(reversal.reverses_id == JournalEntry.id).exists()
    is_reversal = JournalEntry.reverses_id.is_not(None)
    owner = func.coalesce(JournalEntry.reverses_id, JournalEntry.id).label("owner")
    sums = (
        select(
            owner,
            func.coalesce(func.sum(case((~is_reversal, Posting.amount_fen))), 0).label("original"),
            func.coalesce(func.sum(case((is_reversal, Posting.amount_fen))), 0).label("reversed"),
            func.min(case((is_reversal, Posting.amount_fen))).label("lowest"),
            func.max(case((is_reversal, Posting.amount_fen))).label("highest"),
        )
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .where(or_(is_reversal, is_reversed))
        .group_by(owner, Posting.account_id, Posting.dimension_id)
        .subquery()
    )
    too_much = or_(
        sums.c.original == 0,
        and_(sums.c.original > 0, sums.c.highest > 0),
        and_(sums.c.original < 0, sums.c.lowest < 0),
        func.abs(sums.c.reversed) > func.abs(sums.c.original),
    )
    return select(sums.c.owner).where(sums.c.lowest.is_not(None), too_much).order_by(sums.c.owner)


def _unsealed(session: Session) -> tuple[int, dt.datetime | None]:
    sealed = select(SealEntry.entry_id).where(SealEntry.entry_id == JournalEntry.id)
    query = select(func.count(), func.min(JournalEntry.recorded_at)).where(~sealed.exists())
    number, oldest_at = session.execute(query.select_from(JournalEntry)).one()
    return number, oldest_at
