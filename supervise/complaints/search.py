"""Free text search over stored bigrams: two Chinese characters such as 套餐 find, on both engines.

FTS5 on SQLite, GIN on PostgreSQL; this module is the only writer of both (migration 0006 says why).
"""

import operator
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement, Executable

from supervise.bulk import insert_rows, slices
from supervise.complaints.models import Ticket, TicketSearch

#: Letters and digits as one word; any other script as a run of characters.
_RUNS = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+")
#: From so many hits on, a word is too common to begin with.
_MANY_HITS = 2_000
_WORDS = sa.table("ticket_words", sa.column("rowid", sa.Integer), sa.column("grams", sa.Text))


class Searchable(NamedTuple):
    """The texts by which a ticket is found."""

    ticket_id: int
    texts: Sequence[str | None]


def grams(text: str) -> list[str]:
    """Return the search terms of *text*: words of letters and digits whole, other scripts as bigrams.

    A single character that stands alone is a term of its own.
    """
    found: list[str] = []
    for run in _RUNS.findall(unicodedata.normalize("NFKC", text).casefold()):
        if run.isascii() or len(run) == 1:
            found.append(run)
        else:
            found += map(operator.add, run, run[1:])
    return list(dict.fromkeys(found))


def index_tickets(session: Session, entries: Sequence[Searchable]) -> None:
    """Make new tickets findable, all at once."""
    rows = [{"ticket_id": entry.ticket_id, "grams": _joined(entry.texts)} for entry in entries]
    insert_rows(session, TicketSearch.__table__, rows)
    _copy_words(session, [entry.ticket_id for entry in entries])


def reindex_ticket(session: Session, entry: Searchable) -> None:
    """Replace the terms of a ticket whose text changed."""
    _drop_words(session, entry.ticket_id)
    session.execute(
        sa.update(TicketSearch).where(TicketSearch.ticket_id == entry.ticket_id).values(grams=_joined(entry.texts))
    )
    _copy_words(session, [entry.ticket_id])


def tickets_with(session: Session, text: str) -> sa.Select[int] | None:
    """Return a query of the ids of the tickets that hold every term of *text*; None if it has no term.

    For ``Ticket.id.in_(...)`` in the queue. A single Chinese character finds wherever it begins or ends a term.
    """
    terms = grams(text)
    if not terms:
        return None
    short = [term for term in terms if len(term) == 1 and not term.isascii()]
    whole = [term for term in terms if term not in short]
    query = sa.select(TicketSearch.ticket_id)
    if whole and session.get_bind().dialect.name == "postgresql":
        stored = sa.func.string_to_array(TicketSearch.grams, sa.literal_column("' '"))
        query = query.where(stored.op("@>")(sa.cast(whole, sa.ARRAY(sa.Text))))
    elif whole:
        # Quoted, a term is never an operator of FTS5; terms hold no quotes.
        match = " AND ".join(f'"{term}"' for term in whole)
        hits = sa.select(_WORDS.c.rowid).where(sa.text("ticket_words MATCH :match").bindparams(_own("match", match)))
        if not short:
            return hits.select_from(_WORDS)
        query = query.where(TicketSearch.ticket_id.in_(hits.select_from(_WORDS)))
    for term in short:
        # One character is in no index of pairs; letters and marks cannot be wildcards here.
        query = query.where(TicketSearch.grams.contains(term, autoescape=True))
    return query


def _own(name: str, value: str) -> sa.BindParameter[str]:
    # Words and a number may be searched for in one statement.
    return sa.bindparam(name, value, unique=True)


def holding(session: Session, text: str, ticket_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool] | None:
    """Return the condition that the ticket *ticket_id* holds every term of *text*; None if it has no term.

    For a page of tickets in some order: rare words lead to their tickets, while for common ones the tickets are
    looked at in turn, so that a page never waits for the hits that it does not show.
    """
    found = tickets_with(session, text)
    if found is None:
        return None
    return ticket_id.in_(found) if _has_few_hits(session, found) else _holds(text, ticket_id)


def reporting(
    session: Session, digits: str, number_id: int | None, ticket_id: sa.ColumnElement[int]
) -> sa.ColumnElement[bool] | None:
    """Return the condition that the ticket *ticket_id* is about a number, as ``holding``: who called or who was called.

    *number_id* is the number as a subscriber's; None if it is known as nobody's.
    """
    found = tickets_with(session, digits)
    if number_id is None or found is None:
        return holding(session, digits, ticket_id)
    called = sa.select(Ticket.id).where(Ticket.number_id == number_id)
    if _has_few_hits(session, found):
        return ticket_id.in_(sa.union_all(found, called))
    return sa.or_(ticket_id.in_(called), _holds(digits, ticket_id))


def _holds(text: str, ticket_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    padded = sa.literal(" ") + TicketSearch.grams + sa.literal(" ")
    has_terms = [
        # A single Chinese character finds wherever it stands, as in ``tickets_with``.
        padded.contains(term if len(term) == 1 and not term.isascii() else f" {term} ", autoescape=True)
        for term in grams(text)
    ]
    # OFFSET 0 keeps a planner from turning the question round and collecting all hits first.
    holds = sa.select(sa.literal(1)).where(TicketSearch.ticket_id == ticket_id, *has_terms).offset(0)
    return holds.correlate_except(TicketSearch).exists()


class _Explained(Executable, ClauseElement):
    """The plan of a query, as JSON, instead of its rows."""

    inherit_cache = False

    def __init__(self, query: sa.Select[int]) -> None:
        self.query = query


@compiles(_Explained, "postgresql")
def _explain(element: _Explained, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.query, **options)}"


def _has_few_hits(session: Session, found: sa.Select[int]) -> bool:
    """Say whether fewer than ``_MANY_HITS`` tickets are *found*; a wrong guess costs time, never a hit.

    PostgreSQL's statistics know how common a word is; its index would collect all hits to count some.
    """
    if session.get_bind().dialect.name == "postgresql":
        [plan] = session.execute(_Explained(found)).scalar_one()
        return bool(plan["Plan"]["Plan Rows"] < _MANY_HITS)
    few = sa.select(sa.func.count()).select_from(found.limit(_MANY_HITS).subquery())
    return session.execute(few).scalar_one() < _MANY_HITS


def _joined(texts: Iterable[str | None]) -> str:
    # A line end keeps words of two texts apart.
    return " ".join(grams("\n".join(filter(None, texts))))


def _copy_words(session: Session, ticket_ids: Sequence[int]) -> None:
    if session.get_bind().dialect.name != "sqlite":
        return
    source = sa.select(TicketSearch.ticket_id, TicketSearch.grams)
    for piece in slices(ticket_ids):
        rows = source.where(TicketSearch.ticket_id.in_(piece))
        session.execute(sa.insert(_WORDS).from_select(["rowid", "grams"], rows))


def _drop_words(session: Session, ticket_id: int) -> None:
    if session.get_bind().dialect.name != "sqlite":
        return
    # FTS5 over outside content must be told what it held.
    session.execute(
        sa.text(
            "INSERT INTO ticket_words (ticket_words, rowid, grams) "
            "SELECT 'delete', ticket_id, grams FROM ticket_search WHERE ticket_id = :id"
        ),
        {"id": ticket_id},
    )
