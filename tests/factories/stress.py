"""Penalties that several decisions are about to meet, and what must hold after whatever happened to them."""

import datetime as dt
from typing import Any

from sqlalchemy.orm import Session

from supervise import clock
from supervise.desk.consistency import discrepancies
from supervise.parties.scope import Scope
from supervise.penalties.admission import admit_late
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import Penalty
from supervise.penalties.objections import file_objection
from supervise.penalties.recompute import recompute
from supervise.penalties.windows import acknowledge
from tests.factories.ledger import out_of_balance_fen
from tests.factories.penalties import Charged, make_approved_penalty, make_supervisor

CONTACT = 931
TIERED = {
    "basis": "per_offence",
    "amount_fen": 200_00,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [{"from_count": 1, "amount_fen": 200_00}, {"from_count": 2, "amount_fen": 300_00}],
    },
}


def make_collectable(session: Session, *, charged: Charged, **incident: Any) -> Penalty:
    """A penalty that was priced, approved, delivered and became final: as in life, not as a row."""
    penalty = make_approved_penalty(session, charged=charged, **incident)
    acknowledge(session, [penalty.id], Scope.everything(), actor_id=CONTACT)
    penalty.objection_until_on = clock.today() - dt.timedelta(days=1)
    session.flush()
    assert finalise_due(session, clock.today()) == [penalty.id]
    return penalty


def object_to(session: Session, penalty: Penalty) -> int:
    """An objection of the charged party; its id."""
    return file_objection(session, penalty.id, "不成立", Scope.everything(), actor_id=CONTACT).id


def object_late(session: Session, penalty: Penalty) -> int:
    """An objection after finality that was admitted; its id."""
    objection_id = object_to(session, penalty)
    admitting = make_supervisor(session, username="admitting").id
    admit_late(session, objection_id, admitted=True, reason="邮件故障", actor_id=admitting)
    return objection_id


def assert_sound(session: Session) -> None:
    """Books balanced, every self-check clean, and what is stored equal to what is computed from scratch."""
    assert out_of_balance_fen(session) == 0
    assert discrepancies(session) == []
    assert recompute(session).differences == []
