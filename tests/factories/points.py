"""Final penalties that take points, as the engine stores them."""

import datetime as dt
from itertools import count

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.models import Party
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionState
from supervise.penalties.models import Penalty, PenaltyState, PenaltyStep
from tests.factories.penalties import Charged, make_approved_penalty

_serial = count(1)
CALLED_AT = dt.datetime(2026, 1, 5, 2, tzinfo=dt.UTC)


def make_final_penalty(
    session: Session, *, charged: Charged, final_on: dt.date, points: int | None = None, months: int = 12
) -> Penalty:
    """A penalty that became final on the China day, and takes points if the rule says so."""
    model = make_approved_penalty(session, charged=charged)
    number = next(_serial)
    columns = {column.key: getattr(model, column.key) for column in sa.inspect(Penalty).columns}
    del columns["id"]
    taken = {} if points is None else {"points": {"each": points, "months": months}}
    penalty = Penalty(
        **columns
        | {
            "reference": f"KF-P{number:05d}",
            "offence_code": f"offence_{number}",
            "state": PenaltyState.FINAL,
            "finalised_at": clock.start_of_day(final_on),
            "explanation": model.explanation | taken,
        }
    )
    session.add(penalty)
    session.flush()
    return penalty


def lift_wholly(session: Session, penalty: Penalty, *, at: dt.datetime) -> None:
    """Let a final penalty be reversed at the moment."""
    penalty.state = PenaltyState.REVERSED
    session.add(PenaltyStep(penalty_id=penalty.id, at=at, actor_id=1, to_state=PenaltyState.REVERSED))
    session.flush()


def make_sanction(
    session: Session,
    *,
    party: Party | None,
    kind: SanctionKind = SanctionKind.OUTBOUND_SUSPENSION,
    from_on: dt.date,
    until_on: dt.date | None = None,
    state: SanctionState = SanctionState.APPROVED,
    number_id: int | None = None,
    proposed_by: int = 901,
) -> Sanction:
    """A sanction as its decision left it."""
    row = Sanction(
        party_id=None if party is None else party.id,
        number_id=number_id,
        kind=kind,
        from_on=from_on,
        until_on=until_on,
        reason="多次违规",
        state=state,
        proposed_by=proposed_by,
        proposed_at=clock.start_of_day(from_on),
        decided_by=None if state is SanctionState.PROPOSED else 902,
        decided_at=None if state is SanctionState.PROPOSED else clock.start_of_day(from_on),
    )
    session.add(row)
    session.flush()
    return row
