"""Questions to parties about incidents, and what they answer, with dull legal defaults."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.inquiries import Answer, answer_inquiry, ask
from supervise.attribution.inquiry_models import (
    AnswerAttachment,
    AnswerConflict,
    AnswerKind,
    Inquiry,
    InquiryAnswer,
    InquiryState,
)
from supervise.complaints.models import Incident
from supervise.files.models import Attachment, MediaType
from supervise.files.vault import StoredFile, record_attachment
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from tests.factories.attribution import TRIAGER

ANSWERER = 921
QUESTION = "该号码是否由贵方使用？请提供依据。"


def make_inquiry(session: Session, *, incident: Incident, party: Party, working_days: int = 5) -> Inquiry:
    """An open inquiry to *party*."""
    [result] = ask(session, [incident.id], party.id, QUESTION, working_days, actor_id=TRIAGER)
    assert result.refusal is None, result.refusal
    query = select(Inquiry).where(
        Inquiry.incident_id == incident.id, Inquiry.party_id == party.id, Inquiry.state == InquiryState.OPEN
    )
    return session.scalars(query).one()


def scope_of(party: Party) -> Scope:
    """The scope of a user of *party*: a partner's, or a branch manager's."""
    units = frozenset() if party.org_unit_id is None else frozenset({party.org_unit_id})
    return Scope(sees_everything=False, unit_ids=units, party_ids=frozenset({party.id}))


def answer(
    session: Session,
    inquiry: Inquiry,
    kind: AnswerKind = AnswerKind.OURS,
    *,
    party: Party,
    shown_number: int = 0,
    **facts: Any,
) -> InquiryAnswer:
    """Let a user of *party* answer."""
    return answer_inquiry(
        session,
        inquiry.id,
        Answer(kind, facts.pop("body", "已核对外呼台账。"), **facts),
        scope_of(party),
        shown_number=shown_number,
        actor_id=ANSWERER,
    )


def ask_and_answer(session: Session, incident: Incident, party: Party, kind: AnswerKind, **facts: Any) -> InquiryAnswer:
    """Ask *party* and let it answer."""
    return answer(session, make_inquiry(session, incident=incident, party=party), kind, party=party, **facts)


def make_answer_file(session: Session, given: InquiryAnswer) -> Attachment:
    """A file that came with an answer; no bytes lie in the vault."""
    attachment = record_attachment(
        session,
        StoredFile(f"{given.id:064x}", "0" * 64, 1_000),
        "台账.csv",
        MediaType.CSV,
        source="答复",
        actor_id=ANSWERER,
    )
    session.add(AnswerAttachment(answer_id=given.id, attachment_id=attachment.id))
    session.flush()
    return attachment


def conflicts_of(session: Session, incident: Incident) -> list[AnswerConflict]:
    """Every contradiction about the incident, the oldest first."""
    query = select(AnswerConflict).where(AnswerConflict.incident_id == incident.id).order_by(AnswerConflict.id)
    return list(session.scalars(query.execution_options(populate_existing=True)))
