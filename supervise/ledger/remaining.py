"""What reversals have left of entries: the sums per account and dimension that can still be taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.orm import aliased

from supervise.ledger.chart import AccountCode
from supervise.ledger.errors import ReversalError
from supervise.ledger.models import Account, JournalEntry, Posting
from supervise.ledger.sets import in_set


class Place(NamedTuple):
    """Where an amount stands."""

    account: AccountCode
    dimension_id: int | None


@dataclass
class Reversible:
    """An entry that is no reversal, and what its reversals took back, by their number."""

    entry_id: int
    original: dict[Place, int] = field(default_factory=dict)
    reversed: dict[int, dict[Place, int]] = field(default_factory=dict)

    @property
    def next_no(self) -> int:
        """The number of the next reversal."""
        return 1 + len(self.reversed)

    def remaining(self, before_no: int | None = None) -> dict[Place, int]:
        """Return what is left in fen, signed as posted; *before_no*: as reversal *before_no* found it."""
        left = dict(self.original)
        for number, taken in self.reversed.items():
            if before_no is None or number < before_no:
                for place, amount_fen in taken.items():
                    left[place] += amount_fen
        return {place: amount_fen for place, amount_fen in left.items() if amount_fen}

    def take(self, lines: Sequence[tuple[AccountCode, int | None, int]]) -> int:
        """Record one more reversal of *lines* and return its number.

        Must agree with the trigger ``journal_entry_reversal`` of migration 0002.

        Raises:
            ReversalError: if a line does not take back, or takes more than is left.
        """
        left = self.remaining()
        taken: dict[Place, int] = {}
        for account, dimension_id, amount_fen in lines:
            place = Place(account, dimension_id)
            if left.get(place, 0) * amount_fen >= 0:
                raise ReversalError(entry=self.entry_id)
            taken[place] = taken.get(place, 0) + amount_fen
        if any(abs(amount_fen) > abs(left[place]) for place, amount_fen in taken.items()):
            raise ReversalError(entry=self.entry_id)
        number = self.next_no
        self.reversed[number] = taken
        return number


def reversible_entries(connection: Connection, entry_ids: Sequence[int]) -> Mapping[int, Reversible]:
    """Return what is left of each entry of *entry_ids*.

    Raises:
        ReversalError: if an entry is not there or is itself a reversal.
    """
    entries = {entry_id: Reversible(entry_id) for entry_id in entry_ids}
    original = aliased(JournalEntry)
    heads = select(original.id).where(in_set(connection, original.id, entry_ids), original.reverses_id.is_(None))
    found = set(connection.scalars(heads))
    for entry_id in entries:
        if entry_id not in found:
            raise ReversalError(entry=entry_id)
    for owner, number, code, dimension_id, amount_fen in connection.execute(_sums(connection, entry_ids)):
        place = Place(AccountCode(code), dimension_id)
        if number is None:
            entries[owner].original[place] = int(amount_fen)
        else:
            entries[owner].reversed.setdefault(number, {})[place] = int(amount_fen)
    return entries


def _sums(connection: Connection, entry_ids: Sequence[int]) -> Select[int, int | None, str, int | None, int]:
    owner = func.coalesce(JournalEntry.reverses_id, JournalEntry.id)
    return (
        select(owner, JournalEntry.reversal_no, Account.code, Posting.dimension_id, func.sum(Posting.amount_fen))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(Account, Account.id == Posting.account_id)
        .where(in_set(connection, JournalEntry.id, entry_ids) | in_set(connection, JournalEntry.reverses_id, entry_ids))
        .group_by(owner, JournalEntry.reversal_no, Account.code, Posting.dimension_id)
    )
