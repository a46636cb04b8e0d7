"""Reversing: the only correction. Whole (all that is left) or in part, in the open period."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.errors import KeyReusedError, ReversalError
from supervise.ledger.models import JournalEntry
from supervise.ledger.post import post
from supervise.ledger.remaining import Place, Reversible, reversible_entries
from supervise.ledger.sets import in_set
from supervise.money import split_by_largest_remainder


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalDraft:
    """A reversal to be posted once.

    *amount_fen* > 0 is the part of the entry's debits to take back; None: all that is left. A part of an
    entry of more than two lines is spread over them by what is left of each.
    """

    entry_id: int
    key: str
    event: str
    effective_on: dt.date
    reason: str
    amount_fen: int | None = None
    actor_id: int | None = None
    approver_id: int | None = None


def reverse(session: Session, drafts: Sequence[ReversalDraft]) -> list[int]:
    """Post each reversal once and return the new entries' ids, in the order of *drafts*.

    A key that was posted before with the same content gives that entry back, even when nothing is left now.

    Raises:
        ReversalError: if an entry is not there, is itself a reversal, or less than the amount is left.
        InvalidEntryError, FutureDateError, KeyReusedError, NoOpenPeriodError: as ``post``.
    """
    session.flush()
    connection = session.connection()
    entries = reversible_entries(connection, [draft.entry_id for draft in drafts])
    known = _known_reversals(connection, [draft.key for draft in drafts])
    if any(number not in entries[draft.entry_id].reversed for draft, number in _repeated(drafts, known)):
        # It came in between the two readings, and others perhaps before it.
        entries = reversible_entries(connection, [draft.entry_id for draft in drafts])
    planned: dict[str, EntryDraft] = {}
    for draft in drafts:
        entry = entries[draft.entry_id]
        original_id, number = known.get(draft.key, (draft.entry_id, None))
        if original_id != draft.entry_id:
            raise KeyReusedError(key=draft.key)
        if draft.key in planned:
            # post() compares what they say; a second one must not find less left than the first.
            planned_again = planned[draft.key]
            if planned_again != _entry_draft(draft, planned_again.lines):
                raise KeyReusedError(key=draft.key)
            continue
        lines = _lines(entry, entry.remaining(number), draft.amount_fen)
        if number is None:
            entry.take(lines)
        planned[draft.key] = _entry_draft(draft, lines)
    return post(session, [planned[draft.key] for draft in drafts])


def _known_reversals(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[int | None, int | None]]:
    columns = select(JournalEntry.idempotency_key, JournalEntry.reverses_id, JournalEntry.reversal_no)
    rows = connection.execute(columns.where(in_set(connection, JournalEntry.idempotency_key, keys)))
    return {key: (original_id, number) for key, original_id, number in rows}


def _repeated(
    drafts: Sequence[ReversalDraft], known: Mapping[str, tuple[int | None, int | None]]
) -> Iterator[tuple[ReversalDraft, int]]:
    for draft in drafts:
        original_id, number = known.get(draft.key, (None, None))
        if number is not None and original_id == draft.entry_id:
            yield draft, number


def _lines(entry: Reversible, left: dict[Place, int], amount_fen: int | None) -> list[Line]:
    debits = sum(amount for amount in left.values() if amount > 0)
    part_fen = debits if amount_fen is None else amount_fen
    if not 0 < part_fen <= debits:
        raise ReversalError(entry=entry.entry_id)
    lines = []
    for sign in (1, -1):
        side = {place: abs(amount) for place, amount in sorted(left.items(), key=_in_order) if amount * sign > 0}
        shares = split_by_largest_remainder(part_fen, list(side.values()))
        lines += [Line(*place, -sign * share) for place, share in zip(side, shares, strict=True) if share]
    return lines


def _in_order(item: tuple[Place, int]) -> tuple[str, int]:
    (account, dimension_id), _amount = item
    return account, dimension_id or 0


def _entry_draft(draft: ReversalDraft, lines: Sequence[Line | tuple[AccountCode, int | None, int]]) -> EntryDraft:
    return EntryDraft(
        key=draft.key,
        event=draft.event,
        effective_on=draft.effective_on,
        lines=lines,
        actor_id=draft.actor_id,
        approver_id=draft.approver_id,
        reverses_id=draft.entry_id,
        reason=draft.reason,
    )
