"""Looking again after records or registers changed: proposals only, a person decides (domain F34, 4.9)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, exists, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.attribution.candidates import stored_chain, suggestions
from supervise.attribution.grades import Grade
from supervise.attribution.models import (
    Attribution,
    AttributionState,
    IncidentVerdict,
    Method,
    ProposalState,
    ReattributionProposal,
    Verdict,
)
from supervise.attribution.rounds import EVERYTHING, Changed
from supervise.attribution.weighing import WholeRegisters, weigh
from supervise.audit.record import record_event
from supervise.bulk import among
from supervise.complaints.models import Incident, IncidentState
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.evidence.models import RecordPartition, RecordSource
from supervise.labels import N_
from supervise.parties.chain import chains_at

#: Incidents looked at in one go.
BATCH = 20_000
#: Verdicts that rest on records or registers, and change with them.
_BY_EVIDENCE = (Method.RECORD, Method.NUMBER_HOLDER, Method.OFFICIAL_RULE)


def changed_incidents(
    session: Session,
    concerned: Changed = EVERYTHING,
    *,
    after_id: int = 0,
    limit: int = BATCH,
    whole: WholeRegisters | None = None,
) -> tuple[list[int], int | None]:
    """Return the incidents that the evidence of today would attribute otherwise, and the id after which to go on.

    Looked at are incidents without a verdict or with insufficient evidence, and those whose verdict rests on records
    or a register, as far as what changed *concerned* them; and those with a proposal that no longer holds. What was
    proposed already is left out. The second is None at the end. *whole* are the registers of a long walk, read once.
    """
    rows = _to_look_at(session, concerned, after_id, limit)
    ids = [row.id for row in rows]
    outcomes = {row["incident_id"]: row for row in weigh(session, ids, whole=whole).outcomes.to_pylist()}
    pairs = {(party_id, row.occurred_on) for row in rows if (party_id := outcomes[row.id]["party_id"]) is not None}
    chains = chains_at(session, pairs)
    proposed = _last_proposals(session, ids)
    gone = _days_without_records(session, rows)
    found = []
    for row in rows:
        party_id, grade = outcomes[row.id]["party_id"], outcomes[row.id]["grade"]
        chain = stored_chain(chains[party_id, row.occurred_on]) if party_id is not None else None
        differs = _differs(row, party_id, chain, grade) and not _rests_on(row.grounds, gone)
        if _is_news(differs=differs, known=proposed.get(row.id), party_id=party_id):
            found.append(row.id)
    return found, ids[-1] if len(ids) == limit else None


def _is_news(*, differs: bool, known: ReattributionProposal | None, party_id: int | None) -> bool:
    """Say whether something is to be proposed, or a proposal to be withdrawn."""
    if known is None or known.state is ProposalState.TAKEN:
        return differs
    # A dismissed proposal is not made again while the evidence says the same.
    is_same = known.party_id == party_id
    return not (differs and is_same) if known.state is ProposalState.OPEN else differs and not is_same


def propose_again(session: Session, incident_ids: Sequence[int]) -> None:
    """Propose a second look at incidents that ``changed_incidents`` found, and withdraw what no longer holds.

    They are weighed anew. Nothing else changes.
    """
    rows = _facts(session, incident_ids)
    found = suggestions(session, [row.id for row in rows])
    proposed = _last_proposals(session, [row.id for row in rows])
    new: list[dict[str, Any]] = []
    void: list[int] = []
    for row in rows:
        candidate = found[row.id].leading
        party_id = candidate.party_id if candidate else None
        chain = stored_chain(candidate.chain) if candidate else None
        differs = _differs(row, party_id, chain, candidate.grade if candidate else None)
        known = proposed.get(row.id)
        if not _is_news(differs=differs, known=known, party_id=party_id):
            continue
        if known is not None and known.state is ProposalState.OPEN:
            void.append(known.id)
        if differs:
            reasons = [*found[row.id].reasons, *(candidate.reasons if candidate else ())]
            new.append({"incident_id": row.id, "party_id": party_id, "reasons": reasons})
    _write(session, new, void)


def _concerned() -> Select[*tuple[Any, ...]]:
    override = aliased(Attribution)
    waiting = exists().where(override.incident_id == Incident.id, override.state == AttributionState.WAITING)
    return (
        select(
            Incident.id,
            Incident.occurred_on,
            IncidentVerdict.verdict,
            IncidentVerdict.party_id,
            Attribution.method,
            Attribution.chain,
            Attribution.grade,
            Attribution.grounds,
        )
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id, isouter=True)
        .join(Attribution, Attribution.id == IncidentVerdict.attribution_id, isouter=True)
        .where(
            Incident.state != IncidentState.MERGED,
            IncidentVerdict.verdict.is_(None)
            | (IncidentVerdict.verdict == Verdict.INSUFFICIENT)
            | Attribution.method.in_(_BY_EVIDENCE),
            ~waiting,
        )
        .order_by(Incident.id)
    )


def _to_look_at(session: Session, concerned: Changed, after_id: int, limit: int) -> Sequence[Any]:
    query = _concerned().where(Incident.id > after_id, concerned.incidents).limit(limit)
    return session.execute(query).all()


def _facts(session: Session, incident_ids: Sequence[int]) -> Sequence[Any]:
    return session.execute(_concerned().where(among(session, Incident.id, incident_ids))).all()


def _differs(row: Any, party_id: int | None, chain: list[Any] | None, grade: str | None) -> bool:
    if party_id is None:
        # The evidence that a verdict rests on names nobody, or several, any more.
        return bool(row.method in _BY_EVIDENCE and row.party_id is not None)
    # The record that proved it was corrected away: the party may be the same, the proof is not.
    is_unproven = row.grade == Grade.A and grade != Grade.A
    return bool(party_id != row.party_id or chain != row.chain or is_unproven)


def _days_without_records(session: Session, rows: Sequence[Any]) -> set[tuple[str, str]]:
    """Return the platforms and days of verdicts' records whose retention ended: that contradicts no verdict."""
    days = {row.occurred_on for row in rows if row.grounds}
    if not days:
        return set()
    query = (
        select(RecordSource.code, RecordPartition.on_day)
        .join(RecordSource, RecordSource.id == RecordPartition.source_id)
        .where(RecordPartition.dropped_at.is_not(None), RecordPartition.on_day >= min(days))
        .distinct()
    )
    return {(code, day.isoformat()) for code, day in session.execute(query)}


def _rests_on(grounds: Sequence[dict[str, Any]] | None, gone: set[tuple[str, str]]) -> bool:
    return any((ground.get("platform"), ground.get("on_day")) in gone for ground in grounds or ())


def _last_proposals(session: Session, incident_ids: Sequence[int]) -> dict[int, ReattributionProposal]:
    last = (
        select(func.max(ReattributionProposal.id))
        .where(among(session, ReattributionProposal.incident_id, incident_ids))
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
