"""Incidents with their verdict and findings, as triagers leave them."""

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.candidates import stored_chain
from supervise.attribution.decide import decide_verdict
from supervise.attribution.findings import Proof, record_findings
from supervise.attribution.incident_evidence import attach_evidence
from supervise.attribution.models import Attribution, AttributionState, Finding, IncidentVerdict, Method, Verdict
from supervise.attribution.proof_models import AttachmentKind, IncidentAttachment, VerificationKind
from supervise.attribution.traceback_models import TracebackHop, TracebackTask
from supervise.attribution.tracebacks import ask_hop
from supervise.complaints.models import Incident, Ticket
from supervise.files.models import MediaType
from supervise.files.vault import StoredFile
from supervise.parties.chain import chain_at, sponsoring_unit
from supervise.parties.models import Party
from tests.factories.complaints import make_incident

TRIAGER = 911
REASON = "分公司答复确认"
HOW = VerificationKind.CALL_BACK
#: Answers that prove the offence types which have a checklist.
PROVING = {
    "after_refusal": {"earlier_refusal": True},
    "without_consent": {"no_consent_found": True},
    "concealment": {"price": False, "applicable_scene": True, "validity": True, "limits": True},
}


def attribute(session: Session, *, incident: Incident, party: Party, actor_id: int = TRIAGER) -> Attribution:
    """Let a person decide that *party* answers; no number register is needed."""
    return decide_verdict(
        session, incident.id, Verdict.ATTRIBUTED, party.id, reason=REASON, shown_id=None, actor_id=actor_id
    )


def make_verdict(session: Session, *, incident: Incident, party: Party, actor_id: int = TRIAGER) -> Attribution:
    """The rows that ``attribute`` leaves where nobody knows anything of the call; nothing is weighed for them."""
    chain = chain_at(session, party.id, incident.occurred_on)
    attribution = Attribution(
        incident_id=incident.id,
        verdict=Verdict.ATTRIBUTED,
        method=Method.PERSON,
        party_id=party.id,
        unit_id=sponsoring_unit(chain),
        chain=stored_chain(chain),
        reasons=[],
        grounds=[],
        reason=REASON,
        state=AttributionState.IN_FORCE,
        decided_by=actor_id,
        decided_at=clock.now(),
    )
    session.add(attribution)
    session.flush()
    pointer = {"verdict": attribution.verdict, "party_id": party.id, "unit_id": attribution.unit_id}
    session.add(IncidentVerdict(incident_id=incident.id, attribution_id=attribution.id, **pointer))
    session.flush()
    return attribution


def find(
    session: Session, *, incident: Incident, code: str = "after_refusal", proven: bool = True, actor_id: int = TRIAGER
) -> Finding:
    """Prove one offence type of the incident."""
    proofs = [Proof(code, proven, "回访录音：用户已明确拒绝", PROVING.get(code) if proven else None, HOW)]
    findings = record_findings(session, incident.id, proofs, actor_id=actor_id)
    return next(finding for finding in findings if finding.offence_code == code)


def make_proven_incident(
    session: Session, *, party: Party, codes: tuple[str, ...] = ("after_refusal",), **incident: Any
) -> Incident:
    """An incident that *party* answers for, with proven offences."""
    made = make_incident(session, **incident)
    make_verdict(session, incident=made, party=party)
    for code in codes:
        find(session, incident=made, code=code)
    return made


def verdicts_of(session: Session, incident_id: int) -> Sequence[Attribution]:
    """Every verdict of the incident, superseded and rejected ones too, the oldest first."""
    query = select(Attribution).where(Attribution.incident_id == incident_id)
    return session.scalars(query.order_by(Attribution.id)).all()


def verdict_in_force(session: Session, incident_id: int) -> Attribution | None:
    query = select(Attribution).join(IncidentVerdict, IncidentVerdict.attribution_id == Attribution.id)
    return session.scalars(query.where(IncidentVerdict.incident_id == incident_id)).one_or_none()


def make_traceback(session: Session, *, incident: Incident, actor_id: int = TRIAGER) -> TracebackTask:
    """The search that opens when a person finds the call's number spoofed."""
    decide_verdict(
        session, incident.id, Verdict.SPOOFED, None, reason="各平台均无此呼叫", shown_id=None, actor_id=actor_id
    )
    return session.scalars(select(TracebackTask).where(TracebackTask.incident_id == incident.id)).one()


def make_hop(session: Session, *, ticket: Ticket | None = None) -> TracebackHop:
    """The first operator on the way back of a spoofed call, asked and not answered."""
    task = make_traceback(session, incident=make_incident(session, ticket=ticket, caller_number=None))
    return ask_hop(session, task.id, "关口局", clock.today(), actor_id=TRIAGER)


def make_evidence(session: Session, *, incident: Incident, source: str = "营业厅来函") -> IncidentAttachment:
    """A letter on the incident; its file lies nowhere."""
    stored = StoredFile(secrets.token_hex(16), "ab" * 32, 12)
    return attach_evidence(
        session,
        incident.id,
        stored,
        "答复.txt",
        MediaType.TEXT,
        kind=AttachmentKind.LETTER,
        source=source,
        actor_id=TRIAGER,
    )
