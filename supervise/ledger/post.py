"""Posting: the only way into the ledger.

Written by Core: postings before their entries, which the unit of work would do the other way round.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import array_literal
from supervise.labels import N_
from supervise.ledger.chart import DimensionKind
from supervise.ledger.drafts import EntryDraft, check_draft, content_sha256
from supervise.ledger.errors import InvalidEntryError, KeyReusedError, NoOpenPeriodError
from supervise.ledger.models import Account
from supervise.ledger.remaining import Reversible, reversible_entries
from supervise.ledger.rows import EntryRow, PostingRow, insert_rows

#: As many rivals may win before us on one key or one original; the database's refusal of one more attempt stands.
_ATTEMPTS = 20

# All that posting must know, in one round trip: which keys exist, which months are open, which ids are free.
_SITUATION = {
    "postgresql": text(
        "SELECT 'known' AS kind, idempotency_key AS word, id, content_sha256 FROM journal_entry "
        "WHERE idempotency_key = ANY(CAST(:keys AS text[])) "
        "UNION ALL SELECT 'open', month, NULL, NULL FROM period WHERE state = 'open' "
        "UNION ALL SELECT 'serial', NULL, nextval('journal_entry_id_seq'), NULL FROM generate_series(1, :number)"
    ),
    # Nobody else writes: BEGIN IMMEDIATE.
    "sqlite": text(
        "SELECT 'known' AS kind, idempotency_key AS word, id, content_sha256 FROM journal_entry "
        "WHERE idempotency_key IN (SELECT value FROM json_each(:keys)) "
        "UNION ALL SELECT 'open', month, NULL, NULL FROM period WHERE state = 'open' "
        "UNION ALL SELECT 'serial', NULL, coalesce(max(id), 0) + 1, NULL FROM journal_entry"
    ),
}
_CHART = select(Account.code, Account.id, Account.family, Account.dimension_kind)
#: Accounts are never changed (trigger), so each engine is asked once; a code it lacks is looked for again.
_charts: WeakKeyDictionary[Engine, Mapping[str, "_AccountRow"]] = WeakKeyDictionary()


class _Fact(NamedTuple):
    draft: EntryDraft
    content_sha256: str


class _Situation(NamedTuple):
    known: dict[str, int]
    open_months: set[str]
    #: Ids for new entries; on SQLite only the first, the others follow it.
    serials: list[int]


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
    if not facts:
        return []
    session.flush()
    connection = session.connection()
    accounts = _chart(connection, facts)
    for fact in facts.values():
        _check_accounts(fact.draft, accounts)
    # On SQLite there are no rivals.
    for _attempt in range(_ATTEMPTS if connection.dialect.name == "postgresql" else 0):
        try:
            known = _post_missing(connection, facts, accounts)
        except IntegrityError:
            # A rival took the key or the reversal's number, or closed the period: look again, and refuse by name.
            continue
        return [known[draft.key] for draft in drafts]
    known = _post_missing(connection, facts, accounts)
    return [known[draft.key] for draft in drafts]


def _post_missing(
    connection: Connection, facts: Mapping[str, _Fact], accounts: Mapping[str, _AccountRow]
) -> Mapping[str, int]:
    # Read before the keys: a rival's reversal that is seen here is then also known by its key.
    originals = [fact.draft.reverses_id for fact in facts.values() if fact.draft.reverses_id is not None]
    reversible = reversible_entries(connection, originals) if originals else {}
    situation = _situation(connection, facts)
    missing = [fact for key, fact in facts.items() if key not in situation.known]
    if not missing:
        return situation.known
    entries = _entry_rows(connection, missing, situation, reversible)
    insert_rows(connection, _posting_rows(missing, entries, accounts), entries)
    return {**situation.known, **{entry.idempotency_key: entry.id for entry in entries}}


def _distinct_facts(drafts: Sequence[EntryDraft]) -> dict[str, _Fact]:
    facts: dict[str, _Fact] = {}
    today = clock.today()
    for draft in drafts:
        check_draft(draft, today)
        fact = _Fact(draft, content_sha256(draft))
        if facts.setdefault(draft.key, fact).content_sha256 != fact.content_sha256:
            raise KeyReusedError(key=draft.key)
    return facts


def _chart(connection: Connection, facts: Mapping[str, _Fact]) -> Mapping[str, _AccountRow]:
    chart = _charts.get(connection.engine, {})
    if not all(code in chart for fact in facts.values() for code, _dimension_id, _fen in fact.draft.lines):
        rows = connection.execute(_CHART)
        chart = {code: _AccountRow(id_, family, kind is not DimensionKind.NONE) for code, id_, family, kind in rows}
        _charts[connection.engine] = chart
    return chart


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


def _situation(connection: Connection, facts: Mapping[str, _Fact]) -> _Situation:
    keys = list(facts)
    is_sqlite = connection.dialect.name == "sqlite"
    values = {"keys": json.dumps(keys)} if is_sqlite else {"keys": array_literal(keys), "number": len(keys)}
    situation = _Situation({}, set(), [])
    for kind, word, entry_id, stored in connection.execute(_SITUATION[connection.dialect.name], values):
        if kind == "open":
            situation.open_months.add(word)
        elif kind == "serial":
            situation.serials.append(entry_id)
        elif stored != facts[word].content_sha256:
            raise KeyReusedError(key=word)
        else:
            situation.known[word] = entry_id
    return situation


def _entry_rows(
    connection: Connection,
    facts: Sequence[_Fact],
    situation: _Situation,
    reversible: Mapping[int, Reversible],
) -> list[EntryRow]:
    days = {fact.draft.effective_on for fact in facts}
    periods = {day: booking_month(day, situation.open_months) for day in days}
    serials = situation.serials
    ids = serials if connection.dialect.name == "postgresql" else range(serials[0], serials[0] + len(facts))
    recorded_at = clock.now()
    return [
        EntryRow(
            id=entry_id,
            lines=len(draft.lines),
            idempotency_key=draft.key,
            content_sha256=sha256,
            event=draft.event,
            effective_on=draft.effective_on,
            period=periods[draft.effective_on],
            recorded_at=recorded_at,
            actor_id=draft.actor_id,
            approver_id=draft.approver_id,
            reverses_id=draft.reverses_id,
            reversal_no=None if draft.reverses_id is None else reversible[draft.reverses_id].take(draft.lines),
            reason=draft.reason,
        )
        # PostgreSQL gave an id for each draft, also for those known before: some are left over.
        for entry_id, (draft, sha256) in zip(ids, facts, strict=False)
    ]


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


def _posting_rows(
    facts: Sequence[_Fact], entries: Sequence[EntryRow], accounts: Mapping[str, _AccountRow]
) -> list[PostingRow]:
    return [
        PostingRow(entry.id, line, entry.lines, accounts[account].id, dimension_id, amount_fen)
        for entry, (draft, _sha256) in zip(entries, facts, strict=True)
        for line, (account, dimension_id, amount_fen) in enumerate(draft.lines, start=1)
    ]
