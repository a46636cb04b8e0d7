"""Guessing gets slower, by name and by address; a right password starts afresh."""

import datetime as dt
import threading

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise.access.models import LoginThrottle
from supervise.access.throttle import (
    FREE_BY_ADDRESS,
    FREE_BY_NAME,
    WAIT_MAX,
    TooManyAttemptsError,
    count_attempt,
    forget_name,
    forgive,
    name_key,
    wait_after,
)
from supervise.db import Database

START = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0), (4, 0), (5, 2), (6, 4), (7, 8), (8, 16), (14, 900), (10_000, 900)]
)
def test_the_wait_doubles_up_to_a_quarter_of_an_hour(failures: int, seconds: int) -> None:
    assert wait_after(failures, free=5) == dt.timedelta(seconds=seconds)


def test_the_first_attempts_are_free_and_then_the_name_must_wait(session: Session) -> None:
    with time_machine.travel(START, tick=False):
        for _attempt in range(FREE_BY_NAME):
            count_attempt(session, "wang", "10.0.0.1")

        with pytest.raises(TooManyAttemptsError) as refusal:
            count_attempt(session, "wang", "10.0.0.2")

    assert refusal.value.parameters == {"seconds": 2}
    assert refusal.value.status == 429


def test_after_the_wait_one_more_attempt_is_allowed_and_the_next_wait_is_longer(session: Session) -> None:
    with time_machine.travel(START, tick=False) as time:
        for _attempt in range(FREE_BY_NAME):
            count_attempt(session, "wang", "10.0.0.1")
        time.shift(2)
        count_attempt(session, "wang", "10.0.0.1")

        with pytest.raises(TooManyAttemptsError) as refusal:
            count_attempt(session, "wang", "10.0.0.1")

    assert refusal.value.parameters == {"seconds": 4}


def test_a_refused_attempt_does_not_count(session: Session) -> None:
    with time_machine.travel(START, tick=False):
        for _attempt in range(FREE_BY_NAME):
            count_attempt(session, "wang", "10.0.0.1")
        for _attempt in range(3):
            with pytest.raises(TooManyAttemptsError):
                count_attempt(session, "wang", "10.0.0.1")

    assert session.get_one(LoginThrottle, name_key("wang")).failures == FREE_BY_NAME


def test_another_name_from_the_same_office_is_not_slowed(session: Session) -> None:
    with time_machine.travel(START, tick=False):
        for _attempt in range(FREE_BY_NAME):
            count_attempt(session, "wang", "10.0.0.1")

        count_attempt(session, "li", "10.0.0.1")


def test_an_address_that_tries_many_names_is_slowed(session: Session) -> None:
    with time_machine.travel(START, tick=False):
        for number in range(FREE_BY_ADDRESS):
            count_attempt(session, f"user{number}", "10.0.0.1")

        with pytest.raises(TooManyAttemptsError):
            count_attempt(session, "wang", "10.0.0.1")
        count_attempt(session, "wang", "10.0.0.2")


def test_a_right_password_lets_the_name_start_afresh_and_takes_one_off_the_address(session: Session) -> None:
    for _attempt in range(3):
        count_attempt(session, "wang", "10.0.0.1")

    forgive(session, "wang", "10.0.0.1")

    assert session.get(LoginThrottle, name_key("wang")) is None
    assert session.get_one(LoginThrottle, "address:10.0.0.1").failures == 2


def test_an_hour_of_rest_forgets(session: Session) -> None:
    with time_machine.travel(START, tick=False) as time:
        for _attempt in range(FREE_BY_NAME):
            count_attempt(session, "wang", "10.0.0.1")
        time.shift(dt.timedelta(hours=1, seconds=1))
        count_attempt(session, "wang", "10.0.0.1")
        count_attempt(session, "wang", "10.0.0.1")

    assert session.get_one(LoginThrottle, name_key("wang")).failures == 2


def test_an_administrator_can_let_a_name_try_again_at_once(session: Session) -> None:
    with time_machine.travel(START, tick=False):
        for _attempt in range(FREE_BY_NAME):
            count_attempt(session, "wang", "10.0.0.1")

        forget_name(session, "wang")

        count_attempt(session, "wang", "10.0.0.1")


def test_the_longest_wait_is_a_quarter_of_an_hour() -> None:
    assert dt.timedelta(minutes=15) == WAIT_MAX


def test_first_attempts_at_the_same_moment_are_all_counted(database: Database) -> None:
    together, failures = threading.Barrier(4), []

    def attempt() -> None:
        together.wait()
        try:
            with database.session(writes=True) as session:
                count_attempt(session, "wang", "10.0.0.1")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.session(writes=False) as session:
        counted = session.get_one(LoginThrottle, name_key("wang")).failures
    assert (failures, counted) == ([], 4)
