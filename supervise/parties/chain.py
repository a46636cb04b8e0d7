"""The chain of parties as of a day: from the one that called up to the branch that answers for it.

At each step the nearest party in business comes first (staffed to, sub-agent of, contracted by), then the
sponsoring branch. A branch ends the chain; where it stands in the carrier's tree is another matter (``tree``).
"""

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise.bulk import slices
from supervise.parties.models import Party, PartyKind, PartyRelation, RelationRole

_ROLE_ORDER = {
    RelationRole.STAFFED_TO: 0,
    RelationRole.SUB_AGENT_OF: 1,
    RelationRole.CONTRACTED_BY: 2,
    RelationRole.SPONSORED_BY: 3,
}
#: No register reaches further back or forth.
FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2200, 1, 1)
#: A branch that only contracts comes after the one that sponsors.
_UNIT_OTHERWISE = 4


class ChainLink(NamedTuple):
    """A party of a chain."""

    party_id: int
    kind: PartyKind
    #: What ties it to the link before; None for the caller itself.
    role: RelationRole | None
    name: str
    #: The org unit, if the party is a branch.
    unit_id: int | None


class Lineage(NamedTuple):
    """*member_id* stands in the chain of *party_id* on every day of ``[from_day, to_day)``; each party is its own."""

    party_id: int
    member_id: int
    from_day: dt.date
    to_day: dt.date


class _Known(NamedTuple):
    kind: PartyKind
    name: str
    unit_id: int | None


class _Tie(NamedTuple):
    parent_id: int
    role: RelationRole
    valid_from: dt.date
    valid_to: dt.date | None


def chain_at(session: Session, party_id: int, on: dt.date) -> list[ChainLink]:
    """Return the chain from *party_id* upwards as of China day *on*; just the party itself if it is tied to nobody.

    A party that was merged into another is represented by the other. An unknown id gives an empty chain.
    """
    return chains_at(session, [(party_id, on)])[party_id, on]


def chains_at(session: Session, pairs: Iterable[tuple[int, dt.date]]) -> dict[tuple[int, dt.date], list[ChainLink]]:
    """Return the chain of each (party id, day), as ``chain_at`` does, in a few queries for all of them."""
    wanted = set(pairs)
    register = _Register(session, {party_id for party_id, _on in wanted})
    return {(party_id, on): register.chain(party_id, on) for party_id, on in wanted}


def lineages(session: Session, party_ids: Collection[int]) -> Iterator[Lineage]:
    """Yield who stood in the chain of each party and when: ``chains_at`` of every day at once, for joins.

    A party that was merged into another appears under the other's id alone.
    """
    register = _Register(session, set(party_ids))
    for party_id in sorted(register.survivors(party_ids)):
        yield from register.lineage(party_id)


def sponsoring_unit(chain: Sequence[ChainLink]) -> int | None:
    """Return the org unit at the end of the chain: the branch that answers; None if the register has a gap."""
    return chain[-1].unit_id if chain else None


class _Register:
    """The part of the register that lies above some parties, on whatever day."""

    def __init__(self, session: Session, party_ids: Collection[int]) -> None:
        self._known: dict[int, _Known] = {}
        self._survivor: dict[int, int] = {}
        self._ties: dict[int, list[_Tie]] = defaultdict(list)
        frontier = set(party_ids)
        while frontier:
            survivors = self._load_parties(session, frontier)
            frontier = self._load_ties(session, survivors) - self._survivor.keys()

    def _load_parties(self, session: Session, party_ids: set[int]) -> set[int]:
        """Read the parties, what they were merged into and what was merged into that; return new survivors."""
        survivors: set[int] = set()
        for some in slices(party_ids):
            for party_id, into_id in session.execute(select(Party.id, Party.merged_into_id).where(Party.id.in_(some))):
                survivors.add(into_id or party_id)
        survivors -= self._known.keys()
        for some in slices(survivors):
            query = select(Party.id, Party.merged_into_id, Party.kind, Party.name, Party.org_unit_id).where(
                or_(Party.id.in_(some), Party.merged_into_id.in_(some))
            )
            for party_id, into_id, kind, name, unit_id in session.execute(query):
                self._survivor[party_id] = into_id or party_id
                if into_id is None:
                    self._known[party_id] = _Known(kind, name, unit_id)
        return survivors

    def _load_ties(self, session: Session, survivors: set[int]) -> set[int]:
        """Read what ties the survivors, under all their ids, to others; return those others."""
        parents: set[int] = set()
        ids = {party_id for party_id, survivor in self._survivor.items() if survivor in survivors}
        for some in slices(ids):
            query = (
                select(
                    PartyRelation.child_id,
                    PartyRelation.parent_id,
                    PartyRelation.role,
                    PartyRelation.valid_from,
                    PartyRelation.valid_to,
                )
                .where(PartyRelation.child_id.in_(some))
                .order_by(PartyRelation.id)
            )
            for child_id, parent_id, role, valid_from, valid_to in session.execute(query):
                self._ties[self._survivor[child_id]].append(_Tie(parent_id, role, valid_from, valid_to))
                parents.add(parent_id)
        return parents

    def chain(self, party_id: int, on: dt.date) -> list[ChainLink]:
        start = self._survivor.get(party_id)
        if start is None:
            return []
        links = [self._link(start, None)]
        seen = {start}
        while links[-1].unit_id is None:
            tie = next(self._ties_at(links[-1].party_id, on, seen), None)
            if tie is None:
                break
            links.append(self._link(tie.parent_id, tie.role))
            seen.add(tie.parent_id)
        if links[-1].unit_id is None:
            links += self._sponsor_on_the_way(links, on)
        return links

    def survivors(self, party_ids: Collection[int]) -> set[int]:
        """Return what the parties are called now; unknown ids are left out."""
        return {self._survivor[party_id] for party_id in party_ids if party_id in self._survivor}

    def lineage(self, party_id: int) -> Iterator[Lineage]:
        """Yield the members of the party's chain in each stretch of days in which nothing above it changed."""
        days = [FIRST_DAY, *sorted(self._changes_above(party_id)), LAST_DAY]
        for from_day, to_day in itertools.pairwise(days):
            for link in self.chain(party_id, from_day):
                yield Lineage(party_id, link.party_id, from_day, to_day)

    def _changes_above(self, party_id: int) -> set[dt.date]:
        days: set[dt.date] = set()
        seen, frontier = {party_id}, [party_id]
        while frontier:
            for tie in self._ties.get(frontier.pop(), ()):
                days |= {day for day in (tie.valid_from, tie.valid_to) if day is not None}
                parent_id = self._survivor[tie.parent_id]
                if parent_id not in seen:
                    seen.add(parent_id)
                    frontier.append(parent_id)
        return days

    def _ties_at(self, party_id: int, on: dt.date, seen: Collection[int]) -> Iterator[_Tie]:
        """Yield what the party is tied to on the day, the link to follow first."""
        found = []
        for tie in self._ties.get(party_id, ()):
            parent_id = self._survivor[tie.parent_id]
            if tie.valid_from <= on and (tie.valid_to is None or on < tie.valid_to) and parent_id not in seen:
                found.append(tie._replace(parent_id=parent_id))
        yield from sorted(found, key=self._nearness)

    def _nearness(self, tie: _Tie) -> int:
        is_unit = self._known[tie.parent_id].unit_id is not None
        return _UNIT_OTHERWISE if is_unit and tie.role is not RelationRole.SPONSORED_BY else _ROLE_ORDER[tie.role]

    def _sponsor_on_the_way(self, links: Sequence[ChainLink], on: dt.date) -> list[ChainLink]:
        """Return the branch of the topmost party that has one, where the last link has none."""
        for link in reversed(links):
            for tie in self._ties_at(link.party_id, on, ()):
                if self._known[tie.parent_id].unit_id is not None:
                    return [self._link(tie.parent_id, tie.role)]
        return []

    def _link(self, party_id: int, role: RelationRole | None) -> ChainLink:
        known = self._known[party_id]
        return ChainLink(party_id, known.kind, role, known.name, known.unit_id)
