"""The window for an objection: it starts when the charged party opens or acknowledges, or is deemed to have.

A notice is delivered as a whole: with one of its lines all of them start. A penalty from before notices goes alone.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among
from supervise.complaints.workdays import Calendar, load_calendar
from supervise.contracts.terms import ContractTermsAt, terms_at
from supervise.errors import ConflictError, NotFoundError, RefusalError, RowResult
from supervise.labels import N_
from supervise.parties.scope import Scope
from supervise.penalties.belonging import NotChargedError, speaks_for_charged
from supervise.penalties.locks import lock_penalties
from supervise.penalties.models import Penalty, PenaltyState, WindowStart
from supervise.penalties.notice_models import Notice, NoticeLine
from supervise.penalties.queries import acknowledged
from supervise.penalties.steps import ACKNOWLEDGED, record_steps


class NotContestableError(ConflictError):
    """Only an approved penalty that is not final can be acknowledged, accepted or objected to."""

    message = N_("%(reference)s is not open to objection")


def open_by_charged_party(session: Session, penalty_ids: Sequence[int], scope: Scope, *, actor_id: int) -> list[int]:
    """Start the window of those penalties that the charged party sees for the first time; return their ids.

    The other lines of their notices start too. Penalties outside *scope* are left alone, and those that charge
    somebody else: looking is no decision.
    """
    locked = lock_penalties(session, with_notices(session, penalty_ids))
    seen = [
        locked[penalty_id]
        for penalty_id in dict.fromkeys(penalty_ids)
        if penalty_id in locked and is_fresh(locked[penalty_id]) and speaks_for_charged(scope, locked[penalty_id])
    ]
    started = start_windows(session, seen, WindowStart.OPENED, clock.today(), actor_id=actor_id)
    _record(session, "penalties.opened", started, actor_id)
    return started


def acknowledge(session: Session, penalty_ids: Sequence[int], scope: Scope, *, actor_id: int) -> list[RowResult]:
    """Let the charged party acknowledge penalties; a window that has not started does. A result for every id."""
    ids = list(dict.fromkeys(penalty_ids))
    locked = lock_penalties(session, with_notices(session, ids))
    results = [RowResult(penalty_id, refusal_of(locked.get(penalty_id), scope)) for penalty_id in ids]
    done = [locked[result.subject_id] for result in results if result.refusal is None]
    fresh = [penalty for penalty in done if penalty.window_start is None]
    start_windows(session, fresh, WindowStart.ACKNOWLEDGED, clock.today(), actor_id=actor_id)
    new = {penalty.id for penalty in done} - acknowledged(session, ids)
    record_steps(session, sorted(new), PenaltyState.APPROVED, actor_id=actor_id, reason=ACKNOWLEDGED)
    _record(session, "penalties.acknowledged", [penalty.id for penalty in done], actor_id)
    return results


def with_notices(session: Session, penalty_ids: Collection[int]) -> list[int]:
    """Return *penalty_ids* and the other lines of their notices: what a decision that delivers them locks first."""
    line, sibling = aliased(NoticeLine), aliased(NoticeLine)
    query = (
        select(sibling.penalty_id)
        .join(line, line.notice_id == sibling.notice_id)
        .where(among(session, line.penalty_id, penalty_ids))
    )
    return sorted({*penalty_ids, *session.scalars(query)})


def start_windows(
    session: Session,
    penalties: Collection[Penalty],
    start: WindowStart,
    on: dt.date,
    *,
    actor_id: int | None,
    note: str | None = None,
) -> list[int]:
    """Start the windows of locked penalties and of all that stand on their notices; return the ids of all of them.

    The last day follows from each contract's days for an objection, as amended by the day of issue; a notice of
    several contracts has the latest of their days for all of its lines. *note* says how a notice on paper was
    delivered.
    """
    if not penalties:
        return []
    calendar = load_calendar(session)
    lines = _lines_of_notices(session, [penalty.id for penalty in penalties])
    on_notice = {penalty.id for group in lines.values() for penalty in group}
    alone = [penalty for penalty in penalties if penalty.id not in on_notice]
    terms = _terms(session, alone, on)
    for penalty in alone:
        begins_on = penalty.deemed_on if start is WindowStart.DEEMED and penalty.deemed_on is not None else on
        _start(penalty, start, begins_on, _last_day(calendar, [terms[penalty.contract_id]], begins_on))
    started = [penalty.id for penalty in alone]
    for notice, group in lines.items():
        begins_on = notice.counts_on if start is WindowStart.DEEMED and notice.counts_on is not None else on
        terms = _terms(session, group, clock.china_day(notice.issued_at))
        until_on = _last_day(calendar, terms.values(), begins_on)
        for penalty in group:
            _start(penalty, start, begins_on, until_on)
        notice.delivery, notice.delivered_on, notice.objection_until_on = start, begins_on, until_on
        notice.recorded_at, notice.recorded_by, notice.delivery_note = clock.now(), actor_id, note
        started += [penalty.id for penalty in group]
    session.flush()
    return sorted(started)


def _lines_of_notices(session: Session, penalty_ids: Collection[int]) -> dict[Notice, list[Penalty]]:
    """Return the notices of the penalties that were not delivered, each with its lines that can be contested."""
    named = select(NoticeLine.notice_id).where(among(session, NoticeLine.penalty_id, penalty_ids))
    notices = {
        notice.id: notice
        for notice in session.scalars(
            select(Notice)
            .where(Notice.id.in_(named), Notice.delivery.is_(None))
            .order_by(Notice.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    rows = session.execute(
        select(NoticeLine.penalty_id, NoticeLine.notice_id)
        .where(among(session, NoticeLine.notice_id, list(notices)))
        .order_by(NoticeLine.penalty_id)
    ).all()
    locked = lock_penalties(session, [row.penalty_id for row in rows])
    lines: dict[Notice, list[Penalty]] = {}
    for row in rows:
        if is_fresh(locked[row.penalty_id]):
            lines.setdefault(notices[row.notice_id], []).append(locked[row.penalty_id])
    return lines


def _terms(session: Session, penalties: Collection[Penalty], on: dt.date) -> Mapping[int, ContractTermsAt]:
    return terms_at(session, {penalty.contract_id for penalty in penalties}, on)


def _start(penalty: Penalty, start: WindowStart, begins_on: dt.date, until_on: dt.date) -> None:
    penalty.window_start = start
    looked = start in (WindowStart.OPENED, WindowStart.ACKNOWLEDGED)
    penalty.window_started_at = clock.now() if looked else clock.start_of_day(begins_on)
    penalty.objection_until_on = until_on
    penalty.version += 1


def _last_day(calendar: Calendar, terms: Collection[ContractTermsAt], begins_on: dt.date) -> dt.date:
    return max(calendar.add_days(begins_on, term.appeal_days, term.appeal_day_type).day for term in terms)


def is_fresh(penalty: Penalty) -> bool:
    """Say whether the window of *penalty* can start: it is approved, and nobody was told of it."""
    return penalty.state is PenaltyState.APPROVED and penalty.window_start is None


def refusal_of(penalty: Penalty | None, scope: Scope) -> RefusalError | None:
    """Return why a user of *scope* cannot acknowledge or accept *penalty* for the charged party."""
    if penalty is None or not scope.covers(penalty.unit_id, penalty.party_id):
        return NotFoundError()
    if not speaks_for_charged(scope, penalty):
        return NotChargedError(reference=penalty.reference)
    return None if penalty.state is PenaltyState.APPROVED else NotContestableError(reference=penalty.reference)


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
