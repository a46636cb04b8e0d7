"""Terms of mediators are dated rows: a later one ends the one before, and none is back-dated."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.complaints.dispute_models import Mediator
from supervise.complaints.mediation_terms import mediation_terms, set_mediation_term, term_days
from supervise.complaints.reference import BackDatedError
from supervise.errors import InvalidInputError


def set_term(session: Session, days: int, *, on: dt.date, mediator: Mediator = Mediator.CONSUMER_12315) -> None:
    set_mediation_term(session, mediator, working_days=days, source="总局令第20号", valid_from=on, actor_id=1)


def test_a_new_term_holds_from_its_day_and_leaves_the_days_before(session: Session) -> None:
    today = clock.today()
    first = today + dt.timedelta(days=10)

    set_term(session, 60, on=first)
    set_term(session, 30, on=today, mediator=Mediator.ASSOCIATION)

    assert term_days(session, Mediator.CONSUMER_12315, first) == 60
    assert term_days(session, Mediator.CONSUMER_12315, today) == 45
    assert term_days(session, Mediator.ASSOCIATION, today) == 30
    assert term_days(session, Mediator.COMMUNICATIONS, today) is None
    assert len(mediation_terms(session)) == 3


def test_a_term_that_is_back_dated_or_would_run_beside_a_later_one_is_refused(session: Session) -> None:
    today = clock.today()
    set_term(session, 60, on=today + dt.timedelta(days=10))

    for day in (today - dt.timedelta(days=1), today + dt.timedelta(days=10), today + dt.timedelta(days=5)):
        with pytest.raises(BackDatedError):
            set_term(session, 50, on=day)


@pytest.mark.parametrize("days", [0, 366])
def test_a_term_without_sense_is_refused(session: Session, days: int) -> None:
    with pytest.raises(InvalidInputError):
        set_term(session, days, on=clock.today())
