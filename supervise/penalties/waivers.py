"""Waiving a penalty, wholly or in part, with a reason: one person proposes, another one decides (domain F52).

The offence stays proven and counts as one for tiers and points; only the money is not asked for.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.money import format_yuan
from supervise.penalties.belonging import OwnUnitError, belongs_to_unit
from supervise.penalties.lift import LiftReason, NothingToLiftError, lift_amount, liftable_fen
from supervise.penalties.locks import lock_penalty
from supervise.penalties.models import (
    WAITING_OBJECTION_STATES,
    Objection,
    Penalty,
    PenaltyState,
    Waiver,
    WaiverReason,
    WaiverState,
)


class WaiverOpenError(ConflictError):
    """One proposal at a time."""

    message = N_("A waiver of %(reference)s already waits for a decision")


class ObjectionFirstError(ConflictError):
    """What the charged party says is heard before anything is given away."""

    message = N_("An objection to %(reference)s waits; decide on it first")


def propose_waiver(
    session: Session,
    penalty_id: int,
    *,
    amount_fen: int | None,
    because: WaiverReason,
    reason: str,
    actor_id: int,
) -> Waiver:
    """Propose not to ask for *amount_fen* of a charged penalty; None: for all that can still be taken off.

    Raises:
        NothingToLiftError: if it is not charged, or nothing of it is left.
        WaiverOpenError, ObjectionFirstError: if a proposal or an objection waits.
        OwnUnitError: if it charges the user's own unit or party.
        InvalidInputError: without a reason, or for an amount that is nothing or more than is left.
    """
    penalty = lock_penalty(session, penalty_id)
    left_fen = liftable_fen(penalty)
    if penalty.state not in (PenaltyState.APPROVED, PenaltyState.FINAL) or left_fen == 0:
        raise NothingToLiftError(reference=penalty.reference)
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    part_fen = left_fen if amount_fen is None else amount_fen
    if not 0 < part_fen <= left_fen:
        raise InvalidInputError(N_("At most %(amount)s yuan can be taken off"), amount=format_yuan(left_fen))
    if belongs_to_unit(session, actor_id, penalty):
        raise OwnUnitError(reference=penalty.reference)
    _refuse_while_something_waits(session, penalty)
    waiver = Waiver(
        penalty_id=penalty_id,
        amount_fen=part_fen,
        because=because,
        reason=reason.strip(),
        proposed_by=actor_id,
        proposed_at=clock.now(),
    )
    session.add(waiver)
    session.flush()  # the audit event names the row's id
    _record(session, "waiver.proposed", waiver, actor_id, waiver.reason)
    return waiver


def approve_waiver(session: Session, waiver_id: int, *, actor_id: int) -> Waiver:
    """Approve a waiver, as the second person: the amount comes off at once, what was collected of it is owed back.

    Raises:
        AlreadyDecidedError: if it does not wait any more.
        SamePersonError, OwnUnitError: if the user proposed it, or is charged by the penalty.
        ObjectionFirstError: if an objection came in meanwhile.
        NotPermittedError: if the amount is beyond the user's authority.
        NothingToLiftError, InvalidInputError: if so much is not left any more.
    """
    waiver, penalty = _decidable(session, waiver_id, actor_id)
    _refuse_open_objection(session, penalty)
    require_authority(session, user_id=actor_id, amount_fen=waiver.amount_fen)
    _close(waiver, WaiverState.APPROVED, actor_id, None)
    why = LiftReason(
        key=f"waiver:approved:{waiver.id}",
        event="penalty.waived",
        reason=phone.mask_in_text(waiver.reason),
        actor_id=waiver.proposed_by,
        approver_id=actor_id,
        keeps_offence=True,
    )
    lift_amount(session, penalty, waiver.amount_fen, why)
    _record(session, "waiver.approved", waiver, actor_id)
    return waiver


def reject_waiver(session: Session, waiver_id: int, note: str, *, actor_id: int) -> Waiver:
    """Refuse a proposed waiver, as the second person; the penalty stays as it is.

    Raises:
        AlreadyDecidedError: if it does not wait any more.
        SamePersonError, OwnUnitError: if the user proposed it, or is charged by the penalty.
        InvalidInputError: without a reason.
    """
    if not note.strip():
        raise InvalidInputError(N_("Give a reason"))
    waiver, _penalty = _decidable(session, waiver_id, actor_id)
    _close(waiver, WaiverState.REJECTED, actor_id, note.strip())
    session.flush()
    _record(session, "waiver.rejected", waiver, actor_id, note.strip())
    return waiver


def waivers_of_penalty(session: Session, penalty_id: int) -> Sequence[Waiver]:
    """Return the waivers of a penalty, the newest first."""
    query = select(Waiver).where(Waiver.penalty_id == penalty_id).order_by(Waiver.id.desc())
    return session.scalars(query).all()


def waiver_by_id(session: Session, waiver_id: int) -> Waiver:
    """Return one waiver.

    Raises:
        NotFoundError: if there is none.
    """
    waiver = session.get(Waiver, waiver_id)
    if waiver is None:
        raise NotFoundError
    return waiver


def _refuse_while_something_waits(session: Session, penalty: Penalty) -> None:
    open_waiver = select(Waiver.id).where(Waiver.penalty_id == penalty.id, Waiver.state == WaiverState.OPEN)
    if session.scalar(open_waiver) is not None:  # also a unique index
        raise WaiverOpenError(reference=penalty.reference)
    _refuse_open_objection(session, penalty)


def _refuse_open_objection(session: Session, penalty: Penalty) -> None:
    waiting = select(Objection.id).where(
        Objection.penalty_id == penalty.id, Objection.state.in_(WAITING_OBJECTION_STATES)
    )
    if session.scalar(waiting.limit(1)) is not None:
        raise ObjectionFirstError(reference=penalty.reference)


def _decidable(session: Session, waiver_id: int, actor_id: int) -> tuple[Waiver, Penalty]:
    penalty_id = session.scalar(select(Waiver.penalty_id).where(Waiver.id == waiver_id))
    if penalty_id is None:
        raise NotFoundError
    penalty = lock_penalty(session, penalty_id)
    waiver = session.get_one(Waiver, waiver_id, populate_existing=True)
    if waiver.state is not WaiverState.OPEN:
        raise AlreadyDecidedError
    if waiver.proposed_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    if belongs_to_unit(session, actor_id, penalty):
        raise OwnUnitError(reference=penalty.reference)
    return waiver, penalty


def _close(waiver: Waiver, state: WaiverState, actor_id: int, note: str | None) -> None:
    waiver.state = state
    waiver.decided_by = actor_id
    waiver.decided_at = clock.now()
    waiver.decision_note = note


def _record(session: Session, action: str, waiver: Waiver, actor_id: int, reason: str | None = None) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="penalty",
        subject_id=waiver.penalty_id,
        changes={"waiver_id": waiver.id, "amount_fen": waiver.amount_fen, "because": waiver.because},
        reason=reason,
    )
