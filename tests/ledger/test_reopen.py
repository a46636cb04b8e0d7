"""A closed month opens again by two people, and only the newest one."""

import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.cipher import Keyring
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError, SamePersonError
from supervise.ledger.errors import PeriodStateError
from supervise.ledger.models import JournalEntry, Period, PeriodState, ReopeningState
from supervise.ledger.periods import close_period
from supervise.ledger.post import post
from supervise.ledger.reopen import (
    ask_reopening,
    confirm_reopening,
    refuse_reopening,
    reopenings,
    reopenings_of,
    withdraw_reopening,
)
from supervise.ledger.verify import verify
from tests.factories.ledger import make_draft, make_period

#: Noon in China.
DECEMBER_2 = dt.datetime(2026, 12, 2, 4, tzinfo=dt.UTC)
JANUARY_5 = dt.datetime(2027, 1, 5, 4, tzinfo=dt.UTC)
LATE = dt.date(2026, 11, 20)
ASKER, OTHER = 8, 9


@pytest.fixture
def closed(session: Session, keyring: Keyring) -> Session:
    """A ledger whose October and November are closed and whose December is open."""
    with time_machine.travel(DECEMBER_2, tick=False):
        for month in ("2026-10", "2026-11", "2026-12"):
            make_period(session, month=month)
        for month in ("2026-10", "2026-11"):
            close_period(session, month, actor_id=ASKER, keyring=keyring)
    return session


def state_of(session: Session, month: str) -> PeriodState:
    return session.scalars(sa.select(Period.state).where(Period.month == month)).one()


def booked(session: Session, key: str) -> tuple[str, dt.date]:
    query = sa.select(JournalEntry.period, JournalEntry.effective_on).where(JournalEntry.idempotency_key == key)
    month, day = session.execute(query).one()
    return month, day


def actions(session: Session) -> list[str]:
    events = sa.select(AuditEvent.action).where(AuditEvent.subject_id == "2026-11").order_by(AuditEvent.id)
    return [action for action in session.scalars(events) if action.startswith("period.")]


def test_a_month_that_two_people_reopen_takes_its_facts_again_and_closes_anew(
    closed: Session, keyring: Keyring
) -> None:
    with time_machine.travel(DECEMBER_2 + dt.timedelta(hours=1), tick=False):
        post(closed, [make_draft(key="late:1", effective_on=LATE)])
        request = ask_reopening(closed, "2026-11", " 漏记退费 ", actor_id=ASKER)
        assert state_of(closed, "2026-11") is PeriodState.CLOSED
        confirm_reopening(closed, request.id, actor_id=OTHER, keyring=keyring)
        post(closed, [make_draft(key="late:2", effective_on=LATE)])
        opened = verify(closed, keyring)
        again = close_period(closed, "2026-11", actor_id=ASKER, keyring=keyring)

    assert booked(closed, "late:1") == ("2026-12", LATE)
    assert booked(closed, "late:2") == ("2026-11", LATE)
    assert (again.state, again.closed_at) == (PeriodState.CLOSED, DECEMBER_2 + dt.timedelta(hours=1))
    assert actions(closed) == ["period.closed", "period.reopening_asked", "period.reopened", "period.closed"]
    report = verify(closed, keyring)
    assert (opened.fault, report.fault, report.unsealed) == (None, None, 0)


def test_a_month_can_be_reopened_after_every_closing_by_a_request_of_its_own(closed: Session, keyring: Keyring) -> None:
    for hour in (1, 2):
        with time_machine.travel(DECEMBER_2 + dt.timedelta(hours=hour), tick=False):
            request = ask_reopening(closed, "2026-11", "再查一次", actor_id=ASKER)
            confirm_reopening(closed, request.id, actor_id=OTHER, keyring=keyring)
            close_period(closed, "2026-11", actor_id=ASKER, keyring=keyring)

    assert [row.state for row in reopenings_of(closed, "2026-11")] == [ReopeningState.CONFIRMED] * 2
    assert verify(closed, keyring).fault is None


def test_who_asked_neither_confirms_nor_refuses(closed: Session, keyring: Keyring) -> None:
    request = ask_reopening(closed, "2026-11", "漏记退费", actor_id=ASKER)

    with pytest.raises(SamePersonError):
        confirm_reopening(closed, request.id, actor_id=ASKER, keyring=keyring)
    with pytest.raises(SamePersonError):
        refuse_reopening(closed, request.id, "不必", actor_id=ASKER)

    assert state_of(closed, "2026-11") is PeriodState.CLOSED


def test_a_refused_request_leaves_the_month_closed_and_another_may_follow(closed: Session, keyring: Keyring) -> None:
    request = ask_reopening(closed, "2026-11", "漏记退费", actor_id=ASKER)
    with pytest.raises(InvalidInputError):
        refuse_reopening(closed, request.id, "  ", actor_id=OTHER)

    refused = refuse_reopening(closed, request.id, "记入十二月即可", actor_id=OTHER)

    assert (refused.state, refused.decided_by, refused.refusal) == (ReopeningState.REFUSED, OTHER, "记入十二月即可")
    assert state_of(closed, "2026-11") is PeriodState.CLOSED
    assert actions(closed)[-1] == "period.reopening_refused"
    with pytest.raises(AlreadyDecidedError):
        confirm_reopening(closed, request.id, actor_id=OTHER, keyring=keyring)
    assert ask_reopening(closed, "2026-11", "审计要求", actor_id=ASKER).state is ReopeningState.OPEN
    assert verify(closed, keyring).fault is None


def test_who_asked_withdraws_while_it_waits_and_may_ask_again(closed: Session, keyring: Keyring) -> None:
    request = ask_reopening(closed, "2026-11", "漏记退费", actor_id=ASKER)
    with pytest.raises(InvalidInputError):
        withdraw_reopening(closed, request.id, "  ", actor_id=ASKER)

    withdrawn = withdraw_reopening(closed, request.id, " 退费已记入十二月 ", actor_id=ASKER)

    assert (withdrawn.state, withdrawn.decided_by, withdrawn.refusal) == (
        ReopeningState.WITHDRAWN,
        ASKER,
        "退费已记入十二月",
    )
    assert state_of(closed, "2026-11") is PeriodState.CLOSED
    assert actions(closed)[-1] == "period.reopening_withdrawn"
    assert ask_reopening(closed, "2026-11", "审计要求", actor_id=ASKER).state is ReopeningState.OPEN
    assert verify(closed, keyring).fault is None


def test_nobody_else_withdraws_a_request_and_nobody_a_decided_one(closed: Session, keyring: Keyring) -> None:
    request = ask_reopening(closed, "2026-11", "漏记退费", actor_id=ASKER)
    with pytest.raises(NotFoundError):
        withdraw_reopening(closed, request.id, "不必了", actor_id=OTHER)
    withdraw_reopening(closed, request.id, "不必了", actor_id=ASKER)
    refused = ask_reopening(closed, "2026-11", "审计要求", actor_id=ASKER)
    refuse_reopening(closed, refused.id, "记入十二月即可", actor_id=OTHER)

    for decided in (request, refused):
        with pytest.raises(AlreadyDecidedError):
            withdraw_reopening(closed, decided.id, "不必了", actor_id=ASKER)
        with pytest.raises(AlreadyDecidedError):
            confirm_reopening(closed, decided.id, actor_id=OTHER, keyring=keyring)
    assert refused.state is ReopeningState.REFUSED


def test_only_the_newest_closed_month_is_asked_for_and_once_at_a_time(closed: Session) -> None:
    ask_reopening(closed, "2026-11", "漏记退费", actor_id=ASKER)

    for month in ("2026-10", "2026-11", "2026-12", "2026-09"):
        with pytest.raises(PeriodStateError):
            ask_reopening(closed, month, "漏记退费", actor_id=OTHER)
    assert len(reopenings(closed)) == 1


def test_a_request_needs_a_reason(closed: Session) -> None:
    with pytest.raises(InvalidInputError):
        ask_reopening(closed, "2026-11", "   ", actor_id=ASKER)


def test_a_request_is_void_once_a_later_month_is_closed(closed: Session, keyring: Keyring) -> None:
    request = ask_reopening(closed, "2026-11", "漏记退费", actor_id=ASKER)
    with time_machine.travel(JANUARY_5, tick=False):
        close_period(closed, "2026-12", actor_id=ASKER, keyring=keyring)

        with pytest.raises(PeriodStateError):
            confirm_reopening(closed, request.id, actor_id=OTHER, keyring=keyring)

    assert state_of(closed, "2026-11") is PeriodState.CLOSED


def test_a_request_that_was_never_made_is_not_found(closed: Session, keyring: Keyring) -> None:
    with pytest.raises(NotFoundError):
        confirm_reopening(closed, 999, actor_id=OTHER, keyring=keyring)


def test_a_reason_keeps_no_subscribers_number(closed: Session, keyring: Keyring) -> None:
    request = ask_reopening(closed, "2026-11", "用户 13912345678 的退费漏记", actor_id=ASKER)
    confirm_reopening(closed, request.id, actor_id=OTHER, keyring=keyring)

    assert "13912345678" not in request.reason
    assert verify(closed, keyring).fault is None
