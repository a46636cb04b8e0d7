"""Who is under which sanction on a China day: what calls, lists and settlement ask; expired ones are not in force."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import among, slices
from supervise.parties.models import Party, PhoneNumber
from supervise.parties.queries import found
from supervise.parties.sanction_models import SUSPENDING, Sanction, SanctionKind, SanctionRule, SanctionState
from supervise.parties.scope import Scope

#: States in which a sanction has, or had, effect on its days.
_DECIDED = (SanctionState.APPROVED, SanctionState.EXTENDED, SanctionState.LIFTED)


class SanctionLine(NamedTuple):
    """A sanction with what it is against and the step of the ladder that proposed it, if one did."""

    row: Sanction
    party: Party | None
    number: PhoneNumber | None
    rule: SanctionRule | None

    @property
    def end_on(self) -> dt.date | None:
        """The first day without it; None: until somebody lifts it."""
        return self.row.lifted_on or self.row.until_on

    def is_in_force(self, day: dt.date) -> bool:
        """Say whether it has effect on *day*; agrees with ``in_force_on``."""
        return self.row.state in _DECIDED and self.row.from_on <= day and (self.end_on is None or day < self.end_on)


def in_force_on(day: dt.date) -> ColumnElement[bool]:
    """Return the condition that a sanction has effect on the China day: approved, begun, neither expired nor lifted."""
    end = func.coalesce(Sanction.lifted_on, Sanction.until_on)
    return and_(Sanction.state.in_(_DECIDED), Sanction.from_on <= day, or_(end.is_(None), end > day))


def standing_at(session: Session, party_ids: Collection[int], on: dt.date) -> dict[int, frozenset[SanctionKind]]:
    """Return the sanctions against each of the parties on China day *on*; nothing is an empty set.

    What was imposed on an entry that was merged holds for the one it lives on in, and the other way round.
    """
    survivors = _survivors(session, party_ids)
    imposed: dict[int, set[SanctionKind]] = {}
    for some in slices(sorted(set(survivors.values()))):
        survivor = func.coalesce(Party.merged_into_id, Party.id)
        query = (
            select(survivor, Sanction.kind)
            .join(Party, Party.id == Sanction.party_id)
            .where(in_force_on(on), Sanction.number_id.is_(None), among(session, survivor, some))
            .distinct()
        )
        for party_id, kind in session.execute(query):
            imposed.setdefault(party_id, set()).add(kind)
    return {party_id: frozenset(imposed.get(survivors.get(party_id, party_id), ())) for party_id in party_ids}


def suspended(session: Session, party_ids: Collection[int], at: dt.datetime) -> set[int]:
    """Return those of the parties that may make no calls for the carrier at the moment *at*."""
    standing = standing_at(session, party_ids, clock.china_day(at))
    return {party_id for party_id, kinds in standing.items() if not kinds.isdisjoint(SUSPENDING)}


def suspended_on(session: Session, day: dt.date) -> set[int]:
    """Return every party, or what it was merged into, that may make no calls on the China day."""
    query = select(func.coalesce(Party.merged_into_id, Party.id)).join(Sanction, Sanction.party_id == Party.id)
    return set(session.scalars(query.where(in_force_on(day), Sanction.kind.in_(SUSPENDING))))


def suspended_then(session: Session, asked: Iterable[tuple[int, dt.date]]) -> set[tuple[int, dt.date]]:
    """Return those of *asked* (party id, China day) in which the party was suspended on the day."""
    by_day: dict[dt.date, set[int]] = {}
    for party_id, day in asked:
        by_day.setdefault(day, set()).add(party_id)
    return {
        (party_id, day)
        for day, party_ids in by_day.items()
        for party_id, kinds in standing_at(session, party_ids, day).items()
        if not kinds.isdisjoint(SUSPENDING)
    }


def sanctions_of_party(session: Session, party_id: int, *, decided_only: bool) -> list[SanctionLine]:
    """Return the sanctions against the party and its numbers, the latest first.

    With *decided_only* those that were proposed or rejected stay out: a charged party learns of what was decided.
    """
    survivor = _survivors(session, [party_id]).get(party_id, party_id)
    same = func.coalesce(Party.merged_into_id, Party.id) == survivor
    query = lines().where(same).order_by(Sanction.from_on.desc(), Sanction.id.desc())
    if decided_only:
        query = query.where(decided())
    return [SanctionLine(*row) for row in session.execute(query)]


def sanction_in_scope(session: Session, scope: Scope, sanction_id: int, *, decided_only: bool) -> SanctionLine:
    """Return the sanction.

    Raises:
        NotFoundError: if there is none, or it is not for the reader's eyes.
    """
    query = scope.limit(lines().where(Sanction.id == sanction_id), party=Sanction.party_id)
    if decided_only:
        query = query.where(decided())
    return SanctionLine(*found(session.execute(query).one_or_none()))


def decided() -> ColumnElement[bool]:
    """Return the condition that somebody approved it, whatever became of it."""
    return Sanction.state.in_(_DECIDED)


def lines() -> Select[Sanction, Party, PhoneNumber, SanctionRule]:
    """Return the select that ``SanctionLine`` is made of."""
    return (
        select(Sanction, Party, PhoneNumber, SanctionRule)
        .outerjoin(Party, Party.id == Sanction.party_id)
        .outerjoin(PhoneNumber, PhoneNumber.id == Sanction.number_id)
        .outerjoin(SanctionRule, SanctionRule.id == Sanction.rule_id)
    )


def _survivors(session: Session, party_ids: Collection[int]) -> Mapping[int, int]:
    survivors: dict[int, int] = {}
    for some in slices(sorted(set(party_ids))):
        query = select(Party.id, func.coalesce(Party.merged_into_id, Party.id))
        survivors.update(iter(session.execute(query.where(among(session, Party.id, some)))))
    return survivors
