"""Tracing a spoofed call back, hop by hop: opened with the verdict, ended with a result, no penalty (domain F33)."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import Attribution, Verdict
from supervise.attribution.traceback_models import HopOutcome, TracebackHop, TracebackState, TracebackTask
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_


class TracebackClosedError(AlreadyDecidedError):
    """What was traced, or given up, takes no more questions."""

    message = N_("This traceback is closed")


class HopMissingError(ConflictError):
    """Nobody answered, so nothing was traced."""

    message = N_("Nobody on the way has answered: a call is traced by answers, or the search ends without result")


class HopDayError(InvalidInputError):
    """A question is asked after the call, and answered after it was asked; neither lies in the future."""

    message = N_("The day must not lie in the future, and an answer not before its question")


def follow_verdicts(session: Session, attributions: Sequence[Attribution], actor_id: int) -> None:
    """Open a traceback for each call that is now found spoofed, and drop those whose call no longer is.

    Part of putting a verdict into force, whose incidents are locked.
    """
    ids = [one.incident_id for one in attributions]
    spoofed = {one.incident_id: one for one in attributions if one.verdict is Verdict.SPOOFED}
    others = [incident_id for incident_id in ids if incident_id not in spoofed]
    dropped = session.scalars(
        update(TracebackTask)
        .where(TracebackTask.incident_id.in_(others), TracebackTask.state == TracebackState.OPEN)
        .values(
            state=TracebackState.DROPPED,
            closed_by=actor_id,
            closed_at=clock.now(),
            version=TracebackTask.version + 1,
        )
        .returning(TracebackTask.id)
    ).all()
    for task_id in dropped:
        _record(session, task_id, "traceback.dropped", actor_id)
    # Found spoofed once more, it is the same search.
    searched = select(TracebackTask.incident_id).where(
        TracebackTask.incident_id.in_(spoofed), TracebackTask.state != TracebackState.DROPPED
    )
    for incident_id in sorted(spoofed.keys() - set(session.scalars(searched))):
        task = TracebackTask(
            incident_id=incident_id,
            attribution_id=spoofed[incident_id].id,
            opened_by=actor_id,
            opened_at=clock.now(),
        )
        session.add(task)
        session.flush()
        _record(session, task.id, "traceback.opened", actor_id, incident_id=incident_id)


def ask_hop(session: Session, task_id: int, asked: str, asked_on: dt.date, *, actor_id: int) -> TracebackHop:
    """Write down that an operator on the way back was asked from whom it had the call.

    Raises:
        TracebackClosedError: if the task is closed.
        HopDayError: if the day lies in the future.
    """
    _open_task(session, task_id)
    if asked_on > clock.today():
        raise HopDayError
    before = session.scalar(select(func.max(TracebackHop.number)).where(TracebackHop.task_id == task_id))
    hop = TracebackHop(
        task_id=task_id,
        number=(before or 0) + 1,
        asked=asked.strip(),
        asked_on=asked_on,
        entered_by=actor_id,
        entered_at=clock.now(),
    )
    session.add(hop)
    session.flush()
    _record(session, task_id, "traceback.asked", actor_id, number=hop.number)
    return hop


def enter_hop_answer(
    session: Session, hop_id: int, answer: str, told_on: dt.date, *, next_hop: str | None, actor_id: int
) -> TracebackHop:
    """Write down what an operator answered, and from whom it had the call if it said so.

    Raises:
        AlreadyDecidedError: if its answer, or that it does not cooperate, is entered.
        TracebackClosedError: if the task is closed.
        HopDayError: if the day lies in the future or before the question.
    """
    hop = _waiting_hop(session, hop_id, told_on)
    hop.answer, hop.next_hop = answer.strip(), (next_hop or "").strip() or None
    return _tell(session, hop, HopOutcome.ANSWERED, told_on, actor_id)


def mark_uncooperative(
    session: Session, hop_id: int, told_on: dt.date, *, remark: str | None, actor_id: int
) -> TracebackHop:
    """Write down that an operator does not cooperate.

    Raises:
        AlreadyDecidedError: if its answer, or that it does not cooperate, is entered.
        TracebackClosedError: if the task is closed.
        HopDayError: if the day lies in the future or before the question.
    """
    hop = _waiting_hop(session, hop_id, told_on)
    hop.answer = (remark or "").strip() or None
    return _tell(session, hop, HopOutcome.REFUSED, told_on, actor_id)


def end_traceback(
    session: Session, task_id: int, state: TracebackState, result: str, *, actor_id: int
) -> TracebackTask:
    """End the search: traced, or without result; *result* says who dialled, or why it cannot be found out.

    Raises:
        TracebackClosedError: if it is closed.
        HopMissingError: if it is said to be traced, and nobody on the way has answered.
        InvalidInputError: without words, or for a state that does not end it.
    """
    task = _open_task(session, task_id)
    if state not in {TracebackState.TRACED, TracebackState.ENDED} or not result.strip():
        raise InvalidInputError
    answered = select(TracebackHop.id).where(
        TracebackHop.task_id == task_id, TracebackHop.outcome == HopOutcome.ANSWERED
    )
    if state is TracebackState.TRACED and session.scalar(answered.limit(1)) is None:
        raise HopMissingError
    task.state, task.result = state, result.strip()
    task.closed_by, task.closed_at, task.version = actor_id, clock.now(), task.version + 1
    session.flush()
    _record(session, task_id, "traceback.ended", actor_id, state=state)
    return task


def _open_task(session: Session, task_id: int) -> TracebackTask:
    task = session.get(TracebackTask, task_id, with_for_update=True, populate_existing=True)
    if task is None:
        raise NotFoundError
    if task.state is not TracebackState.OPEN:
        raise TracebackClosedError
    return task


def _waiting_hop(session: Session, hop_id: int, told_on: dt.date) -> TracebackHop:
    task_id = session.scalar(select(TracebackHop.task_id).where(TracebackHop.id == hop_id))
    if task_id is None:
        raise NotFoundError
    _open_task(session, task_id)
    hop = session.get_one(TracebackHop, hop_id, populate_existing=True)
    if hop.outcome is not HopOutcome.WAITING:
        raise AlreadyDecidedError
    if not hop.asked_on <= told_on <= clock.today():
        raise HopDayError
    return hop


def _tell(session: Session, hop: TracebackHop, outcome: HopOutcome, told_on: dt.date, actor_id: int) -> TracebackHop:
    hop.outcome, hop.told_on, hop.told_by, hop.told_at = outcome, told_on, actor_id, clock.now()
    session.flush()
    _record(session, hop.task_id, "traceback.told", actor_id, number=hop.number, outcome=outcome)
    return hop


def _record(session: Session, task_id: int, action: str, actor_id: int, **changes: object) -> None:
    record_event(
        session, actor_id=actor_id, action=action, subject="traceback", subject_id=task_id, changes=changes or None
    )
