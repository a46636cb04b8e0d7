"""Objections: filed in the window, hold finality, decided by a supervisor who neither approved nor is charged."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.errors import (
    AlreadyDecidedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    NotPermittedError,
    SamePersonError,
)
from supervise.labels import N_
from supervise.money import format_yuan
from supervise.parties.scope import Scope
from supervise.penalties.acceptance import AcceptedError, acceptances
from supervise.penalties.authority import has_endorsed
from supervise.penalties.belonging import NotChargedError, OwnUnitError, belongs_to_unit, speaks_for_charged
from supervise.penalties.lift import LiftReason, lift_amount, liftable_fen
from supervise.penalties.locks import lock_penalties, lock_penalty
from supervise.penalties.models import (
    HEARD_OBJECTION_STATES,
    WAITING_OBJECTION_STATES,
    Objection,
    ObjectionState,
    Penalty,
    PenaltyState,
    WindowStart,
)
from supervise.penalties.windows import NotContestableError, is_fresh, start_windows, with_notices

#: What a supervisor may decide.
DECISIONS = (ObjectionState.UPHELD, ObjectionState.REDUCED, ObjectionState.REJECTED)


class ObjectionOpenError(ConflictError):
    """One objection at a time, and none after one was decided."""

    message = N_("An objection to %(reference)s was already made")


class OwnApprovalError(NotPermittedError):
    """Whoever approved the penalty does not judge the objection to it."""

    message = N_("You approved %(reference)s; somebody else must decide on the objection")


def file_objection(
    session: Session, penalty_id: int, body: str, scope: Scope, *, actor_id: int, for_party: bool = False
) -> Objection:
    """Object to a penalty in scope; it does not become final before this is decided.

    After the last day, and after finality, it is late: it holds nothing before a supervisor admits it.

    *for_party*: a supervisor enters what the charged party wrote. An objection to a penalty that was not opened
    yet delivers its notice.

    Raises:
        NotFoundError: if it is not in *scope*.
        NotChargedError: if it charges somebody else.
        NotContestableError: if nothing of it is left to object to.
        AcceptedError: if the party accepted it.
        ObjectionOpenError: if one is open or was decided.
        InvalidInputError: without text.
    """
    penalty = lock_penalties(session, with_notices(session, [penalty_id])).get(penalty_id)
    if penalty is None:
        raise NotFoundError
    check_speaks_for(scope, penalty)
    if not body.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Say what is objected to"))
    if not is_contestable(penalty):
        raise NotContestableError(reference=penalty.reference)
    if acceptances(session, [penalty_id]):
        raise AcceptedError(reference=penalty.reference)
    earlier = select(Objection.id).where(
        Objection.penalty_id == penalty_id, Objection.state != ObjectionState.WITHDRAWN
    )
    if session.scalar(earlier.limit(1)) is not None:
        raise ObjectionOpenError(reference=penalty.reference)
    if is_fresh(penalty):
        start_windows(session, [penalty], WindowStart.OPENED, clock.today(), actor_id=actor_id)
    objection = Objection(
        penalty_id=penalty_id,
        body=body.strip(),
        filed_by=actor_id,
        filed_for_party=for_party,
        filed_at=clock.now(),
        state=ObjectionState.LATE if is_late(penalty, clock.today()) else ObjectionState.OPEN,
    )
    session.add(objection)
    session.flush()  # the audit event names the row's id
    _record(session, "objection.filed", objection, actor_id)
    return objection


def is_contestable(penalty: Penalty) -> bool:
    """Say whether something of *penalty* is left to object to, in time or late."""
    if penalty.state is PenaltyState.FINAL:
        return liftable_fen(penalty) > 0 or penalty.amount_fen == 0
    return penalty.state is PenaltyState.APPROVED


def is_late(penalty: Penalty, on: dt.date) -> bool:
    """Say whether an objection to *penalty* on the day needs admission."""
    ended = penalty.objection_until_on is not None and on > penalty.objection_until_on
    return ended or penalty.state is PenaltyState.FINAL


def withdraw_objection(session: Session, objection_id: int, scope: Scope, *, actor_id: int) -> Objection:
    """Take an objection back that was not decided; the penalty becomes final as if it had not been made.

    Raises:
        NotFoundError: if it is not in *scope*.
        NotChargedError: if it is not the charged party's to take back.
        AlreadyDecidedError: if it waits for nobody.
    """
    objection, penalty = locked_objection(session, objection_id)
    check_speaks_for(scope, penalty)
    if objection.state not in WAITING_OBJECTION_STATES:
        raise AlreadyDecidedError
    objection.state = ObjectionState.WITHDRAWN
    _record(session, "objection.withdrawn", objection, actor_id)
    return objection


def check_speaks_for(scope: Scope, penalty: Penalty) -> None:
    """Refuse who does not speak for whom *penalty* charges.

    Raises:
        NotFoundError: if it is not in *scope*.
        NotChargedError: if it charges somebody else.
    """
    scope.check(penalty.unit_id, penalty.party_id)
    if not speaks_for_charged(scope, penalty):
        raise NotChargedError(reference=penalty.reference)


def decide_objection(
    session: Session,
    objection_id: int,
    decision: ObjectionState,
    *,
    note: str,
    actor_id: int,
    reduced_fen: int | None = None,
) -> Objection:
    """Uphold, reduce by *reduced_fen*, or reject; what is taken off is reversed in the ledger at once.

    Of a final penalty, which a late objection that was admitted may reach, what was collected in excess is owed back.

    Raises:
        AlreadyDecidedError: if it is not to be decided (any more).
        OwnApprovalError, OwnUnitError, SamePersonError: if the user approved it, is charged by it, or filed it.
        NotPermittedError: if the amount is beyond the user's authority.
        InvalidInputError: without a note, or for a reduction that is nothing or everything.
    """
    if decision not in DECISIONS:
        raise InvalidInputError(N_("Choose a decision"))
    objection, penalty = locked_objection(session, objection_id)
    if objection.state not in HEARD_OBJECTION_STATES:
        raise AlreadyDecidedError
    refuse_decider(session, objection, penalty, actor_id)
    if not note.strip():
        raise InvalidInputError(N_("Give a reason"))
    words = phone.mask_in_text(note.strip())  # they go into the ledger too, where nothing is ever changed
    owed_fen = liftable_fen(penalty)
    lifted_fen = _lifted_fen(decision, reduced_fen, owed_fen)
    objection.state = decision
    objection.decided_by = actor_id
    objection.decided_at = clock.now()
    objection.decision_note = words
    objection.reduced_fen = reduced_fen if decision is ObjectionState.REDUCED else None
    session.flush()
    if lifted_fen or decision is ObjectionState.UPHELD:
        _lift(session, penalty, objection, lifted_fen, words)
    _record(session, f"objection.{decision.value}", objection, actor_id, words)
    return objection


def locked_objection(session: Session, objection_id: int) -> tuple[Objection, Penalty]:
    """Return the objection as it is once its penalty's row is locked: every decision goes by that lock."""
    penalty_id = session.scalar(select(Objection.penalty_id).where(Objection.id == objection_id))
    if penalty_id is None:
        raise NotFoundError
    penalty = lock_penalty(session, penalty_id)
    return session.get_one(Objection, objection_id, populate_existing=True), penalty


def refuse_decider(session: Session, objection: Objection, penalty: Penalty, actor_id: int) -> None:
    """Refuse who may not judge it.

    Raises:
        OwnApprovalError, SamePersonError, OwnUnitError: if the user approved it, filed it, or is charged by it.
        NotPermittedError: if the amount is beyond the user's authority.
    """
    if penalty.approver_id == actor_id or has_endorsed(session, penalty.id, actor_id):
        raise OwnApprovalError(reference=penalty.reference)
    if objection.filed_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    if belongs_to_unit(session, actor_id, penalty):
        raise OwnUnitError(reference=penalty.reference)
    require_authority(session, user_id=actor_id, amount_fen=penalty.amount_fen)


def _lifted_fen(decision: ObjectionState, reduced_fen: int | None, owed_fen: int) -> int:
    if decision is ObjectionState.UPHELD:
        return owed_fen
    if decision is ObjectionState.REJECTED:
        return 0
    if reduced_fen is None or not 0 < reduced_fen < owed_fen:
        raise InvalidInputError(
            N_("A reduction lies between nothing and the whole amount of %(amount)s yuan"), amount=format_yuan(owed_fen)
        )
    return reduced_fen


def _lift(session: Session, penalty: Penalty, objection: Objection, lifted_fen: int, note: str) -> None:
    """Take *lifted_fen* off: of what is contestable so much of the approval, else of what became final."""
    whole = "penalty.voided" if objection.state is ObjectionState.UPHELD else "penalty.reduced"
    why = LiftReason(
        key=f"objection:decided:{objection.id}",
        event=whole if penalty.state is PenaltyState.APPROVED else "penalty.reversed",
        reason=note,
        actor_id=objection.filed_by,
        approver_id=objection.decided_by or 0,
    )
    lift_amount(session, penalty, lifted_fen, why)


def _record(session: Session, action: str, objection: Objection, actor_id: int, reason: str | None = None) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="penalty",
        subject_id=objection.penalty_id,
        changes={"objection_id": objection.id, "reduced_fen": objection.reduced_fen},
        reason=reason,
    )
