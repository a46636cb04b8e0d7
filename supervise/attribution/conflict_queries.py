"""Named reads on answers that contradict each other, the register or the verdict."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise.attribution.inquiry_models import AnswerConflict, ConflictState
from supervise.complaints.models import Incident, IncidentKind

PAGE = 50


class ConflictRow(NamedTuple):
    """A contradiction that waits for a supervisor."""

    id: int
    incident_id: int
    kind: IncidentKind
    caller_number: str | None
    occurred_at: dt.datetime
    reasons: list[Any]
    found_at: dt.datetime


def open_conflicts() -> Select[int]:
    """Return the select of the contradictions that wait for a supervisor."""
    return select(AnswerConflict.id).where(AnswerConflict.state == ConflictState.OPEN)


def conflicts_to_settle(session: Session, *, after_id: int = 0, limit: int = PAGE) -> Sequence[ConflictRow]:
    """Return the contradictions that wait for a supervisor, the oldest first."""
    query = (
        select(
            AnswerConflict.id,
            AnswerConflict.incident_id,
            Incident.kind,
            Incident.caller_number,
            Incident.occurred_at,
            AnswerConflict.reasons,
            AnswerConflict.found_at,
        )
        .join(Incident, Incident.id == AnswerConflict.incident_id)
        .where(AnswerConflict.state == ConflictState.OPEN, AnswerConflict.id > after_id)
        .order_by(AnswerConflict.id)
        .limit(limit)
    )
    return [ConflictRow._make(row) for row in session.execute(query)]


def conflict_of(session: Session, incident_id: int, conflict_id: int) -> AnswerConflict | None:
    """Return a contradiction about an incident by its id; None: it is none of this incident's."""
    query = select(AnswerConflict).where(AnswerConflict.incident_id == incident_id, AnswerConflict.id == conflict_id)
    return session.scalars(query).one_or_none()


def last_conflict(session: Session, incident_id: int) -> AnswerConflict | None:
    """Return the last contradiction about an incident, open or ended."""
    query = select(AnswerConflict).where(AnswerConflict.incident_id == incident_id)
    return session.scalars(query.order_by(AnswerConflict.id.desc()).limit(1)).one_or_none()
