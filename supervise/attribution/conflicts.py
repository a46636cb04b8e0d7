"""Answers that contradict each other, the register or the verdict: found by themselves, settled by a supervisor."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.candidates import Suggestion, suggestions
from supervise.attribution.decide import VerdictChangedError, decide_verdict
from supervise.attribution.grades import Grade, GroundKind
from supervise.attribution.holder_words import BLUR
from supervise.attribution.inquiry_models import (
    DENIALS,
    AnswerConflict,
    AnswerKind,
    ConflictState,
    Inquiry,
    InquiryState,
)
from supervise.attribution.inquiry_queries import AnswerGiven, answers_for
from supervise.attribution.models import (
    CHARGEABLE_VERDICTS,
    Attribution,
    AttributionState,
    IncidentVerdict,
    Verdict,
)
from supervise.audit.record import record_event, record_events
from supervise.bulk import slices
from supervise.complaints.link import living_ids
from supervise.complaints.models import Incident
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_

#: ``[message id, {parameters}]``, as it is stored; translated where it is shown.
Reason = list[Any]
#: Incidents looked at in one go.
BATCH = 500


class ConflictChangedError(ConflictError):
    """Another answer came, or somebody settled it."""

    message = N_("The answers changed, or were settled by somebody else, while you looked; look again")


class _Known(NamedTuple):
    """What the answers about an incident are held against."""

    answers: list[AnswerGiven]
    suggestion: Suggestion
    #: None: no verdict that names a party.
    verdict: Attribution | None
    #: By then the call had been made, as exactly as its time is known.
    called_by: dt.datetime


def look_for_conflicts(session: Session, incident_ids: Collection[int], *, actor_id: int | None) -> int:
    """Compare the answers about each incident with each other, the register and the verdict; return how many differ.

    A contradiction is kept for a supervisor; one that no longer holds is dissolved. What was settled stays settled
    until a party answers anew. *actor_id* is whoever's answer gave cause, or None.
    """
    # Of a call that was recognised as another one, that other one is looked at.
    ids = sorted({*incident_ids, *living_ids(session, incident_ids)})
    for some in slices(ids):
        locked = select(Incident.id).where(Incident.id.in_(some)).order_by(Incident.id)
        session.execute(locked.with_for_update(key_share=True)).all()
    known = _known(session, ids)
    last = _last_conflicts(session, ids)
    found: dict[int, list[Reason]] = {}
    for incident_id in ids:
        one, before = known.get(incident_id), last.get(incident_id)
        reasons = _contradictions(one) if one is not None else []
        if reasons and one is not None and not (before is not None and _covers(session, before, one.answers, reasons)):
            found[incident_id] = reasons
        if before is not None and before.state is ConflictState.OPEN and (not reasons or incident_id in found):
            before.state, before.ended_at = ConflictState.DISSOLVED, clock.now()
    session.flush()
    _write(session, {incident_id: (known[incident_id], reasons) for incident_id, reasons in found.items()}, actor_id)
    return len(found)


def recheck_conflicts(session: Session, *, after_id: int = 0) -> int | None:
    """Look again at incidents that a party answered on: a register or a verdict may have changed.

    Returns the id after which to go on, or None at the end: a duty calls this until then.
    """
    query = (
        select(Inquiry.incident_id)
        .where(Inquiry.state == InquiryState.ANSWERED, Inquiry.incident_id > after_id)
        .distinct()
        .order_by(Inquiry.incident_id)
        .limit(BATCH)
    )
    ids = session.scalars(query).all()
    look_for_conflicts(session, ids, actor_id=None)
    return ids[-1] if len(ids) == BATCH else None


def settle_conflict(
    session: Session,
    incident_id: int,
    verdict: Verdict | None,
    party_id: int | None,
    *,
    reason: str,
    shown_conflict_id: int,
    shown_id: int | None,
    actor_id: int,
) -> Attribution:
    """Decide, with both texts read, who answers for the incident; without a *verdict* the one in force stands.

    *shown_conflict_id* and *shown_id* are the contradiction and the verdict in force that the user saw. A verdict
    against the only suggestion waits for a second person, as everybody's does.

    Raises:
        NotFoundError: if nothing contradicts about this incident.
        ConflictChangedError: if an answer came, or it was settled, meanwhile.
        VerdictChangedError: if another verdict came into force meanwhile.
        InvalidInputError: without a reason, or if no verdict is in force that could stand.
    """
    conflict = _locked(session, incident_id)
    if conflict.id != shown_conflict_id or conflict.state is not ConflictState.OPEN:
        raise ConflictChangedError
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if verdict is None:
        attribution = _standing(session, incident_id, shown_id)
    else:
        attribution = decide_verdict(
            session, incident_id, verdict, party_id, reason=reason, shown_id=shown_id, actor_id=actor_id
        )
    conflict.state = ConflictState.SETTLED
    conflict.ended_at = clock.now()
    conflict.settled_by = actor_id
    conflict.settlement = reason.strip()
    conflict.attribution_id = attribution.id
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="conflict.settled",
        subject="incident",
        subject_id=incident_id,
        changes={"attribution_id": attribution.id, "verdict": attribution.verdict, "party_id": attribution.party_id},
        reason=reason.strip(),
    )
    return attribution


def _locked(session: Session, incident_id: int) -> AnswerConflict:
    """Return the last contradiction as it is once the incident is locked: answers go by that lock too."""
    session.execute(select(Incident.id).where(Incident.id == incident_id).with_for_update(key_share=True)).all()
    conflict = _last_conflicts(session, [incident_id]).get(incident_id)
    if conflict is None:
        raise NotFoundError
    return conflict


def _standing(session: Session, incident_id: int, shown_id: int | None) -> Attribution:
    pointer = session.get(IncidentVerdict, incident_id, populate_existing=True)
    current = pointer.attribution_id if pointer else None
    if current != shown_id:
        raise VerdictChangedError(shown=shown_id or 0, current=current or 0)
    if current is None:
        raise InvalidInputError(N_("No verdict is in force that could stand: decide one"))
    return session.get_one(Attribution, current)


def _known(session: Session, ids: Sequence[int]) -> dict[int, _Known]:
    given = {
        incident_id: [one for one in answers if one.kind is not None]
        for incident_id, answers in answers_for(session, living_ids(session, ids)).items()
    }
    spoken = [incident_id for incident_id, answers in given.items() if answers]
    suggested = suggestions(session, spoken)
    verdicts: dict[int, Attribution] = {}
    times: dict[int, dt.datetime] = {}
    for some in slices(spoken):
        query = (
            select(Attribution)
            .join(IncidentVerdict, IncidentVerdict.attribution_id == Attribution.id)
            .where(IncidentVerdict.incident_id.in_(some), Attribution.verdict.in_(CHARGEABLE_VERDICTS))
        )
        verdicts |= {row.incident_id: row for row in session.scalars(query)}
        moments = select(Incident.id, Incident.occurred_at, Incident.precision).where(Incident.id.in_(some))
        times |= {row.id: row.occurred_at + BLUR[row.precision] for row in session.execute(moments)}
    return {
        incident_id: _Known(given[incident_id], suggested[incident_id], verdicts.get(incident_id), times[incident_id])
        for incident_id in spoken
    }


def _contradictions(known: _Known) -> list[Reason]:
    denying = [one for one in known.answers if one.kind in DENIALS]
    reasons = [reason for one in denying for reason in _against(one, known)]
    if len(denying) > 1:
        parties = ", ".join(one.party for one in denying)
        reasons.append([N_("Each of them denies it: %(parties)s."), {"parties": parties}])
    claimed = {_claimed(one) for one in known.answers if one.kind not in DENIALS}
    if len(claimed) > 1:
        parties = ", ".join(sorted(name for _key, name in claimed))
        reasons.append([N_("More than one is named as the caller: %(parties)s."), {"parties": parties}])
    return reasons


def _claimed(answer: AnswerGiven) -> tuple[int | str, str]:
    if answer.kind is AnswerKind.OURS:
        return answer.party_id, answer.party
    name = answer.named or ""
    return answer.named_party_id or name, name


def _against(denial: AnswerGiven, known: _Known) -> list[Reason]:
    """Return what contradicts a denial."""
    reasons = _against_suggestion(denial, known.suggestion)
    if known.verdict is not None and denial.party_id in {party_id for party_id, _role in known.verdict.chain}:
        reasons.append(
            [N_("%(party)s denies it, but answers for it by the verdict in force."), {"party": denial.party}]
        )
    reasons += [
        [N_("%(party)s denies it, but %(other)s names it."), {"party": denial.party, "other": other.party}]
        for other in known.answers
        if other.named_party_id == denial.party_id
    ]
    if denial.handed_on_at is not None and denial.handed_on_at >= known.called_by:
        reasons.append(
            [N_("%(party)s says that it handed the number on, but only after the call."), {"party": denial.party}]
        )
    return reasons


def _against_suggestion(denial: AnswerGiven, suggestion: Suggestion) -> list[Reason]:
    """Return what records or the register say against a denial; what others answered is compared elsewhere."""
    candidate = suggestion.leading
    if candidate is None or denial.party_id not in {link.party_id for link in candidate.chain}:
        return []
    named = {"party": denial.party, "holder": candidate.chain[0].name}
    is_own = candidate.party_id == denial.party_id
    if candidate.grade is Grade.A:
        return [
            [N_("%(party)s denies it, but a record of the call or of an order names it."), named]
            if is_own
            else [N_("%(party)s denies it, but a record names %(holder)s, which worked for it."), named]
        ]
    if any(ground.kind is GroundKind.HOLDER for ground in candidate.grounds):
        return [
            [N_("%(party)s denies it, but by the register it held the number at that moment."), named]
            if is_own
            else [N_("%(party)s denies it, but by the register %(holder)s held the number at that moment."), named]
        ]
    return []


def _covers(
    session: Session, conflict: AnswerConflict, answers: Sequence[AnswerGiven], reasons: Sequence[Reason]
) -> bool:
    """Say whether *conflict* is open for the same reasons, or was settled with the same answers on the table."""
    same_answers = conflict.answer_ids == _ids(answers)
    if conflict.state is ConflictState.OPEN:
        return same_answers and conflict.reasons == list(reasons)
    if conflict.state is not ConflictState.SETTLED or not same_answers:
        return False
    # An override that its second person rejected has settled nothing.
    return session.get_one(Attribution, conflict.attribution_id).state is not AttributionState.REJECTED


def _ids(answers: Sequence[AnswerGiven]) -> list[int]:
    return sorted(one.answer_id for one in answers if one.answer_id is not None)


def _last_conflicts(session: Session, ids: Sequence[int]) -> dict[int, AnswerConflict]:
    found: dict[int, AnswerConflict] = {}
    for some in slices(ids):
        newest = select(func.max(AnswerConflict.id)).where(AnswerConflict.incident_id.in_(some))
        rows = session.scalars(
            select(AnswerConflict)
            .where(AnswerConflict.id.in_(newest.group_by(AnswerConflict.incident_id)))
            .execution_options(populate_existing=True)
        )
        found |= {row.incident_id: row for row in rows}
    return found


def _write(session: Session, found: dict[int, tuple[_Known, list[Reason]]], actor_id: int | None) -> None:
    if not found:
        return
    now = clock.now()
    session.execute(
        insert(AnswerConflict),
        [
            {
                "incident_id": incident_id,
                "answer_ids": _ids(known.answers),
                "reasons": reasons,
                "state": ConflictState.OPEN,
                "found_at": now,
            }
            for incident_id, (known, reasons) in found.items()
        ],
    )
    record_events(
        session,
        actor_id=actor_id,
        action="conflict.found",
        subject="incident",
        changes=[
            (incident_id, {"parties": [one.party_id for one in known.answers]})
            for incident_id, (known, _reasons) in found.items()
        ],
    )
