"""What a subscriber said: no to marketing, or yes for a purpose. Every word is kept; the latest one holds."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import insert_rows, slices
from supervise.complaints.models import IncidentKind
from supervise.complaints.receive import Received
from supervise.donotcall.models import PermissionEvent, PermissionScope
from supervise.errors import InvalidInputError
from supervise.labels import N_


class PurposeMissingError(InvalidInputError):
    """A consent is for something; a number left for a delivery is no consent to marketing (domain E27)."""

    message = N_("Say what the consent is for")


class SaidLaterError(InvalidInputError):
    """Nobody can record what will be said."""

    message = N_("The time lies in the future")


class Asked(NamedTuple):
    """The question that ``permissions_at`` answers: might *party_id* contact the number at that moment?"""

    number_id: int
    scope: PermissionScope
    party_id: int | None
    at: dt.datetime


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
    return _record(session, event, "permission.refused")


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
    return _record(session, event, "permission.given")


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
    insert_rows(session, PermissionEvent.__table__, rows)
    return len(rows)


def _scopes(received: Received) -> Sequence[PermissionScope]:
    kinds = {call.kind for call in received.report.calls} or {IncidentKind.CALL}
    by_kind = {
        IncidentKind.CALL: PermissionScope.MARKETING_CALLS,
        IncidentKind.SMS: PermissionScope.MARKETING_SMS,
    }
    return [scope for kind, scope in by_kind.items() if kind in kinds]


def latest_permission(
    session: Session, number_id: int, scope: PermissionScope, party_id: int | None, at: dt.datetime
) -> PermissionEvent | None:
    """Return the word that held at *at* for a contact by *party_id*; None: never asked, so no consent."""
    return permissions_at(session, [Asked(number_id, scope, party_id, at)])[0]


def permissions_at(session: Session, asked: Sequence[Asked]) -> list[PermissionEvent | None]:
    """Answer many questions at once, in their order.

    The latest word said at or before the moment holds, whether it was said to the party or to everyone: a no
    to everyone ends an older yes to one. Of two words of one moment the later recorded one holds.
    """
    events = _events(session, {question.number_id for question in asked})
    answers: list[PermissionEvent | None] = []
    for question in asked:
        heard = [
            event
            for event in events.get(question.number_id, ())
            if event.scope is question.scope
            and event.said_at <= question.at
            and (event.party_id is None or event.party_id == question.party_id)
        ]
        answers.append(heard[-1] if heard else None)
    return answers


def _events(session: Session, number_ids: Collection[int]) -> dict[int, list[PermissionEvent]]:
    query = sa.select(PermissionEvent).order_by(PermissionEvent.said_at, PermissionEvent.id)
    events: dict[int, list[PermissionEvent]] = {}
    for piece in slices(sorted(number_ids)):
        for event in session.scalars(query.where(PermissionEvent.number_id.in_(piece))):
            events.setdefault(event.number_id, []).append(event)
    return events


def _record(session: Session, event: PermissionEvent, action: str) -> PermissionEvent:
    if event.said_at > event.recorded_at:
        raise SaidLaterError
    session.add(event)
    session.flush()
    record_event(
        session,
        actor_id=event.recorded_by,
        action=action,
        subject="subscriber_number",
        subject_id=event.number_id,
        changes={"scope": event.scope, "party_id": event.party_id, "said_at": event.said_at},
    )
    return event
