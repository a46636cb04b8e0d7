"""Whose rows a user sees: the one filter that list, page, search, count and export share.

Everything, or the rows of some units, or of some parties, or nothing; deny by default. A unit means its
present subtree and whatever was merged into it, so a move takes effect at the next request.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Date,
    Select,
    bindparam,
    delete,
    false,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.access.sessions import end_all_sessions
from supervise.audit.record import record_event
from supervise.db import Key
from supervise.errors import NotFoundError
from supervise.parties.locks import load
from supervise.parties.models import OrgUnit, Party, PartyRelation, UserScope
from supervise.parties.periods import holds_at
from supervise.parties.tree import and_merged, subtree

S = TypeVar("S", bound=Select[*tuple[Any, ...]])
IdColumn = InstrumentedAttribute[int] | InstrumentedAttribute[int | None] | ColumnElement[Any]

#: These see all rows of what their permissions open: finance's open no ticket, an auditor's no change.
_SEES_EVERYTHING = frozenset({Role.TRIAGER, Role.SUPERVISOR, Role.AUDITOR, Role.FINANCE})
_SEES_UNITS = frozenset({Role.CLERK, Role.BRANCH_MANAGER})


class Viewer(Protocol):
    """Whoever looks: the signed-in user or a row of ``app_user``."""

    @property
    def id(self) -> Any:
        """Key of ``app_user``."""

    @property
    def role(self) -> Any:
        """The one role."""


@dataclass(frozen=True)
class Scope:
    """The rows a user sees; made by ``Scope.of``."""

    sees_everything: bool
    unit_ids: frozenset[int]
    #: Own parties; of a unit: its own party, and those that now work for it, at whatever remove.
    party_ids: frozenset[int]

    @classmethod
    def everything(cls) -> "Scope":
        """Return the scope of jobs and commands, and of the roles that read all."""
        return cls(sees_everything=True, unit_ids=frozenset(), party_ids=frozenset())

    @classmethod
    def nothing(cls) -> "Scope":
        """Return the scope of who has none."""
        return cls(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset())

    @classmethod
    def of(cls, session: Session, user: Viewer) -> "Scope":
        """Return what *user* sees today, by role and by the units and parties given to them."""
        role = Role(user.role)
        if role in _SEES_EVERYTHING:
            return cls.everything()
        if role in _SEES_UNITS:
            return _of_units(session, user.id)
        if role is Role.PARTNER_CONTACT:
            return _of_parties(session, select(UserScope.party_id).where(UserScope.user_id == user.id))
        return cls.nothing()

    def limit(self, statement: S, *, unit: IdColumn | None = None, party: IdColumn | None = None) -> S:
        """Return *statement* with only the rows in scope.

        *unit* is the column with the row's org unit, as of the event; *party* the one with the party that answers.
        A user of units goes by *unit*, or by *party* where a register's rows have no unit; a user of parties by
        *party* alone.
        """
        return statement.where(self.condition(unit=unit, party=party))

    def condition(self, *, unit: IdColumn | None = None, party: IdColumn | None = None) -> ColumnElement[bool]:
        """Return what ``limit`` adds, for a statement that is put together elsewhere."""
        if self.sees_everything:
            return true()
        if self.unit_ids and unit is not None:
            return unit.in_(self.unit_ids)
        if self.party_ids and party is not None:
            return party.in_(self.party_ids)
        return false()

    def covers(self, unit_id: int | None, party_id: int | None = None) -> bool:
        """Say whether a row of the unit, or of the party where it has no unit, is in scope; agrees with ``limit``."""
        if self.sees_everything:
            return True
        if self.unit_ids and unit_id is not None:
            return unit_id in self.unit_ids
        return party_id is not None and party_id in self.party_ids

    def check(self, unit_id: int | None, party_id: int | None = None) -> None:
        """Refuse a row outside the scope, as if it did not exist.

        Raises:
            NotFoundError: for such a row.
        """
        if not self.covers(unit_id, party_id):
            raise NotFoundError


def _of_units(session: Session, user_id: int) -> Scope:
    unit_ids: set[int] = set()
    party_ids: set[int] = set()
    for row_id, is_of_party in session.execute(_units_and_parties(), {"user_id": user_id, "today": clock.today()}):
        (party_ids if is_of_party else unit_ids).add(row_id)
    return Scope(sees_everything=False, unit_ids=frozenset(unit_ids), party_ids=frozenset(party_ids))


@cache
def _units_and_parties() -> CompoundSelect[int, int]:
    """Return the one question for units (0) and parties (1) of ``user_id`` on the day ``today``.

    Put together once: every page of every clerk and branch manager begins with it, and that takes longer than
    the database does to answer.
    """
    today = bindparam("today", type_=Date())
    given = select(UserScope.org_unit_id).where(UserScope.user_id == bindparam("user_id", type_=Key))
    units = and_merged(select(subtree(select(OrgUnit.id).where(OrgUnit.id.in_(given)), today).c.unit_id))
    parties = parties_of_units(select(units.c.unit_id), today)
    return select(units.c.unit_id, literal(0)).union_all(select(parties.c.party_id, literal(1)))


def _of_parties(session: Session, given: Select[int | None]) -> Scope:
    survivors = select(func.coalesce(Party.merged_into_id, Party.id)).where(Party.id.in_(given))
    same = select(Party.id).where(func.coalesce(Party.merged_into_id, Party.id).in_(survivors))
    return Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset(session.scalars(same)))


def parties_of_units(units: Select[int], on: dt.date | ColumnElement[dt.date]) -> CTE:
    """Return the parties (``party_id``) of *units*, and all that work for one of them *on* the day."""
    working = select(Party.id.label("party_id")).where(Party.org_unit_id.in_(units)).cte("working", recursive=True)
    # UNION, not UNION ALL: a cycle that slipped in would end here.
    return working.union(
        select(PartyRelation.child_id)
        .join(working, PartyRelation.parent_id == working.c.party_id)
        .where(holds_at(PartyRelation.valid_from, PartyRelation.valid_to, on))
    )


def change_scope(
    session: Session, user_id: int, *, unit_ids: Collection[int], party_ids: Collection[int], reason: str, actor_id: int
) -> None:
    """Give a user these units and parties and no others; every session of theirs ends.

    Raises:
        NoSuchRowError: for an unknown user, unit or party.
    """
    load(session, User, user_id)
    for unit_id in unit_ids:
        load(session, OrgUnit, unit_id)
    for party_id in party_ids:
        load(session, Party, party_id)
    query = select(UserScope.org_unit_id, UserScope.party_id).where(UserScope.user_id == user_id)
    before = session.execute(query.order_by(UserScope.id)).all()
    session.execute(delete(UserScope).where(UserScope.user_id == user_id))
    session.add_all(
        [UserScope(user_id=user_id, org_unit_id=unit_id) for unit_id in sorted(set(unit_ids))]
        + [UserScope(user_id=user_id, party_id=party_id) for party_id in sorted(set(party_ids))]
    )
    session.flush()
    end_all_sessions(session, user_id)
    record_event(
        session,
        actor_id=actor_id,
        action="user.scope_changed",
        subject="user",
        subject_id=user_id,
        changes={
            "units": [[unit_id for unit_id, _ in before if unit_id is not None], sorted(set(unit_ids))],
            "parties": [[party_id for _, party_id in before if party_id is not None], sorted(set(party_ids))],
        },
        reason=reason,
    )
