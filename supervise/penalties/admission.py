"""Late objections: one that came after the last day is heard only where a supervisor admits it, with a reason."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, InvalidInputError
from supervise.labels import N_
from supervise.penalties.models import Objection, ObjectionState
from supervise.penalties.notice_models import ObjectionAdmission
from supervise.penalties.objections import locked_objection, refuse_decider


def admit_late(session: Session, objection_id: int, *, admitted: bool, reason: str, actor_id: int) -> Objection:
    """Admit a late objection, which then holds finality and is decided like any other, or refuse to hear it.

    Of a penalty that is final already its decision takes the amount off by a reversal.

    Raises:
        AlreadyDecidedError: if it does not wait for admission.
        OwnApprovalError, OwnUnitError, SamePersonError: if the user approved it, is charged by it, or filed it.
        NotPermittedError: if the amount is beyond the user's authority.
        InvalidInputError: without a reason.
    """
    objection, penalty = locked_objection(session, objection_id)
    if objection.state is not ObjectionState.LATE:
        raise AlreadyDecidedError
    refuse_decider(session, objection, penalty, actor_id)
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    objection.state = ObjectionState.OPEN if admitted else ObjectionState.NOT_ADMITTED
    session.add(
        ObjectionAdmission(
            objection_id=objection_id,
            admitted=admitted,
            reason=reason.strip(),
            decided_by=actor_id,
            decided_at=clock.now(),
        )
    )
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="objection.admitted" if admitted else "objection.not_admitted",
        subject="penalty",
        subject_id=penalty.id,
        changes={"objection_id": objection_id},
        reason=reason.strip(),
    )
    return objection


def admissions_of(session: Session, objection_ids: Collection[int]) -> dict[int, ObjectionAdmission]:
    """Return for each late objection that was decided on whether it is heard, by its id."""
    query = select(ObjectionAdmission).where(ObjectionAdmission.objection_id.in_(objection_ids))
    return {row.objection_id: row for row in session.scalars(query)}
