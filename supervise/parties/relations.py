"""Decisions on what ties one party to another: dated, one parent per role, never in a circle."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.db import take_turn
from supervise.parties.locks import TREE_OF_PARTIES, load
from supervise.parties.models import Party, PartyKind, PartyRelation, RelationRole
from supervise.parties.periods import check_order, in_words, overlaps
from supervise.parties.refusals import CycleError, MergedError, RelationOverlapError, UnitPartyError
from supervise.parties.tree import Climb, climb


def relate(
    session: Session,
    *,
    child_id: int,
    parent_id: int,
    role: RelationRole,
    valid_from: dt.date,
    actor_id: int,
    valid_to: dt.date | None = None,
) -> PartyRelation:
    """Put one party below another in a role for a period.

    Raises:
        NoSuchRowError, MergedError: if one of them is gone.
        UnitPartyError: if the child is a branch: the tree of units says where it stands.
        PeriodOrderError: if the period is empty.
        RelationOverlapError: if the child has a parent in this role then.
        CycleError: if the child would stand above itself.
    """
    check_order(valid_from, valid_to)
    take_turn(session, TREE_OF_PARTIES)
    child, parent = load(session, Party, child_id), load(session, Party, parent_id)
    check_open(session, child)
    check_not_merged(session, parent)
    _check_relation_free(session, child_id, role, valid_from, valid_to)
    day = first_day_above_itself(session, child_id, parent_id, valid_from, valid_to)
    if day is not None:
        raise CycleError(name=child.name, day=f"{day}")
    relation = PartyRelation(
        child_id=child_id, parent_id=parent_id, role=role, valid_from=valid_from, valid_to=valid_to
    )
    session.add(relation)
    session.flush()
    changes = {"parent_id": parent_id, "role": role, "valid_from": valid_from, "valid_to": valid_to}
    record_party(session, child_id, "party.related", actor_id=actor_id, changes=changes)
    return relation


def end_relation(
    session: Session, relation_id: int, *, on: dt.date, reason: str | None, actor_id: int
) -> PartyRelation:
    """Let a relation end; *on* is the first day without it. An end that was wrong is corrected the same way.

    Raises:
        NoSuchRowError: if there is none.
        PeriodOrderError: if it would end before it began.
        RelationOverlapError: if a later end runs into the next relation of that role.
    """
    take_turn(session, TREE_OF_PARTIES)
    relation = load(session, PartyRelation, relation_id)
    check_order(relation.valid_from, on)
    if relation.valid_to is not None and on > relation.valid_to:
        _check_relation_free(session, relation.child_id, relation.role, relation.valid_to, on)
        day = first_day_above_itself(session, relation.child_id, relation.parent_id, relation.valid_to, on)
        if day is not None:
            raise CycleError(name=load(session, Party, relation.child_id).name, day=f"{day}")
    before, relation.valid_to = relation.valid_to, on
    changes = {"relation_id": relation_id, "valid_to": [before, on]}
    record_party(session, relation.child_id, "party.relation_ended", actor_id=actor_id, changes=changes, reason=reason)
    return relation


def first_day_above_itself(
    session: Session, child_id: int, parent_id: int, valid_from: dt.date, valid_to: dt.date | None
) -> dt.date | None:
    """Return a day on which *parent_id* would stand below *child_id*, or None: no cycle."""
    frontier = [Climb(parent_id, valid_from, valid_to or dt.date.max)]
    seen: set[Climb] = set()
    while frontier:
        hit = next((node for node in frontier if node.node_id == child_id), None)
        if hit is not None:
            return hit.first
        seen.update(frontier)
        query = select(
            PartyRelation.child_id, PartyRelation.parent_id, PartyRelation.valid_from, PartyRelation.valid_to
        ).where(PartyRelation.child_id.in_({node.node_id for node in frontier}))
        edges = [(row.child_id, row.parent_id, row.valid_from, row.valid_to) for row in session.execute(query)]
        frontier = [node for node in climb(frontier, edges) if node not in seen]
    return None


def _check_relation_free(
    session: Session, child_id: int, role: RelationRole, start: dt.date, stop: dt.date | None
) -> None:
    # The database refuses the same: ex_party_relation_overlap, party_relation_no_overlap_*.
    query = (
        select(Party.name, PartyRelation.valid_from, PartyRelation.valid_to)
        .join(Party, Party.id == PartyRelation.parent_id)
        .where(
            PartyRelation.child_id == child_id,
            PartyRelation.role == role,
            overlaps(PartyRelation.valid_from, PartyRelation.valid_to, start, stop),
        )
        .limit(1)
    )
    other = session.execute(query).one_or_none()
    if other is not None:
        name, first, end = other
        raise RelationOverlapError(name=name, first=in_words(first), end=in_words(end))


def check_open(session: Session, party: Party) -> None:
    """Refuse a branch, which changes as an org unit, and a party that lives on in another.

    Raises:
        UnitPartyError, MergedError: for such a party.
    """
    if party.kind is PartyKind.ORG_UNIT:
        raise UnitPartyError(name=party.name)
    check_not_merged(session, party)


def check_not_merged(session: Session, party: Party) -> None:
    """Refuse a party that lives on in another.

    Raises:
        MergedError: naming the other.
    """
    if party.merged_into_id is not None:
        raise MergedError(name=party.name, other=load(session, Party, party.merged_into_id).name)


def record_party(
    session: Session,
    party_id: int,
    action: str,
    *,
    actor_id: int,
    changes: Mapping[str, Any],
    reason: str | None = None,
) -> None:
    """Write an audit event on a party."""
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="party",
        subject_id=party_id,
        changes=changes,
        reason=reason,
    )
