"""Which files of the vault the purge spares because money or an objection still rests on them."""

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, exists, func, or_, select, union_all
from sqlalchemy.orm import aliased

from supervise.attribution.inquiry_models import AnswerAttachment, Inquiry, InquiryAnswer
from supervise.attribution.proof_models import IncidentAttachment
from supervise.parties.file_models import PartyFileEntry
from supervise.parties.models import Party
from supervise.penalties.models import WAITING_OBJECTION_STATES, Objection, Penalty, PenaltyState
from supervise.penalties.notice_models import ObjectionAttachment


def files_in_dispute() -> CompoundSelect[int]:
    """Return the attachments of open penalties: of the calls, of answers about them, of objections, of their parties.

    Of a party the whole compliance file counts, its merged parties' too: what the carrier taught and ordered is what
    an objection is answered with. Source: docs/rules.md, P-13.
    """
    incidents = select(Penalty.incident_id).where(is_open())
    return union_all(
        _compliance_files(),
        select(IncidentAttachment.attachment_id).where(IncidentAttachment.incident_id.in_(incidents)),
        select(AnswerAttachment.attachment_id)
        .join(InquiryAnswer, InquiryAnswer.id == AnswerAttachment.answer_id)
        .join(Inquiry, Inquiry.id == InquiryAnswer.inquiry_id)
        .where(Inquiry.incident_id.in_(incidents)),
        select(ObjectionAttachment.attachment_id)
        .join(Objection, Objection.id == ObjectionAttachment.objection_id)
        .join(Penalty, Penalty.id == Objection.penalty_id)
        .where(is_open()),
    )


def is_open() -> ColumnElement[bool]:
    """Return the condition that a penalty is not done with: it waits, is contestable, owed, or objected to."""
    said = aliased(Objection)
    left_fen = Penalty.amount_fen - Penalty.lifted_fen - Penalty.settled_fen - Penalty.written_off_fen
    return or_(
        Penalty.state.in_((PenaltyState.PROPOSED, PenaltyState.APPROVED)),
        and_(Penalty.state == PenaltyState.FINAL, left_fen > 0),
        exists().where(said.penalty_id == Penalty.id, said.state.in_(WAITING_OBJECTION_STATES)),
    )


def _compliance_files() -> Select[int | None]:
    one = aliased(Party)
    charged = select(func.coalesce(one.merged_into_id, one.id)).join(Penalty, Penalty.party_id == one.id)
    return (
        select(PartyFileEntry.attachment_id)
        .join(Party, Party.id == PartyFileEntry.party_id)
        .where(
            PartyFileEntry.attachment_id.is_not(None),
            func.coalesce(Party.merged_into_id, Party.id).in_(charged.where(is_open())),
        )
    )
