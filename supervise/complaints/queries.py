"""Named reads of intake's pages: units to choose from, subscribers, reference rows."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.complaints.models import (
    CalendarDay,
    CalendarYear,
    DeadlineRule,
    OffenceType,
    Subscriber,
    SubscriberNumber,
    Ticket,
)
from supervise.errors import NotFoundError
from supervise.parties.models import OrgUnit
from supervise.parties.periods import holds_at
from supervise.parties.queries import AT_ONCE
from supervise.parties.scope import Scope


class SubscriberFilters(NamedTuple):
    """What the list of subscribers is narrowed by; the empty one takes all."""

    number_id: int | None = None
    #: The whole account.
    account_ref: str = ""
    unit_id: int | None = None
    #: True: only those who hold their number now.
    present: bool = False


class SubscriberRow(NamedTuple):
    """A holding of a number, with its mask and the home unit."""

    subscriber: Subscriber
    number_mask: str
    unit_name: str | None
    unit_code: str | None


class DeadlineRow(NamedTuple):
    """A deadline rule with the name of its unit."""

    rule: DeadlineRule
    unit_name: str | None


def units_to_choose(session: Session, scope: Scope) -> Sequence[tuple[int, str]]:
    """Return id and name of the units in scope that still exist, by code."""
    query = (
        sa.select(OrgUnit.id, OrgUnit.code, OrgUnit.name)
        .where(OrgUnit.merged_into_id.is_(None), OrgUnit.closed_on.is_(None))
        .order_by(OrgUnit.code)
    )
    return [(row.id, f"{row.name} ({row.code})") for row in session.execute(scope.limit(query, unit=OrgUnit.id))]


def ticket_by_row_key(session: Session, row_key: str) -> Ticket | None:
    """Return the ticket that this form or row became."""
    return session.scalars(sa.select(Ticket).where(Ticket.row_key == row_key).limit(1)).first()


def subscribers_by_id(
    session: Session, scope: Scope, filters: SubscriberFilters, *, after: int | None = None, limit: int = AT_ONCE
) -> Sequence[SubscriberRow]:
    """Return up to *limit* subscribers in scope, by id above *after*."""
    query = _subscribers().where(Subscriber.id > (after or 0)).order_by(Subscriber.id).limit(limit)
    if filters.number_id is not None:
        query = query.where(Subscriber.number_id == filters.number_id)
    if filters.account_ref:
        query = query.where(Subscriber.account_ref == filters.account_ref)
    if filters.unit_id is not None:
        query = query.where(Subscriber.unit_id == filters.unit_id)
    if filters.present:
        query = query.where(holds_at(Subscriber.held_from, Subscriber.held_to, clock.now()))
    return [SubscriberRow(*row) for row in session.execute(scope.limit(query, unit=Subscriber.unit_id))]


def subscribers_of_number(
    session: Session, scope: Scope, number_id: int, *, limit: int = 50
) -> Sequence[SubscriberRow]:
    """Return who holds and held the number, as far as in scope, the latest first."""
    query = _subscribers().where(Subscriber.number_id == number_id).order_by(Subscriber.held_from.desc()).limit(limit)
    return [SubscriberRow(*row) for row in session.execute(scope.limit(query, unit=Subscriber.unit_id))]


def subscriber_in_scope(session: Session, scope: Scope, subscriber_id: int) -> SubscriberRow:
    """Return one subscriber.

    Raises:
        NotFoundError: if there is none in scope.
    """
    query = scope.limit(_subscribers().where(Subscriber.id == subscriber_id), unit=Subscriber.unit_id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFoundError
    return SubscriberRow(*row)


def tickets_of_number(session: Session, scope: Scope, number_id: int, *, limit: int = 50) -> Sequence[Ticket]:
    """Return the tickets in scope about one number, the newest first."""
    query = sa.select(Ticket).where(Ticket.number_id == number_id).order_by(Ticket.id.desc()).limit(limit)
    return session.scalars(scope.limit(query, unit=Ticket.unit_id)).all()


def deadline_rules(session: Session) -> Sequence[DeadlineRow]:
    """Return every deadline rule: by channel, the country before the units, the newest first."""
    query = (
        sa.select(DeadlineRule, OrgUnit.name)
        .join(OrgUnit, OrgUnit.id == DeadlineRule.unit_id, isouter=True)
        .order_by(DeadlineRule.channel, OrgUnit.code, DeadlineRule.valid_from.desc())
    )
    return [DeadlineRow(*row) for row in session.execute(query)]


def offence_types(session: Session, on: dt.date | None = None) -> Sequence[OffenceType]:
    """Return the taxonomy by family and code; with *on* only what can be found for a call of that day."""
    query = sa.select(OffenceType).order_by(OffenceType.family, OffenceType.code, OffenceType.valid_from)
    if on is not None:
        query = query.where(
            OffenceType.valid_from <= on, sa.or_(OffenceType.valid_to.is_(None), OffenceType.valid_to > on)
        )
    return session.scalars(query).all()


def offence_type_by_id(session: Session, offence_type_id: int) -> OffenceType:
    """Return one kind of offence in one period.

    Raises:
        NotFoundError: if there is none.
    """
    row = session.get(OffenceType, offence_type_id)
    if row is None:
        raise NotFoundError
    return row


def calendar_years(session: Session) -> Sequence[CalendarYear]:
    """Return the loaded years, the newest first."""
    return session.scalars(sa.select(CalendarYear).order_by(CalendarYear.year.desc())).all()


def calendar_days(session: Session, year: int) -> Sequence[CalendarDay]:
    """Return the days of a year that differ from Monday to Friday, in order."""
    first, end = dt.date(year, 1, 1), dt.date(year + 1, 1, 1)
    query = sa.select(CalendarDay).where(CalendarDay.day >= first, CalendarDay.day < end).order_by(CalendarDay.day)
    return session.scalars(query).all()


def _subscribers() -> sa.Select[Subscriber, str, str, str]:
    return (
        sa.select(Subscriber, SubscriberNumber.number_mask, OrgUnit.name, OrgUnit.code)
        .join(SubscriberNumber, SubscriberNumber.id == Subscriber.number_id)
        .join(OrgUnit, OrgUnit.id == Subscriber.unit_id, isouter=True)
    )
