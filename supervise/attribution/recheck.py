"""Looking again after the registers changed: proposals only, a person decides (domain F34, 4.9)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.attribution.candidates import Candidate, stored_chain, suggestions
from supervise.attribution.models import (
    Attribution,
    AttributionState,
    IncidentVerdict,
    Method,
    ProposalState,
    ReattributionProposal,
    Verdict,
)
from supervise.audit.record import record_event
from supervise.complaints.models import Incident, IncidentState
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.labels import N_

#: Incidents looked at in one go.
BATCH = 2_000
#: Verdicts that rest on records or registers, and change with them.
_BY_EVIDENCE = (Method.RECORD, Method.NUMBER_HOLDER, Method.OFFICIAL_RULE)


def recheck_unattributed(session: Session, *, after_id: int = 0, limit: int = BATCH) -> int | None:
    """Compare incidents with the registers of today, and propose those that would be attributed otherwise.

    Looked at are incidents without a verdict or with insufficient evidence, and those whose verdict rests on
    records or a register. A proposal that no longer holds is dismissed. Nothing else changes. Returns the id after
    which to go on, or None at the end: a job calls this until then.
    """
    rows = _to_look_at(session, after_id, limit)
    ids = [row.id for row in rows]
    found = suggestions(session, ids)
    proposed = _last_proposals(session, ids)
    new: list[dict[str, Any]] = []
    void: list[int] = []
    for row in rows:
        candidate = found[row.id].leading
        differs = _differs(row, candidate)
        known = proposed.get(row.id)
        is_open = known is not None and known.state is ProposalState.OPEN
        party_id = candidate.party_id if candidate else None
        # A dismissed proposal is not made again while the register says the same.
        is_known = known is not None and known.state is not ProposalState.TAKEN and known.party_id == party_id
        if is_open and known is not None and (not differs or not is_known):
            void.append(known.id)
        if differs and not is_known:
            reasons = [*found[row.id].reasons, *(candidate.reasons if candidate else ())]
            new.append({"incident_id": row.id, "party_id": party_id, "reasons": reasons})
    _write(session, new, void)
    return ids[-1] if len(ids) == limit else None


def _to_look_at(session: Session, after_id: int, limit: int) -> Sequence[Any]:
    override = aliased(Attribution)
    waiting = exists().where(override.incident_id == Incident.id, override.state == AttributionState.WAITING)
    query = (
        select(
            Incident.id,
            IncidentVerdict.verdict,
            IncidentVerdict.party_id,
            Attribution.method,
            Attribution.chain,
        )
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id, isouter=True)
        .join(Attribution, Attribution.id == IncidentVerdict.attribution_id, isouter=True)
        .where(
            Incident.id > after_id,
            Incident.state != IncidentState.MERGED,
            IncidentVerdict.verdict.is_(None)
            | (IncidentVerdict.verdict == Verdict.INSUFFICIENT)
            | Attribution.method.in_(_BY_EVIDENCE),
            ~waiting,
        )
        .order_by(Incident.id)
        .limit(limit)
    )
    return session.execute(query).all()


def _differs(row: Any, candidate: Candidate | None) -> bool:
    if candidate is None:
        # The evidence that a verdict rests on names nobody, or several, any more.
        return bool(row.method in _BY_EVIDENCE)
    return bool(candidate.party_id != row.party_id or stored_chain(candidate.chain) != row.chain)


def _last_proposals(session: Session, incident_ids: Sequence[int]) -> dict[int, ReattributionProposal]:
    last = (
        select(func.max(ReattributionProposal.id))
        .where(ReattributionProposal.incident_id.in_(incident_ids))
        .group_by(ReattributionProposal.incident_id)
    )
    rows = session.scalars(select(ReattributionProposal).where(ReattributionProposal.id.in_(last)))
    return {row.incident_id: row for row in rows}


def _write(session: Session, new: Sequence[dict[str, Any]], void: Sequence[int]) -> None:
    if void:
        # Replaced by what the register says today, or by nothing; nobody decided, so the row goes.
        session.execute(
            delete(ReattributionProposal).where(
                ReattributionProposal.id.in_(void), ReattributionProposal.state == ProposalState.OPEN
            )
        )
    if new:
        now = clock.now()
        session.execute(
            insert(ReattributionProposal), [{**row, "state": ProposalState.OPEN, "found_at": now} for row in new]
        )
    if new or void:
        record_event(
            session,
            actor_id=None,
            action="reattribution.proposed",
            subject="incident",
            subject_id=new[0]["incident_id"] if len(new) == 1 else None,
            changes={"incident_ids": [row["incident_id"] for row in new], "withdrawn": len(void)},
        )


def dismiss_proposal(session: Session, proposal_id: int, reason: str, *, actor_id: int) -> ReattributionProposal:
    """Leave the verdict as it is; the same proposal does not come back while the register says the same.

    Raises:
        AlreadyDecidedError: if it is not open.
        InvalidInputError: without a reason.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if session.get(ReattributionProposal, proposal_id) is None:
        raise NotFoundError
    done = session.execute(
        update(ReattributionProposal)
        .where(ReattributionProposal.id == proposal_id, ReattributionProposal.state == ProposalState.OPEN)
        .values(state=ProposalState.DISMISSED, decided_by=actor_id, decided_at=clock.now())
        .returning(ReattributionProposal.incident_id)
    ).first()
    if done is None:
        raise AlreadyDecidedError
    record_event(
        session,
        actor_id=actor_id,
        action="reattribution.dismissed",
        subject="incident",
        subject_id=done.incident_id,
        changes={"proposal_id": proposal_id},
        reason=reason.strip(),
    )
    return session.get_one(ReattributionProposal, proposal_id, populate_existing=True)
