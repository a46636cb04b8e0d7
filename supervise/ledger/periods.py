"""Months of the books: open, take entries, may be held for a look (soft close), close."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.db import take_turn
from supervise.errors import NotFoundError
from supervise.labels import N_
from supervise.ledger.errors import PeriodStateError
from supervise.ledger.models import Period, PeriodState
from supervise.ledger.seal import seal_closed_entries

#: A month as later stages hold it.
PeriodRow = Period


def periods(session: Session) -> Sequence[Period]:
    """Return every month that was ever opened, the newest first."""
    return session.scalars(select(Period).order_by(Period.month.desc())).all()


def period_of(session: Session, month: str) -> Period:
    """Return the period *month* (``2026-11``).

    Raises:
        NotFoundError: if it was never opened.
    """
    period = session.get(Period, month)
    if period is None:
        raise NotFoundError
    return period


def newest_closed_month(session: Session) -> str | None:
    """Return the newest closed month; None before the first one."""
    return session.scalar(select(func.max(Period.month)).where(Period.state == PeriodState.CLOSED))


def open_period(session: Session, month: str, *, actor_id: int | None) -> Period:
    """Open *month* (``2026-11``) for entries.

    Raises:
        ValueError: if *month* is not a month.
        PeriodStateError: if it was opened before, lies before a closed month, or after the coming one.
    """
    clock.month_bounds(month)
    _take_turn(session)
    last_closed = newest_closed_month(session)
    if session.get(Period, month) is not None:
        raise PeriodStateError(N_("The period %(month)s was opened before"), month=month)
    if last_closed is not None and month < last_closed:
        raise PeriodStateError(N_("%(month)s lies before a closed period"), month=month)
    if month > clock.next_month(clock.month_of(clock.today())):
        raise PeriodStateError(N_("%(month)s is too far ahead to be opened"), month=month)
    period = Period(month=month, opened_at=clock.now(), opened_by=actor_id)
    session.add(period)
    session.flush()
    record_event(session, actor_id=actor_id, action="period.opened", subject="period", subject_id=month)
    return period


def soft_close_period(session: Session, month: str, *, actor_id: int | None) -> Period:
    """Hold *month*: postings under way are waited for, later facts of the month are booked in the open month.

    Nothing is sealed and nobody else need agree: ``take_back_soft_close`` undoes it.

    Raises:
        PeriodStateError: if *month* is not open or not over.
    """
    period = lock_period(session, month)
    if period is None or period.state is not PeriodState.OPEN:
        raise PeriodStateError(N_("The period %(month)s is not open"), month=month)
    _refuse_unless_over(month)
    period.state = PeriodState.SOFT_CLOSED
    session.flush()
    record_event(session, actor_id=actor_id, action="period.soft_closed", subject="period", subject_id=month)
    return period


def take_back_soft_close(session: Session, month: str, *, actor_id: int | None) -> Period:
    """Let *month* take entries again.

    Raises:
        PeriodStateError: if *month* is not held.
    """
    period = lock_period(session, month)
    if period is None or period.state is not PeriodState.SOFT_CLOSED:
        raise PeriodStateError(N_("The period %(month)s is not in soft close"), month=month)
    period.state = PeriodState.OPEN
    session.flush()
    record_event(session, actor_id=actor_id, action="period.soft_close_taken_back", subject="period", subject_id=month)
    return period


def close_period(session: Session, month: str, *, actor_id: int | None, keyring: Keyring) -> Period:
    """Close *month*: postings under way are waited for, everything is sealed, then the closing itself.

    Only two people open it again (``ledger.reopen``). After the commit the caller anchors the newest seal
    (``seal.newest_anchor``).

    Raises:
        PeriodStateError: if *month* is closed or not over, or an earlier one is not closed.
    """
    period = lock_period(session, month)
    if period is None or period.state is PeriodState.CLOSED:
        raise PeriodStateError(N_("The period %(month)s is not open"), month=month)
    _refuse_unless_over(month)
    earlier = session.scalar(
        select(func.min(Period.month)).where(Period.state != PeriodState.CLOSED, Period.month < month)
    )
    if earlier is not None:
        raise PeriodStateError(N_("Close %(earlier)s before %(month)s"), earlier=earlier, month=month)
    seal_closed_entries(session, keyring)
    period.state, period.closed_at, period.closed_by = PeriodState.CLOSED, clock.now(), actor_id
    session.flush()
    record_event(session, actor_id=actor_id, action="period.closed", subject="period", subject_id=month)
    seal_closed_entries(session, keyring)
    return period


def lock_period(session: Session, month: str) -> Period | None:
    """Hold *month* until the commit, so that nothing else changes its state; None if it was never opened.

    Whoever posts into the month holds its row
    shared until the commit and is waited for.
    """
    _take_turn(session)
    query = select(Period).where(Period.month == month).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def _take_turn(session: Session) -> None:
    # Each change of state looks at the months beside it.
    take_turn(session, "period states")


def _refuse_unless_over(month: str) -> None:
    if clock.today() < clock.month_bounds(month)[1]:
        raise PeriodStateError(N_("The period %(month)s is not over yet"), month=month)
