"""Half-open periods ``[first, end)`` in columns and in Python; an open end is NULL."""

import datetime as dt
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise import clock
from supervise.labels import N_, translate
from supervise.parties.models import Party
from supervise.parties.refusals import PeriodOrderError

#: A day or a moment.
Point = TypeVar("Point", dt.date, dt.datetime)

_OPEN_END = N_("further notice")


def holds_at(
    first: InstrumentedAttribute[Point], end: InstrumentedAttribute[Point | None], point: Point | ColumnElement[Point]
) -> ColumnElement[bool]:
    """Return the condition that the period of a row contains *point*."""
    return and_(first <= point, or_(end.is_(None), end > point))


def overlaps(
    first: InstrumentedAttribute[Point], end: InstrumentedAttribute[Point | None], start: Point, stop: Point | None
) -> ColumnElement[bool]:
    """Return the condition that the period of a row shares a point with ``[start, stop)``."""
    after = or_(end.is_(None), end > start)
    return after if stop is None else and_(first < stop, after)


def first_overlap(
    session: Session,
    same_key: ColumnElement[bool],
    dated: tuple[InstrumentedAttribute[Point], InstrumentedAttribute[Point | None]],
    period: tuple[Point, Point | None],
    party_id: InstrumentedAttribute[int],
) -> dict[str, str] | None:
    """Return what is in the way of *period* among the rows of one key, as a refusal says it; None: nothing.

    That is the earliest row whose two *dated* columns share a point with it: the ``name`` of its party (column
    *party_id*), its ``first`` point and its ``end``. The database refuses the same by its own constraints.
    """
    first, end = dated
    query = (
        select(Party.name, first, end)
        .join(Party, Party.id == party_id)
        .where(same_key, overlaps(first, end, *period))
        .order_by(first)
        .limit(1)
    )
    found = session.execute(query).one_or_none()
    return None if found is None else {"name": found[0], "first": in_words(found[1]), "end": in_words(found[2])}


def check_order(first: Point, end: Point | None) -> None:
    """Refuse a period that is empty or runs backwards; agrees with the CHECK ``period_order``.

    Raises:
        PeriodOrderError: for such a period.
    """
    if end is not None and end <= first:
        raise PeriodOrderError


def in_words(point: dt.date | dt.datetime | None) -> str:
    """Return *point* as a refusal names it: China's wall clock, or that there is no end."""
    if point is None:
        return translate(_OPEN_END)
    if isinstance(point, dt.datetime):
        return f"{point.astimezone(clock.CHINA):%Y-%m-%d %H:%M}"
    return f"{point:%Y-%m-%d}"
