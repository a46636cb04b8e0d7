"""Handing refusals to every branch and partner: the push, its file, the acknowledgement, the reminder (domain F71).

A refusal to everyone who calls for the carrier is in one batch, and each batch goes to every recipient: a hundred
thousand numbers for five hundred recipients are a hundred thousand rows and five hundred. What a subscriber said to
one party that party heard; it is not pushed.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import insert_rows
from supervise.cipher import Keyring
from supervise.complaints.models import DayType, SubscriberNumber
from supervise.complaints.subscribers import full_numbers
from supervise.complaints.workdays import load_calendar
from supervise.db import take_turn
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.donotcall.push_models import Push, PushDelivery, PushEntry
from supervise.donotcall.push_queries import GRACE_DAYS, last_grace, to_remind
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.parties.models import OrgUnit, Party, PartyKind, PartyStatus
from supervise.parties.scope import Scope

_DELIVERIES = cast("sa.Table", PushDelivery.__table__)
_DAY = dt.timedelta(days=1)
_MOST_GRACE = 30
#: Who calls or writes for the carrier; persons are told by their branch, line customers call for themselves.
_CALLERS = (
    PartyKind.ORG_UNIT,
    PartyKind.AGENT,
    PartyKind.MARKETING_PARTNER,
    PartyKind.OUTSOURCER,
    PartyKind.PORT_HOLDER,
)


class GraceError(InvalidInputError):
    """Nobody can be taken for told at once, nor after months."""

    message = N_("The grace is from 1 to 30 working days")


class ToldMissingError(InvalidInputError):
    """An acknowledgement names who was told to block the numbers."""

    message = N_("Say who was told, or where the numbers are blocked")


class DownloadReasonMissingError(InvalidInputError):
    """Full numbers are handed out with a reason only."""

    message = N_("Give a reason")


class AcknowledgedError(ConflictError):
    """The first acknowledgement counts."""

    message = N_("This push is acknowledged already")


class Pushed(NamedTuple):
    """What a push came to: its batch, if refusals waited, and how many recipients got something."""

    push_id: int | None
    deliveries: int


class PushedNumber(NamedTuple):
    """A number that may not be called or written to; in full, for the recipient's dialling system."""

    digits: str
    scope: PermissionScope


def push_refusals(session: Session, *, grace_days: int | None = None, actor_id: int | None) -> Pushed:
    """Hand what entered the register to every branch and partner, and to new ones what was pushed before.

    Without *grace_days* the grace of the push before holds.

    Raises:
        GraceError: if the grace is none.
    """
    days = grace_days if grace_days is not None else last_grace(session) or GRACE_DAYS
    if not 1 <= days <= _MOST_GRACE:
        raise GraceError
    take_turn(session, "permission pushes")
    push_id = _batch(session, days, actor_id)
    deliveries = _deliver(session, days)
    if push_id is not None or deliveries:
        record_event(
            session,
            actor_id=actor_id,
            action="push.made",
            subject="push",
            subject_id=push_id,
            changes={"working_days": days, "deliveries": deliveries},
        )
    return Pushed(push_id, deliveries)


def _batch(session: Session, days: int, actor_id: int | None) -> int | None:
    if session.scalar(_waiting().limit(1)) is None:
        return None
    push = Push(made_at=clock.now(), made_by=actor_id, grace_days=days)
    session.add(push)
    session.flush()
    chosen = _waiting().add_columns(sa.literal(push.id))
    session.execute(sa.insert(PushEntry).from_select(["event_id", "push_id"], chosen))
    return push.id


def _waiting() -> sa.Select[int]:
    """Return the refusals to everyone that are in no batch, and that no later consent to everyone took back."""
    later = aliased(PermissionEvent)
    taken_back = sa.exists().where(
        later.number_id == PermissionEvent.number_id,
        later.scope == PermissionEvent.scope,
        later.given,
        later.party_id.is_(None),
        later.said_at >= PermissionEvent.said_at,
    )
    return (
        sa.select(PermissionEvent.id)
        .join(SubscriberNumber, SubscriberNumber.id == PermissionEvent.number_id)
        .where(
            PermissionEvent.given.is_(False),
            PermissionEvent.party_id.is_(None),
            SubscriberNumber.number_cipher.is_not(None),
            ~sa.exists().where(PushEntry.event_id == PermissionEvent.id),
            ~taken_back,
        )
    )


def _deliver(session: Session, days: int) -> int:
    """Address every batch to every live recipient that has it not yet; the grace counts from today."""
    today = clock.today()
    # The last day of the grace is still the recipient's.
    deemed_at = clock.start_of_day(load_calendar(session).add_days(today, days, DayType.WORKING).day + _DAY)
    missing = (
        sa.select(Push.id, Party.id)
        .select_from(Push)
        .join(Party, sa.true())
        .join(OrgUnit, OrgUnit.id == Party.org_unit_id, isouter=True)
        .where(
            Party.kind.in_(_CALLERS),
            Party.status.in_([PartyStatus.REGISTERED, PartyStatus.SUSPENDED]),
            Party.merged_into_id.is_(None),
            OrgUnit.merged_into_id.is_(None),
            sa.or_(OrgUnit.closed_on.is_(None), OrgUnit.closed_on > today),
            ~sa.exists().where(PushDelivery.push_id == Push.id, PushDelivery.party_id == Party.id),
        )
        .order_by(Push.id, Party.id)
    )
    now = clock.now()
    rows = [
        {"push_id": push_id, "party_id": party_id, "sent_at": now, "deemed_at": deemed_at, "reminders": 0}
        for push_id, party_id in session.execute(missing)
    ]
    insert_rows(session, _DELIVERIES, rows)
    return len(rows)


def fetch_numbers(
    session: Session, keyring: Keyring, delivery_id: int, scope: Scope, *, reason: str, actor_id: int
) -> list[PushedNumber]:
    """Return the full numbers of a batch for its recipient, by digits, and record who fetched them and why.

    Raises:
        DownloadReasonMissingError: without a reason.
        NotFoundError: if the batch was not pushed to a party in *scope*.
    """
    if not reason.strip():
        raise DownloadReasonMissingError
    delivery = _lock(session, delivery_id, scope)
    query = (
        sa.select(PermissionEvent.number_id, PermissionEvent.scope)
        .join(PushEntry, PushEntry.event_id == PermissionEvent.id)
        .where(PushEntry.push_id == delivery.push_id)
        .distinct()
    )
    pushed = session.execute(query).all()
    if delivery.downloaded_at is None:
        delivery.downloaded_at, delivery.downloaded_by = clock.now(), actor_id
    record_event(
        session,
        actor_id=actor_id,
        action="push.downloaded",
        subject="push_delivery",
        subject_id=delivery.id,
        changes={"push_id": delivery.push_id, "party_id": delivery.party_id},
        reason=reason.strip(),
    )
    return _in_full(session, keyring, pushed)


def _in_full(session: Session, keyring: Keyring, pushed: Sequence[sa.Row[int, PermissionScope]]) -> list[PushedNumber]:
    digits = full_numbers(session, keyring, {row.number_id for row in pushed})
    return sorted(PushedNumber(digits[row.number_id], row.scope) for row in pushed)


def acknowledge_push(session: Session, delivery_id: int, scope: Scope, *, told: str, actor_id: int) -> PushDelivery:
    """Acknowledge a batch for its recipient; *told* says who was told to block the numbers, or where.

    Raises:
        ToldMissingError: if nobody was told.
        NotFoundError: if the batch was not pushed to a party in *scope*.
        AcknowledgedError: if it was acknowledged before.
    """
    if not told.strip():
        raise ToldMissingError
    delivery = _lock(session, delivery_id, scope)
    if delivery.acknowledged_at is not None:
        raise AcknowledgedError
    delivery.acknowledged_at, delivery.acknowledged_by, delivery.told = clock.now(), actor_id, told.strip()
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="push.acknowledged",
        subject="push_delivery",
        subject_id=delivery.id,
        changes={"push_id": delivery.push_id, "party_id": delivery.party_id},
    )
    return delivery


def remind_silent(session: Session, today: dt.date) -> int:
    """Remind, once a day, each recipient that has not acknowledged within its grace; return how many."""
    reminded = session.execute(
        sa.update(PushDelivery)
        .where(PushDelivery.id.in_(to_remind(clock.now(), today)))
        .values(reminders=PushDelivery.reminders + 1, reminded_on=today)
        .returning(PushDelivery.id)
        .execution_options(synchronize_session=False)
    ).all()
    if reminded:
        record_event(
            session,
            actor_id=None,
            action="push.reminded",
            subject="push",
            subject_id=None,
            changes={"deliveries": len(reminded)},
        )
    return len(reminded)


def _lock(session: Session, delivery_id: int, scope: Scope) -> PushDelivery:
    query = (
        sa.select(PushDelivery)
        .join(Party, Party.id == PushDelivery.party_id)
        .where(PushDelivery.id == delivery_id, scope.condition(unit=Party.org_unit_id, party=PushDelivery.party_id))
        .with_for_update(of=PushDelivery)
        .execution_options(populate_existing=True)
    )
    delivery = session.scalars(query).one_or_none()
    if delivery is None:
        raise NotFoundError
    return delivery
