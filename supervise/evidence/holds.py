"""Requests to keep a recording or an SMS log before its clock runs out: asked; answered kept, lost, withdrawn (F12)."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among
from supervise.complaints.models import Incident, IncidentState
from supervise.errors import ConflictError, InvalidInputError, NotFoundError, RefusalError, RowResult
from supervise.evidence.clocks import FORM_OF, expires_on
from supervise.evidence.models import HoldRequest, HoldState
from supervise.labels import N_

#: At most one of these for an incident and form of evidence.
LIVE = (HoldState.ASKED, HoldState.KEPT)
ANSWERS = (HoldState.KEPT, HoldState.LOST, HoldState.WITHDRAWN)


class AlreadyAskedError(ConflictError):
    """One live request for each incident."""

    message = N_("Somebody asked for it already: %(asked_of)s")


class MergedIncidentError(ConflictError):
    """The incident it was merged into is the one to ask about."""

    message = N_("This incident was merged into another one; ask about that one")


class NoClockError(ConflictError):
    """Nobody had to keep evidence of that day."""

    message = N_("No evidence clock was in force on the day of the call")


class AnsweredError(ConflictError):
    """An answer stands; a new request may be made where nothing was kept."""

    message = N_("This request was answered before")


class NotAnAnswerError(InvalidInputError):
    """A request is answered kept, lost or withdrawn."""

    message = N_("Choose what became of the request")


def ask_holds(session: Session, incident_ids: Collection[int], *, asked_of: str, actor_id: int) -> list[RowResult]:
    """Ask *asked_of* to keep the evidence of each incident; return what became of each, in the given order."""
    of_these = select(Incident).where(among(session, Incident.id, incident_ids))
    incidents = {row.id: row for row in session.scalars(of_these)}
    standing = select(HoldRequest).where(
        HoldRequest.state.in_(LIVE), among(session, HoldRequest.incident_id, incident_ids)
    )
    live = {row.incident_id: row for row in session.scalars(standing)}
    last_days = expires_on(session, incidents.values())
    results = []
    for incident_id in dict.fromkeys(incident_ids):
        incident = incidents.get(incident_id)
        refusal = _refusal(incident, live.get(incident_id), is_dated=incident_id in last_days)
        if incident is not None and refusal is None:
            hold = HoldRequest(
                incident_id=incident_id,
                evidence=FORM_OF[incident.kind],
                asked_of=asked_of,
                expires_on=last_days[incident_id],
                asked_by=actor_id,
                asked_at=clock.now(),
            )
            session.add(hold)
            session.flush()
            _record(session, "hold_request.asked", hold, actor_id)
        results.append(RowResult(incident_id, refusal))
    return results


def _refusal(incident: Incident | None, live: HoldRequest | None, *, is_dated: bool) -> RefusalError | None:
    if incident is None:
        return NotFoundError()
    if incident.state is IncidentState.MERGED:
        return MergedIncidentError()
    if live is not None:
        return AlreadyAskedError(asked_of=live.asked_of)
    return None if is_dated else NoClockError()


def ask_hold(session: Session, incident_id: int, *, asked_of: str, actor_id: int) -> None:
    """Ask *asked_of* to keep the evidence of one incident.

    Raises:
        NotFoundError: if there is no such incident.
        ConflictError: a subclass saying why nothing can be asked.
    """
    [result] = ask_holds(session, [incident_id], asked_of=asked_of, actor_id=actor_id)
    if result.refusal is not None:
        raise result.refusal


def answer_hold(session: Session, hold_id: int, *, state: HoldState, answer: str, actor_id: int) -> HoldRequest:
    """Enter what became of a request.

    Raises:
        NotFoundError: if there is no such request.
        NotAnAnswerError: for a state that answers nothing.
        AnsweredError: if it was answered before.
    """
    if state not in ANSWERS:
        raise NotAnAnswerError
    hold = session.get(HoldRequest, hold_id, with_for_update=True, populate_existing=True)
    if hold is None:
        raise NotFoundError
    if hold.state is not HoldState.ASKED:
        raise AnsweredError
    hold.state, hold.answer, hold.version = state, answer, hold.version + 1
    hold.answered_by, hold.answered_at = actor_id, clock.now()
    session.flush()
    _record(session, "hold_request.answered", hold, actor_id, reason=answer)
    return hold


def holds_of(session: Session, incident_id: int) -> Sequence[HoldRequest]:
    """Return the requests for an incident, the newest first."""
    query = select(HoldRequest).where(HoldRequest.incident_id == incident_id)
    return session.scalars(query.order_by(HoldRequest.id.desc())).all()


def hold_by_id(session: Session, hold_id: int) -> HoldRequest:
    """Return one request.

    Raises:
        NotFoundError: if there is none.
    """
    hold = session.get(HoldRequest, hold_id)
    if hold is None:
        raise NotFoundError
    return hold


def _record(session: Session, action: str, hold: HoldRequest, actor_id: int, *, reason: str | None = None) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="incident",
        subject_id=hold.incident_id,
        changes={"evidence": hold.evidence, "state": hold.state, "expires_on": hold.expires_on},
        reason=reason,
    )
