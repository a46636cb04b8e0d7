"""Points: taken once by a final penalty, given back once by a lifted one, gone when they expire; domain.md 7.10."""

import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.models import Party
from supervise.parties.sanction_models import Sanction, SanctionKind
from supervise.parties.scope import Scope
from supervise.penalties.consequence_checks import points_against_penalties
from supervise.penalties.finalise import finalise_due
from supervise.penalties.ladder import LateCall, propose_for_late_top_up, propose_sanctions
from supervise.penalties.models import PenaltyState
from supervise.penalties.points import enter_points, points_left
from supervise.penalties.score_models import PointsEntry
from supervise.penalties.windows import acknowledge
from tests.factories.parties import make_party
from tests.factories.penalties import Charged, make_approved_penalty, make_charged_partner
from tests.factories.points import lift_wholly, make_final_penalty, make_sanction

MARCH = dt.date(2026, 3, 10)
#: Kind of sanction, first day, first day without it (None: until lifted).
Period = tuple[SanctionKind, dt.date, dt.date | None]


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session)


def take(session: Session, charged: Charged, points: int, on: dt.date) -> None:
    make_final_penalty(session, charged=charged, final_on=on, points=points)
    assert enter_points(session) == 1


def left(session: Session, party: Party, on: dt.date) -> int:
    return points_left(session, [party.id], on)[party.id]


def proposed(session: Session, on: dt.date) -> set[Period]:
    return {(row.kind, row.from_on, row.until_on) for row in propose_sanctions(session, on)}


def test_sixty_and_forty_in_one_month_leave_nothing_and_stop_everything(session: Session, charged: Charged) -> None:
    # domain.md 7.10 example 1
    take(session, charged, 60, MARCH)
    take(session, charged, 40, MARCH + dt.timedelta(days=5))
    on = MARCH + dt.timedelta(days=6)

    assert left(session, charged.party, on) == 0
    tomorrow = on + dt.timedelta(days=1)
    assert proposed(session, on) == {
        (SanctionKind.SETTLEMENT_STOP, tomorrow, None),
        (SanctionKind.OUTBOUND_SUSPENSION, tomorrow, None),
        (SanctionKind.ENTRY_RESTRICTION, tomorrow, None),
    }


def test_twenty_once_suspend_the_calls_for_three_months(session: Session, charged: Charged) -> None:
    # domain.md 7.10 example 2
    take(session, charged, 20, MARCH)

    assert left(session, charged.party, MARCH) == 80
    assert proposed(session, MARCH) == {(SanctionKind.OUTBOUND_SUSPENSION, dt.date(2026, 3, 11), dt.date(2026, 6, 11))}


def test_twenty_when_seventy_remained_also_stop_new_lines_and_return_after_a_year(
    session: Session, charged: Charged
) -> None:
    # domain.md 7.10 example 3
    take(session, charged, 30, dt.date(2025, 12, 1))
    assert left(session, charged.party, MARCH) == 70
    take(session, charged, 20, MARCH)

    assert left(session, charged.party, MARCH) == 50
    three_months = (dt.date(2026, 3, 11), dt.date(2026, 6, 11))
    assert proposed(session, MARCH) == {
        (SanctionKind.OUTBOUND_SUSPENSION, *three_months),
        (SanctionKind.ENTRY_RESTRICTION, *three_months),
    }
    assert left(session, charged.party, dt.date(2026, 12, 1)) == 80
    assert left(session, charged.party, dt.date(2027, 3, 9)) == 80
    assert left(session, charged.party, dt.date(2027, 3, 10)) == 100


def test_points_are_taken_once_and_given_back_once(session: Session, charged: Charged) -> None:
    penalty = make_final_penalty(session, charged=charged, final_on=MARCH, points=20)
    assert (enter_points(session), enter_points(session)) == (1, 0)

    lift_wholly(session, penalty, at=clock.start_of_day(MARCH + dt.timedelta(days=30)))
    assert (enter_points(session), enter_points(session)) == (1, 0)

    assert left(session, charged.party, MARCH + dt.timedelta(days=29)) == 80
    assert left(session, charged.party, MARCH + dt.timedelta(days=30)) == 100
    # What was taken would have expired then: nothing is given twice.
    assert left(session, charged.party, dt.date(2027, 6, 1)) == 100
    assert points_against_penalties(session) == []
    penalty.state = PenaltyState.FINAL
    session.flush()
    assert len(points_against_penalties(session)) == 1


def test_a_rule_says_how_many_points_an_offence_takes(session: Session) -> None:
    points = {"basis": "per_offence", "amount_fen": 20000, "points": {"each": 12, "months": 6}}
    approved_at = dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC)
    with time_machine.travel(approved_at, tick=False):
        charged = make_charged_partner(session, parameters=points, appeal_days=1)
        penalty = make_approved_penalty(session, charged=charged)
        acknowledge(session, [penalty.id], Scope.everything(), actor_id=931)
        assert enter_points(session) == 0
    final_on = dt.date(2026, 10, 14)
    with time_machine.travel(clock.start_of_day(final_on), tick=False):
        assert finalise_due(session, final_on) == [penalty.id]

    assert enter_points(session) == 1

    assert left(session, charged.party, final_on) == 88
    assert left(session, charged.party, dt.date(2027, 4, 13)) == 88
    assert left(session, charged.party, dt.date(2027, 4, 14)) == 100


def test_a_rule_without_points_takes_none(session: Session, charged: Charged) -> None:
    make_final_penalty(session, charged=charged, final_on=MARCH)

    assert enter_points(session) == 0


def test_entries_are_not_rewritten(session: Session, charged: Charged) -> None:
    take(session, charged, 20, MARCH)

    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(sa.update(PointsEntry).values(points=10))


def test_the_same_deduction_proposes_nothing_twice_not_even_after_a_no(session: Session, charged: Charged) -> None:
    take(session, charged, 20, MARCH)
    [row] = propose_sanctions(session, MARCH)
    assert propose_sanctions(session, MARCH) == []
    session.execute(
        sa.update(Sanction)
        .where(Sanction.id == row.id)
        .values(state="rejected", decided_by=902, decided_at=clock.start_of_day(MARCH))
    )

    assert propose_sanctions(session, MARCH + dt.timedelta(days=1)) == []


def test_three_months_of_warnings_one_after_another_downgrade_and_a_gap_does_not(session: Session) -> None:
    steady, patchy = make_party(session, name="连续"), make_party(session, name="间断")
    for party, months in ((steady, (1, 2, 3)), (patchy, (1, 2, 4))):
        for month in months:
            make_sanction(session, party=party, kind=SanctionKind.WARNING, from_on=dt.date(2026, month, 15))

    made = propose_sanctions(session, dt.date(2026, 4, 20))

    assert [(row.party_id, row.kind) for row in made] == [(steady.id, SanctionKind.DOWNGRADE)]


def test_the_fifth_warning_within_a_year_suspends_and_counts_only_once(session: Session) -> None:
    party = make_party(session)
    for month in (1, 3, 5, 7):
        make_sanction(session, party=party, kind=SanctionKind.WARNING, from_on=dt.date(2026, month, 1))
    assert propose_sanctions(session, dt.date(2026, 9, 1)) == []
    make_sanction(session, party=party, kind=SanctionKind.WARNING, from_on=dt.date(2026, 9, 1))

    [row] = propose_sanctions(session, dt.date(2026, 9, 1))

    assert row.kind is SanctionKind.OUTBOUND_SUSPENSION
    make_sanction(session, party=party, kind=SanctionKind.WARNING, from_on=dt.date(2026, 10, 1))
    assert propose_sanctions(session, dt.date(2026, 10, 1)) == []


def test_who_does_not_top_up_in_time_gets_no_new_lines(session: Session) -> None:
    party = make_party(session)

    late = {party.id: LateCall(7, 500_00, dt.date(2026, 2, 27))}

    [row] = propose_for_late_top_up(session, late, MARCH)

    assert (row.kind, row.until_on) == (SanctionKind.ENTRY_RESTRICTION, None)
    assert row.facts == {"top_up_fen": 500_00, "top_up_by": "2026-02-27"}
    assert propose_for_late_top_up(session, late, MARCH) == []
