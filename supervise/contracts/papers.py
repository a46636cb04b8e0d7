"""The scans of what was signed: kept in the vault, on hold so that no purge takes them, withdrawn with a reason."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.contracts.models import Contract
from supervise.contracts.paper_models import ContractPaper, PaperKind
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.files.models import Attachment
from supervise.files.vault import NewFile, hold_attachment, record_attachment
from supervise.labels import N_


class Paper(NamedTuple):
    """A scan of a contract and the file that it is."""

    row: ContractPaper
    attachment: Attachment


def add_paper(session: Session, contract_id: int, kind: PaperKind, file: NewFile, *, actor_id: int) -> ContractPaper:
    """Keep what was signed with its contract; evidence is purged after its time, a contract's paper never is.

    Raises:
        NotFoundError: if there is no such contract.
    """
    contract = session.get(Contract, contract_id)
    if contract is None:
        raise NotFoundError
    attachment = record_attachment(
        session, file.stored, file.name, file.media_type, source=contract.number, actor_id=actor_id
    )
    hold_attachment(session, attachment.id, contract.number, actor_id=actor_id)
    paper = ContractPaper(
        contract_id=contract_id, attachment_id=attachment.id, kind=kind, added_by=actor_id, added_at=clock.now()
    )
    session.add(paper)
    session.flush()
    _record(session, "contract.paper_added", Paper(paper, attachment), actor_id)
    return paper


def papers_of(session: Session, contract_id: int) -> Sequence[Paper]:
    """Return the papers of a contract, withdrawn ones too, in the order in which they came."""
    query = (
        select(ContractPaper, Attachment)
        .join(Attachment, Attachment.id == ContractPaper.attachment_id)
        .where(ContractPaper.contract_id == contract_id)
        .order_by(ContractPaper.id)
    )
    return [Paper(*row) for row in session.execute(query)]


def paper_by_id(session: Session, paper_id: int) -> Paper:
    """Return one paper.

    Raises:
        NotFoundError: if there is none.
    """
    row = session.get(ContractPaper, paper_id)
    if row is None:
        raise NotFoundError
    return Paper(row, session.get_one(Attachment, row.attachment_id))


def withdraw_paper(session: Session, paper_id: int, reason: str, *, actor_id: int) -> ContractPaper:
    """Say that a paper does not belong to its contract; it stays, with the reason.

    Raises:
        NotFoundError: if there is none.
        AlreadyDecidedError: if it was withdrawn before.
        InvalidInputError: without a reason.
    """
    row = session.get(ContractPaper, paper_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFoundError
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if row.withdrawn_at is not None:
        raise AlreadyDecidedError
    row.withdrawn_by, row.withdrawn_at, row.withdrawal_reason = actor_id, clock.now(), reason.strip()
    session.flush()
    _record(session, "contract.paper_withdrawn", paper_by_id(session, paper_id), actor_id, reason=reason.strip())
    return row


def record_download(session: Session, paper_id: int, *, actor_id: int) -> None:
    """Note that somebody took a copy."""
    _record(session, "contract.paper_downloaded", paper_by_id(session, paper_id), actor_id)


def _record(session: Session, action: str, paper: Paper, actor_id: int, *, reason: str | None = None) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="contract",
        subject_id=paper.row.contract_id,
        changes={"kind": paper.row.kind, "attachment_id": paper.attachment.id, "sha256": paper.attachment.sha256},
        reason=reason,
    )
