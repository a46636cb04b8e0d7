"""Named reads of what ties parties to each other, each within a scope."""

from typing import NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.parties.models import Party, PartyRelation, RelationRole
from supervise.parties.periods import holds_at
from supervise.parties.queries import AT_ONCE, contains, found
from supervise.parties.scope import Scope


class RelationFilters(NamedTuple):
    """What the list of ties is narrowed by; *text* fits name or code of either party."""

    text: str = ""
    role: RelationRole | None = None
    #: True: only those in force today.
    present: bool = False


class RelationLine(NamedTuple):
    """A tie with the parties at both ends."""

    relation: PartyRelation
    child: Party
    parent: Party


def relations_by_child(
    session: Session,
    scope: Scope,
    filters: RelationFilters,
    *,
    after: tuple[str, int] | None = None,
    limit: int = AT_ONCE,
) -> list[RelationLine]:
    """Return up to *limit* ties after (code below, id) *after*, by the code of the party below, each period a row."""
    child, parent = aliased(Party), aliased(Party)
    query = (
        select(PartyRelation, child, parent)
        .join(child, child.id == PartyRelation.child_id)
        .join(parent, parent.id == PartyRelation.parent_id)
        .order_by(child.code, PartyRelation.id)
        .limit(limit)
    )
    if after is not None:
        code, relation_id = after
        query = query.where(or_(child.code > code, and_(child.code == code, PartyRelation.id > relation_id)))
    if filters.text:
        fields = (child.name, child.code, parent.name, parent.code)
        query = query.where(or_(*(contains(field, filters.text) for field in fields)))
    if filters.role is not None:
        query = query.where(PartyRelation.role == filters.role)
    if filters.present:
        query = query.where(holds_at(PartyRelation.valid_from, PartyRelation.valid_to, clock.today()))
    return [RelationLine(*row) for row in session.execute(scope.limit(query, party=PartyRelation.child_id))]


def relation_in_scope(session: Session, scope: Scope, relation_id: int) -> RelationLine:
    """Return the tie.

    Raises:
        NotFoundError: if there is none, or its lower party is not the user's.
    """
    relation = found(session.get(PartyRelation, relation_id))
    scope.check(None, relation.child_id)
    return RelationLine(relation, session.get_one(Party, relation.child_id), session.get_one(Party, relation.parent_id))
