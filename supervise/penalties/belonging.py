"""Who belongs to whom is charged: they neither approve the amount nor decide on an objection to it."""

from collections.abc import Collection
from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.orm import Session

from supervise import clock
from supervise.errors import NotPermittedError
from supervise.labels import N_
from supervise.parties.models import Party, UserScope
from supervise.parties.scope import Scope
from supervise.parties.tree import path_to_root, surviving_ids, with_merged
from supervise.penalties.models import Penalty, PenaltyFamily


class OwnUnitError(NotPermittedError):
    """The user belongs to the unit or party that is charged."""

    message = N_("%(reference)s charges your own unit or party; somebody else must decide")


class ChargedRow(Protocol):
    """What says whom a penalty charges: the row itself, or a line of a list."""

    @property
    def family(self) -> Any:
        """Damages or assessment."""

    @property
    def party_id(self) -> Any:
        """Who pays."""

    @property
    def unit_id(self) -> Any:
        """The sponsoring branch."""


class NotChargedError(NotPermittedError):
    """Who only sponsors the charged party, or reads its penalty, does not speak for it."""

    message = N_("%(reference)s charges somebody else: only the charged party itself acknowledges or objects")


class ChargedUnits:
    """The units and parties that a user belongs to: those given to them, and the units above those today.

    A unit is also what was merged into it and what it was merged into: a penalty names the unit as of the call.
    """

    def __init__(self, session: Session, user_id: int) -> None:
        given = session.execute(
            select(UserScope.org_unit_id, UserScope.party_id).where(UserScope.user_id == user_id)
        ).all()
        if not given:
            # Of most who approve: they belong to the office, not to a branch.
            self._unit_ids: Collection[int] = ()
            self._party_ids: Collection[int] = ()
            return
        today = clock.today()
        own_units = surviving_ids(session, {row.org_unit_id for row in given if row.org_unit_id is not None})
        above = {unit.id for unit_id in own_units for unit in path_to_root(session, unit_id, today)}
        self._unit_ids = with_merged(session, above)
        given_parties = {row.party_id for row in given if row.party_id is not None}
        survivors = select(func.coalesce(Party.merged_into_id, Party.id)).where(Party.id.in_(given_parties))
        same = select(Party.id).where(func.coalesce(Party.merged_into_id, Party.id).in_(survivors))
        self._party_ids = set(session.scalars(same))

    @property
    def are_none(self) -> bool:
        """Whether the user belongs to the office alone."""
        return not self._unit_ids and not self._party_ids

    def include(self, penalty: ChargedRow) -> bool:
        """Say whether *penalty* charges one of them."""
        if penalty.family is PenaltyFamily.INTERNAL:
            return penalty.unit_id in self._unit_ids
        return penalty.party_id in self._party_ids

    def include_party(self, party: Party) -> bool:
        """Say whether *party* is one of them: a branch by its unit."""
        return party.org_unit_id in self._unit_ids if party.org_unit_id is not None else party.id in self._party_ids


def speaks_for_charged(scope: Scope, penalty: ChargedRow) -> bool:
    """Say whether a user of *scope* speaks for whom *penalty* charges.

    An assessment charges the branch; damages charge the partner, not the branch that sponsors it. Jobs, and
    supervisors who enter what a party wrote, see everything and speak for all.
    """
    if scope.sees_everything:
        return True
    if penalty.family is PenaltyFamily.INTERNAL:
        return penalty.unit_id in scope.unit_ids
    return not scope.unit_ids and penalty.party_id in scope.party_ids


def spoken_for(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a user of *scope* speaks for whom a penalty charges; agrees with the function above."""
    if scope.sees_everything:
        return true()
    is_internal = Penalty.family == PenaltyFamily.INTERNAL
    own_assessment = and_(is_internal, Penalty.unit_id.in_(scope.unit_ids))
    if scope.unit_ids:
        return own_assessment
    return or_(own_assessment, and_(~is_internal, Penalty.party_id.in_(scope.party_ids)))


def belongs_to_unit(session: Session, user_id: int, penalty: Penalty) -> bool:
    """Say whether the user belongs to the unit or party that *penalty* charges."""
    return ChargedUnits(session, user_id).include(penalty)
