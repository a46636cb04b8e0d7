"""Giving up what of a penalty cannot be collected: proposed by finance, approved by two supervisors (C-9)."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.penalties import collecting
from supervise.penalties.belonging import OwnUnitError, belongs_to_unit
from supervise.penalties.locks import lock_penalty
from supervise.penalties.models import Penalty, PenaltyFamily
from supervise.settlement.models import WriteOff, WriteOffState

_WAITING = (WriteOffState.OPEN, WriteOffState.ENDORSED)


class InternalError(ConflictError):
    """An assessment nets to zero inside the carrier: there is nothing to give up."""

    message = N_("%(reference)s is an internal assessment: it is not collected, so nothing is written off")


class WriteOffOpenError(ConflictError):
    """One request at a time for a penalty."""

    message = N_("A write-off of %(reference)s already waits for approval")


def propose_write_off(
    session: Session, penalty_id: int, *, amount_fen: int | None, reason: str, actor_id: int
) -> WriteOff:
    """Ask to give up *amount_fen* of a final penalty; None: all that is open of it.

    Raises:
        NotFoundError: if there is no such penalty.
        InternalError: if it is an assessment of a branch.
        NotCollectableError: if it is not final, or nothing of it is open.
        WriteOffOpenError: if a request waits.
        InvalidInputError: without a reason, or for more than is open.
    """
    penalty = lock_penalty(session, penalty_id)
    if penalty.family is PenaltyFamily.INTERNAL:
        raise InternalError(reference=penalty.reference)
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    part_fen = penalty.open_fen if amount_fen is None else amount_fen
    collecting.check_open(penalty, part_fen)
    waiting = select(WriteOff.id).where(WriteOff.penalty_id == penalty_id, WriteOff.state.in_(_WAITING))
    if session.scalar(waiting) is not None:  # also a unique index
        raise WriteOffOpenError(reference=penalty.reference)
    wish = WriteOff(
        penalty_id=penalty_id,
        amount_fen=part_fen,
        reason=reason.strip(),
        proposed_by=actor_id,
        proposed_at=clock.now(),
    )
    session.add(wish)
    session.flush()  # the audit event names the row's id
    _record(session, "write_off.proposed", wish, actor_id, reason)
    return wish


def approve_write_off(session: Session, write_off_id: int, *, actor_id: int) -> WriteOff:
    """Approve a write-off: the first approval waits for a second one, by another supervisor, which books it.

    Raises:
        NotFoundError, AlreadyDecidedError: if it does not wait.
        SamePersonError: if the user proposed it, or gave the first approval.
        OwnUnitError: if the user belongs to the charged party.
        NotPermittedError: if the amount is beyond the user's authority.
        NotCollectableError: if less is open by now.
    """
    wish, penalty = _decidable(session, write_off_id, actor_id)
    if belongs_to_unit(session, actor_id, penalty):
        raise OwnUnitError(reference=penalty.reference)
    require_authority(session, user_id=actor_id, amount_fen=wish.amount_fen)
    if wish.state is WriteOffState.OPEN:
        wish.state, wish.first_by, wish.first_at = WriteOffState.ENDORSED, actor_id, clock.now()
        session.flush()
        _record(session, "write_off.endorsed", wish, actor_id)
        return wish
    wish.state, wish.decided_by, wish.decided_at = WriteOffState.APPROVED, actor_id, clock.now()
    session.flush()
    collecting.write_off(session, {penalty.id: wish.amount_fen})
    draft = EntryDraft(
        key=f"penalty:written_off:{penalty.id}:{wish.id}",
        event="penalty.written_off",
        effective_on=clock.today(),
        lines=[
            Line(AccountCode.WRITE_OFF, penalty.party_id, wish.amount_fen),
            Line(AccountCode.PENALTY_RECEIVABLE, penalty.party_id, -wish.amount_fen),
        ],
        actor_id=wish.proposed_by,
        approver_id=actor_id,
        reason=wish.reason,
    )
    post(session, [draft])
    _record(session, "write_off.approved", wish, actor_id)
    return wish


def reject_write_off(session: Session, write_off_id: int, reason: str, *, actor_id: int) -> WriteOff:
    """Refuse a write-off; the penalty stays owed.

    Raises:
        NotFoundError, AlreadyDecidedError: if it does not wait.
        SamePersonError: if the user proposed it, or gave the first approval.
        InvalidInputError: without a reason.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    wish, _penalty = _decidable(session, write_off_id, actor_id)
    wish.state, wish.decided_by, wish.decided_at = WriteOffState.REJECTED, actor_id, clock.now()
    session.flush()
    _record(session, "write_off.rejected", wish, actor_id, reason)
    return wish


def _decidable(session: Session, write_off_id: int, actor_id: int) -> tuple[WriteOff, Penalty]:
    penalty_id = session.scalar(select(WriteOff.penalty_id).where(WriteOff.id == write_off_id))
    if penalty_id is None:
        raise NotFoundError
    penalty = lock_penalty(session, penalty_id)
    wish = session.get_one(WriteOff, write_off_id, populate_existing=True)
    if wish.state not in _WAITING:
        raise AlreadyDecidedError
    if actor_id in (wish.proposed_by, wish.first_by):  # also CHECKs of the table
        raise SamePersonError
    return wish, penalty


def _record(session: Session, action: str, wish: WriteOff, actor_id: int, reason: str | None = None) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="penalty",
        subject_id=wish.penalty_id,
        changes={"request_id": wish.id, "amount_fen": wish.amount_fen},
        reason=reason,
    )
