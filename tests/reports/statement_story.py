"""A party's life in the books, for the tests of its statement and of the monthly workbook."""

import datetime as dt

from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.scope import Scope
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import ObjectionState, Penalty, WindowStart
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.reversals import approve_reversal, propose_reversal
from tests.factories.complaints import CALLED_AT
from tests.factories.penalties import Charged, make_approved_penalty, make_supervisor

CONTACT, FINANCE = 951, 952


def three_penalties(session: Session, charged: Charged) -> list[Penalty]:
    return [
        make_approved_penalty(session, charged=charged, occurred_at=CALLED_AT + dt.timedelta(days=day))
        for day in range(3)
    ]


def live_through(session: Session, charged: Charged) -> None:
    """Three penalties of 200 yuan: one reduced by 50, one upheld, two final, one of them reversed by 30 afterwards."""
    first, second, third = three_penalties(session, charged)
    other = make_supervisor(session, username="supervisor2").id
    reduced = file_objection(session, first.id, "一半有误", Scope.everything(), actor_id=CONTACT)
    decide_objection(session, reduced.id, ObjectionState.REDUCED, note="核减", actor_id=other, reduced_fen=50_00)
    upheld = file_objection(session, second.id, "号码已停用", Scope.everything(), actor_id=CONTACT)
    decide_objection(session, upheld.id, ObjectionState.UPHELD, note="成立", actor_id=other)
    _end_windows(session, [first, third])
    request = propose_reversal(session, third.id, amount_fen=30_00, reason="重复计扣", actor_id=FINANCE)
    approve_reversal(session, request.id, actor_id=other)


def _end_windows(session: Session, penalties: list[Penalty]) -> None:
    # The window was opened long ago: what it starts with is not what is tested here.
    for penalty in penalties:
        penalty.window_start = penalty.window_start or WindowStart.DEEMED
        penalty.window_started_at = penalty.window_started_at or clock.now()
        penalty.objection_until_on = clock.today() - dt.timedelta(days=1)
    session.flush()
    assert len(finalise_due(session, clock.today())) == len(penalties)
