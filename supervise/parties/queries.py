"""Named reads of org units and parties, each within a scope: lists for pages and exports, and what one page shows."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.errors import NotFoundError
from supervise.parties.models import (
    OrgUnit,
    OrgUnitPlacement,
    Party,
    PartyAlias,
    PartyKind,
    PartyRelation,
    PartyStatus,
    UnitKind,
)
from supervise.parties.periods import holds_at
from supervise.parties.scope import Scope

T = TypeVar("T")
#: What an export reads at once.
AT_ONCE = 2_000


class UnitFilters(NamedTuple):
    """What the list of units is narrowed by."""

    text: str = ""
    kind: UnitKind | None = None
    #: Also those that were closed or merged.
    with_gone: bool = False


class UnitRow(NamedTuple):
    """A unit and the one above it today."""

    unit: OrgUnit
    parent: str | None
    parent_code: str | None
    valid_from: dt.date | None


class PartyFilters(NamedTuple):
    """What the list of parties is narrowed by."""

    text: str = ""
    kind: PartyKind | None = None
    status: PartyStatus | None = None
    #: True: only those that stand below nobody today, which is a gap of the chain (domain F21).
    is_untied: bool = False


class RelationRow(NamedTuple):
    """A relation with the party at its other end."""

    relation: PartyRelation
    other: Party


class PlacementRow(NamedTuple):
    """A place in the tree, with the unit above."""

    placement: OrgUnitPlacement
    parent: OrgUnit | None


def units_by_code(
    session: Session, scope: Scope, filters: UnitFilters, *, after: str = "", limit: int = AT_ONCE
) -> list[UnitRow]:
    """Return up to *limit* units whose code comes after *after*, by code."""
    parent = aliased(OrgUnit)
    query = (
        select(OrgUnit, parent.name, parent.code, OrgUnitPlacement.valid_from)
        .outerjoin(
            OrgUnitPlacement,
            and_(
                OrgUnitPlacement.unit_id == OrgUnit.id,
                holds_at(OrgUnitPlacement.valid_from, OrgUnitPlacement.valid_to, clock.today()),
            ),
        )
        .outerjoin(parent, parent.id == OrgUnitPlacement.parent_id)
        .where(OrgUnit.code > after)
        .order_by(OrgUnit.code)
        .limit(limit)
    )
    if filters.text:
        query = query.where(or_(contains(OrgUnit.name, filters.text), contains(OrgUnit.code, filters.text)))
    if filters.kind is not None:
        query = query.where(OrgUnit.kind == filters.kind)
    if not filters.with_gone:
        open_still = or_(OrgUnit.closed_on.is_(None), OrgUnit.closed_on > clock.today())
        query = query.where(OrgUnit.merged_into_id.is_(None), open_still)
    return [UnitRow(*row) for row in session.execute(scope.limit(query, unit=OrgUnit.id))]


def unit_in_scope(session: Session, scope: Scope, unit_id: int) -> OrgUnit:
    """Return the unit.

    Raises:
        NotFoundError: if there is none, or it is not the user's.
    """
    scope.check(unit_id)
    return found(session.get(OrgUnit, unit_id))


def unit_kinds(session: Session, unit_ids: Collection[int]) -> dict[int, UnitKind]:
    """Return the level of each unit in the carrier's tree: a hall answers as a hall, not as a branch."""
    query = select(OrgUnit.id, OrgUnit.kind).where(OrgUnit.id.in_(unit_ids))
    return {row.id: row.kind for row in session.execute(query)}


def placements_of(session: Session, unit_id: int) -> list[PlacementRow]:
    """Return where the unit stood, the latest first."""
    query = (
        select(OrgUnitPlacement, OrgUnit)
        .outerjoin(OrgUnit, OrgUnit.id == OrgUnitPlacement.parent_id)
        .where(OrgUnitPlacement.unit_id == unit_id)
        .order_by(OrgUnitPlacement.valid_from.desc())
    )
    return [PlacementRow(placement, parent) for placement, parent in session.execute(query)]


def units_below(session: Session, unit_id: int) -> Sequence[OrgUnit]:
    """Return the units that stand directly below today, or were merged into this one, by code."""
    below = select(OrgUnitPlacement.unit_id).where(
        OrgUnitPlacement.parent_id == unit_id,
        holds_at(OrgUnitPlacement.valid_from, OrgUnitPlacement.valid_to, clock.today()),
    )
    query = select(OrgUnit).where(or_(OrgUnit.id.in_(below), OrgUnit.merged_into_id == unit_id)).order_by(OrgUnit.code)
    return session.scalars(query).all()


def parties_by_name(
    session: Session,
    scope: Scope,
    filters: PartyFilters,
    *,
    after: tuple[str, int] | None = None,
    limit: int = AT_ONCE,
) -> Sequence[Party]:
    """Return up to *limit* parties after (name, id) *after*, by name; aliases are searched, merged ones left out."""
    query = select(Party).where(Party.merged_into_id.is_(None)).order_by(Party.name, Party.id).limit(limit)
    if after is not None:
        name, party_id = after
        query = query.where(or_(Party.name > name, and_(Party.name == name, Party.id > party_id)))
    if filters.text:
        called = exists().where(PartyAlias.party_id == Party.id, contains(PartyAlias.name, filters.text))
        fields = (Party.name, Party.code, Party.credit_code)
        query = query.where(or_(*(contains(field, filters.text) for field in fields), called))
    if filters.kind is not None:
        query = query.where(Party.kind == filters.kind)
    if filters.status is not None:
        query = query.where(Party.status == filters.status)
    if filters.is_untied:
        in_force = holds_at(PartyRelation.valid_from, PartyRelation.valid_to, clock.today())
        tied = exists().where(PartyRelation.child_id == Party.id, in_force)
        query = query.where(Party.kind != PartyKind.ORG_UNIT, ~tied)
    return session.scalars(scope.limit(query, party=Party.id)).all()


def party_in_scope(session: Session, scope: Scope, party_id: int) -> Party:
    """Return the party.

    Raises:
        NotFoundError: if there is none, or it is not the user's.
    """
    scope.check(None, party_id)
    return found(session.get(Party, party_id))


def aliases_of(session: Session, party_id: int) -> Sequence[PartyAlias]:
    """Return the other names of a party, by name."""
    return session.scalars(select(PartyAlias).where(PartyAlias.party_id == party_id).order_by(PartyAlias.name)).all()


def relations_above(session: Session, party_id: int) -> list[RelationRow]:
    """Return what the party is and was tied to, the latest first."""
    query = (
        select(PartyRelation, Party)
        .join(Party, Party.id == PartyRelation.parent_id)
        .where(PartyRelation.child_id == party_id)
        .order_by(PartyRelation.valid_from.desc(), PartyRelation.id.desc())
    )
    return [RelationRow(relation, other) for relation, other in session.execute(query)]


def relations_below(session: Session, party_id: int, *, limit: int = 200) -> list[RelationRow]:
    """Return who is tied to the party today, by name."""
    query = (
        select(PartyRelation, Party)
        .join(Party, Party.id == PartyRelation.child_id)
        .where(
            PartyRelation.parent_id == party_id,
            holds_at(PartyRelation.valid_from, PartyRelation.valid_to, clock.today()),
        )
        .order_by(Party.name, PartyRelation.id)
        .limit(limit)
    )
    return [RelationRow(relation, other) for relation, other in session.execute(query)]


def own_parties(session: Session, scope: Scope, *, limit: int = 500) -> Sequence[Party]:
    """Return the parties that the user may propose changes for, branches first, by name."""
    query = select(Party).where(Party.merged_into_id.is_(None)).limit(limit)
    query = query.order_by(Party.kind != PartyKind.ORG_UNIT, Party.name, Party.id)
    return session.scalars(scope.limit(query, party=Party.id)).all()


def contains(column: Any, text: str) -> ColumnElement[bool]:
    """Return the condition that *column* has *text* in it, in capitals or not."""
    condition: ColumnElement[bool] = column.icontains(text, autoescape=True)
    return condition


def found(row: T | None) -> T:
    """Return *row*.

    Raises:
        NotFoundError: if there is none.
    """
    if row is None:
        raise NotFoundError
    return row
