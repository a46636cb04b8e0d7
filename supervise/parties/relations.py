"""Decisions on what ties one party to another: dated, one parent per role, never in a circle."""

import datetime as dt
import functools
from collections.abc import Iterable, Sequence

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.db import take_turn
from supervise.parties.locks import TREE_OF_PARTIES, load, load_version
from supervise.parties.models import Party, PartyRelation, RelationRole
from supervise.parties.periods import check_order, first_overlap
from supervise.parties.refusals import CycleError, RelationOverlapError
from supervise.parties.standing import check_not_merged, check_open
from supervise.parties.tree import Climb, Edge, first_day_of_circle

#: Writes an audit event on a party.
record_party = functools.partial(record_event, subject="party")


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
    _check_free(session, child_id, role, valid_from, valid_to)
    _check_no_cycle(session, child, parent_id, valid_from, valid_to)
    relation = PartyRelation(
        child_id=child_id, parent_id=parent_id, role=role, valid_from=valid_from, valid_to=valid_to
    )
    session.add(relation)
    session.flush()
    changes = {"parent_id": parent_id, "role": role, "valid_from": valid_from, "valid_to": valid_to}
    record_party(session, subject_id=child_id, action="party.related", actor_id=actor_id, changes=changes)
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
        _check_free(session, relation.child_id, relation.role, relation.valid_to, on)
        child = load(session, Party, relation.child_id)
        _check_no_cycle(session, child, relation.parent_id, relation.valid_to, on)
    changes = {"relation_id": relation_id, "valid_to": [relation.valid_to, on]}
    relation.valid_to = on
    relation.version += 1
    record_party(
        session,
        subject_id=relation.child_id,
        action="party.relation_ended",
        actor_id=actor_id,
        changes=changes,
        reason=reason,
    )
    return relation


def correct_relation(
    session: Session,
    relation_id: int,
    *,
    valid_from: dt.date,
    valid_to: dt.date | None,
    reason: str,
    version: int,
    actor_id: int,
) -> PartyRelation:
    """Correct when one party stood below the other; the trail keeps the period as it was.

    Verdicts on calls in between are not touched: a job proposes to look at them again.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
        PeriodOrderError: for an empty period.
        RelationOverlapError: if the party stands below another in this role then.
        CycleError: if the party would stand above itself.
    """
    check_order(valid_from, valid_to)
    take_turn(session, TREE_OF_PARTIES)
    relation = load_version(session, PartyRelation, relation_id, version)
    child = load(session, Party, relation.child_id)
    _check_free(session, child.id, relation.role, valid_from, valid_to, besides=relation_id)
    _check_no_cycle(session, child, relation.parent_id, valid_from, valid_to)
    changes = {
        "relation_id": relation_id,
        "valid_from": [relation.valid_from, valid_from],
        "valid_to": [relation.valid_to, valid_to],
    }
    relation.valid_from, relation.valid_to = valid_from, valid_to
    session.flush()
    record_party(
        session,
        subject_id=child.id,
        action="party.relation_corrected",
        actor_id=actor_id,
        changes=changes,
        reason=reason,
    )
    return relation


def first_day_above_itself(
    session: Session, child_id: int, parent_id: int, valid_from: dt.date, valid_to: dt.date | None
) -> dt.date | None:
    """Return a day on which *parent_id* would stand below *child_id*, or None: no cycle."""

    def above(nodes: Sequence[Climb]) -> Iterable[Edge]:
        query = select(
            PartyRelation.child_id, PartyRelation.parent_id, PartyRelation.valid_from, PartyRelation.valid_to
        ).where(PartyRelation.child_id.in_({node.node_id for node in nodes}))
        return [(row.child_id, row.parent_id, row.valid_from, row.valid_to) for row in session.execute(query)]

    return first_day_of_circle((child_id, parent_id, valid_from, valid_to), above)


def _check_free(
    session: Session, child_id: int, role: RelationRole, start: dt.date, stop: dt.date | None, *, besides: int = 0
) -> None:
    # The database refuses the same: ex_party_relation_overlap, party_relation_no_overlap_*.
    in_role = and_(PartyRelation.child_id == child_id, PartyRelation.role == role, PartyRelation.id != besides)
    dated = (PartyRelation.valid_from, PartyRelation.valid_to)
    taken = first_overlap(session, in_role, dated, (start, stop), PartyRelation.parent_id)
    if taken is not None:
        raise RelationOverlapError(**taken)


def _check_no_cycle(
    session: Session, child: Party, parent_id: int, valid_from: dt.date, valid_to: dt.date | None
) -> None:
    day = first_day_above_itself(session, child.id, parent_id, valid_from, valid_to)
    if day is not None:
        raise CycleError(name=child.name, day=f"{day}")
