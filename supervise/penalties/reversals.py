"""Reversing a final penalty, wholly or in part: finance proposes, a supervisor approves, the ledger reverses."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.errors import (
    AlreadyDecidedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    SamePersonError,
)
from supervise.labels import N_
from supervise.ledger.queries import entries_of_keys
from supervise.money import format_yuan
from supervise.penalties.belonging import OwnUnitError, belongs_to_unit
from supervise.penalties.lift import LiftReason, lift_amount, liftable_fen
from supervise.penalties.locks import lock_penalty
from supervise.penalties.models import Penalty, PenaltyState, ReversalRequest, ReversalState


class NotFinalError(ConflictError):
    """Before finality an objection lifts a penalty; afterwards a reversal does."""

    message = N_("Only a final penalty with something left can be reversed: %(reference)s")


class ReversalOpenError(ConflictError):
    """One request at a time for an entry."""

    message = N_("A reversal of %(reference)s already waits for approval")


def propose_reversal(
    session: Session, penalty_id: int, *, amount_fen: int | None, reason: str, actor_id: int
) -> ReversalRequest:
    """Ask for the reversal of a final penalty; *amount_fen* None: all that is left of it.

    Raises:
        NotFinalError: if it is not final, or nothing is left.
        ReversalOpenError: if a request waits.
        InvalidInputError: without a reason, or for an amount that is nothing or more than is left.
    """
    penalty = lock_penalty(session, penalty_id)
    left_fen = liftable_fen(penalty)
    if penalty.state is not PenaltyState.FINAL or left_fen == 0:
        raise NotFinalError(reference=penalty.reference)
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    part_fen = left_fen if amount_fen is None else amount_fen
    if not 0 < part_fen <= left_fen:
        raise InvalidInputError(N_("At most %(amount)s yuan can be reversed"), amount=format_yuan(left_fen))
    key = f"penalty:final:{penalty_id}"
    entry_id = entries_of_keys(session, [key])[key]
    waiting = select(ReversalRequest.id).where(
        ReversalRequest.entry_id == entry_id, ReversalRequest.state == ReversalState.OPEN
    )
    if session.scalar(waiting) is not None:
        raise ReversalOpenError(reference=penalty.reference)
    request = ReversalRequest(
        entry_id=entry_id,
        penalty_id=penalty_id,
        amount_fen=part_fen,
        reason=reason.strip(),
        proposed_by=actor_id,
        proposed_at=clock.now(),
    )
    session.add(request)
    session.flush()  # the audit event names the row's id
    _record(session, "reversal.proposed", request, actor_id, reason)
    return request


def approve_reversal(session: Session, request_id: int, *, actor_id: int) -> ReversalRequest:
    """Approve a reversal, as the second person: the ledger reverses it today, in the open period.

    Raises:
        AlreadyDecidedError: if it does not wait any more.
        SamePersonError, OwnUnitError: if the user proposed it, or is charged by the penalty.
        NotPermittedError: if the amount is beyond the user's authority.
        NothingToLiftError, InvalidInputError: if so much is not left any more.
    """
    request, penalty = _decidable(session, request_id, actor_id)
    if belongs_to_unit(session, actor_id, penalty):
        raise OwnUnitError(reference=penalty.reference)
    require_authority(session, user_id=actor_id, amount_fen=request.amount_fen)
    _close(request, ReversalState.APPROVED, actor_id)
    why = LiftReason(
        key=f"reversal:approved:{request.id}",
        event="penalty.reversed",
        reason=request.reason,
        actor_id=request.proposed_by,
        approver_id=actor_id,
    )
    lift_amount(session, penalty, request.amount_fen, why)
    _record(session, "reversal.approved", request, actor_id)
    return request


def reject_reversal(session: Session, request_id: int, reason: str, *, actor_id: int) -> ReversalRequest:
    """Refuse a proposed reversal, as the second person; the penalty stays as it is.

    Raises:
        AlreadyDecidedError: if it does not wait any more.
        SamePersonError: if the user proposed it.
        InvalidInputError: without a reason.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    request, _penalty = _decidable(session, request_id, actor_id)
    _close(request, ReversalState.REJECTED, actor_id)
    session.flush()
    _record(session, "reversal.rejected", request, actor_id, reason)
    return request


def _decidable(session: Session, request_id: int, actor_id: int) -> tuple[ReversalRequest, Penalty]:
    penalty_id = session.scalar(select(ReversalRequest.penalty_id).where(ReversalRequest.id == request_id))
    if penalty_id is None:
        raise NotFoundError
    penalty = lock_penalty(session, penalty_id)
    request = session.get_one(ReversalRequest, request_id, populate_existing=True)
    if request.state is not ReversalState.OPEN:
        raise AlreadyDecidedError
    if request.proposed_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    return request, penalty


def _close(request: ReversalRequest, state: ReversalState, actor_id: int) -> None:
    request.state = state
    request.approved_by = actor_id
    request.approved_at = clock.now()


def _record(session: Session, action: str, request: ReversalRequest, actor_id: int, reason: str | None = None) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="penalty",
        subject_id=request.penalty_id,
        changes={"request_id": request.id, "entry_id": request.entry_id, "amount_fen": request.amount_fen},
        reason=reason,
    )
