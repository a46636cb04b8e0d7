"""Verdicts: decided by a person, or accepted in bulk where unambiguous; overrides need a second person.

A correction is a new row that supersedes the one in force; ``IncidentVerdict`` points to the latter.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.candidates import Candidate, Suggestion, stored_chain, suggestions
from supervise.attribution.findings import overturn_findings
from supervise.attribution.models import (
    CHARGEABLE_VERDICTS,
    Attribution,
    AttributionState,
    IncidentVerdict,
    Method,
    ProposalState,
    ReattributionProposal,
    Verdict,
)
from supervise.attribution.tracebacks import follow_verdicts
from supervise.audit.record import record_event
from supervise.complaints.models import Incident, IncidentState
from supervise.db import reserve_ids
from supervise.errors import (
    AlreadyDecidedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RefusalError,
    RowResult,
    SamePersonError,
)
from supervise.labels import N_
from supervise.parties.chain import ChainLink, chain_at, sponsoring_unit


class VerdictChangedError(ConflictError):
    """Someone else decided meanwhile; both verdicts are named by the ids of their rows, 0 for none."""

    message = N_("The verdict was changed meanwhile: you saw no. %(shown)d, in force is no. %(current)d; look again")


class OverrideDecidedError(AlreadyDecidedError):
    """The second person was not the first second person."""

    message = N_("Somebody else has confirmed or rejected this override meanwhile; look again")


class OverrideWaitingError(ConflictError):
    """A decision against the suggestion still waits for its second person."""

    message = N_("An override of this incident waits for a second person; it must be confirmed or rejected first")


class ReasonMissingError(InvalidInputError):
    """What the evidence does not come to by itself is decided with a word; the message says why it is needed."""


class AmbiguousError(ConflictError):
    """No record proves the call, nobody or several are named, or something contradicts; the message says which."""


def decide_verdict(
    session: Session,
    incident_id: int,
    verdict: Verdict,
    party_id: int | None,
    *,
    reason: str | None,
    shown_id: int | None,
    actor_id: int,
) -> Attribution:
    """Decide who answers for an incident; *shown_id* is the verdict in force that the user saw, or None.

    A decision against the only suggestion is an override: it needs a reason and takes effect when a second
    person confirms it. Anything else is in force at once; findings on the verdict it supersedes are overturned.

    Raises:
        VerdictChangedError: if another verdict came into force meanwhile.
        OverrideWaitingError: if an override waits.
        ReasonMissingError: without a reason where one is needed.
        InvalidInputError: if a party is missing or superfluous.
        MoneyHangsOnItError: if an approved amount rests on the verdict in force.
    """
    incident = _locked(session, incident_id)
    _refuse_stale(session, incident_id, shown_id)
    _refuse_waiting(session, incident_id)
    suggestion = suggestions(session, [incident_id])[incident_id]
    chain = _chain_for(session, incident, verdict, party_id)
    answering_id = chain[0].party_id if chain else None
    method = _method(suggestion, verdict, answering_id)
    _check_reason(method, verdict, reason, contradicted=bool(suggestion.contradictions))
    leading = suggestion.leading
    row = {
        "verdict": verdict,
        "method": method,
        "party_id": answering_id,
        "unit_id": sponsoring_unit(chain) if chain else incident.unit_id,
        "chain": stored_chain(chain),
        **_evidence(suggestion, answering_id),
        "suggested_party_id": leading.party_id if leading else None,
        "reason": reason.strip() if reason else None,
        "state": AttributionState.WAITING if method is Method.OVERRIDE else AttributionState.IN_FORCE,
        "decided_by": actor_id,
        "supersedes_id": shown_id,
    }
    attribution = _insert(session, {incident_id: row})[incident_id]
    if attribution.state is AttributionState.IN_FORCE:
        _put_in_force(session, [attribution], actor_id)
    _record(session, attribution, "verdict.decided", actor_id, reason)
    return attribution


def accept_suggestions(session: Session, incident_ids: Sequence[int], *, actor_id: int) -> list[RowResult]:
    """Accept the suggestion of each incident that has no verdict yet, where a record proves it and nothing contradicts.

    Everything else is a decision on the incident's own page. Returns a result for every id, in order; what is refused
    stays as it was.
    """
    ids = list(dict.fromkeys(incident_ids))
    states = _lock_all(session, ids)
    decided = set(session.scalars(select(IncidentVerdict.incident_id).where(IncidentVerdict.incident_id.in_(ids))))
    waiting = _waiting_ids(session, ids)
    found = suggestions(session, [incident_id for incident_id in ids if incident_id in states])
    refusals: dict[int, RefusalError | None] = {}
    rows: dict[int, dict[str, Any]] = {}
    for incident_id in ids:
        refusal = _not_acceptable(incident_id, states, decided, waiting)
        suggestion = found.get(incident_id)
        if refusal is None and suggestion is not None and (why := suggestion.why_not_automatic) is not None:
            message, parameters = why
            refusal = AmbiguousError(message, **parameters)
        refusals[incident_id] = refusal
        if refusal is None and suggestion is not None and suggestion.automatic is not None:
            rows[incident_id] = _accepted(suggestion, suggestion.automatic, actor_id)
    attributions = list(_insert(session, rows).values())
    _put_in_force(session, attributions, actor_id)
    if attributions:
        record_event(
            session,
            actor_id=actor_id,
            action="verdicts.accepted",
            subject="incident",
            subject_id=attributions[0].incident_id if len(attributions) == 1 else None,
            changes={"incident_ids": list(rows)},
        )
    return [RowResult(incident_id, refusals[incident_id]) for incident_id in ids]


def confirm_override(session: Session, attribution_id: int, *, actor_id: int) -> Attribution:
    """Put an override into force, as the second person.

    Raises:
        OverrideDecidedError: if it no longer waits.
        SamePersonError: if *actor_id* decided it.
        VerdictChangedError: if another verdict came into force meanwhile.
        MoneyHangsOnItError: if an approved amount rests on the verdict in force.
    """
    attribution = _waiting(session, attribution_id, actor_id)
    _refuse_stale(session, attribution.incident_id, attribution.supersedes_id)
    attribution.state = AttributionState.IN_FORCE
    attribution.confirmed_by = actor_id
    attribution.confirmed_at = clock.now()
    session.flush()
    _put_in_force(session, [attribution], actor_id)
    _record(session, attribution, "override.confirmed", actor_id)
    return attribution


def reject_override(session: Session, attribution_id: int, reason: str, *, actor_id: int) -> Attribution:
    """Reject an override, as the second person; the verdict before it stays in force.

    Raises:
        OverrideDecidedError: if it no longer waits.
        SamePersonError: if *actor_id* decided it.
    """
    attribution = _waiting(session, attribution_id, actor_id)
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    attribution.state = AttributionState.REJECTED
    attribution.confirmed_by = actor_id
    attribution.confirmed_at = clock.now()
    session.flush()
    _record(session, attribution, "override.rejected", actor_id, reason)
    return attribution


def _locked(session: Session, incident_id: int) -> Incident:
    incident = session.get(Incident, incident_id, with_for_update={"key_share": True}, populate_existing=True)
    if incident is None:
        raise NotFoundError
    if incident.state is IncidentState.MERGED:
        raise ConflictError(N_("This incident was merged into another one"))
    return incident


def _lock_all(session: Session, ids: Sequence[int]) -> dict[int, IncidentState]:
    # In the order of ids, as every decision locks incidents.
    query = select(Incident.id, Incident.state).where(Incident.id.in_(ids)).order_by(Incident.id)
    return {row.id: row.state for row in session.execute(query.with_for_update(key_share=True))}


def _refuse_stale(session: Session, incident_id: int, shown_id: int | None) -> None:
    current = session.get(IncidentVerdict, incident_id, populate_existing=True)
    current_id = current.attribution_id if current else None
    if current_id != shown_id:
        raise VerdictChangedError(shown=shown_id or 0, current=current_id or 0)


def _waiting_ids(session: Session, ids: Sequence[int]) -> set[int]:
    query = select(Attribution.incident_id).where(
        Attribution.incident_id.in_(ids), Attribution.state == AttributionState.WAITING
    )
    return set(session.scalars(query))


def _refuse_waiting(session: Session, incident_id: int) -> None:
    if _waiting_ids(session, [incident_id]):
        raise OverrideWaitingError


def _waiting(session: Session, attribution_id: int, actor_id: int) -> Attribution:
    incident_id = session.scalar(select(Attribution.incident_id).where(Attribution.id == attribution_id))
    if incident_id is None:
        raise NotFoundError
    _locked(session, incident_id)
    attribution = session.get_one(Attribution, attribution_id, populate_existing=True)
    if attribution.state is not AttributionState.WAITING:
        raise OverrideDecidedError
    if attribution.decided_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    return attribution


def _not_acceptable(
    incident_id: int, states: dict[int, IncidentState], decided: set[int], waiting: set[int]
) -> RefusalError | None:
    if incident_id not in states:
        return NotFoundError()
    if states[incident_id] is IncidentState.MERGED:
        return ConflictError(N_("This incident was merged into another one"))
    if incident_id in waiting:
        return OverrideWaitingError()
    return AlreadyDecidedError() if incident_id in decided else None


def _chain_for(session: Session, incident: Incident, verdict: Verdict, party_id: int | None) -> list[ChainLink]:
    if verdict not in CHARGEABLE_VERDICTS:
        if party_id is not None:
            raise InvalidInputError(N_("This verdict names no party"))
        return []
    if party_id is None:
        raise InvalidInputError(N_("Choose the party that answers"))
    chain = chain_at(session, party_id, incident.occurred_on)
    if not chain:
        raise InvalidInputError(N_("There is no such party"))
    return chain


def _method(suggestion: Suggestion, verdict: Verdict, party_id: int | None) -> Method:
    """Return how the party was found; nobody overrules the leading evidence, or a suspicion of spoofing, alone."""
    leading = suggestion.leading
    if leading is None and suggestion.verdict is not Verdict.SPOOFED:
        return Method.PERSON
    if verdict is suggestion.verdict and party_id == (leading.party_id if leading else None):
        return suggestion.method
    return Method.OVERRIDE


def _check_reason(method: Method, verdict: Verdict, reason: str | None, *, contradicted: bool) -> None:
    if reason is not None and reason.strip():
        return
    if method is Method.OVERRIDE:  # also a CHECK of the table
        raise ReasonMissingError(N_("Give a reason for deciding against the suggestion"))
    if verdict not in CHARGEABLE_VERDICTS:
        raise ReasonMissingError(N_("Give a reason for this verdict"))
    if contradicted:
        raise ReasonMissingError(N_("The evidence contradicts itself: say why you decide for this side"))


def _evidence(suggestion: Suggestion, party_id: int | None) -> dict[str, Any]:
    """Return what a verdict keeps of the evidence: all that was said, and what speaks for the chosen party."""
    chosen = next((candidate for candidate in suggestion.candidates if candidate.party_id == party_id), None)
    reasons = [*suggestion.reasons, *suggestion.contradictions]
    if chosen is None:
        return {"reasons": reasons, "grade": None, "grounds": []}
    grounds = [ground.stored for ground in chosen.grounds]
    return {"reasons": [*chosen.reasons, *reasons], "grade": chosen.grade, "grounds": grounds}


def _accepted(suggestion: Suggestion, candidate: Candidate, actor_id: int) -> dict[str, Any]:
    return {
        "verdict": suggestion.verdict,
        "method": suggestion.method,
        "party_id": candidate.party_id,
        "unit_id": candidate.unit_id,
        "chain": stored_chain(candidate.chain),
        **_evidence(suggestion, candidate.party_id),
        "suggested_party_id": candidate.party_id,
        "reason": None,
        "state": AttributionState.IN_FORCE,
        "decided_by": actor_id,
        "supersedes_id": None,
    }


def _insert(session: Session, rows: dict[int, dict[str, Any]]) -> dict[int, Attribution]:
    """Write a verdict for each incident and return them; the database refuses a second first one, or a fork."""
    if not rows:
        return {}
    ids = reserve_ids(session, Attribution.__table__, len(rows))
    now = clock.now()
    session.execute(
        insert(Attribution),
        [
            {"id": row_id, "incident_id": incident_id, "decided_at": now, **row}
            for row_id, (incident_id, row) in zip(ids, rows.items(), strict=True)
        ],
    )
    written = session.scalars(select(Attribution).where(Attribution.id.in_(ids)).order_by(Attribution.id))
    return {attribution.incident_id: attribution for attribution in written}


def _put_in_force(session: Session, attributions: Sequence[Attribution], actor_id: int) -> None:
    if not attributions:
        return
    ids = [attribution.incident_id for attribution in attributions]
    overturn_findings(session, ids, actor_id=actor_id)
    known = set(session.scalars(select(IncidentVerdict.incident_id).where(IncidentVerdict.incident_id.in_(ids))))
    pointers = [
        {
            "incident_id": attribution.incident_id,
            "attribution_id": attribution.id,
            "verdict": attribution.verdict,
            "party_id": attribution.party_id,
            "unit_id": attribution.unit_id,
        }
        for attribution in attributions
    ]
    new = [pointer for pointer in pointers if pointer["incident_id"] not in known]
    if new:
        session.execute(insert(IncidentVerdict), new)
    moved = [pointer for pointer in pointers if pointer["incident_id"] in known]
    if moved:
        session.execute(update(IncidentVerdict), moved)
    _follow(session, attributions, actor_id)


def _follow(session: Session, attributions: Sequence[Attribution], actor_id: int) -> None:
    """Let the incident's state, open proposals and tracebacks follow the verdict."""
    follow_verdicts(session, attributions, actor_id)
    ids = [attribution.incident_id for attribution in attributions]
    private = [one.incident_id for one in attributions if one.verdict is Verdict.PRIVATE_DISPUTE]
    for state, some in (
        (IncidentState.PRIVATE, private),
        (IncidentState.REPORTED, [i for i in ids if i not in private]),
    ):
        session.execute(
            update(Incident)
            .where(Incident.id.in_(some), Incident.state != state)
            .values(state=state, version=Incident.version + 1)
        )
    session.execute(
        update(ReattributionProposal)
        .where(ReattributionProposal.incident_id.in_(ids), ReattributionProposal.state == ProposalState.OPEN)
        .values(state=ProposalState.TAKEN, decided_by=actor_id, decided_at=clock.now())
    )


def _record(session: Session, attribution: Attribution, action: str, actor_id: int, reason: str | None = None) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="incident",
        subject_id=attribution.incident_id,
        changes={
            "attribution_id": attribution.id,
            "verdict": attribution.verdict,
            "party_id": attribution.party_id,
            "method": attribution.method,
            "supersedes_id": attribution.supersedes_id,
        },
        reason=reason,
    )
