import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise.complaints.models import CalendarDay, CalendarYear, DayType
from supervise.complaints.workdays import (
    CalendarMissingError,
    CalendarYearUnknownError,
    days_in_words,
    load_calendar,
    load_year,
    set_day,
)
from supervise.labels import use_locale

HOLIDAY_EVE = dt.date(2026, 9, 29)


def test_five_working_days_run_over_the_holiday_and_its_make_up_saturday(session: Session) -> None:
    calendar = load_calendar(session)

    reached = calendar.add_days(HOLIDAY_EVE, 5, DayType.WORKING)

    assert reached == (dt.date(2026, 10, 12), False)
    assert calendar.is_working(dt.date(2026, 10, 10))
    assert not calendar.is_working(dt.date(2026, 10, 7))


def test_calendar_days_count_every_day(session: Session) -> None:
    reached = load_calendar(session).add_days(HOLIDAY_EVE, 15, DayType.NATURAL)

    assert reached == (dt.date(2026, 10, 14), False)


@pytest.mark.parametrize(
    ("days", "day_type", "words"),
    [
        (1, DayType.WORKING, "1 working day"),
        (5, DayType.WORKING, "5 working days"),
        (1, DayType.NATURAL, "1 calendar day"),
        (15, DayType.NATURAL, "15 calendar days"),
    ],
)
def test_a_period_says_how_its_days_are_counted(days: int, day_type: DayType, words: str) -> None:
    with use_locale("en"):
        assert days_in_words(days, day_type) == words


def test_a_year_that_is_not_loaded_counts_monday_to_friday_and_says_so(session: Session) -> None:
    reached = load_calendar(session).add_days(dt.date(2026, 12, 31), 1, DayType.WORKING)

    assert reached == (dt.date(2027, 1, 1), True)


def test_a_year_that_nobody_knows_yet_cannot_be_loaded(session: Session) -> None:
    with pytest.raises(CalendarMissingError):
        load_year(session, 2027, actor_id=7)

    assert session.get(CalendarYear, 2027) is None


def test_loading_a_year_again_restores_it(session: Session) -> None:
    set_day(session, HOLIDAY_EVE, is_working=False, note="typhoon", actor_id=7)

    count = load_year(session, 2026, actor_id=7)

    calendar = load_calendar(session)
    assert calendar.is_working(HOLIDAY_EVE)
    assert count == sum(day.year == 2026 for day in calendar.exceptions)


def test_a_day_is_decided_by_hand(session: Session) -> None:
    set_day(session, HOLIDAY_EVE, is_working=False, note="typhoon", actor_id=7)

    assert not load_calendar(session).is_working(HOLIDAY_EVE)
    assert session.get_one(CalendarDay, HOLIDAY_EVE).note == "typhoon"


def test_a_day_of_an_unknown_year_cannot_be_decided(session: Session) -> None:
    with pytest.raises(CalendarYearUnknownError):
        set_day(session, dt.date(2027, 1, 1), is_working=False, note="New Year", actor_id=7)
