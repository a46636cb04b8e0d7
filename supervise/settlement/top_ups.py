"""Top-up calls that nobody has met: whom the ladder of sanctions looks at."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.penalties.ladder import LateCall
from supervise.settlement.models import TopUpCall


def late_top_ups(session: Session, on: dt.date) -> dict[int, LateCall]:
    """Return the oldest call of each party that was not met by its day.

    The oldest: a deposit that stays short is called for month after month, but that is one omission.
    """
    query = (
        select(TopUpCall.party_id, TopUpCall.id, TopUpCall.amount_fen, TopUpCall.due_on)
        .where(TopUpCall.met_on.is_(None), TopUpCall.due_on < on)
        .order_by(TopUpCall.id.desc())
    )
    return {row[0]: LateCall(row[1], row[2], row[3]) for row in session.execute(query)}
