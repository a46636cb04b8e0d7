"""Incidents that nobody answers for yet, by age and by what the evidence said when they were last weighed."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, select, true
from sqlalchemy.orm import Session

from supervise.attribution.grades import Grade
from supervise.attribution.models import (
    IncidentSuggestion,
    IncidentVerdict,
    ProposalState,
    ReattributionProposal,
    Verdict,
)
from supervise.complaints.models import Incident, IncidentKind, IncidentState
from supervise.labels import N_, LabelledEnum
from supervise.parties.models import Party
from supervise.parties.scope import Scope

PAGE = 50


class Says(LabelledEnum):
    """What the evidence says of an incident without a verdict; one of these for each that was weighed."""

    PROVEN = "proven", N_("Proven by a record")
    CONTRADICTED = "contradicted", N_("Contradicted")
    SPOOFING = "spoofing", N_("Spoofing suspected")
    REGISTER = "register", N_("Register only")
    NOTHING = "nothing", N_("Nothing found")


class UnattributedIncident(NamedTuple):
    """An incident that nobody answers for yet; *waiting_since* is when we learned of it."""

    incident_id: int
    kind: IncidentKind
    caller_number: str | None
    occurred_at: dt.datetime
    waiting_since: dt.datetime
    #: NULL: no verdict; else insufficient evidence.
    verdict: Verdict | None
    #: An open proposal: the evidence names somebody now.
    proposal_id: int | None
    #: NULL, with what follows: not weighed yet.
    weighed_at: dt.datetime | None
    party: str | None
    grade: Grade | None
    is_contradicted: bool | None
    is_spoofing_suspected: bool | None


_S = IncidentSuggestion
_UNDECIDED = IncidentVerdict.verdict.is_(None)
_AGAINST = _S.is_contradicted | _S.is_spoofing_suspected
#: Disjoint, and together everything that was weighed.
_MEANS: Mapping[Says, ColumnElement[bool]] = {
    Says.PROVEN: _UNDECIDED & _S.is_automatic,
    Says.CONTRADICTED: _UNDECIDED & _S.is_contradicted,
    Says.SPOOFING: _UNDECIDED & _S.is_spoofing_suspected & ~_S.is_contradicted & ~_S.is_automatic,
    Says.REGISTER: and_(_UNDECIDED, _S.party_id.is_not(None), ~_S.is_automatic, ~_AGAINST),
    Says.NOTHING: and_(_UNDECIDED, _S.party_id.is_(None), ~_S.is_automatic, ~_AGAINST),
}


def _waiting(query: Select[*tuple[Any, ...]], says: Says | None = None) -> Select[*tuple[Any, ...]]:
    """Return *query* on incidents with the verdict and the suggestion beside them, only of those that wait."""
    return (
        query.join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id, isouter=True)
        .join(_S, _S.incident_id == Incident.id, isouter=True)
        .where(
            _UNDECIDED | (IncidentVerdict.verdict == Verdict.INSUFFICIENT),
            Incident.state != IncidentState.MERGED,
            _MEANS[says] if says is not None else true(),
        )
    )


def unattributed_incidents(
    session: Session,
    scope: Scope,
    says: Says | None = None,
    *,
    after: tuple[dt.datetime, int] | None = None,
    limit: int = PAGE,
) -> Sequence[UnattributedIncident]:
    """Return incidents in *scope* without a verdict or with insufficient evidence, the longest waiting first.

    With *says* only those without a verdict of which the evidence says that. *after* is (waiting_since, incident id)
    of the last row of the page before.
    """
    columns = select(
        Incident.id,
        Incident.kind,
        Incident.caller_number,
        Incident.occurred_at,
        Incident.created_at,
        IncidentVerdict.verdict,
        ReattributionProposal.id,
        _S.weighed_at,
        Party.name,
        _S.grade,
        _S.is_contradicted,
        _S.is_spoofing_suspected,
    )
    is_open = (ReattributionProposal.incident_id == Incident.id) & (ReattributionProposal.state == ProposalState.OPEN)
    query = _waiting(columns, says).join(Party, Party.id == _S.party_id, isouter=True)
    query = query.join(ReattributionProposal, is_open, isouter=True)
    if after is not None:
        at, incident_id = after
        query = query.where((Incident.created_at > at) | ((Incident.created_at == at) & (Incident.id > incident_id)))
    limited = scope.limit(query, unit=Incident.unit_id).order_by(Incident.created_at, Incident.id).limit(limit)
    return [UnattributedIncident._make(row) for row in session.execute(limited)]


class Waiting(NamedTuple):
    """How many incidents wait for a verdict."""

    #: Up to a day, a week, a month, and longer.
    ages: Mapping[str, int]
    says: Mapping[Says, int]
    total: int


def count_unattributed(session: Session, scope: Scope, now: dt.datetime) -> Waiting:
    """Count the incidents in *scope* that wait, by age and by what the evidence says, in one pass."""
    ages = {}
    for name, first, last in (("day", 0, 1), ("week", 1, 7), ("month", 7, 31), ("longer", 31, None)):
        older = Incident.created_at <= now - dt.timedelta(days=first)
        ages[name] = older if last is None else older & (Incident.created_at > now - dt.timedelta(days=last))
    conditions = [*ages.values(), *_MEANS.values()]
    query = _waiting(select(func.count(), *(func.count().filter(condition) for condition in conditions)))
    query = query.select_from(Incident)
    total, *counts = session.execute(scope.limit(query, unit=Incident.unit_id)).one()
    of_ages, of_says = counts[: len(ages)], counts[len(ages) :]
    return Waiting(dict(zip(ages, of_ages, strict=True)), dict(zip(_MEANS, of_says, strict=True)), total)


def proven_incident_ids(session: Session, scope: Scope, limit: int) -> Sequence[int]:
    """Return up to *limit* incidents in *scope* that a record proved when last weighed, the longest waiting first."""
    query = scope.limit(_waiting(select(Incident.id), Says.PROVEN), unit=Incident.unit_id)
    return session.scalars(query.order_by(Incident.created_at, Incident.id).limit(limit)).all()
