"""Deciding on what follows of a lifted penalty: one click each, by somebody who is not charged (domain F84)."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.parties.models import Party
from supervise.penalties.adjustment_models import Adjustment, AdjustmentKind, AdjustmentState
from supervise.penalties.adjustments import change_of
from supervise.penalties.belonging import OwnUnitError, belongs_to_unit
from supervise.penalties.lift import LiftReason, lift_amount, liftable_fen
from supervise.penalties.locks import lock_penalties, lock_penalty
from supervise.penalties.models import LIVE_PENALTY_STATES, Penalty, PenaltyState
from supervise.penalties.propose import propose_penalties

PAGE = 100


class NothingToAdjustError(ConflictError):
    """What was found does not hold any more."""

    message = N_("Nothing of %(reference)s would be different now; dismiss the proposal")


class WaitingAdjustment(NamedTuple):
    """A proposal with what it is about."""

    adjustment: Adjustment
    penalty: Penalty
    party: str
    #: Reference of the penalty that was lifted.
    cause: str


def adjustments_to_decide(session: Session, *, limit: int = PAGE) -> Sequence[WaitingAdjustment]:
    """Return the proposals that wait, the oldest first."""
    cause = aliased(Penalty)
    query = (
        select(Adjustment, Penalty, Party.name, cause.reference)
        .join(Penalty, Penalty.id == Adjustment.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .join(cause, cause.id == Adjustment.cause_id)
        .where(Adjustment.state == AdjustmentState.OPEN)
        .order_by(Adjustment.id)
        .limit(limit)
    )
    return [WaitingAdjustment._make(row) for row in session.execute(query)]


def adjustment_by_id(session: Session, adjustment_id: int) -> Adjustment:
    """Return one proposal.

    Raises:
        NotFoundError: if there is none.
    """
    adjustment = session.get(Adjustment, adjustment_id)
    if adjustment is None:
        raise NotFoundError
    return adjustment


def take_adjustment(session: Session, adjustment_id: int, *, actor_id: int) -> Adjustment:
    """Do what a proposal says, computed again: take off what fewer repeats cost less, or charge anew under the cap.

    What a cap left out is charged by a new proposal in the place of the old amount; a second person approves it.

    Raises:
        AlreadyDecidedError: if it does not wait any more.
        OwnUnitError: if it charges the user's own unit or party.
        NotPermittedError: if the amount is beyond the user's authority.
        NothingToAdjustError: if it does not hold any more.
    """
    adjustment, penalty = _decidable(session, adjustment_id, actor_id)
    change = change_of(session, penalty, adjustment.kind)
    if change is None:
        raise NothingToAdjustError(reference=penalty.reference)
    require_authority(session, user_id=actor_id, amount_fen=change.amount_fen)
    _close(adjustment, AdjustmentState.TAKEN, actor_id, None)
    if adjustment.kind is AdjustmentKind.TIER:
        lift_amount(session, penalty, min(change.amount_fen, liftable_fen(penalty)), _why(adjustment, penalty))
    else:
        _charge_anew(session, adjustment, penalty, actor_id)
    _record(session, "adjustment.taken", adjustment, change.amount_fen)
    return adjustment


def dismiss_adjustment(session: Session, adjustment_id: int, note: str, *, actor_id: int) -> Adjustment:
    """Leave a penalty as it is, with a reason.

    Raises:
        AlreadyDecidedError: if it does not wait any more.
        OwnUnitError: if it charges the user's own unit or party.
        InvalidInputError: without a reason.
    """
    if not note.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    adjustment, _penalty = _decidable(session, adjustment_id, actor_id)
    _close(adjustment, AdjustmentState.DISMISSED, actor_id, note.strip())
    session.flush()
    _record(session, "adjustment.dismissed", adjustment, adjustment.amount_fen, reason=note.strip())
    return adjustment


def _decidable(session: Session, adjustment_id: int, actor_id: int) -> tuple[Adjustment, Penalty]:
    penalty = lock_penalty(session, adjustment_by_id(session, adjustment_id).penalty_id)
    adjustment = session.get_one(Adjustment, adjustment_id, populate_existing=True)
    if adjustment.state is not AdjustmentState.OPEN:
        raise AlreadyDecidedError
    if belongs_to_unit(session, actor_id, penalty):
        raise OwnUnitError(reference=penalty.reference)
    return adjustment, penalty


def _why(adjustment: Adjustment, penalty: Penalty, *, is_replaced: bool = False) -> LiftReason:
    is_final = penalty.state is PenaltyState.FINAL
    return LiftReason(
        key=f"adjustment:taken:{adjustment.id}:{penalty.id}",
        event="penalty.reversed" if is_final else "penalty.reduced",
        reason=FEWER_REPEATS if adjustment.kind is AdjustmentKind.TIER else ROOM_AGAIN,
        actor_id=None,
        approver_id=adjustment.decided_by or 0,
        keeps_offence=not is_replaced,
        is_replaced=is_replaced,
    )


FEWER_REPEATS = N_("An earlier offence was lifted: fewer repeats count")
ROOM_AGAIN = N_("The cap has room again: charged anew")


def _charge_anew(session: Session, adjustment: Adjustment, penalty: Penalty, actor_id: int) -> None:
    """Lift every share of the charge, and propose it again."""
    shares = select(Penalty.id).where(Penalty.finding_id == penalty.finding_id, Penalty.state.in_(LIVE_PENALTY_STATES))
    for share in lock_penalties(session, session.scalars(shares).all()).values():
        lift_amount(session, share, liftable_fen(share), _why(adjustment, share, is_replaced=True))
    [result] = propose_penalties(session, [penalty.incident_id], actor_id=actor_id)
    if result.refusal is not None:
        raise result.refusal


def _close(adjustment: Adjustment, state: AdjustmentState, actor_id: int, note: str | None) -> None:
    adjustment.state = state
    adjustment.decided_by = actor_id
    adjustment.decided_at = clock.now()
    adjustment.note = note


def _record(
    session: Session, action: str, adjustment: Adjustment, amount_fen: int, *, reason: str | None = None
) -> None:
    record_event(
        session,
        actor_id=adjustment.decided_by,
        action=action,
        subject="penalty",
        subject_id=adjustment.penalty_id,
        changes={"adjustment_id": adjustment.id, "kind": adjustment.kind, "amount_fen": amount_fen},
        reason=reason,
    )
