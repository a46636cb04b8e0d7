"""Named reads of numbers and their holders, each within a scope."""

from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.parties.models import NumberHolder, Party, PhoneNumber
from supervise.parties.periods import holds_at
from supervise.parties.queries import AT_ONCE, contains, found
from supervise.parties.scope import Scope
from supervise.phone import NumberClass

S = TypeVar("S", bound=Select[*tuple[Any, ...]])


class NumberFilters(NamedTuple):
    """What the list of numbers is narrowed by; *text* is the beginning of the digits, or the holder's name or code."""

    text: str = ""
    number_class: NumberClass | None = None
    #: True: held at this moment; False: by nobody.
    held: bool | None = None


class NumberRow(NamedTuple):
    """A number and who holds it now."""

    number: PhoneNumber
    holder: NumberHolder | None
    party: Party | None


class HolderRow(NamedTuple):
    """A holding with its number and its party."""

    holder: NumberHolder
    number: PhoneNumber
    party: Party


def numbers_by_digits(
    session: Session, scope: Scope, filters: NumberFilters, *, after: str = "", limit: int = AT_ONCE
) -> list[NumberRow]:
    """Return up to *limit* numbers after *after*, by digits; in scope are those that an own party holds or held."""
    now = clock.now()
    query = (
        select(PhoneNumber, NumberHolder, Party)
        .outerjoin(
            NumberHolder,
            and_(
                NumberHolder.number_id == PhoneNumber.id,
                holds_at(NumberHolder.held_from, NumberHolder.held_to, now),
            ),
        )
        .outerjoin(Party, Party.id == NumberHolder.party_id)
        .where(PhoneNumber.digits > after)
        .order_by(PhoneNumber.digits)
        .limit(limit)
    )
    if filters.text:
        query = query.where(
            or_(PhoneNumber.digits.startswith(filters.text, autoescape=True), contains(Party.name, filters.text))
        )
    if filters.number_class is not None:
        query = query.where(PhoneNumber.number_class == filters.number_class)
    if filters.held is not None:
        query = query.where(NumberHolder.id.is_not(None) if filters.held else NumberHolder.id.is_(None))
    rows = session.execute(_own_numbers(query, scope))
    return [_within(NumberRow(number, holder, party), scope) for number, holder, party in rows]


def _own_numbers(query: S, scope: Scope) -> S:
    if scope.sees_everything:
        return query
    own = aliased(NumberHolder)
    return query.where(exists().where(own.number_id == PhoneNumber.id, scope.condition(party=own.party_id)))


def _within(row: NumberRow, scope: Scope) -> NumberRow:
    # A number that was the user's and is somebody else's now: theirs is none of the user's business.
    if row.party is not None and not scope.covers(None, row.party.id):
        return NumberRow(row.number, None, None)
    return row


def number_in_scope(session: Session, scope: Scope, number_id: int) -> PhoneNumber:
    """Return the number.

    Raises:
        NotFoundError: if there is none, or no own party holds or held it.
    """
    query = _own_numbers(select(PhoneNumber).where(PhoneNumber.id == number_id), scope)
    return found(session.scalars(query).one_or_none())


def holdings_of(session: Session, scope: Scope, *, number_id: int) -> list[HolderRow]:
    """Return who held the number, the latest first; outside the scope, the others stay unseen."""
    query = (
        select(NumberHolder, PhoneNumber, Party)
        .join(PhoneNumber, PhoneNumber.id == NumberHolder.number_id)
        .join(Party, Party.id == NumberHolder.party_id)
        .where(NumberHolder.number_id == number_id)
        .order_by(NumberHolder.held_from.desc())
    )
    return [HolderRow(*row) for row in session.execute(scope.limit(query, party=NumberHolder.party_id))]


def numbers_of_party(session: Session, party_id: int, *, limit: int = 50) -> list[HolderRow]:
    """Return the latest holdings of the party, the present ones first."""
    query = (
        select(NumberHolder, PhoneNumber, Party)
        .join(PhoneNumber, PhoneNumber.id == NumberHolder.number_id)
        .join(Party, Party.id == NumberHolder.party_id)
        .where(NumberHolder.party_id == party_id)
        .order_by(NumberHolder.held_to.is_not(None), NumberHolder.held_from.desc(), NumberHolder.id.desc())
        .limit(limit)
    )
    return [HolderRow(*row) for row in session.execute(query)]


def holder_in_scope(session: Session, scope: Scope, holder_id: int) -> HolderRow:
    """Return the holding.

    Raises:
        NotFoundError: if there is none, or it is not of an own party.
    """
    holder = found(session.get(NumberHolder, holder_id))
    scope.check(None, holder.party_id)
    return HolderRow(
        holder,
        session.get_one(PhoneNumber, holder.number_id),
        session.get_one(Party, holder.party_id),
    )
