"""Complaints for tests: rows as intake leaves them, with dull legal defaults."""

import datetime as dt
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.cipher import Keyring
from supervise.complaints.models import (
    CallerKind,
    Channel,
    DeadlineRule,
    ImportProfile,
    Incident,
    IncidentKind,
    IncidentState,
    LinkHow,
    OffenceType,
    Precision,
    Subscriber,
    SubscriberNumber,
    Ticket,
    TicketIncident,
    TicketState,
)
from supervise.complaints.profiles import profiles_in_use
from supervise.complaints.reported import ReportedCall, ReportedTicket
from supervise.complaints.subscribers import number_ids
from supervise.files.models import ImportBatch, ImportKind
from supervise.files.staging import open_batch
from supervise.files.uploads import StoredFile, record_upload, store_file
from supervise.parties.models import OrgUnit

#: The same keys as the ``keyring`` fixture, so that a test which needs no keys need not ask for them.
KEYRING = Keyring(data_keys={"t1": b"\x01" * 32}, current="t1", index_key=b"\x02" * 32, seal_key=b"\x03" * 32)
#: A Tuesday morning, 10:00 in China.
CALLED_AT = dt.datetime(2026, 9, 29, 2, 0, tzinfo=dt.UTC)
EVER_SINCE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
ACTOR = 1
_serial = count(1)


def make_number(session: Session, *, digits: str | None = None) -> SubscriberNumber:
    """A subscriber's number; without *digits* a mobile number of its own."""
    digits = digits or f"139{next(_serial):08d}"
    return session.get_one(SubscriberNumber, number_ids(session, KEYRING, [digits])[digits])


def make_subscriber(
    session: Session,
    *,
    number: SubscriberNumber | None = None,
    digits: str | None = None,
    account_ref: str | None = None,
    unit: OrgUnit | None = None,
    held_from: dt.datetime = EVER_SINCE,
    held_to: dt.datetime | None = None,
) -> Subscriber:
    number = number or make_number(session, digits=digits)
    subscriber = Subscriber(
        number_id=number.id,
        account_ref=account_ref or f"A{next(_serial):08d}",
        unit_id=unit.id if unit else None,
        held_from=held_from,
        held_to=held_to,
        source="test",
    )
    session.add(subscriber)
    session.flush()
    return subscriber


def make_ticket(
    session: Session,
    *,
    channel: Channel = Channel.HOTLINE,
    number: SubscriberNumber | None = None,
    unit: OrgUnit | None = None,
    received_at: dt.datetime = CALLED_AT + dt.timedelta(hours=1),
    content: str = "推销套餐的电话",
    state: TicketState = TicketState.NEW,
    due_on: dt.date = dt.date(2026, 10, 14),
    external_ref: str | None = None,
) -> Ticket:
    serial = next(_serial)
    ticket = Ticket(
        reference=f"TS20260929-T{serial:05d}",
        channel=channel,
        external_ref=external_ref,
        received_at=received_at,
        unit_id=unit.id if unit else None,
        number_id=number.id if number else None,
        content=content,
        state=state,
        due_on=due_on,
        created_by=ACTOR,
        created_at=received_at,
    )
    session.add(ticket)
    session.flush()
    return ticket


def make_incident(
    session: Session,
    *,
    ticket: Ticket | None = None,
    number: SubscriberNumber | None = None,
    unit: OrgUnit | None = None,
    caller_number: str | None = "13800001111",
    occurred_at: dt.datetime = CALLED_AT,
    precision: Precision = Precision.MINUTE,
    kind: IncidentKind = IncidentKind.CALL,
    state: IncidentState = IncidentState.REPORTED,
    answered: bool | None = True,
    seconds: int | None = 30,
) -> Incident:
    """An incident that *ticket* reports; without one, a ticket of its own."""
    if ticket is None:
        ticket = make_ticket(session, number=number, unit=unit, received_at=occurred_at + dt.timedelta(hours=1))
    incident = Incident(
        kind=kind,
        number_id=number.id if number else ticket.number_id,
        caller_number=caller_number,
        caller_class=phone.classify(caller_number) if caller_number else None,
        occurred_at=occurred_at,
        occurred_on=clock.china_day(occurred_at),
        precision=precision,
        answered=answered,
        seconds=seconds,
        caller_kind=CallerKind.HUMAN,
        state=state,
        unit_id=unit.id if unit else ticket.unit_id,
        created_at=ticket.created_at,
    )
    session.add(incident)
    session.flush()
    link_ticket(session, ticket=ticket, incident=incident)
    return incident


def link_ticket(
    session: Session, *, ticket: Ticket, incident: Incident, how: LinkHow = LinkHow.REPORTED
) -> TicketIncident:
    """Let *ticket* report *incident*, as a second channel does."""
    link = TicketIncident(
        ticket_id=ticket.id, incident_id=incident.id, how=how, linked_by=ACTOR, linked_at=ticket.created_at
    )
    session.add(link)
    session.flush()
    return link


def offence_type(session: Session, code: str) -> OffenceType:
    """The taxonomy's newest row of *code* (migration 0012 loads it)."""
    query = sa.select(OffenceType).where(OffenceType.code == code).order_by(OffenceType.valid_from.desc())
    return session.scalars(query.limit(1)).one()


def deadline_rule(session: Session, channel: Channel | None) -> DeadlineRule:
    """The national rule of *channel* that holds today."""
    query = sa.select(DeadlineRule).where(
        DeadlineRule.channel == channel if channel else DeadlineRule.channel.is_(None),
        DeadlineRule.unit_id.is_(None),
        DeadlineRule.valid_to.is_(None),
    )
    return session.scalars(query).one()


def reported_call(
    *,
    caller_number: str | None = "13800001111",
    occurred_at: dt.datetime = CALLED_AT,
    precision: Precision = Precision.MINUTE,
    kind: IncidentKind = IncidentKind.CALL,
    sms_text: str | None = None,
) -> ReportedCall:
    return ReportedCall(
        kind=kind,
        caller_number=caller_number,
        caller_class=phone.classify(caller_number) if caller_number else None,
        occurred_at=occurred_at,
        precision=precision,
        sms_text=sms_text,
    )


def reported_ticket(
    *calls: ReportedCall,
    channel: Channel = Channel.HOTLINE,
    number: str | None = "13900002222",
    received_at: dt.datetime = CALLED_AT + dt.timedelta(hours=1),
    content: str = "推销套餐的电话",
    external_ref: str | None = None,
    unit_id: int | None = None,
    stated_due_on: dt.date | None = None,
) -> ReportedTicket:
    return ReportedTicket(
        channel=channel,
        number=number,
        received_at=received_at,
        content=content,
        external_ref=external_ref,
        unit_id=unit_id,
        stated_due_on=stated_due_on,
        calls=calls,
    )


def upload_file(
    session: Session,
    path: Path,
    folder: Path,
    *,
    profile: ImportProfile | str,
    actor_id: int,
    unit: OrgUnit | None = None,
) -> ImportBatch:
    """Upload *path* as the views do, to be read with *profile* (its code, or itself)."""
    if isinstance(profile, str):
        [profile] = [one for one in profiles_in_use(session) if one.code == profile]
    with path.open("rb") as file:
        stored = store_file(file, folder, KEYRING)
    upload = record_upload(session, stored, path.name, actor_id=actor_id)
    return open_batch(
        session,
        kind=ImportKind.COMPLAINTS,
        upload_id=upload.id,
        profile_id=profile.id,
        actor_id=actor_id,
        options={"unit_id": unit.id} if unit else {},
    )


def make_import(session: Session, *, actor_id: int, kind: ImportKind = ImportKind.COMPLAINTS) -> ImportBatch:
    """An import whose file is not read yet; its bytes are nowhere."""
    serial = next(_serial)
    stored = StoredFile(f"{serial:032d}", f"{serial:064d}", 10)
    upload = record_upload(session, stored, "in.csv", actor_id=actor_id)
    return open_batch(session, kind=kind, upload_id=upload.id, actor_id=actor_id)
