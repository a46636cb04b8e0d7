"""Months of the books: open, take entries, close once and for good."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.cipher import Keyring
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


def open_period(session: Session, month: str, *, actor_id: int | None) -> Period:
    """Open *month* (``2026-11``) for entries.

    Raises:
        ValueError: if *month* is not a month.
        PeriodStateError: if it was opened before, lies before a closed month, or after the coming one.
    """
    clock.month_bounds(month)
    last_closed = session.scalar(select(func.max(Period.month)).where(Period.state == PeriodState.CLOSED))
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


def close_period(session: Session, month: str, *, actor_id: int | None, keyring: Keyring) -> Period:
    """Close *month* for good: postings under way are waited for, everything is sealed, then the closing itself.

    After the commit the caller anchors the newest seal (``seal.newest_anchor``).

    Raises:
        PeriodStateError: if *month* is not open or not over, or an earlier one is open.
    """
    # Held exclusively: whoever posts into the month holds the row shared until the commit.
    period = session.scalar(
        select(Period).where(Period.month == month).with_for_update().execution_options(populate_existing=True)
    )
    if period is None or period.state is not PeriodState.OPEN:
        raise PeriodStateError(N_("The period %(month)s is not open"), month=month)
    if clock.today() < clock.month_bounds(month)[1]:
        raise PeriodStateError(N_("The period %(month)s is not over yet"), month=month)
    earlier = session.scalar(
        select(func.min(Period.month)).where(Period.state == PeriodState.OPEN, Period.month < month)
    )
    if earlier is not None:
        raise PeriodStateError(N_("Close %(earlier)s before %(month)s"), earlier=earlier, month=month)
    seal_closed_entries(session, keyring)
    period.state, period.closed_at, period.closed_by = PeriodState.CLOSED, clock.now(), actor_id
    session.flush()
    record_event(session, actor_id=actor_id, action="period.closed", subject="period", subject_id=month)
    seal_closed_entries(session, keyring)
    return period
