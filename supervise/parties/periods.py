"""Half-open periods ``[first, end)`` in columns and in Python; an open end is NULL."""

import datetime as dt
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from supervise import clock
from supervise.labels import N_, translate
from supervise.parties.refusals import PeriodOrderError

#: A day or a moment.
Point = TypeVar("Point", dt.date, dt.datetime)

_OPEN_END = N_("further notice")


def holds_at(
    first: InstrumentedAttribute[Point], end: InstrumentedAttribute[Point | None], point: Point
) -> ColumnElement[bool]:
    """Return the condition that the period of a row contains *point*."""
    return and_(first <= point, or_(end.is_(None), end > point))


def overlaps(
    first: InstrumentedAttribute[Point], end: InstrumentedAttribute[Point | None], start: Point, stop: Point | None
) -> ColumnElement[bool]:
    """Return the condition that the period of a row shares a point with ``[start, stop)``."""
    after = or_(end.is_(None), end > start)
    return after if stop is None else and_(first < stop, after)


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
