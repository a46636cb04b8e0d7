"""Named reads on tracebacks: what their rows are, in which order, always within a scope."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise.attribution.traceback_models import HopOutcome, TracebackHop, TracebackState, TracebackTask
from supervise.complaints.models import Incident
from supervise.errors import NotFoundError
from supervise.parties.scope import Scope

PAGE = 50


class TracebackLine(NamedTuple):
    """A traceback with the call that it is about and how far it is."""

    task_id: int
    incident_id: int
    caller_number: str | None
    occurred_at: dt.datetime
    state: TracebackState
    opened_at: dt.datetime
    hops: int
    #: Operators that do not cooperate.
    refused: int


def tracebacks(
    session: Session,
    scope: Scope,
    states: Collection[TracebackState],
    *,
    before_id: int | None = None,
    limit: int = PAGE,
) -> Sequence[TracebackLine]:
    """Return the tracebacks of incidents in *scope*, the newest first; *before_id* is the last row before the page."""
    refused = func.count().filter(TracebackHop.outcome == HopOutcome.REFUSED)
    query = (
        select(
            TracebackTask.id,
            TracebackTask.incident_id,
            Incident.caller_number,
            Incident.occurred_at,
            TracebackTask.state,
            TracebackTask.opened_at,
            func.count(TracebackHop.id),
            refused,
        )
        .join(Incident, Incident.id == TracebackTask.incident_id)
        .outerjoin(TracebackHop, TracebackHop.task_id == TracebackTask.id)
        .where(TracebackTask.state.in_(states))
        .group_by(TracebackTask.id, Incident.id)
    )
    if before_id is not None:
        query = query.where(TracebackTask.id < before_id)
    limited = scope.limit(query, unit=Incident.unit_id).order_by(TracebackTask.id.desc()).limit(limit)
    return [TracebackLine._make(row) for row in session.execute(limited)]


def traceback_by_id(session: Session, task_id: int) -> TracebackTask:
    """Return the task; the caller sees to it that its incident is in reach.

    Raises:
        NotFoundError: if there is none.
    """
    task = session.get(TracebackTask, task_id)
    if task is None:
        raise NotFoundError
    return task


def traceback_of(session: Session, incident_id: int) -> TracebackTask | None:
    """Return the newest traceback of an incident."""
    query = select(TracebackTask).where(TracebackTask.incident_id == incident_id).order_by(TracebackTask.id.desc())
    return session.scalars(query.limit(1)).first()


def hops_of(session: Session, task_id: int) -> Sequence[TracebackHop]:
    """Return the questions of a task in their order."""
    query = select(TracebackHop).where(TracebackHop.task_id == task_id).order_by(TracebackHop.number)
    return session.scalars(query).all()


def hop_in(session: Session, task_id: int, hop_id: int) -> TracebackHop:
    """Return a hop of this task.

    Raises:
        NotFoundError: if the task has none such.
    """
    hop = session.get(TracebackHop, hop_id)
    if hop is None or hop.task_id != task_id:
        raise NotFoundError
    return hop
