"""Recording what a subscriber said: no to marketing, or yes for a purpose. Every word is kept, none is altered."""

import datetime as dt
from collections.abc import Sequence
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.audit.record import record_event
from supervise.bulk import insert_rows
from supervise.complaints.models import IncidentKind
from supervise.complaints.receive import Received
from supervise.db import take_turn
from supervise.donotcall.held import SCOPE_OF_KIND
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_

_EVENTS = cast("sa.Table", PermissionEvent.__table__)


class PurposeMissingError(InvalidInputError):
    """A consent is for something; a number left for a delivery is no consent to marketing (domain E27)."""

    message = N_("Say what the consent is for")


class SaidLaterError(InvalidInputError):
    """Nobody can record what will be said."""

    message = N_("The time lies in the future")


class AlreadyRecordedError(ConflictError):
    """The same word, said at the same moment and known from the same source, stands in the register."""

    message = N_("This is recorded already: the same word, of the same moment, from the same source")


def record_refusal(
    session: Session,
    *,
    number_id: int,
    scope: PermissionScope,
    said_at: dt.datetime,
    channel: str,
    source: str,
    actor_id: int,
    party_id: int | None = None,
    ticket_id: int | None = None,
) -> PermissionEvent:
    """Record that the subscriber said no; without *party_id* to the carrier and everyone who calls for it.

    Raises:
        SaidLaterError: if *said_at* lies in the future.
        AlreadyRecordedError: if it stands in the register.
    """
    event = PermissionEvent(
        number_id=number_id,
        scope=scope,
        given=False,
        party_id=party_id,
        channel=channel,
        source=source,
        ticket_id=ticket_id,
        said_at=said_at,
        recorded_by=actor_id,
        recorded_at=clock.now(),
    )
    return _record(session, event)


def record_consent(
    session: Session,
    *,
    number_id: int,
    scope: PermissionScope,
    purpose: str,
    said_at: dt.datetime,
    channel: str,
    source: str,
    actor_id: int,
    party_id: int | None = None,
) -> PermissionEvent:
    """Record that the subscriber said yes, for what, where and as whose file or form says so.

    Raises:
        PurposeMissingError: without a purpose.
        SaidLaterError: if *said_at* lies in the future.
        AlreadyRecordedError: if it stands in the register.
    """
    if not purpose.strip():
        raise PurposeMissingError
    event = PermissionEvent(
        number_id=number_id,
        scope=scope,
        given=True,
        party_id=party_id,
        purpose=purpose.strip(),
        channel=channel,
        source=source,
        said_at=said_at,
        recorded_by=actor_id,
        recorded_at=clock.now(),
    )
    return _record(session, event)


def record_reported_refusals(session: Session, received: Sequence[Received], *, actor_id: int) -> int:
    """Record the refusals that tickets just taken in tell of, all at once; return how many.

    A ticket about messages refuses messages, any other one calls; one about both refuses both. An anonymous
    report cannot refuse: nobody knows for whom.
    """
    now = clock.now()
    rows = [
        {
            "number_id": one.number_id,
            "scope": scope,
            "given": False,
            "party_id": one.report.refusal.party_id,
            "purpose": None,
            "channel": one.report.refusal.how,
            "source": one.reference,
            "ticket_id": one.ticket_id,
            "said_at": one.report.refusal.said_at,
            "recorded_by": actor_id,
            "recorded_at": now,
        }
        for one in received
        if one.number_id is not None and one.report.refusal is not None
        for scope in _scopes(one)
    ]
    insert_rows(session, _EVENTS, rows)
    return len(rows)


def take_turn_to_record(session: Session) -> None:
    """Wait for others who record: until the end of this transaction, what is not recorded stays so."""
    take_turn(session, "permission events")


def action_of(*, given: bool) -> str:
    """Return the name of the audit event."""
    return "permission.given" if given else "permission.refused"


def _scopes(received: Received) -> Sequence[PermissionScope]:
    kinds = {call.kind for call in received.report.calls} or {IncidentKind.CALL}
    return [scope for kind, scope in SCOPE_OF_KIND.items() if kind in kinds]


def _record(session: Session, event: PermissionEvent) -> PermissionEvent:
    if event.said_at > event.recorded_at:
        raise SaidLaterError
    take_turn_to_record(session)
    if session.scalar(_same(event)) is not None:
        raise AlreadyRecordedError
    session.add(event)
    session.flush()
    record_event(
        session,
        actor_id=event.recorded_by,
        action=action_of(given=event.given),
        subject="subscriber_number",
        subject_id=event.number_id,
        changes={"scope": event.scope, "party_id": event.party_id, "said_at": event.said_at},
    )
    return event


def _same(event: PermissionEvent) -> sa.Select[int]:
    # Words are stored masked, and compared so.
    return (
        sa.select(PermissionEvent.id)
        .where(
            PermissionEvent.number_id == event.number_id,
            PermissionEvent.scope == event.scope,
            PermissionEvent.said_at == event.said_at,
            PermissionEvent.given.is_(event.given),
            PermissionEvent.party_id.is_not_distinct_from(event.party_id),
            PermissionEvent.purpose.is_not_distinct_from(event.purpose and phone.mask_in_text(event.purpose)),
            PermissionEvent.channel == phone.mask_in_text(event.channel),
            PermissionEvent.source == phone.mask_in_text(event.source),
        )
        .limit(1)
    )
