"""Top-up calls that nobody has met: whom the ladder of sanctions looks at."""

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise.settlement.models import TopUpCall


def late_top_ups(session: Session, on: dt.date) -> dict[int, str]:
    """Return the latest call that was not met by its day, by party: its id as the cause of what the ladder proposes."""
    query = (
        select(TopUpCall.party_id, func.max(TopUpCall.id))
        .where(TopUpCall.met_on.is_(None), TopUpCall.due_on < on)
        .group_by(TopUpCall.party_id)
    )
    return {party_id: str(call_id) for party_id, call_id in session.execute(query)}
