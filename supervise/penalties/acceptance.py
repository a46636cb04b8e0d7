"""Acceptance: the charged party agrees to a line, which ends its window at once; nothing is objected afterwards."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among, insert_rows
from supervise.errors import AlreadyDecidedError, ConflictError, RefusalError, RowResult
from supervise.labels import N_
from supervise.parties.scope import Scope
from supervise.penalties.locks import lock_penalties
from supervise.penalties.models import WAITING_OBJECTION_STATES, Objection, Penalty, PenaltyState, WindowStart
from supervise.penalties.notice_models import PenaltyAcceptance
from supervise.penalties.steps import ACCEPTED, record_steps
from supervise.penalties.windows import refusal_of, start_windows, with_notices


class ObjectedError(ConflictError):
    """What is objected to is not accepted at the same time."""

    message = N_("There is an objection to %(reference)s; withdraw it first")


class AcceptedError(ConflictError):
    """Whoever accepted a penalty does not object to it afterwards."""

    message = N_("%(reference)s was accepted: no objection is possible any more")


def accept(session: Session, penalty_ids: Sequence[int], scope: Scope, *, actor_id: int) -> list[RowResult]:
    """Accept penalties for the charged party; each becomes final with the next run. A result for every id, in order."""
    ids = list(dict.fromkeys(penalty_ids))
    locked = lock_penalties(session, with_notices(session, ids))
    refusals = {penalty_id: refusal_of(locked.get(penalty_id), scope) for penalty_id in ids}
    accepted, objected = acceptances(session, ids), _objected(session, ids)
    for penalty_id, refusal in refusals.items():
        if refusal is None:
            refusals[penalty_id] = _hindrance(locked[penalty_id], accepted, objected)
    done = [locked[penalty_id] for penalty_id, refusal in refusals.items() if refusal is None]
    if done:
        fresh = [penalty for penalty in done if penalty.window_start is None]
        start_windows(session, fresh, WindowStart.ACKNOWLEDGED, clock.today(), actor_id=actor_id)
        _write(session, [penalty.id for penalty in done], actor_id)
    return [RowResult(penalty_id, refusal) for penalty_id, refusal in refusals.items()]


def _hindrance(penalty: Penalty, accepted: Collection[int], objected: Collection[int]) -> RefusalError | None:
    if penalty.id in accepted:
        return AlreadyDecidedError()
    return ObjectedError(reference=penalty.reference) if penalty.id in objected else None


def _write(session: Session, ids: Sequence[int], actor_id: int) -> None:
    at = clock.now()
    rows = [{"penalty_id": penalty_id, "accepted_by": actor_id, "accepted_at": at} for penalty_id in ids]
    insert_rows(session, PenaltyAcceptance.__table__, rows)
    record_steps(session, ids, PenaltyState.APPROVED, actor_id=actor_id, reason=ACCEPTED)
    record_event(
        session,
        actor_id=actor_id,
        action="penalties.accepted",
        subject="penalty",
        subject_id=ids[0] if len(ids) == 1 else None,
        changes={"penalty_ids": list(ids)},
    )


def acceptances(session: Session, penalty_ids: Collection[int]) -> dict[int, PenaltyAcceptance]:
    """Return the acceptance of each of the penalties that the charged party has accepted."""
    query = select(PenaltyAcceptance).where(among(session, PenaltyAcceptance.penalty_id, penalty_ids))
    return {row.penalty_id: row for row in session.scalars(query)}


def _objected(session: Session, penalty_ids: Collection[int]) -> set[int]:
    query = select(Objection.penalty_id).where(
        among(session, Objection.penalty_id, penalty_ids), Objection.state.in_(WAITING_OBJECTION_STATES)
    )
    return set(session.scalars(query))
