"""The carrier's own tree as of a day: what lies below a unit, what lies above it, what was merged into it."""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import CTE, ColumnElement, Select, literal, select
from sqlalchemy.orm import Session, aliased

from supervise.parties.models import OrgUnit, OrgUnitPlacement
from supervise.parties.periods import holds_at, overlaps

#: No carrier is deeper; a cycle that slipped in would end here.
_HEIGHT_MAX = 40


class TreeRow(NamedTuple):
    """A unit at its place in the tree."""

    unit: OrgUnit
    parent_id: int | None
    depth: int


def subtree(roots: Select[int], on: dt.date | ColumnElement[dt.date]) -> CTE:
    """Return the units (``unit_id``) of *roots* and all that stand below one of them *on* the day."""
    below = select(roots.subquery().c[0].label("unit_id")).cte("below", recursive=True)
    # UNION, not UNION ALL: a cycle that slipped in would end here.
    return below.union(
        select(OrgUnitPlacement.unit_id)
        .join(below, OrgUnitPlacement.parent_id == below.c.unit_id)
        .where(holds_at(OrgUnitPlacement.valid_from, OrgUnitPlacement.valid_to, on))
    )


def and_merged(units: Select[int]) -> CTE:
    """Return *units* (as ``unit_id``) and all that were merged into one of them, at whatever remove."""
    merged = select(units.subquery().c[0].label("unit_id")).cte("merged", recursive=True)
    return merged.union(select(OrgUnit.id).join(merged, OrgUnit.merged_into_id == merged.c.unit_id))


def branch_ids(session: Session, unit_id: int, on: dt.date) -> frozenset[int]:
    """Return the ids of the unit, of all below it *on* the day, and of what was merged into one of them."""
    below = subtree(select(OrgUnit.id).where(OrgUnit.id == unit_id), on)
    whole = and_merged(select(below.c.unit_id))
    return frozenset(session.scalars(select(whole.c.unit_id)))


def with_merged(session: Session, unit_ids: Collection[int]) -> frozenset[int]:
    """Return *unit_ids* and every unit that was merged into one of them, at whatever remove."""
    merged = and_merged(select(OrgUnit.id).where(OrgUnit.id.in_(unit_ids)))
    return frozenset(session.scalars(select(merged.c.unit_id)))


def surviving_ids(session: Session, unit_ids: Collection[int]) -> frozenset[int]:
    """Return *unit_ids* and every unit that one of them was merged into, at whatever remove."""
    first = select(OrgUnit.id.label("unit_id"), OrgUnit.merged_into_id).where(OrgUnit.id.in_(unit_ids))
    later = first.cte("later", recursive=True)
    into = aliased(OrgUnit)
    later = later.union(select(into.id, into.merged_into_id).join(later, into.id == later.c.merged_into_id))
    return frozenset(session.scalars(select(later.c.unit_id)))


def path_to_root(session: Session, unit_id: int, on: dt.date) -> Sequence[OrgUnit]:
    """Return the unit and those above it *on* the day, the nearest first."""
    start = select(OrgUnit.id.label("unit_id"), literal(0).label("height")).where(OrgUnit.id == unit_id)
    path = start.cte("path", recursive=True)
    placement = aliased(OrgUnitPlacement)
    path = path.union_all(
        select(placement.parent_id, path.c.height + 1)
        .join(path, placement.unit_id == path.c.unit_id)
        .where(
            placement.parent_id.is_not(None),
            holds_at(placement.valid_from, placement.valid_to, on),
            path.c.height < _HEIGHT_MAX,
        )
    )
    return session.scalars(select(OrgUnit).join(path, path.c.unit_id == OrgUnit.id).order_by(path.c.height)).all()


def tree_at(session: Session, on: dt.date, *, within: Collection[int] | None = None) -> list[TreeRow]:
    """Return the units that are placed *on* the day, each before those below it, brothers by code.

    *within* keeps only these ids; a unit whose parent is left out stands at the top.
    """
    query = (
        select(OrgUnit, OrgUnitPlacement.parent_id)
        .join(OrgUnitPlacement, OrgUnitPlacement.unit_id == OrgUnit.id)
        .where(holds_at(OrgUnitPlacement.valid_from, OrgUnitPlacement.valid_to, on))
        .order_by(OrgUnit.code)
    )
    rows = [row for row in session.execute(query) if within is None or row[0].id in within]
    present = {unit.id for unit, _parent_id in rows}
    below: dict[int | None, list[OrgUnit]] = {}
    for unit, parent_id in rows:
        below.setdefault(parent_id if parent_id in present else None, []).append(unit)
    ordered: list[TreeRow] = []
    waiting = [TreeRow(unit, None, 0) for unit in reversed(below.get(None, []))]
    while waiting:
        row = waiting.pop()
        ordered.append(row)
        children = below.get(row.unit.id, [])
        waiting += [TreeRow(unit, row.unit.id, row.depth + 1) for unit in reversed(children)]
    return ordered


#: Who stands below whom, and in which period: (lower id, upper id, first day, first day without it).
Edge = tuple[int, int, dt.date, dt.date | None]


class Climb(NamedTuple):
    """A node that is reached during ``[first, end)``."""

    node_id: int
    first: dt.date
    end: dt.date


def first_day_below_itself(
    session: Session, unit_id: int, parent_id: int, valid_from: dt.date, valid_to: dt.date | None
) -> dt.date | None:
    """Return a day on which *unit_id* would stand above *parent_id*, or None: no cycle."""

    def above(nodes: Sequence[Climb]) -> Iterable[Edge]:
        first, end = min(node.first for node in nodes), max(node.end for node in nodes)
        query = select(
            OrgUnitPlacement.unit_id, OrgUnitPlacement.parent_id, OrgUnitPlacement.valid_from, OrgUnitPlacement.valid_to
        ).where(
            OrgUnitPlacement.unit_id.in_({node.node_id for node in nodes}),
            OrgUnitPlacement.parent_id.is_not(None),
            overlaps(OrgUnitPlacement.valid_from, OrgUnitPlacement.valid_to, first, end),
        )
        return [(row.unit_id, row.parent_id, row.valid_from, row.valid_to) for row in session.execute(query)]

    return first_day_of_circle((unit_id, parent_id, valid_from, valid_to), above)


def first_day_of_circle(edge: Edge, above: Callable[[Sequence[Climb]], Iterable[Edge]]) -> dt.date | None:
    """Return a day on which the upper end of a new *edge* stands below its lower end, or None: it closes no circle.

    *above* returns the edges that lead up from some nodes.
    """
    lower_id, upper_id, valid_from, valid_to = edge
    frontier = [Climb(upper_id, valid_from, valid_to or dt.date.max)]
    seen: set[Climb] = set()
    while frontier:
        hit = next((node for node in frontier if node.node_id == lower_id), None)
        if hit is not None:
            return hit.first
        seen.update(frontier)
        frontier = [node for node in climb(frontier, above(frontier)) if node not in seen]
    return None


def climb(nodes: Iterable[Climb], edges: Iterable[Edge]) -> list[Climb]:
    """Return where *nodes* lead by dated *edges*, each with the days it is reached."""
    reached: dict[Climb, None] = {}
    by_child: dict[int, list[tuple[int, dt.date, dt.date]]] = {}
    for child_id, parent_id, first, end in edges:
        by_child.setdefault(child_id, []).append((parent_id, first, end or dt.date.max))
    for node in nodes:
        for parent_id, first, end in by_child.get(node.node_id, ()):
            step = Climb(parent_id, max(first, node.first), min(end, node.end))
            if step.first < step.end:
                reached[step] = None
    return list(reached)
