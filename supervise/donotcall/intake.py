"""Intake with what was said in it: tickets by the form and by files, and the refusals that they report."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.complaints import commit
from supervise.complaints.preview import Progress, no_progress
from supervise.complaints.receive import Received, receive_tickets
from supervise.complaints.reported import ReportedTicket
from supervise.donotcall.record import record_reported_refusals
from supervise.files.models import ImportBatch


def receive_ticket(session: Session, keyring: Keyring, report: ReportedTicket, *, actor_id: int) -> Received:
    """Take in one complaint from the form, with its calls, claims and refusal.

    Raises:
        RefusalError: as ``complaints.receive.receive_tickets``.
    """
    [received] = receive_tickets(session, keyring, [report], actor_id=actor_id)
    record_reported_refusals(session, [received], actor_id=actor_id)
    record_event(
        session,
        actor_id=actor_id,
        action="ticket.received",
        subject="ticket",
        subject_id=received.ticket_id,
        changes={"channel": report.channel, "incidents": len(received.incident_ids), "matched": received.matched},
    )
    return received


def commit_batch(
    session: Session, keyring: Keyring, batch_id: int, *, actor_id: int, progress: Progress = no_progress
) -> ImportBatch:
    """Take over a previewed batch of complaints and the refusals in it.

    Raises:
        RefusalError: as ``complaints.commit.commit_batch``.
    """

    def follow(session: Session, received: Sequence[Received]) -> None:
        record_reported_refusals(session, received, actor_id=actor_id)

    return commit.commit_batch(session, keyring, batch_id, actor_id=actor_id, follow=follow, progress=progress)
