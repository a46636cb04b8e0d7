"""Finality: when the window has ended without an objection to hear, what is owed becomes receivable and income."""

import datetime as dt
from collections.abc import Mapping, Sequence

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.labels import N_
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.post import post
from supervise.ledger.queries import entries_of_keys
from supervise.ledger.reverse import ReversalDraft, reverse
from supervise.penalties.acceptance import acceptances
from supervise.penalties.locks import lock_penalties
from supervise.penalties.models import HEARD_OBJECTION_STATES, Objection, Penalty, PenaltyState, WindowStart
from supervise.penalties.notice_models import PenaltyAcceptance
from supervise.penalties.postings import final_lines
from supervise.penalties.steps import record_steps
from supervise.penalties.windows import is_fresh, start_windows, with_notices

#: Penalties of one transaction: a few seconds at most, and no page waits long for a lock.
BATCH = 1_000
BECAME_FINAL = N_("The window for an objection has ended")


def finalise_due(session: Session, on: dt.date, *, limit: int = BATCH) -> list[int]:
    """Make final what is due on China day *on*, at most *limit* penalties, and return their ids.

    First, what was listed long enough counts as delivered, and its window starts on that day. A job calls this
    until it returns nothing; twice does nothing twice.
    """
    _start_deemed(session, on, limit)
    heard = exists().where(Objection.penalty_id == Penalty.id, Objection.state.in_(HEARD_OBJECTION_STATES))
    accepted = Penalty.id.in_(select(PenaltyAcceptance.penalty_id))
    due = select(Penalty.id).where(
        Penalty.state == PenaltyState.APPROVED, or_(Penalty.objection_until_on < on, accepted), ~heard
    )
    ids = session.scalars(due.order_by(Penalty.id).limit(limit)).all()
    locked = lock_penalties(session, ids)
    # An objection takes the penalty's row: what was filed while we waited is seen now.
    still = set(session.scalars(due.where(Penalty.id.in_(ids))))
    penalties = [penalty for penalty in locked.values() if penalty.id in still]
    _make_final(session, penalties)
    return [penalty.id for penalty in penalties]


def _start_deemed(session: Session, on: dt.date, limit: int) -> None:
    waiting = select(Penalty.id).where(
        Penalty.state == PenaltyState.APPROVED, Penalty.window_start.is_(None), Penalty.deemed_on <= on
    )
    ids = session.scalars(waiting.order_by(Penalty.id).limit(limit)).all()
    locked = lock_penalties(session, with_notices(session, ids))
    fresh = [locked[penalty_id] for penalty_id in ids if is_fresh(locked[penalty_id])]
    started = start_windows(session, fresh, WindowStart.DEEMED, on, actor_id=None)
    if started:
        record_event(
            session,
            actor_id=None,
            action="penalties.deemed_delivered",
            subject="penalty",
            subject_id=None,
            changes={"penalty_ids": started},
        )


def _make_final(session: Session, penalties: Sequence[Penalty]) -> None:
    if not penalties:
        return
    ids = [penalty.id for penalty in penalties]
    days = _final_days(session, penalties)
    owed = [penalty for penalty in penalties if penalty.amount_fen > penalty.lifted_fen]
    _post(session, owed, days)
    for penalty in penalties:
        penalty.state = PenaltyState.FINAL
        penalty.finalised_at = clock.now()
        penalty.version += 1
    session.flush()
    record_steps(session, ids, PenaltyState.FINAL, actor_id=None, reason=BECAME_FINAL)
    record_event(
        session,
        actor_id=None,
        action="penalties.final",
        subject="penalty",
        subject_id=ids[0] if len(ids) == 1 else None,
        changes={"penalty_ids": ids, "total_fen": sum(one.amount_fen - one.lifted_fen for one in owed)},
    )


def _post(session: Session, owed: Sequence[Penalty], days: Mapping[int, dt.date]) -> None:
    approvals = entries_of_keys(session, [f"penalty:approved:{penalty.id}" for penalty in owed])
    # Two entries: a later reversal takes back the second alone (design.md section 5).
    reverse(
        session,
        [
            ReversalDraft(
                entry_id=approvals[f"penalty:approved:{penalty.id}"],
                key=f"penalty:settled:{penalty.id}",
                event="penalty.contestable_settled",
                effective_on=days[penalty.id],
                reason=BECAME_FINAL,
            )
            for penalty in owed
        ],
    )
    post(
        session,
        [
            EntryDraft(
                key=f"penalty:final:{penalty.id}",
                event="penalty.final",
                effective_on=days[penalty.id],
                lines=final_lines(penalty, penalty.amount_fen - penalty.lifted_fen),
            )
            for penalty in owed
        ],
    )


def _final_days(session: Session, penalties: Sequence[Penalty]) -> dict[int, dt.date]:
    """Return the day on which each became final: accepted, after its window, or its last objection decided."""
    ids = [penalty.id for penalty in penalties]
    accepted = acceptances(session, ids)
    decided = select(Objection.penalty_id, func.max(Objection.decided_at)).where(Objection.penalty_id.in_(ids))
    last = {row[0]: row[1] for row in session.execute(decided.group_by(Objection.penalty_id))}
    days = {}
    for penalty in penalties:
        ended_on = penalty.objection_until_on
        if ended_on is None:
            raise ValueError(f"penalty {penalty.id} has no window")
        day = ended_on + dt.timedelta(days=1)
        if penalty.id in accepted:
            day = min(day, clock.china_day(accepted[penalty.id].accepted_at))
        at = last.get(penalty.id)
        days[penalty.id] = day if at is None else max(day, clock.china_day(at))
    return days
