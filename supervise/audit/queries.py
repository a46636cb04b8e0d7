"""Named reads of the audit trail, for the auditor's page and its export."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.models import AuditEvent

PAGE = 100
_EXPORT_CHUNK = 2_000


class AuditFilters(NamedTuple):
    """What the trail is narrowed by; the empty one takes all. Days are China's, ``until`` is the day after the last."""

    actor_id: int | None = None
    #: A whole action, or its beginning up to a dot: ``login`` takes ``login.refused``.
    action: str = ""
    subject: str = ""
    subject_id: str = ""
    since: dt.date | None = None
    until: dt.date | None = None


def latest_events(
    session: Session, filters: AuditFilters, *, before_id: int | None = None, limit: int = PAGE
) -> Sequence[AuditEvent]:
    """Return up to *limit* events older than *before_id*, the newest first."""
    query = _filtered(filters).order_by(AuditEvent.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(AuditEvent.id < before_id)
    return session.scalars(query).all()


def events_of(session: Session, subject: str, subject_id: int | str, *, limit: int = PAGE) -> Sequence[AuditEvent]:
    """Return what happened to one row, the newest first."""
    filters = AuditFilters(subject=subject, subject_id=str(subject_id))
    return latest_events(session, filters, limit=limit)


def all_events(session: Session, filters: AuditFilters) -> Iterator[AuditEvent]:
    """Yield every event, the oldest first, without holding them all in memory."""
    query = _filtered(filters).order_by(AuditEvent.id)
    yield from session.scalars(query.execution_options(yield_per=_EXPORT_CHUNK))


def known_actions(session: Session) -> Sequence[str]:
    """Return the actions that the trail holds, by name."""
    return session.scalars(select(AuditEvent.action).distinct().order_by(AuditEvent.action)).all()


def _filtered(filters: AuditFilters) -> Select[AuditEvent]:
    query = select(AuditEvent)
    if filters.actor_id is not None:
        query = query.where(AuditEvent.actor_id == filters.actor_id)
    if filters.action:
        query = query.where(
            (AuditEvent.action == filters.action) | AuditEvent.action.startswith(f"{filters.action}.", autoescape=True)
        )
    if filters.subject:
        query = query.where(AuditEvent.subject == filters.subject)
    if filters.subject_id:
        query = query.where(AuditEvent.subject_id == filters.subject_id)
    if filters.since is not None:
        query = query.where(AuditEvent.at >= clock.start_of_day(filters.since))
    if filters.until is not None:
        query = query.where(AuditEvent.at < clock.start_of_day(filters.until))
    return query
