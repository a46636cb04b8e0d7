"""The verification log of an incident: what calling back, listening, monitoring or looking up came to (domain F39).

Entries are added, never changed. A proven finding needs one that confirms it: here, and by a trigger on ``finding``.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.proof_models import (
    IncidentAttachment,
    VerificationEntry,
    VerificationKind,
    VerificationOutcome,
)
from supervise.audit.record import record_event
from supervise.complaints.models import Incident, IncidentState
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_


class UnverifiedError(ConflictError):
    """What nobody has verified is a report, not an offence."""

    message = N_("No verification confirms this call yet: enter in its log how it was verified")


class Verified(NamedTuple):
    """How a call was verified, and what it came to."""

    kind: VerificationKind
    outcome: VerificationOutcome
    #: What was heard, seen or read.
    what: str
    #: None: now.
    verified_at: dt.datetime | None = None
    #: In words; None: who enters it.
    verified_by: str | None = None
    attachment_id: int | None = None


def enter_verification(session: Session, incident_id: int, found: Verified, *, actor_id: int) -> VerificationEntry:
    """Add an entry to the log of an incident.

    Raises:
        NotFoundError: if there is no such incident, or the attachment is none of its evidence.
        ConflictError: if the incident was recognised as another one.
        InvalidInputError: if nothing is said, or the time lies ahead or before the call's day.
    """
    incident = session.get(Incident, incident_id)
    if incident is None:
        raise NotFoundError
    if incident.state is IncidentState.MERGED:
        raise ConflictError(N_("This call was recognised as another one; enter it there"))
    now = clock.now()
    at = found.verified_at or now
    if not found.what.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Say what was heard, seen or read"))
    if at > now:  # also a CHECK of the table
        raise InvalidInputError(N_("A verification cannot lie ahead"))
    if clock.china_day(at) < incident.occurred_on:
        raise InvalidInputError(N_("A call is not verified before it was made"))
    if found.attachment_id is not None:
        _check_own(session, incident_id, found.attachment_id)
    entry = _entry(incident_id, found, at, now, actor_id)
    session.add(entry)
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="verification.entered",
        subject="incident",
        subject_id=incident_id,
        changes={"verification_id": entry.id, "kind": found.kind, "outcome": found.outcome},
    )
    return entry


def _check_own(session: Session, incident_id: int, attachment_id: int) -> None:
    own = select(IncidentAttachment.id).where(
        IncidentAttachment.incident_id == incident_id,
        IncidentAttachment.attachment_id == attachment_id,
        IncidentAttachment.withdrawn_at.is_(None),
    )
    if session.scalar(own) is None:
        raise NotFoundError


def _entry(incident_id: int, found: Verified, at: dt.datetime, now: dt.datetime, actor_id: int) -> VerificationEntry:
    return VerificationEntry(
        incident_id=incident_id,
        kind=found.kind,
        outcome=found.outcome,
        what=found.what.strip(),
        verified_at=at,
        verified_by=(found.verified_by or "").strip() or None,
        entered_at=now,
        entered_by=actor_id,
        attachment_id=found.attachment_id,
    )


def write_entries(session: Session, incident_ids: Collection[int], found: Sequence[Verified], *, actor_id: int) -> None:
    """Add the same entries to many logs, as part of a decision that locked the incidents and writes the audit event."""
    now = clock.now()
    session.add_all(_entry(incident_id, one, now, now, actor_id) for incident_id in incident_ids for one in found)
    session.flush()


def confirmed_incidents(session: Session, incident_ids: Collection[int]) -> set[int]:
    """Return those of the incidents whose log confirms them; one query, however many."""
    query = select(VerificationEntry.incident_id).where(
        VerificationEntry.incident_id.in_(incident_ids), VerificationEntry.outcome == VerificationOutcome.CONFIRMED
    )
    return set(session.scalars(query.distinct()))


def verification_log(session: Session, incident_id: int) -> Sequence[VerificationEntry]:
    """Return the entries of an incident in the order in which they were entered."""
    query = select(VerificationEntry).where(VerificationEntry.incident_id == incident_id)
    return session.scalars(query.order_by(VerificationEntry.id)).all()
