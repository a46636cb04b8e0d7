"""Thresholds of watching: dated, never back-dated, one of a kind at a time, above zero."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watch_models import WatchKind, WatchThreshold
from supervise.attribution.watch_thresholds import (
    SHAPES,
    CoverageError,
    Figures,
    FiguresError,
    HoursError,
    NotPositiveError,
    ThresholdPlannedError,
    end_threshold,
    set_threshold,
    threshold_by_id,
    threshold_periods,
    thresholds_on,
)
from supervise.audit.models import AuditEvent
from supervise.complaints.reference import BackDatedError
from supervise.errors import NotFoundError, RefusalError

DAY = dt.timedelta(days=1)
SUPERVISOR = 917


def set_calls(session: Session, value: int, valid_from: dt.date) -> WatchThreshold:
    return set_threshold(
        session,
        WatchKind.CALLS_PER_SUBSCRIBER,
        Figures(value=value),
        legal_note="公司内部要求",
        valid_from=valid_from,
        actor_id=SUPERVISOR,
    )


def calls_on(session: Session, day: dt.date) -> int | None:
    return thresholds_on(session, day)[WatchKind.CALLS_PER_SUBSCRIBER].value


def test_every_kind_begins_with_a_figure_and_says_on_what_it_stands(session: Session) -> None:
    found = thresholds_on(session, clock.today())

    assert set(found) == set(SHAPES) == set(WatchKind)
    assert all(row.legal_note for row in found.values())
    hours = found[WatchKind.CALL_HOURS]
    assert (hours.from_minute, hours.to_minute) == (9 * 60, 21 * 60)
    assert (found[WatchKind.CALLS_PER_SUBSCRIBER].value, found[WatchKind.ORDER_TRACE].value) == (3, 30)


def test_the_duty_to_record_and_to_check_begins_with_the_unified_rules(session: Session) -> None:
    duties = {WatchKind.RECORDING_COVERAGE, WatchKind.QC_COVERAGE}

    assert duties.isdisjoint(thresholds_on(session, dt.date(2025, 7, 31)))
    assert duties <= set(thresholds_on(session, dt.date(2025, 8, 1)))


def test_a_new_threshold_ends_the_one_before_it(session: Session) -> None:
    tomorrow = clock.today() + DAY

    made = set_calls(session, 2, tomorrow)

    assert (calls_on(session, clock.today()), calls_on(session, tomorrow)) == (3, 2)
    of_kind = [row for row in threshold_periods(session) if row.kind is WatchKind.CALLS_PER_SUBSCRIBER]
    assert [(row.value, row.valid_to) for row in of_kind] == [(2, None), (3, tomorrow)]
    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "watch_threshold.set")).one()
    assert (event.subject_id, event.actor_id) == (str(made.id), SUPERVISOR)


def test_nothing_is_back_dated(session: Session) -> None:
    made = set_calls(session, 2, clock.today())

    with pytest.raises(BackDatedError):
        set_calls(session, 4, clock.today() - DAY)
    for day in (clock.today() - DAY, clock.today()):  # the second would leave an empty period
        with pytest.raises(BackDatedError):
            end_threshold(session, made.id, valid_to=day, actor_id=SUPERVISOR)


def test_a_threshold_begins_after_the_one_that_is_planned(session: Session) -> None:
    planned = clock.today() + 7 * DAY
    set_calls(session, 2, planned)

    for day in (clock.today(), planned):
        with pytest.raises(ThresholdPlannedError) as refusal:
            set_calls(session, 4, day)
        assert refusal.value.parameters["first"] == f"{planned}"


def test_a_kind_whose_threshold_ended_is_not_watched(session: Session) -> None:
    tomorrow = clock.today() + DAY
    row = thresholds_on(session, clock.today())[WatchKind.SMS_PER_PORT]

    end_threshold(session, row.id, valid_to=tomorrow, actor_id=SUPERVISOR)

    assert WatchKind.SMS_PER_PORT in thresholds_on(session, clock.today())
    assert WatchKind.SMS_PER_PORT not in thresholds_on(session, tomorrow)
    with pytest.raises(NotFoundError):
        end_threshold(session, row.id, valid_to=tomorrow, actor_id=SUPERVISOR)
    with pytest.raises(NotFoundError):
        threshold_by_id(session, 10**9)


@pytest.mark.parametrize(
    ("kind", "figures", "refusal"),
    [
        (WatchKind.CALLS_PER_SUBSCRIBER, Figures(value=0), NotPositiveError),
        (WatchKind.DIALS_PER_STAFF, Figures(value=-5), NotPositiveError),
        (WatchKind.NUMBER_ROTATION, Figures(value=3, within_days=0), NotPositiveError),
        (WatchKind.NUMBER_ROTATION, Figures(value=3), FiguresError),
        (WatchKind.SMS_PER_PORT, Figures(value=3, within_days=1), FiguresError),
        (WatchKind.CALL_HOURS, Figures(value=3), FiguresError),
        (WatchKind.QC_COVERAGE, Figures(value=101), CoverageError),
        (WatchKind.CALL_HOURS, Figures(from_minute=1260, to_minute=540), HoursError),
        (WatchKind.CALL_HOURS, Figures(from_minute=540, to_minute=1441), HoursError),
    ],
)
def test_figures_that_make_no_sense_are_refused_in_words_and_by_the_database(
    session: Session, kind: WatchKind, figures: Figures, refusal: type[RefusalError]
) -> None:
    tomorrow = clock.today() + DAY
    with pytest.raises(refusal):
        set_threshold(session, kind, figures, legal_note="公司内部要求", valid_from=tomorrow, actor_id=SUPERVISOR)

    [before] = session.scalars(sa.select(WatchThreshold).where(WatchThreshold.kind == kind))
    before.valid_to = tomorrow
    session.flush()
    session.add(WatchThreshold(kind=kind, legal_note="公司内部要求", valid_from=tomorrow, **vars(figures)))
    with pytest.raises(IntegrityError, match=r"(?i)check constraint"):
        session.flush()
    session.rollback()


def test_the_database_refuses_a_second_threshold_of_a_kind(session: Session) -> None:
    session.add(
        WatchThreshold(
            kind=WatchKind.CALLS_PER_SUBSCRIBER, value=5, legal_note="公司内部要求", valid_from=clock.today()
        )
    )

    with pytest.raises(IntegrityError, match="overlap"):
        session.flush()
    session.rollback()
