"""The only reader of the clock, and the calendar arithmetic of China.

Moments are aware UTC (``*_at``); business days are China dates (``*_on``); months are ``2026-11``.
"""

import calendar
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")

_pretended: ContextVar[dt.datetime | None] = ContextVar("pretended", default=None)


def now() -> dt.datetime:
    """Return this moment, aware, in UTC."""
    return _pretended.get() or dt.datetime.now(dt.UTC)


@contextmanager
def pretending(at: dt.datetime) -> Iterator[None]:
    """Let it be *at* inside the block, in this thread: the demo tells a story of months (supervise.demo alone)."""
    token = _pretended.set(at)
    try:
        yield
    finally:
        _pretended.reset(token)


def today() -> dt.date:
    """Return today's date in China."""
    return china_day(now())


def china_day(at: dt.datetime) -> dt.date:
    """Return the China date of an aware moment: 16:00 UTC is already tomorrow there."""
    return at.astimezone(CHINA).date()


def start_of_day(day: dt.date) -> dt.datetime:
    """Return midnight in China on *day*, in UTC: the inclusive start of the half-open day."""
    return dt.datetime.combine(day, dt.time.min, CHINA).astimezone(dt.UTC)


def from_china(naive: dt.datetime) -> dt.datetime:
    """Return the UTC moment of a China wall-clock time, as forms and files give it."""
    return naive.replace(tzinfo=CHINA).astimezone(dt.UTC)


def month_of(day: dt.date) -> str:
    """Return the month of *day*: ``2026-11``."""
    return f"{day:%Y-%m}"


def month_bounds(month: str) -> tuple[dt.date, dt.date]:
    """Return ``(first, next_first)`` of *month*: a half-open period.

    Raises:
        ValueError: if *month* is not ``YYYY-MM``.
    """
    first = dt.datetime.strptime(month, "%Y-%m").replace(tzinfo=CHINA).date()
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def next_month(month: str) -> str:
    """Return the month after *month*."""
    return month_of(month_bounds(month)[1])


def months_after(day: dt.date, months: int) -> dt.date:
    """Return the day so many calendar months after *day* (before, if negative); the last of a month that is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return day.replace(year=year, month=month + 1, day=min(day.day, calendar.monthrange(year, month + 1)[1]))
