"""What is said after an objection was filed: a supervisor's question, the party's answer, what a colleague adds.

While the party owes an answer the objection still holds finality; a supervisor may decide without it.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.files.models import Attachment
from supervise.files.vault import NewFile, record_attachment
from supervise.labels import N_
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from supervise.penalties.models import WAITING_OBJECTION_STATES, Objection, ObjectionState, Penalty
from supervise.penalties.notice_models import ObjectionAttachment, ObjectionStatement, StatementKind
from supervise.penalties.objections import check_speaks_for, file_objection, locked_objection, refuse_decider

#: Files with one objection, over all who add to it.
FILES_MAX = 20


def object_with_files(
    session: Session,
    penalty_id: int,
    body: str,
    files: Sequence[NewFile],
    scope: Scope,
    *,
    actor_id: int,
    for_party: bool = False,
) -> Objection:
    """File an objection and keep *files* with it; see ``objections.file_objection`` for what is refused."""
    objection = file_objection(session, penalty_id, body, scope, actor_id=actor_id, for_party=for_party)
    _attach(session, objection, files, actor_id)
    return objection


def ask_party(session: Session, objection_id: int, question: str, *, actor_id: int) -> Objection:
    """Ask the charged party something before an objection is decided.

    Raises:
        AlreadyDecidedError: if it does not wait for a decision, or for an answer already.
        OwnApprovalError, OwnUnitError, SamePersonError: if the user approved it, is charged by it, or filed it.
        InvalidInputError: without a question.
    """
    objection, penalty = locked_objection(session, objection_id)
    if objection.state is not ObjectionState.OPEN:
        raise AlreadyDecidedError
    refuse_decider(session, objection, penalty, actor_id)
    objection.state = ObjectionState.INFO_REQUESTED
    _say(session, objection, StatementKind.QUESTION, question, actor_id)
    return objection


def add_to_objection(
    session: Session, objection_id: int, body: str, files: Sequence[NewFile], scope: Scope, *, actor_id: int
) -> Objection:
    """Answer the question that was asked, or add to what was objected; a second contact joins the first so.

    Raises:
        NotFoundError: if it is not in *scope*.
        NotChargedError: if the user does not speak for the charged party.
        AlreadyDecidedError: if it waits for nobody any more.
        InvalidInputError: without text, or with too many files.
    """
    objection, penalty = locked_objection(session, objection_id)
    check_speaks_for(scope, penalty)
    if objection.state not in WAITING_OBJECTION_STATES:
        raise AlreadyDecidedError
    is_asked = objection.state is ObjectionState.INFO_REQUESTED
    _say(session, objection, StatementKind.ANSWER if is_asked else StatementKind.ADDITION, body, actor_id)
    if is_asked:
        objection.state = ObjectionState.OPEN
    _attach(session, objection, files, actor_id)
    return objection


def _say(session: Session, objection: Objection, kind: StatementKind, body: str, actor_id: int) -> None:
    if not body.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Write something"))
    statement = ObjectionStatement(
        objection_id=objection.id, kind=kind, body=body.strip(), made_by=actor_id, made_at=clock.now()
    )
    session.add(statement)
    session.flush()  # the audit event names the row's id
    record_event(
        session,
        actor_id=actor_id,
        action=f"objection.{kind.value}",
        subject="penalty",
        subject_id=objection.penalty_id,
        changes={"objection_id": objection.id, "statement_id": statement.id},
    )


def _attach(session: Session, objection: Objection, files: Sequence[NewFile], actor_id: int) -> None:
    if not files:
        return
    kept = session.scalars(
        select(func.count()).select_from(ObjectionAttachment).where(ObjectionAttachment.objection_id == objection.id)
    ).one()
    if kept + len(files) > FILES_MAX:
        raise InvalidInputError(N_("At most %(limit)d files with one objection"), limit=FILES_MAX)
    charged = select(Party.name).join(Penalty, Penalty.party_id == Party.id).where(Penalty.id == objection.penalty_id)
    source = session.scalars(charged).one()
    for file in files:
        attachment = record_attachment(
            session, file.stored, file.name, file.media_type, source=source, actor_id=actor_id
        )
        session.add(
            ObjectionAttachment(
                attachment_id=attachment.id, objection_id=objection.id, added_by=actor_id, added_at=clock.now()
            )
        )
        record_event(
            session,
            actor_id=actor_id,
            action="evidence.added",
            subject="penalty",
            subject_id=objection.penalty_id,
            changes={
                "attachment_id": attachment.id,
                "sha256": attachment.sha256,
                "bytes": attachment.size_bytes,
            },
        )
    session.flush()


def statements_of(session: Session, objection_ids: Collection[int]) -> dict[int, list[ObjectionStatement]]:
    """Return what was said to each objection, in time."""
    query = select(ObjectionStatement).where(ObjectionStatement.objection_id.in_(objection_ids))
    found: dict[int, list[ObjectionStatement]] = {objection_id: [] for objection_id in objection_ids}
    for statement in session.scalars(query.order_by(ObjectionStatement.id)):
        found[statement.objection_id].append(statement)
    return found


def files_of(session: Session, objection_ids: Collection[int]) -> dict[int, list[Attachment]]:
    """Return the files of each objection, in the order they came."""
    query = (
        select(ObjectionAttachment.objection_id, Attachment)
        .join(Attachment, Attachment.id == ObjectionAttachment.attachment_id)
        .where(ObjectionAttachment.objection_id.in_(objection_ids))
        .order_by(Attachment.id)
    )
    found: dict[int, list[Attachment]] = {objection_id: [] for objection_id in objection_ids}
    for objection_id, attachment in session.execute(query):
        found[objection_id].append(attachment)
    return found


def file_of_objection(session: Session, objection_id: int, attachment_id: int) -> Attachment:
    """Return a file of the objection; the caller has checked the scope of that.

    Raises:
        NotFoundError: if it came with another, or does not exist.
    """
    query = (
        select(Attachment)
        .join(ObjectionAttachment, ObjectionAttachment.attachment_id == Attachment.id)
        .where(ObjectionAttachment.objection_id == objection_id, Attachment.id == attachment_id)
    )
    attachment = session.scalars(query).one_or_none()
    if attachment is None:
        raise NotFoundError
    return attachment
