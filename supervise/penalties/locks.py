"""Row locks of decisions on penalties, always in one order: incidents, contracts, penalties, findings, each by id."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.bulk import among
from supervise.complaints.models import Incident
from supervise.errors import NotFoundError
from supervise.penalties.models import Penalty


def lock_penalties(session: Session, penalty_ids: Collection[int]) -> dict[int, Penalty]:
    """Return the penalties, their rows locked in the order of ids, as they are now."""
    rows = session.scalars(
        select(Penalty)
        .where(among(session, Penalty.id, list(penalty_ids)))
        .order_by(Penalty.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {penalty.id: penalty for penalty in rows}


def lock_penalty(session: Session, penalty_id: int) -> Penalty:
    """Return one penalty, its incident's and its own row locked: a decision that may overturn its finding.

    Raises:
        NotFoundError: if there is none.
    """
    incident_id = session.scalar(select(Penalty.incident_id).where(Penalty.id == penalty_id))
    if incident_id is None:
        raise NotFoundError
    session.execute(select(Incident.id).where(Incident.id == incident_id).with_for_update(key_share=True)).one()
    return lock_penalties(session, [penalty_id])[penalty_id]
