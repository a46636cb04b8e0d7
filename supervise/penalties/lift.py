"""What happens to findings when no amount rests on them any more."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.findings import lift, lock_proven, release
from supervise.penalties.models import LIVE_PENALTY_STATES, Penalty


def lift_findings(session: Session, penalties: Sequence[Penalty], *, actor_id: int) -> None:
    """Release and overturn the findings of lifted *penalties* that no other live share rests on.

    An overturned finding is not priced again by the next bulk proposal; who knows better records it anew.
    """
    ids = {penalty.finding_id for penalty in penalties}
    lock_proven(session, ids)
    still = select(Penalty.finding_id).where(Penalty.finding_id.in_(ids), Penalty.state.in_(LIVE_PENALTY_STATES))
    free = ids - set(session.scalars(still))
    release(session, free)
    lift(session, free, actor_id=actor_id)
