"""Posting: the only way into the ledger.

Written by Core: postings before their entries, which the unit of work would do the other way round.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.labels import N_
from supervise.ledger.chart import DimensionKind
from supervise.ledger.drafts import EntryDraft, check_draft, content_sha256
from supervise.ledger.errors import InvalidEntryError, KeyReusedError, NoOpenPeriodError
from supervise.ledger.models import Account, JournalEntry, Period, PeriodState, Posting
from supervise.ledger.remaining import reversible_entries
from supervise.ledger.sets import in_set

#: As many rivals as may win before us on one key or one original; then the database's refusal stands.
_ATTEMPTS = 20


class _Fact(NamedTuple):
    draft: EntryDraft
    content_sha256: str


class _AccountRow(NamedTuple):
    id: int
    family: str
    needs_dimension: bool


def post(session: Session, drafts: Sequence[EntryDraft]) -> list[int]:
    """Post each draft once and return the entries' ids, in the order of *drafts*.

    A key that was posted before with the same content gives that entry back, whoever posted it. Each entry is
    booked in the month of its ``effective_on`` if that is open, else in the current open period. A rival who
    posts the same key at the same moment is waited for. All or nothing.

    Raises:
        InvalidEntryError: if a draft is malformed, out of balance, or mixes families.
        FutureDateError: if a fact has not happened yet.
        KeyReusedError: if a key was posted before with other content.
        NoOpenPeriodError: if no open month may take the fact.
        ReversalError: if a reversal takes back more than is left.
    """
    facts = _distinct_facts(drafts)
    session.flush()
    connection = session.connection()
    accounts = _chart(connection)
    for fact in facts.values():
        _check_accounts(fact.draft, accounts)
    for attempt in range(1, _ATTEMPTS + 1):
        known = _known_entries(connection, facts)
        missing = [fact for key, fact in facts.items() if key not in known]
        if not missing:
            break
        rows = _entry_rows(connection, missing)
        try:
            with connection.begin_nested():
                _insert(connection, missing, rows, accounts)
        except IntegrityError:
            # A rival took the key or the reversal's number, or closed the period: look again, and refuse by name.
            if attempt == _ATTEMPTS:
                raise
            continue
        known.update({row["idempotency_key"]: row["id"] for row in rows})
        break
    return [known[draft.key] for draft in drafts]


def _distinct_facts(drafts: Sequence[EntryDraft]) -> dict[str, _Fact]:
    facts: dict[str, _Fact] = {}
    for draft in drafts:
        check_draft(draft)
        fact = _Fact(draft, content_sha256(draft))
        if facts.setdefault(draft.key, fact).content_sha256 != fact.content_sha256:
            raise KeyReusedError(key=draft.key)
    return facts


def _chart(connection: Connection) -> Mapping[str, _AccountRow]:
    rows = connection.execute(select(Account.code, Account.id, Account.family, Account.dimension_kind))
    return {code: _AccountRow(id_, family, kind is not DimensionKind.NONE) for code, id_, family, kind in rows}


def _check_accounts(draft: EntryDraft, accounts: Mapping[str, _AccountRow]) -> None:
    # Must agree with the trigger journal_entry_close of migration 0002.
    families = set()
    for code, dimension_id, _amount_fen in draft.lines:
        account = accounts[code]
        families.add(account.family)
        if account.needs_dimension is (dimension_id is None):
            raise InvalidEntryError(N_("An account of the journal entry lacks its dimension, or takes none"))
    if len(families) != 1:
        raise InvalidEntryError(N_("A journal entry never mixes external and internal accounts"))


def _known_entries(connection: Connection, facts: Mapping[str, _Fact]) -> dict[str, int]:
    columns = select(JournalEntry.idempotency_key, JournalEntry.id, JournalEntry.content_sha256)
    known = {}
    for key, entry_id, stored in connection.execute(
        columns.where(in_set(connection, JournalEntry.idempotency_key, list(facts)))
    ):
        if stored != facts[key].content_sha256:
            raise KeyReusedError(key=key)
        known[key] = entry_id
    return known


def _entry_rows(connection: Connection, facts: Sequence[_Fact]) -> list[dict[str, Any]]:
    open_months = set(connection.scalars(select(Period.month).where(Period.state == PeriodState.OPEN)))
    periods = {day: booking_month(day, open_months) for day in {fact.draft.effective_on for fact in facts}}
    originals = [fact.draft.reverses_id for fact in facts if fact.draft.reverses_id is not None]
    reversible = reversible_entries(connection, originals) if originals else {}
    recorded_at = clock.now()
    rows = []
    for entry_id, (draft, sha256) in zip(_next_ids(connection, len(facts)), facts, strict=True):
        original = None if draft.reverses_id is None else reversible[draft.reverses_id]
        rows.append(
            {
                "id": entry_id,
                "lines": len(draft.lines),
                "idempotency_key": draft.key,
                "content_sha256": sha256,
                "event": draft.event,
                "effective_on": draft.effective_on,
                "period": periods[draft.effective_on],
                "recorded_at": recorded_at,
                "actor_id": draft.actor_id,
                "approver_id": draft.approver_id,
                "reverses_id": draft.reverses_id,
                "reversal_no": None if original is None else original.take(draft.lines),
                "reason": draft.reason,
            },
        )
    return rows


def booking_month(day: dt.date, open_months: set[str]) -> str:
    """Return the month that takes a fact of *day*: its own if open, else the current open one.

    The current one is the latest open month that has begun; an entry is never booked before it took effect.

    Raises:
        NoOpenPeriodError: if there is none.
    """
    month, this_month = clock.month_of(day), clock.month_of(clock.today())
    if month in open_months:
        return month
    later = [candidate for candidate in open_months if month < candidate <= this_month]
    if not later:
        raise NoOpenPeriodError(day=str(day))
    return max(later)


def _next_ids(connection: Connection, number: int) -> Sequence[int]:
    if connection.dialect.name == "postgresql":
        serials = text("SELECT nextval('journal_entry_id_seq') FROM generate_series(1, :number)")
        return connection.scalars(serials, {"number": number}).all()
    # Nobody else writes: BEGIN IMMEDIATE.
    first = 1 + (connection.scalar(select(func.max(JournalEntry.id))) or 0)
    return range(first, first + number)


def _insert(
    connection: Connection,
    facts: Sequence[_Fact],
    rows: Sequence[dict[str, Any]],
    accounts: Mapping[str, _AccountRow],
) -> None:
    postings = [
        {
            "entry_id": row["id"],
            "line": number,
            "lines": row["lines"],
            "account_id": accounts[account].id,
            "dimension_id": dimension_id,
            "amount_fen": amount_fen,
        }
        for row, (draft, _sha256) in zip(rows, facts, strict=True)
        for number, (account, dimension_id, amount_fen) in enumerate(draft.lines, start=1)
    ]
    connection.execute(insert(Posting), postings)
    # By key: two batches that share facts wait for each other, and never each for the other.
    connection.execute(insert(JournalEntry), sorted(rows, key=_key_of))


def _key_of(row: Mapping[str, Any]) -> str:
    return str(row["idempotency_key"])
