"""The evidence of an incident: attached from the vault, downloaded with a trace, withdrawn for a reason, held (F12)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.proof_models import AttachmentKind, IncidentAttachment
from supervise.audit.record import record_event
from supervise.complaints.models import Incident, IncidentState
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError
from supervise.files import vault
from supervise.files.models import Attachment, AttachmentHold, MediaType
from supervise.labels import N_


class Evidence(NamedTuple):
    """A piece of evidence: its place on the incident, the attachment, and the hold that is open on it."""

    link: IncidentAttachment
    attachment: Attachment
    hold: AttachmentHold | None


def attach_evidence(
    session: Session,
    incident_id: int,
    stored: vault.StoredFile,
    file_name: str,
    media_type: MediaType,
    *,
    kind: AttachmentKind,
    source: str,
    actor_id: int,
) -> IncidentAttachment:
    """Attach what ``vault.store_attachment`` stored to an incident.

    Raises:
        NotFoundError: if there is no such incident.
        ConflictError: if it was recognised as another one.
        InvalidInputError: if *source* does not say where the file comes from.
    """
    incident = session.get(Incident, incident_id)
    if incident is None:
        raise NotFoundError
    if incident.state is IncidentState.MERGED:
        raise ConflictError(N_("This call was recognised as another one; enter it there"))
    attachment = vault.record_attachment(session, stored, file_name, media_type, source=source, actor_id=actor_id)
    link = IncidentAttachment(
        incident_id=incident_id, attachment_id=attachment.id, kind=kind, added_by=actor_id, added_at=clock.now()
    )
    session.add(link)
    session.flush()
    facts = {"kind": kind, "sha256": stored.sha256, "bytes": stored.size_bytes}
    _record(session, "evidence.added", link, actor_id, facts)
    return link


def evidence_of(session: Session, incident_id: int) -> list[Evidence]:
    """Return the evidence of an incident, withdrawn and purged pieces too, in the order in which it came."""
    query = (
        select(IncidentAttachment, Attachment)
        .join(Attachment, Attachment.id == IncidentAttachment.attachment_id)
        .where(IncidentAttachment.incident_id == incident_id)
        .order_by(IncidentAttachment.id)
    )
    rows = session.execute(query).all()
    holds = vault.open_holds(session, [attachment.id for _link, attachment in rows])
    return [Evidence(link, attachment, holds.get(attachment.id)) for link, attachment in rows]


def evidence_in(session: Session, incident_id: int, attachment_id: int) -> Evidence:
    """Return one piece of evidence of an incident that the caller has found within scope.

    Raises:
        NotFoundError: if the attachment is none of this incident.
    """
    for one in evidence_of(session, incident_id):
        if one.attachment.id == attachment_id:
            return one
    raise NotFoundError


def record_download(session: Session, incident_id: int, attachment_id: int, *, actor_id: int) -> None:
    """Note that somebody took a copy.

    Raises:
        NotFoundError: if the attachment is none of this incident.
    """
    one = evidence_in(session, incident_id, attachment_id)
    _record(session, "evidence.downloaded", one.link, actor_id, {"sha256": one.attachment.sha256})


def withdraw_evidence(session: Session, incident_id: int, attachment_id: int, reason: str, *, actor_id: int) -> None:
    """Say that a piece of evidence does not count; it stays where it is, with the reason.

    Raises:
        NotFoundError: if the attachment is none of this incident.
        AlreadyDecidedError: if it was withdrawn before.
        InvalidInputError: without a reason.
    """
    link = evidence_in(session, incident_id, attachment_id).link
    session.refresh(link, with_for_update=True)
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if link.withdrawn_at is not None:
        raise AlreadyDecidedError
    link.withdrawn_by, link.withdrawn_at, link.withdrawal_reason = actor_id, clock.now(), reason.strip()
    session.flush()
    _record(session, "evidence.withdrawn", link, actor_id, {})


def hold_evidence(session: Session, incident_id: int, attachment_id: int, reason: str, *, actor_id: int) -> None:
    """Forbid the purge of a piece of evidence until another person releases it.

    Raises:
        NotFoundError: if the attachment is none of this incident.
        ConflictError: if it is on hold, or purged.
        InvalidInputError: without a reason.
    """
    link = evidence_in(session, incident_id, attachment_id).link
    vault.hold_attachment(session, attachment_id, reason, actor_id=actor_id)
    _record(session, "evidence.held", link, actor_id, {})


def release_evidence(session: Session, incident_id: int, attachment_id: int, reason: str, *, actor_id: int) -> None:
    """End the hold on a piece of evidence, as another person than who placed it.

    Raises:
        NotFoundError: if the attachment is none of this incident.
        ConflictError: if it is not on hold, or *actor_id* placed the hold.
        InvalidInputError: without a reason.
    """
    link = evidence_in(session, incident_id, attachment_id).link
    vault.release_hold(session, attachment_id, reason, actor_id=actor_id)
    _record(session, "evidence.hold_released", link, actor_id, {})


def _record(session: Session, action: str, link: IncidentAttachment, actor_id: int, facts: Mapping[str, Any]) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="incident",
        subject_id=link.incident_id,
        changes={"attachment_id": link.attachment_id, **facts},
    )
