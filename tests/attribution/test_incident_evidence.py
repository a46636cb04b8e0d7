"""Evidence of an incident: withdrawn with a reason, never deleted; who took a copy is known."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise.attribution.incident_evidence import (
    evidence_in,
    evidence_of,
    hold_evidence,
    record_download,
    release_evidence,
    withdraw_evidence,
)
from supervise.attribution.proof_models import IncidentAttachment, VerificationKind, VerificationOutcome
from supervise.attribution.verification import Verified, enter_verification
from supervise.audit.models import AuditEvent
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from tests.factories.attribution import TRIAGER, make_evidence
from tests.factories.complaints import make_incident

COLLEAGUE = 912


def events(session: Session) -> list[tuple[str, Any]]:
    query = sa.select(AuditEvent).where(AuditEvent.action.like("evidence.%")).order_by(AuditEvent.id)
    return [(event.action, (event.changes or {}).get("attachment_id")) for event in session.scalars(query)]


def test_adding_and_downloading_evidence_is_in_the_audit_trail(session: Session) -> None:
    incident = make_incident(session)
    link = make_evidence(session, incident=incident)

    record_download(session, incident.id, link.attachment_id, actor_id=COLLEAGUE)

    assert events(session) == [
        ("evidence.added", link.attachment_id),
        ("evidence.downloaded", link.attachment_id),
    ]


def test_evidence_of_another_call_is_not_there(session: Session) -> None:
    link = make_evidence(session, incident=make_incident(session))
    other = make_incident(session)

    with pytest.raises(NotFoundError):
        evidence_in(session, other.id, link.attachment_id)
    with pytest.raises(NotFoundError):
        record_download(session, other.id, link.attachment_id, actor_id=TRIAGER)
    found = Verified(
        VerificationKind.RECORD_CHECK, VerificationOutcome.CONFIRMED, "详单", attachment_id=link.attachment_id
    )
    with pytest.raises(NotFoundError):
        enter_verification(session, other.id, found, actor_id=TRIAGER)


def test_evidence_is_withdrawn_once_with_a_reason_and_stays(session: Session) -> None:
    incident = make_incident(session)
    link = make_evidence(session, incident=incident)

    with pytest.raises(InvalidInputError):
        withdraw_evidence(session, incident.id, link.attachment_id, " ", actor_id=TRIAGER)
    withdraw_evidence(session, incident.id, link.attachment_id, "附错了工单", actor_id=TRIAGER)
    with pytest.raises(AlreadyDecidedError):
        withdraw_evidence(session, incident.id, link.attachment_id, "再次", actor_id=TRIAGER)

    [piece] = evidence_of(session, incident.id)
    assert piece.link.withdrawal_reason == "附错了工单"


def test_a_hold_on_evidence_is_shown_until_a_colleague_releases_it(session: Session) -> None:
    incident = make_incident(session)
    link = make_evidence(session, incident=incident)

    hold_evidence(session, incident.id, link.attachment_id, "法院调取", actor_id=TRIAGER)
    assert evidence_in(session, incident.id, link.attachment_id).hold is not None
    release_evidence(session, incident.id, link.attachment_id, "结案", actor_id=COLLEAGUE)

    assert evidence_in(session, incident.id, link.attachment_id).hold is None


def test_the_database_itself_keeps_evidence_on_its_incident(session: Session) -> None:
    incident, other = make_incident(session), make_incident(session)
    make_evidence(session, incident=incident)

    with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
        session.execute(sa.update(IncidentAttachment).values(incident_id=other.id))
    with pytest.raises(DBAPIError, match="not deleted"), session.begin_nested():
        session.execute(sa.delete(IncidentAttachment))
