"""Transitions of penalties: a row for each, and the return of proposals that lost their ground."""

from collections.abc import Collection, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import Finding, FindingState
from supervise.audit.record import record_event
from supervise.bulk import among, insert_rows
from supervise.labels import N_
from supervise.penalties.models import Penalty, PenaltyState, PenaltyStep

#: Reason of the step that an acknowledgement is; the state stays.
ACKNOWLEDGED = N_("Acknowledged by the party")
#: Likewise of an acceptance.
ACCEPTED = N_("Accepted by the party")
FINDING_OVERTURNED = N_("The finding behind it was overturned")


def record_steps(
    session: Session,
    penalty_ids: Sequence[int],
    to_state: PenaltyState,
    *,
    actor_id: int | None,
    reason: str | None = None,
) -> None:
    """Write that each penalty went to *to_state*; *actor_id* is None for a job."""
    if not penalty_ids:
        return
    at = clock.now()
    rows = [
        {"penalty_id": penalty_id, "at": at, "actor_id": actor_id, "to_state": to_state, "reason": reason}
        for penalty_id in penalty_ids
    ]
    insert_rows(session, PenaltyStep.__table__, rows)


def return_stale(session: Session, incident_ids: Collection[int], *, actor_id: int) -> list[int]:
    """Return proposals of the incidents whose finding is no longer proven, so that new ones can be made."""
    stale = list(
        session.scalars(
            select(Penalty.id)
            .join(Finding, Finding.id == Penalty.finding_id)
            .where(
                among(session, Penalty.incident_id, list(incident_ids)),
                Penalty.state == PenaltyState.PROPOSED,
                Finding.state != FindingState.PROVEN,
            )
            .order_by(Penalty.id)
            .with_for_update(of=Penalty)
        )
    )
    if stale:
        session.execute(
            update(Penalty)
            .where(Penalty.id.in_(stale), Penalty.state == PenaltyState.PROPOSED)
            .values(state=PenaltyState.RETURNED, return_reason=FINDING_OVERTURNED, version=Penalty.version + 1)
        )
        record_steps(session, stale, PenaltyState.RETURNED, actor_id=actor_id, reason=FINDING_OVERTURNED)
        record_event(
            session,
            actor_id=actor_id,
            action="penalties.returned",
            subject="penalty",
            subject_id=stale[0] if len(stale) == 1 else None,
            changes={"penalty_ids": stale},
            reason=FINDING_OVERTURNED,
        )
    return stale
