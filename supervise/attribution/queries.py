"""Named reads on verdicts and findings: what their rows are, in which order, always within a scope."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from supervise.attribution.models import (
    Attribution,
    AttributionState,
    IncidentVerdict,
    ProposalState,
    ReattributionProposal,
    Verdict,
)
from supervise.complaints.models import Incident, IncidentState
from supervise.parties.models import Party
from supervise.parties.scope import Scope

PAGE = 50


class WaitingOverride(NamedTuple):
    """A decision against the suggestion that waits for a second person."""

    attribution_id: int
    incident_id: int
    caller_number: str | None
    occurred_at: dt.datetime
    verdict: Verdict
    party: str | None
    #: Whom the evidence led to; None: to nobody, as with a number that was probably spoofed.
    suggested: str | None
    reason: str | None
    decided_by: int
    decided_at: dt.datetime


class OpenProposal(NamedTuple):
    """An incident that the registers of today would attribute otherwise."""

    proposal_id: int
    incident_id: int
    caller_number: str | None
    occurred_at: dt.datetime
    #: Whom the verdict in force names, and whom records and registers name now.
    party_id: int | None
    proposed_party_id: int | None
    proposed_party: str | None
    #: What they say now, as sentences are stored.
    reasons: list[Any]
    found_at: dt.datetime


def unattributed(scope: Scope) -> Select[int]:
    """Return the select of the incidents in *scope* that nobody answers for yet: what ``unattributed`` lists."""
    query = (
        select(Incident.id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id, isouter=True)
        .where(
            IncidentVerdict.verdict.is_(None) | (IncidentVerdict.verdict == Verdict.INSUFFICIENT),
            Incident.state != IncidentState.MERGED,
        )
    )
    return scope.limit(query, unit=Incident.unit_id)


def waiting_overrides(session: Session) -> Sequence[WaitingOverride]:
    """Return the overrides that wait for a second person, the oldest first."""
    suggested = aliased(Party)
    query = (
        select(
            Attribution.id,
            Attribution.incident_id,
            Incident.caller_number,
            Incident.occurred_at,
            Attribution.verdict,
            Party.name,
            suggested.name,
            Attribution.reason,
            Attribution.decided_by,
            Attribution.decided_at,
        )
        .join(Incident, Incident.id == Attribution.incident_id)
        .join(Party, Party.id == Attribution.party_id, isouter=True)
        .join(suggested, suggested.id == Attribution.suggested_party_id, isouter=True)
        .where(Attribution.state == AttributionState.WAITING)
        .order_by(Attribution.id)
    )
    return [WaitingOverride._make(row) for row in session.execute(query)]


def open_proposals(session: Session, *, after_id: int = 0, limit: int = PAGE) -> Sequence[OpenProposal]:
    """Return open proposals to look at an incident again, by id after *after_id*."""
    query = (
        select(
            ReattributionProposal.id,
            ReattributionProposal.incident_id,
            Incident.caller_number,
            Incident.occurred_at,
            IncidentVerdict.party_id,
            ReattributionProposal.party_id,
            Party.name,
            ReattributionProposal.reasons,
            ReattributionProposal.found_at,
        )
        .join(Incident, Incident.id == ReattributionProposal.incident_id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == ReattributionProposal.incident_id, isouter=True)
        .join(Party, Party.id == ReattributionProposal.party_id, isouter=True)
        .where(ReattributionProposal.state == ProposalState.OPEN, ReattributionProposal.id > after_id)
        .order_by(ReattributionProposal.id)
        .limit(limit)
    )
    return [OpenProposal._make(row) for row in session.execute(query)]
