"""Voiding a batch before any acceptance: one person asks, another confirms, the entries are reversed."""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.compensation.batches import BatchStateError, lock_batch, sent_key, set_state
from supervise.compensation.models import CreditBatch, CreditBatchLine, CreditBatchState, CreditState, LineResult
from supervise.errors import AlreadyDecidedError, SamePersonError
from supervise.labels import N_
from supervise.ledger.queries import entries_of_keys
from supervise.ledger.reverse import ReversalDraft, reverse


def propose_void(session: Session, batch_id: int, reason: str, *, actor_id: int) -> CreditBatch:
    """Ask for a batch to be voided; it takes effect when a second person confirms.

    Raises:
        BatchStateError: if a line is accepted, or the batch is voided or completed.
        AlreadyDecidedError: if somebody asked before.
    """
    batch = lock_batch(session, batch_id)
    _refuse_void(session, batch)
    if batch.void_proposed_by is not None:
        raise AlreadyDecidedError(N_("The void of this batch has already been proposed"))
    batch.void_reason = reason
    batch.void_proposed_by = actor_id
    batch.version += 1
    record_event(
        session,
        actor_id=actor_id,
        action="batch.void_proposed",
        subject="credit_batch",
        subject_id=batch_id,
        reason=reason,
    )
    return batch


def withdraw_void(session: Session, batch_id: int, *, actor_id: int) -> CreditBatch:
    """Take back, or refuse, the wish to void a batch."""
    batch = lock_batch(session, batch_id)
    if batch.void_proposed_by is None or batch.state is CreditBatchState.VOIDED:
        raise AlreadyDecidedError
    batch.void_reason = batch.void_proposed_by = None
    batch.version += 1
    record_event(session, actor_id=actor_id, action="batch.void_refused", subject="credit_batch", subject_id=batch_id)
    return batch


def confirm_void(session: Session, batch_id: int, *, actor_id: int) -> CreditBatch:
    """Void a batch as the second person: its entries are reversed, its credits wait to be sent again.

    The number stays used.

    Raises:
        SamePersonError: if *actor_id* proposed it.
        BatchStateError: if a line was accepted meanwhile.
        AlreadyDecidedError: if nobody proposed it, or it is done.
    """
    batch = lock_batch(session, batch_id)
    _refuse_void(session, batch)
    if batch.void_proposed_by is None or batch.void_reason is None:
        raise AlreadyDecidedError(N_("Nobody has proposed to void this batch"))
    if batch.void_proposed_by == actor_id:  # also a CHECK on credit_batch
        raise SamePersonError
    credit_ids = session.scalars(
        select(CreditBatchLine.credit_id)
        .where(CreditBatchLine.batch_id == batch_id, CreditBatchLine.result.is_(None))
        .order_by(CreditBatchLine.id)
    ).all()
    _take_back(session, batch, credit_ids, batch.void_reason, actor_id)
    session.execute(
        update(CreditBatchLine)
        .where(CreditBatchLine.batch_id == batch_id, CreditBatchLine.result.is_(None))
        .values(result=LineResult.VOIDED)
    )
    set_state(session, credit_ids, CreditState.APPROVED)
    batch.state = CreditBatchState.VOIDED
    batch.voided_by, batch.voided_at = actor_id, clock.now()
    batch.version += 1
    record_event(
        session,
        actor_id=actor_id,
        action="batch.voided",
        subject="credit_batch",
        subject_id=batch_id,
        reason=batch.void_reason,
    )
    return batch


def _take_back(session: Session, batch: CreditBatch, credit_ids: Sequence[int], reason: str, approver_id: int) -> None:
    """Reverse the entries that sent these credits."""
    sent = entries_of_keys(session, [sent_key(batch.id, credit_id) for credit_id in credit_ids])
    reverse(
        session,
        [
            ReversalDraft(
                entry_id=sent[sent_key(batch.id, credit_id)],
                key=f"credit:void:{batch.id}:{credit_id}",
                event="credit.void",
                effective_on=clock.today(),
                reason=reason,
                actor_id=batch.void_proposed_by,
                approver_id=approver_id,
            )
            for credit_id in credit_ids
        ],
    )


def _refuse_void(session: Session, batch: CreditBatch) -> None:
    accepted = session.scalar(
        select(func.count(CreditBatchLine.id)).where(
            CreditBatchLine.batch_id == batch.id, CreditBatchLine.result == LineResult.ACCEPTED
        )
    )
    if batch.state is not CreditBatchState.SENT or accepted:
        raise BatchStateError(number=batch.number, state=batch.state.label)
