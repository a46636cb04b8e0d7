"""Weighing every undecided incident anew, part by part, and keeping what came of it for lists and bulk decisions."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.grades import Grade
from supervise.attribution.models import IncidentSuggestion, IncidentVerdict
from supervise.attribution.rounds import Changed
from supervise.bulk import among, insert_rows, slices
from supervise.complaints.models import Incident, IncidentState

#: Incidents in one part: their records fit the engine's memory whatever the day; smaller parts plan more often.
PART = 100_000


def undecided_by_day(session: Session, *, up_to: int | None = None) -> list[int]:
    """Return the incidents without a verdict, by day: the incidents of a part share their partitions.

    With *up_to* only those with an id up to it.
    """
    query = (
        select(Incident.id)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(IncidentVerdict.incident_id.is_(None), Incident.state != IncidentState.MERGED)
        .order_by(Incident.occurred_on, Incident.id)
    )
    if up_to is not None:
        query = query.where(Incident.id <= up_to)
    return list(session.scalars(query))


def to_weigh_by_day(session: Session, changed: Changed, before: dt.datetime) -> list[int]:
    """Return the incidents without a verdict that were never weighed, or not since *before*.

    Those that were weighed earlier count where *changed* concerns them.

    By day, as ``undecided_by_day``.
    """
    stale = (IncidentSuggestion.weighed_at < before) & changed.incidents
    query = (
        select(Incident.id)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .outerjoin(IncidentSuggestion, IncidentSuggestion.incident_id == Incident.id)
        .where(
            IncidentVerdict.incident_id.is_(None),
            Incident.state != IncidentState.MERGED,
            IncidentSuggestion.incident_id.is_(None) | stale,
        )
        .order_by(Incident.occurred_on, Incident.id)
    )
    return list(session.scalars(query))


def suggestion_rows(outcomes: pa.Table) -> list[dict[str, Any]]:
    """Return what the evidence says of each incident (``OUTCOMES_QUERY``) as rows of ``incident_suggestion``."""
    now = clock.now()
    return [_row(outcome, now) for outcome in outcomes.to_pylist()]


def _row(outcome: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
    unrecorded = outcome["is_official"] and outcome["is_covered"] and not outcome["is_recorded"]
    return {
        "incident_id": outcome["incident_id"],
        "party_id": outcome["party_id"],
        "grade": Grade(outcome["grade"]) if outcome["grade"] else None,
        "is_automatic": bool(
            outcome["grade"] == Grade.A and outcome["party_id"] is not None and not outcome["is_contradicted"]
        ),
        "is_contradicted": outcome["is_contradicted"],
        "is_spoofing_suspected": bool(unrecorded),
        "weighed_at": now,
    }


def keep_suggestions(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Put *rows* in the place of what was kept of the same incidents."""
    ids = [row["incident_id"] for row in rows]
    for some in slices(ids):
        session.execute(delete(IncidentSuggestion).where(among(session, IncidentSuggestion.incident_id, some)))
    insert_rows(session, IncidentSuggestion.__table__, rows)
