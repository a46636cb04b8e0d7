"""The working days of China: a table that chinesecalendar fills, with make-up days, year by year."""

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

import chinese_calendar
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.models import CalendarDay, CalendarYear, DayType
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_, ngettext

_SATURDAY = 5
_SOURCE = "chinesecalendar"
#: What the package calls the holidays; kept with a day in English and shown in the reader's language.
HOLIDAYS = frozenset(
    {
        N_("New Year's Day"),
        N_("Spring Festival"),
        N_("Tomb-sweeping Day"),
        N_("Labour Day"),
        N_("Dragon Boat Festival"),
        N_("National Day"),
        N_("Mid-autumn Festival"),
        N_("Anti-Fascist 70th Day"),
    }
)


def days_in_words(days: int, day_type: DayType) -> str:
    """Return a period in words: ``5 working days``."""
    if day_type is DayType.WORKING:
        return ngettext("%(n)d working day", "%(n)d working days", days)
    return ngettext("%(n)d calendar day", "%(n)d calendar days", days)


class CalendarMissingError(ConflictError):
    """The package knows no holidays of that year; the State Council publishes them each November."""

    message = N_("The holidays of %(year)d are not known yet; due dates in it stay provisional")


class CalendarYearUnknownError(InvalidInputError):
    """A day of a year that was never loaded cannot be edited."""

    message = N_("Load the calendar of %(year)d first")


class DayInCalendar(NamedTuple):
    """A day reached by counting; provisional if a year on the way is not loaded."""

    day: dt.date
    provisional: bool


@dataclass(frozen=True)
class Calendar:
    """The loaded years, and the days in them that differ from Monday to Friday."""

    years: frozenset[int]
    exceptions: dict[dt.date, bool]

    def is_working(self, day: dt.date) -> bool:
        """Say whether people work on *day*; in a year that is not loaded, Monday to Friday."""
        return self.exceptions.get(day, day.weekday() < _SATURDAY)

    def add_days(self, start: dt.date, days: int, day_type: DayType) -> DayInCalendar:
        """Return the last day of a limit of *days* (> 0) that begins on the day after *start*.

        Five working days from 2026-09-29 end on 2026-10-12: the holiday and its make-up Saturday count.
        """
        if day_type is DayType.NATURAL:
            return DayInCalendar(start + dt.timedelta(days), provisional=False)
        day, left = start, days
        while left > 0:
            day += dt.timedelta(1)
            left -= self.is_working(day)
        years = range(start.year, day.year + 1)
        return DayInCalendar(day, provisional=not self.years.issuperset(years))


def load_calendar(session: Session) -> Calendar:
    """Return the whole calendar: some thirty rows for each year."""
    years = frozenset(session.scalars(sa.select(CalendarYear.year)))
    rows = session.execute(sa.select(CalendarDay.day, CalendarDay.is_working))
    return Calendar(years, {row.day: row.is_working for row in rows})


def load_year(session: Session, year: int, *, actor_id: int) -> int:
    """Fill the calendar of *year* from chinesecalendar and return how many days differ from Monday to Friday.

    A year that was loaded before is loaded again; days that were edited by hand go back to the package's.

    Raises:
        CalendarMissingError: if the package does not know the year; nothing is written.
    """
    first, next_first = dt.date(year, 1, 1), dt.date(year + 1, 1, 1)
    days = [first + dt.timedelta(n) for n in range((next_first - first).days)]
    try:
        odd = [day for day in days if chinese_calendar.is_workday(day) != (day.weekday() < _SATURDAY)]
        notes = {day: chinese_calendar.get_holiday_detail(day)[1] for day in odd}
    except NotImplementedError as error:
        raise CalendarMissingError(year=year) from error
    session.execute(sa.delete(CalendarDay).where(CalendarDay.day >= first, CalendarDay.day < next_first))
    rows = [{"day": day, "is_working": day.weekday() >= _SATURDAY, "note": notes[day]} for day in odd]
    session.execute(sa.insert(CalendarDay), rows)
    session.merge(CalendarYear(year=year, source=_SOURCE, loaded_at=clock.now()))
    session.flush()
    _record(session, "calendar.loaded", year, {"days": len(odd)}, actor_id)
    return len(odd)


def set_day(session: Session, day: dt.date, *, is_working: bool, note: str, actor_id: int) -> None:
    """Decide by hand whether people work on *day*, as a late announcement demands.

    Raises:
        CalendarYearUnknownError: if its year was not loaded.
    """
    if session.get(CalendarYear, day.year) is None:
        raise CalendarYearUnknownError(year=day.year)
    before = load_calendar(session).is_working(day)
    session.merge(CalendarDay(day=day, is_working=is_working, note=note))
    session.flush()
    _record(session, "calendar.day_set", day.isoformat(), {"is_working": [before, is_working]}, actor_id)


def _record(session: Session, action: str, subject_id: int | str, changes: dict[str, object], actor_id: int) -> None:
    record_event(session, actor_id=actor_id, action=action, subject="calendar", subject_id=subject_id, changes=changes)
