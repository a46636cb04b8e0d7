"""Named reads of the do-not-contact register, each within what its reader may see."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from supervise import clock
from supervise.complaints.models import Subscriber, SubscriberNumber, Ticket
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.errors import NotFoundError
from supervise.parties.models import Party
from supervise.parties.scope import Scope

#: What an export reads at once.
_AT_ONCE = 2_000
_DAY = dt.timedelta(days=1)


class Reader(NamedTuple):
    """Whoever looks: what they see, and who they are."""

    scope: Scope
    user_id: int


class ReachedNumber(NamedTuple):
    """A number that the reader may open; not whole: only the words that they recorded themselves."""

    number: SubscriberNumber
    is_whole: bool


class PermissionFilters(NamedTuple):
    """What the register is narrowed by; days are China's, both included, of when it was said."""

    scope: PermissionScope | None = None
    given: bool | None = None
    party_id: int | None = None
    first_on: dt.date | None = None
    last_on: dt.date | None = None


class PermissionLine(NamedTuple):
    """A word of a subscriber, masked, with the names that belong to it."""

    event: PermissionEvent
    number_mask: str
    #: Whom it was said to; None: to everyone who calls for the carrier.
    party: str | None
    party_code: str | None
    #: Reference of the ticket that tells of it, if the reader may open it.
    ticket: str | None

    @property
    def source(self) -> str | None:
        """Where it is on record; None: in a ticket that is not the reader's to see."""
        return self.event.source if self.event.ticket_id is None or self.ticket is not None else None


def permissions_by_time(
    session: Session, reader: Reader, filters: PermissionFilters, *, before: int = 0, limit: int = _AT_ONCE
) -> list[PermissionLine]:
    """Return up to *limit* words within reach, the last said first, after the one with the id *before*."""
    query = _lines(reader.scope).where(_word_in_reach(reader), *_narrowed(filters))
    if before:
        at = session.scalar(sa.select(PermissionEvent.said_at).where(PermissionEvent.id == before))
        query = query.where(sa.tuple_(PermissionEvent.said_at, PermissionEvent.id) < sa.tuple_(at, before))
    return [PermissionLine(*row) for row in session.execute(query.limit(limit))]


def words_of_number(session: Session, reader: Reader, number_id: int, *, limit: int) -> list[PermissionLine]:
    """Return the words within reach that were said with one number, the last said first."""
    query = _lines(reader.scope).where(PermissionEvent.number_id == number_id, _word_in_reach(reader))
    return [PermissionLine(*row) for row in session.execute(query.limit(limit))]


def reached_number(session: Session, reader: Reader, number_id: int) -> ReachedNumber:
    """Return the number, and whether everything that was said with it is the reader's to see.

    Raises:
        NotFoundError: if there is none, or no subscriber, ticket or word within reach names it.
    """
    number = session.get(SubscriberNumber, number_id)
    if number is None:
        raise NotFoundError
    in_scope = sa.select(SubscriberNumber.id).where(
        SubscriberNumber.id == number_id, _number_in_scope(reader.scope, SubscriberNumber.id)
    )
    is_whole = session.scalar(in_scope) is not None
    if not is_whole and not words_of_number(session, reader, number_id, limit=1):
        raise NotFoundError
    return ReachedNumber(number, is_whole)


def _word_in_reach(reader: Reader) -> ColumnElement[bool]:
    """Return the one condition of list, page and export.

    A clerk sees what was said with the numbers of the own subscribers and tickets, and what they recorded
    themselves: of a customer of elsewhere, or of nobody of ours.
    """
    in_scope = _number_in_scope(reader.scope, PermissionEvent.number_id)
    if reader.scope.unit_ids:
        return sa.or_(in_scope, PermissionEvent.recorded_by == reader.user_id)
    return in_scope


def _number_in_scope(scope: Scope, number_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    if scope.sees_everything or not scope.unit_ids:
        return scope.condition()
    # Names of their own: the list joins tickets too.
    holding, complaint = aliased(Subscriber), aliased(Ticket)
    return sa.or_(
        sa.exists().where(holding.number_id == number_id, scope.condition(unit=holding.unit_id)),
        sa.exists().where(complaint.number_id == number_id, scope.condition(unit=complaint.unit_id)),
    )


def _narrowed(filters: PermissionFilters) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.scope is not None:
        conditions.append(PermissionEvent.scope == filters.scope)
    if filters.given is not None:
        conditions.append(PermissionEvent.given.is_(filters.given))
    if filters.party_id is not None:
        same = sa.select(Party.id).where(sa.func.coalesce(Party.merged_into_id, Party.id) == filters.party_id)
        conditions.append(PermissionEvent.party_id.in_(same))
    if filters.first_on is not None:
        conditions.append(PermissionEvent.said_at >= clock.start_of_day(filters.first_on))
    if filters.last_on is not None:
        conditions.append(PermissionEvent.said_at < clock.start_of_day(filters.last_on + _DAY))
    return conditions


def permission_lines(session: Session, reader: Reader, filters: PermissionFilters) -> Iterator[PermissionLine]:
    """Yield every word within reach, the last said first: for a file."""
    before = 0
    while lines := permissions_by_time(session, reader, filters, before=before):
        yield from lines
        before = lines[-1].event.id


def _lines(scope: Scope) -> sa.Select[PermissionEvent, str, str, str, str]:
    return (
        sa.select(PermissionEvent, SubscriberNumber.number_mask, Party.name, Party.code, Ticket.reference)
        .join(SubscriberNumber, SubscriberNumber.id == PermissionEvent.number_id)
        .outerjoin(Party, Party.id == PermissionEvent.party_id)
        .outerjoin(Ticket, sa.and_(Ticket.id == PermissionEvent.ticket_id, scope.condition(unit=Ticket.unit_id)))
        .order_by(PermissionEvent.said_at.desc(), PermissionEvent.id.desc())
    )
