"""Named reads on spared calls: what their rows are, in which order."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise.attribution.models import Finding, FindingState, IncidentVerdict
from supervise.bulk import among
from supervise.complaints.models import Incident, IncidentKind, OffenceType
from supervise.parties.scope import Scope
from supervise.penalties.spare_models import SparedFinding, SpareReason

PAGE = 50


class SparedCall(NamedTuple):
    """A call with spared offences, as one decision spared them."""

    incident_id: int
    kind: IncidentKind
    caller_number: str | None
    occurred_at: dt.datetime
    party_id: int | None
    findings: int
    because: SpareReason
    reason: str
    spared_by: int
    spared_at: dt.datetime
    #: None: it waits for a second person.
    agreed_by: int | None


class SparingLine(NamedTuple):
    """A sparing of an offence, live or brought back."""

    sparing: SparedFinding
    #: As it stood on the day of the call.
    offence: OffenceType


def live_sparings(session: Session, incident_id: int) -> Sequence[SparedFinding]:
    """Return what of a call is spared now, by finding."""
    query = (
        select(SparedFinding)
        .join(Finding, Finding.id == SparedFinding.finding_id)
        .where(Finding.incident_id == incident_id, SparedFinding.brought_back_at.is_(None))
        .order_by(SparedFinding.finding_id)
    )
    return session.scalars(query).all()


def sparings_of_incident(session: Session, incident_id: int) -> Sequence[SparingLine]:
    """Return what was ever spared of a call, the newest first."""
    query = (
        select(SparedFinding, OffenceType)
        .join(Finding, Finding.id == SparedFinding.finding_id)
        .join(OffenceType, OffenceType.id == Finding.offence_type_id)
        .where(Finding.incident_id == incident_id)
        .order_by(SparedFinding.id.desc())
    )
    return [SparingLine._make(row) for row in session.execute(query)]


def spared_among(session: Session, finding_ids: Collection[int]) -> set[int]:
    """Return those of the findings that are spared now."""
    query = select(SparedFinding.finding_id).where(
        among(session, SparedFinding.finding_id, finding_ids), SparedFinding.brought_back_at.is_(None)
    )
    return set(session.scalars(query))


def spared_calls(session: Session, scope: Scope, *, after_id: int = 0, limit: int = PAGE) -> Sequence[SparedCall]:
    """Return the calls in *scope* with offences that are proven and spared now, by id after *after_id*.

    What was spared of a call in two steps is one row, with the words of the last one.
    """
    last = (
        select(func.max(SparedFinding.id).label("id"), func.count().label("findings"))
        .join(Finding, Finding.id == SparedFinding.finding_id)
        .where(
            SparedFinding.brought_back_at.is_(None),
            Finding.state == FindingState.PROVEN,
            Finding.incident_id > after_id,
        )
        .group_by(Finding.incident_id)
        .subquery()
    )
    query = (
        select(
            Incident.id,
            Incident.kind,
            Incident.caller_number,
            Incident.occurred_at,
            IncidentVerdict.party_id,
            last.c.findings,
            SparedFinding.because,
            SparedFinding.reason,
            SparedFinding.spared_by,
            SparedFinding.spared_at,
            SparedFinding.agreed_by,
        )
        .join(last, last.c.id == SparedFinding.id)
        .join(Finding, Finding.id == SparedFinding.finding_id)
        .join(Incident, Incident.id == Finding.incident_id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .order_by(Incident.id)
        .limit(limit)
    )
    rows = session.execute(scope.limit(query, unit=IncidentVerdict.unit_id, party=IncidentVerdict.party_id))
    return [SparedCall._make(row) for row in rows]
