"""The files that come with answers: they lie in the vault, and are reached through the inquiry alone."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.inquiry_models import AnswerAttachment, Inquiry, InquiryAnswer
from supervise.audit.record import record_event
from supervise.errors import NotFoundError
from supervise.files.models import Attachment
from supervise.files.vault import NewFile, record_attachment


def attach_files(
    session: Session, answer: InquiryAnswer, files: Sequence[NewFile], *, source: str, actor_id: int
) -> None:
    """Keep *files* with an answer; *source* says whose they are."""
    for file in files:
        attachment = record_attachment(
            session, file.stored, file.name, file.media_type, source=source, actor_id=actor_id
        )
        session.add(AnswerAttachment(answer_id=answer.id, attachment_id=attachment.id))
        record_event(
            session,
            actor_id=actor_id,
            action="evidence.added",
            subject="inquiry",
            subject_id=answer.inquiry_id,
            changes={
                "attachment_id": attachment.id,
                "sha256": attachment.sha256,
                "bytes": attachment.size_bytes,
            },
        )
    session.flush()


def files_of(session: Session, answer_ids: Collection[int]) -> dict[int, list[Attachment]]:
    """Return the files of each answer, in the order they came."""
    query = (
        select(AnswerAttachment.answer_id, Attachment)
        .join(Attachment, Attachment.id == AnswerAttachment.attachment_id)
        .where(AnswerAttachment.answer_id.in_(answer_ids))
        .order_by(AnswerAttachment.id)
    )
    found: dict[int, list[Attachment]] = {answer_id: [] for answer_id in answer_ids}
    for answer_id, attachment in session.execute(query):
        found[answer_id].append(attachment)
    return found


def file_of_inquiry(session: Session, inquiry_id: int, attachment_id: int) -> Attachment:
    """Return a file that came with an answer to the inquiry; the caller has checked the scope of that.

    Raises:
        NotFoundError: if it came with none.
    """
    query = (
        select(Attachment)
        .join(AnswerAttachment, AnswerAttachment.attachment_id == Attachment.id)
        .join(InquiryAnswer, InquiryAnswer.id == AnswerAttachment.answer_id)
        .join(Inquiry, Inquiry.id == InquiryAnswer.inquiry_id)
        .where(Inquiry.id == inquiry_id, Attachment.id == attachment_id)
    )
    attachment = session.scalars(query).one_or_none()
    if attachment is None:
        raise NotFoundError
    return attachment
