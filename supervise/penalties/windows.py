"""The window for an objection: it starts when the charged party opens or acknowledges, or is deemed to have."""

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.workdays import Calendar, load_calendar
from supervise.contracts.models import Contract
from supervise.errors import ConflictError, NotFoundError, RefusalError, RowResult
from supervise.labels import N_
from supervise.parties.scope import Scope
from supervise.penalties.belonging import NotChargedError, speaks_for_charged
from supervise.penalties.locks import lock_penalties
from supervise.penalties.models import Penalty, PenaltyState, WindowStart
from supervise.penalties.queries import acknowledged
from supervise.penalties.steps import ACKNOWLEDGED, record_steps


class NotContestableError(ConflictError):
    """Only an approved penalty that is not final can be acknowledged or objected to."""

    message = N_("%(reference)s is not open to objection")


def open_by_charged_party(session: Session, penalty_ids: Sequence[int], scope: Scope, *, actor_id: int) -> list[int]:
    """Start the window of those penalties that the charged party sees for the first time; return their ids.

    Others are left alone, those outside *scope* too, and those that charge somebody else: looking is no decision.
    """
    locked = lock_penalties(session, penalty_ids)
    fresh = [penalty for penalty in locked.values() if _contestable(penalty) and penalty.window_start is None]
    seen = [penalty for penalty in fresh if speaks_for_charged(scope, penalty)]
    start_windows(session, seen, WindowStart.OPENED, clock.today())
    _record(session, "penalties.opened", [penalty.id for penalty in seen], actor_id)
    return [penalty.id for penalty in seen]


def acknowledge(session: Session, penalty_ids: Sequence[int], scope: Scope, *, actor_id: int) -> list[RowResult]:
    """Let the charged party acknowledge penalties; a window that has not started does. A result for every id."""
    ids = list(dict.fromkeys(penalty_ids))
    locked = lock_penalties(session, ids)
    results = [RowResult(penalty_id, _refusal(locked.get(penalty_id), scope)) for penalty_id in ids]
    done = [locked[result.subject_id] for result in results if result.refusal is None]
    fresh = [penalty for penalty in done if penalty.window_start is None]
    start_windows(session, fresh, WindowStart.ACKNOWLEDGED, clock.today())
    new = {penalty.id for penalty in done} - acknowledged(session, ids)
    record_steps(session, sorted(new), PenaltyState.APPROVED, actor_id=actor_id, reason=ACKNOWLEDGED)
    _record(session, "penalties.acknowledged", [penalty.id for penalty in done], actor_id)
    return results


def start_windows(session: Session, penalties: Collection[Penalty], start: WindowStart, on: dt.date) -> None:
    """Start the windows of locked penalties; the last day follows from each contract's days for an objection."""
    if not penalties:
        return
    calendar = load_calendar(session)
    contract_ids = {penalty.contract_id for penalty in penalties}
    contracts = {one.id: one for one in session.scalars(select(Contract).where(Contract.id.in_(contract_ids)))}
    for penalty in penalties:
        begins_on = penalty.deemed_on if start is WindowStart.DEEMED and penalty.deemed_on is not None else on
        penalty.window_start = start
        penalty.window_started_at = clock.start_of_day(begins_on) if start is WindowStart.DEEMED else clock.now()
        penalty.objection_until_on = _last_day(calendar, contracts[penalty.contract_id], begins_on)
        penalty.version += 1
    session.flush()


def _last_day(calendar: Calendar, contract: Contract, begins_on: dt.date) -> dt.date:
    return calendar.add_days(begins_on, contract.appeal_days, contract.appeal_day_type).day


def _contestable(penalty: Penalty) -> bool:
    return penalty.state is PenaltyState.APPROVED


def _refusal(penalty: Penalty | None, scope: Scope) -> RefusalError | None:
    if penalty is None or not scope.covers(penalty.unit_id, penalty.party_id):
        return NotFoundError()
    if not speaks_for_charged(scope, penalty):
        return NotChargedError(reference=penalty.reference)
    return None if _contestable(penalty) else NotContestableError(reference=penalty.reference)


def _record(session: Session, action: str, ids: Sequence[int], actor_id: int) -> None:
    if ids:
        record_event(
            session,
            actor_id=actor_id,
            action=action,
            subject="penalty",
            subject_id=ids[0] if len(ids) == 1 else None,
            changes={"penalty_ids": list(ids)},
        )
