"""Decisions on org units: found, rename, move, merge, close. Each unit has one party of its own."""

import datetime as dt
import functools

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.audit.record import changed, record_event
from supervise.db import take_turn
from supervise.parties.carry_over import carry_over
from supervise.parties.locks import TREE_OF_UNITS, load, load_version
from supervise.parties.models import OrgUnit, OrgUnitPlacement, Party, PartyKind, PartyStatus, UnitKind
from supervise.parties.periods import overlaps
from supervise.parties.refusals import (
    ClosedUnitError,
    CodeTakenError,
    CycleError,
    MergedError,
    OverlapError,
    UnitHasChildrenError,
)
from supervise.parties.tree import first_day_below_itself

_record = functools.partial(record_event, subject="org_unit")


def found_unit(
    session: Session,
    *,
    code: str,
    name: str,
    kind: UnitKind,
    parent_id: int | None,
    valid_from: dt.date,
    actor_id: int,
    cost_centre: str | None = None,
) -> OrgUnit:
    """Add a unit below *parent_id* from a day on, with the party that answers for it.

    Raises:
        CodeTakenError: if a unit or a party has the code.
        NoSuchRowError, ClosedUnitError, MergedError: if the parent does not exist on that day.
    """
    _check_code(session, code)
    if parent_id is not None:
        _load_existing(session, parent_id, valid_from)
    unit = OrgUnit(code=code, name=name, kind=kind, cost_centre=cost_centre)
    session.add(unit)
    session.flush()
    session.add_all(
        [
            OrgUnitPlacement(unit_id=unit.id, parent_id=parent_id, valid_from=valid_from),
            Party(
                code=code,
                kind=PartyKind.ORG_UNIT,
                name=name,
                status=PartyStatus.REGISTERED,
                org_unit_id=unit.id,
            ),
        ]
    )
    session.flush()
    placed = {"code": code, "kind": kind, "parent_id": parent_id, "valid_from": valid_from}
    _record(session, subject_id=unit.id, action="org_unit.founded", actor_id=actor_id, changes=placed)
    return unit


def rename_unit(
    session: Session, unit_id: int, *, name: str, cost_centre: str | None, version: int, actor_id: int
) -> OrgUnit:
    """Give the unit, and its party, another name or cost centre.

    Raises:
        NoSuchRowError: if there is no such unit.
        ConflictError: if it was changed since *version*.
    """
    unit = load_version(session, OrgUnit, unit_id, version)
    before = {"name": unit.name, "cost_centre": unit.cost_centre}
    unit.name, unit.cost_centre = name, cost_centre
    party_of_unit(session, unit_id).name = name
    _record(
        session,
        subject_id=unit_id,
        action="org_unit.renamed",
        actor_id=actor_id,
        changes=changed(before, {"name": name, "cost_centre": cost_centre}),
    )
    return unit


def move_unit(
    session: Session, unit_id: int, *, parent_id: int | None, from_on: dt.date, reason: str, actor_id: int
) -> OrgUnitPlacement:
    """Hang the unit below another from a day on; before that day it stays where it was.

    Raises:
        NoSuchRowError, ClosedUnitError, MergedError: if unit or parent does not exist on that day.
        OverlapError: if the unit has been placed from that day or a later one already.
        CycleError: if the unit would stand above itself.
    """
    take_turn(session, TREE_OF_UNITS)
    unit = _load_existing(session, unit_id, from_on)
    if parent_id is not None:
        _load_existing(session, parent_id, from_on)
        day = first_day_below_itself(session, unit_id, parent_id, from_on, None)
        if day is not None:
            raise CycleError(name=unit.name, day=f"{day}")
    before = _end_placement(session, unit_id, from_on)
    placement = OrgUnitPlacement(unit_id=unit_id, parent_id=parent_id, valid_from=from_on)
    session.add(placement)
    session.flush()
    moved = {"parent_id": [before, parent_id], "valid_from": from_on}
    _record(session, subject_id=unit_id, action="org_unit.moved", actor_id=actor_id, changes=moved, reason=reason)
    return placement


def merge_unit(session: Session, unit_id: int, *, into_id: int, on: dt.date, reason: str, actor_id: int) -> OrgUnit:
    """Let the unit go up in another from a day on.

    What happened before stays with the old unit and is seen by the new one. Units below it, numbers, workers
    and sponsored parties go over on that day, dated.

    Raises:
        NoSuchRowError, ClosedUnitError, MergedError: if one of the two does not exist on that day.
        CycleError: if the other unit stands below this one.
    """
    take_turn(session, TREE_OF_UNITS)
    unit, into = _load_existing(session, unit_id, on), _load_existing(session, into_id, on)
    day = first_day_below_itself(session, unit_id, into_id, on, None)
    if day is not None:
        raise CycleError(name=unit.name, day=f"{day}")
    for child_id in _children_ids(session, unit_id, on):
        move_unit(session, child_id, parent_id=into_id, from_on=on, reason=reason, actor_id=actor_id)
    _end_placement(session, unit_id, on)
    unit.merged_into_id, unit.merged_on = into_id, on
    unit.version += 1
    carry_over(session, party_of_unit(session, unit_id).id, party_of_unit(session, into.id).id, on)
    _record(
        session,
        subject_id=unit_id,
        action="org_unit.merged",
        actor_id=actor_id,
        changes={"merged_into_id": into_id, "merged_on": on},
        reason=reason,
    )
    return unit


def close_unit(session: Session, unit_id: int, *, on: dt.date, reason: str, actor_id: int) -> OrgUnit:
    """Close the unit; *on* is the first day on which it is no more. It keeps its place, for its history's sake.

    Raises:
        NoSuchRowError, ClosedUnitError, MergedError: if it does not exist on that day.
        UnitHasChildrenError: if another unit stands below it then.
    """
    take_turn(session, TREE_OF_UNITS)
    unit = _load_existing(session, unit_id, on)
    if _children_ids(session, unit_id, on):
        raise UnitHasChildrenError(name=unit.name)
    unit.closed_on = on
    unit.version += 1
    _record(
        session,
        subject_id=unit_id,
        action="org_unit.closed",
        actor_id=actor_id,
        changes={"closed_on": on},
        reason=reason,
    )
    return unit


def party_of_unit(session: Session, unit_id: int) -> Party:
    """Return the party that answers for the unit; every unit has one."""
    return session.scalars(select(Party).where(Party.org_unit_id == unit_id)).one()


def _check_code(session: Session, code: str) -> None:
    taken = session.scalar(select(Party.name).where(Party.code == code))
    if taken is None:
        taken = session.scalar(select(OrgUnit.name).where(OrgUnit.code == code))
    if taken is not None:
        raise CodeTakenError(code=code, name=taken)


def _load_existing(session: Session, unit_id: int, on: dt.date) -> OrgUnit:
    unit = load(session, OrgUnit, unit_id)
    if unit.merged_into_id is not None:
        raise MergedError(name=unit.name, other=load(session, OrgUnit, unit.merged_into_id).name)
    if unit.closed_on is not None and unit.closed_on <= on:
        raise ClosedUnitError(name=unit.name, day=f"{unit.closed_on}")
    return unit


def _children_ids(session: Session, unit_id: int, on: dt.date) -> list[int]:
    query = (
        select(OrgUnitPlacement.unit_id)
        .join(OrgUnit, OrgUnit.id == OrgUnitPlacement.unit_id)
        .where(
            OrgUnitPlacement.parent_id == unit_id,
            overlaps(OrgUnitPlacement.valid_from, OrgUnitPlacement.valid_to, on, None),
            OrgUnit.closed_on.is_(None),
        )
        .order_by(OrgUnitPlacement.unit_id)
    )
    return list(session.scalars(query))


def _end_placement(session: Session, unit_id: int, on: dt.date) -> int | None:
    """End the placement in force on the day and return its parent.

    Raises:
        OverlapError: if a placement starts on that day or later.
    """
    rows = session.scalars(
        select(OrgUnitPlacement).where(
            OrgUnitPlacement.unit_id == unit_id,
            overlaps(OrgUnitPlacement.valid_from, OrgUnitPlacement.valid_to, on, None),
        )
    ).all()
    if any(row.valid_from >= on for row in rows):
        raise OverlapError
    for row in rows:
        row.valid_to = on
    session.flush()
    return rows[0].parent_id if rows else None
