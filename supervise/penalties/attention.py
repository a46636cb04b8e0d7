"""Which penalties ask somebody to look at them: counted on the home page and listed by the same condition."""

import datetime as dt
from typing import Any, TypeVar

from sqlalchemy import Select, exists

from supervise import clock
from supervise.labels import N_, LabelledEnum
from supervise.parties.scope import Scope
from supervise.penalties.belonging import spoken_for
from supervise.penalties.models import Objection, ObjectionState, Penalty, PenaltyState

S = TypeVar("S", bound=Select[*tuple[Any, ...]])

#: A window for an objection that closes this soon is urgent.
CLOSING = dt.timedelta(days=3)


class Attention(LabelledEnum):
    """Why a penalty asks somebody to look at it."""

    UNOPENED = "unopened", N_("Not opened by us yet")
    CLOSING = "closing", N_("Objection possible for 3 more days at most")
    ASKED = "asked", N_("Question about our objection to answer")
    RETURNED = "returned", N_("Came back to me")


def needing(query: S, attention: Attention, scope: Scope, *, user_id: int, today: dt.date | None = None) -> S:
    """Return *query* on penalties with only those in *scope* that ask *user_id* for something."""
    day = today or clock.today()
    limited = scope.limit(query, unit=Penalty.unit_id, party=Penalty.party_id)
    if attention is Attention.RETURNED:
        return limited.where(Penalty.state == PenaltyState.RETURNED, Penalty.maker_id == user_id)
    if attention is Attention.ASKED:
        asked = exists().where(Objection.penalty_id == Penalty.id, Objection.state == ObjectionState.INFO_REQUESTED)
        return limited.where(spoken_for(scope), asked)
    # Of those that the user only sees, such as a sponsored partner's, nothing can be acknowledged or objected to.
    own = limited.where(Penalty.state == PenaltyState.APPROVED, spoken_for(scope))
    if attention is Attention.UNOPENED:
        return own.where(Penalty.window_start.is_(None))
    return own.where(Penalty.objection_until_on.between(day, day + CLOSING))
