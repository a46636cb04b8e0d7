"""Who held a number at a moment: the question that every attribution starts with."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise.bulk import slices
from supervise.parties.models import NumberHolder, Party, PhoneNumber

#: A number that begins so is a port: shorter ones may be registered for it.
PORT = "106"
_SHORTEST_PORT = 5


class Holding(NamedTuple):
    """A period in which a party held a number."""

    holder_id: int
    number_id: int
    #: As registered; shorter than what called where a 106 prefix holds for it.
    digits: str
    is_prefix: bool
    #: The party, or what it was merged into.
    party_id: int
    held_from: dt.datetime
    held_to: dt.datetime | None
    source: str

    def contains(self, at: dt.datetime) -> bool:
        """Say whether the number was held at the moment; the end belongs to the next holder."""
        return self.held_from <= at and (self.held_to is None or at < self.held_to)


class Neighbours(NamedTuple):
    """Who held a number before and after a moment at which nobody did."""

    before: Holding | None
    after: Holding | None


def holders_at(session: Session, pairs: Iterable[tuple[str, dt.datetime]]) -> dict[tuple[str, dt.datetime], Holding]:
    """Return who held each of the (digits, moment) *pairs*; a pair that nobody held is left out.

    A number is found by itself or, for 106 ports, by the longest registered prefix that somebody held then.
    """
    wanted = set(pairs)
    holdings = holdings_of(session, {digits for digits, _at in wanted})
    found = {}
    for digits, at in wanted:
        for name in registered_names(digits):
            holding = next((one for one in holdings.get(name, ()) if one.contains(at)), None)
            if holding is not None and (name == digits or holding.is_prefix):
                found[digits, at] = holding
                break
    return found


def neighbours(session: Session, digits: str, at: dt.datetime) -> Neighbours:
    """Return the last holding before and the first after the moment, of the number or a prefix of it."""
    held = [
        holding
        for name, holdings in holdings_of(session, {digits}).items()
        for holding in holdings
        if name == digits or holding.is_prefix
    ]
    before = [holding for holding in held if holding.held_to is not None and holding.held_to <= at]
    after = [holding for holding in held if holding.held_from > at]
    return Neighbours(
        before=max(before, key=lambda holding: (holding.held_to, len(holding.digits)), default=None),
        after=min(after, key=lambda holding: (holding.held_from, -len(holding.digits)), default=None),
    )


def registered_names(digits: str) -> Iterator[str]:
    """Yield under what *digits* may be registered, the longest first."""
    yield digits
    if digits.startswith(PORT):
        for length in range(len(digits) - 1, _SHORTEST_PORT - 1, -1):
            yield digits[:length]


def held_between(
    digits: str, holdings: Mapping[str, Sequence[Holding]], first: dt.datetime, end: dt.datetime
) -> Iterator[tuple[Holding, dt.datetime, dt.datetime]]:
    """Yield who held *digits* when in ``[first, end)``, never two at a time: of a port's beginnings the longest counts.

    *holdings* are those of all its names (``holdings_of``).
    """
    free = [(first, end)]
    for name in registered_names(digits):
        for one in holdings.get(name, ()):
            if name == digits or one.is_prefix:
                taken = [(max(start, one.held_from), min(stop, one.held_to or stop)) for start, stop in free]
                yield from ((one, start, stop) for start, stop in taken if start < stop)
                free = [piece for gap in free for piece in _without(gap, one)]
        if not free:
            return


def _without(gap: tuple[dt.datetime, dt.datetime], one: Holding) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    start, stop = gap
    if start < min(one.held_from, stop):
        yield start, min(one.held_from, stop)
    if one.held_to is not None and max(one.held_to, start) < stop:
        yield max(one.held_to, start), stop


def holdings_of(session: Session, all_digits: set[str]) -> dict[str, list[Holding]]:
    """Return every holding of the numbers and of their prefixes, by registered digits, in time."""
    names = sorted({name for digits in all_digits for name in registered_names(digits)})
    holdings: dict[str, list[Holding]] = defaultdict(list)
    for some in slices(names):
        query = (
            select(
                NumberHolder.id,
                NumberHolder.number_id,
                PhoneNumber.digits,
                PhoneNumber.is_prefix,
                func.coalesce(Party.merged_into_id, Party.id),
                NumberHolder.held_from,
                NumberHolder.held_to,
                NumberHolder.source,
            )
            .join(PhoneNumber, PhoneNumber.id == NumberHolder.number_id)
            .join(Party, Party.id == NumberHolder.party_id)
            .where(PhoneNumber.digits.in_(some))
            .order_by(PhoneNumber.digits, NumberHolder.held_from)
        )
        for row in session.execute(query):
            holdings[row.digits].append(Holding(*row))
    return holdings
