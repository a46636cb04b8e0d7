"""A top-up call that nobody meets by its day becomes a proposal of the ladder: on the day after, and once."""

import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionState
from supervise.penalties.ladder import propose_for_late_top_up
from supervise.penalties.sanctions import reject_sanction
from supervise.settlement.models import TopUpCall
from supervise.settlement.top_ups import late_top_ups
from tests.factories.ledger import make_period
from tests.factories.penalties import Charged, make_charged_partner, make_supervisor
from tests.factories.settlement import draft_run, make_deposit, make_final_penalty, posted


@pytest.fixture
def charged(session: Session) -> Charged:
    """Called on Monday 12 October for 200 yuan within ten working days."""
    with _on(dt.date(2026, 10, 12)):
        party = make_charged_partner(session, deposit_required_fen=500_00, top_up_days=10)
        make_final_penalty(session, charged=party, amount_fen=200_00)
        make_deposit(session, charged=party, amount_fen=500_00)
        posted(session, draft_run(session))
        return party


def _on(day: dt.date) -> time_machine.travel:
    return time_machine.travel(clock.start_of_day(day) + dt.timedelta(hours=3), tick=False)


def look(session: Session, day: dt.date) -> list[Sanction]:
    """What the daily duties do with late calls."""
    return propose_for_late_top_up(session, late_top_ups(session, day), day)


def test_it_is_proposed_on_the_day_after_the_deadline_and_once(session: Session, charged: Charged) -> None:
    due_on = session.scalars(sa.select(TopUpCall.due_on).where(TopUpCall.party_id == charged.party.id)).one()
    assert look(session, due_on) == []

    [proposed] = look(session, due_on + dt.timedelta(days=1))

    assert (proposed.party_id, proposed.kind, proposed.state) == (
        charged.party.id,
        SanctionKind.ENTRY_RESTRICTION,
        SanctionState.PROPOSED,
    )
    assert look(session, due_on + dt.timedelta(days=2)) == []
    # Nor again after somebody has turned it down.
    judge = make_supervisor(session, username="judge")
    reject_sanction(session, proposed.id, note="已约定分期", actor_id=judge.id)
    assert look(session, due_on + dt.timedelta(days=3)) == []


def test_who_tops_up_in_time_hears_nothing(session: Session, charged: Charged) -> None:
    with _on(dt.date(2026, 10, 20)):
        make_deposit(session, charged=charged, amount_fen=200_00)

    assert look(session, dt.date(2026, 12, 1)) == []


def test_the_same_shortage_called_for_again_is_no_second_omission(session: Session, charged: Charged) -> None:
    make_period(session, month="2026-11")
    look(session, dt.date(2026, 11, 2))
    with _on(dt.date(2026, 11, 9)):
        make_final_penalty(session, charged=charged, amount_fen=100_00)
        posted(session, draft_run(session))
    assert len(session.scalars(sa.select(TopUpCall).where(TopUpCall.party_id == charged.party.id)).all()) == 2

    assert look(session, dt.date(2026, 12, 1)) == []
