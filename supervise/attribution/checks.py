"""What incidents and verdicts must agree on; read only, each check returns the ids of incidents that do not hold."""

from collections.abc import Sequence

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from supervise.attribution.models import Attribution, AttributionState, IncidentVerdict
from supervise.attribution.watching.models import WatchedIncident
from supervise.complaints.models import Incident, IncidentState, TicketIncident


def incidents_against_tickets(session: Session) -> Sequence[int]:
    """Return incidents that were merged away but that a ticket still reports, and live ones that come from nowhere.

    A live incident is reported by a ticket, or was opened from a record.
    """
    is_reported = exists().where(TicketIncident.incident_id == Incident.id)
    is_opened = exists().where(WatchedIncident.incident_id == Incident.id)
    is_merged = Incident.state == IncidentState.MERGED
    wrong = or_(and_(is_merged, is_reported), and_(~is_merged, ~is_reported, ~is_opened))
    return session.scalars(select(Incident.id).where(wrong).order_by(Incident.id)).all()


def verdicts_against_pointer(session: Session) -> Sequence[int]:
    """Return incidents whose ``IncidentVerdict`` is not their last verdict in force, or is there without one."""
    last = (
        select(Attribution.incident_id, func.max(Attribution.id).label("attribution_id"))
        .where(Attribution.state == AttributionState.IN_FORCE)
        .group_by(Attribution.incident_id)
        .subquery()
    )
    differs = or_(
        IncidentVerdict.attribution_id.is_distinct_from(last.c.attribution_id),
        IncidentVerdict.verdict.is_distinct_from(Attribution.verdict),
        IncidentVerdict.party_id.is_distinct_from(Attribution.party_id),
        IncidentVerdict.unit_id.is_distinct_from(Attribution.unit_id),
    )
    missing_or_wrong = (
        select(last.c.incident_id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == last.c.incident_id, isouter=True)
        .join(Attribution, Attribution.id == last.c.attribution_id)
        .where(differs)
    )
    without_verdict = (
        select(IncidentVerdict.incident_id)
        .join(last, last.c.incident_id == IncidentVerdict.incident_id, isouter=True)
        .where(last.c.incident_id.is_(None))
    )
    found = {*session.scalars(missing_or_wrong), *session.scalars(without_verdict)}
    return sorted(found)
