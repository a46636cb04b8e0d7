"""The dated figures of consequences: they begin after today, follow each other without a gap, and make sense."""

import datetime as dt

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.sanction_models import SanctionKind, SanctionTrigger
from supervise.penalties.consequence_rules import (
    BandsError,
    BeginsTooSoonError,
    MonthStartError,
    PlannedAlreadyError,
    StepFiguresError,
    WeightsError,
    add_step,
    end_step,
    periods_of,
    set_points_start,
    set_score_scheme,
)
from supervise.penalties.ladder import rules_on
from supervise.penalties.points import start_on
from supervise.penalties.score_models import PointsStart
from supervise.penalties.scoring import Criterion, Weight

TODAY, TOMORROW = dt.date(2026, 10, 12), dt.date(2026, 10, 13)
NOVEMBER = dt.date(2026, 11, 1)
EVEN = {criterion: Weight(10, 20) for criterion in Criterion}
SUPERVISOR = 961


@pytest.fixture(autouse=True)
def _today() -> object:
    with time_machine.travel(clock.start_of_day(TODAY), tick=False) as traveller:
        yield traveller


def test_other_points_to_start_with_follow_without_a_gap_and_not_before_tomorrow(session: Session) -> None:
    with pytest.raises(BeginsTooSoonError):
        set_points_start(session, 12, legal_note="新办法", valid_from=TODAY, actor_id=SUPERVISOR)
    set_points_start(session, 12, legal_note="新办法", valid_from=TOMORROW, actor_id=SUPERVISOR)
    with pytest.raises(PlannedAlreadyError):
        set_points_start(session, 24, legal_note="又一办法", valid_from=TOMORROW, actor_id=SUPERVISOR)

    assert [row.points for day in (TODAY, TOMORROW) if (row := start_on(session, day))] == [100, 12]
    assert len(periods_of(session, PointsStart)) == 2


def test_a_step_has_the_figures_of_its_trigger_and_ends_after_today(session: Session) -> None:
    nothing = {"points_left": None, "warnings": None, "within_months": None}
    with pytest.raises(StepFiguresError):
        add_step(
            session,
            SanctionTrigger.POINTS_LEFT,
            SanctionKind.WARNING,
            figures=nothing | {"warnings": 3},
            months=1,
            legal_note="合同",
            valid_from=TOMORROW,
            actor_id=SUPERVISOR,
        )
    row = add_step(
        session,
        SanctionTrigger.POINTS_LEFT,
        SanctionKind.WARNING,
        figures=nothing | {"points_left": 90},
        months=None,
        legal_note="合同",
        valid_from=TOMORROW,
        actor_id=SUPERVISOR,
    )
    assert row not in rules_on(session, TODAY)
    assert row in rules_on(session, TOMORROW)

    with pytest.raises(BeginsTooSoonError):
        end_step(session, row.id, valid_to=TOMORROW, actor_id=SUPERVISOR)
    end_step(session, row.id, valid_to=NOVEMBER, actor_id=SUPERVISOR)
    assert row not in rules_on(session, NOVEMBER)


def test_a_scheme_begins_with_a_month_and_refuses_figures_without_sense(session: Session) -> None:
    def scheme(weights: dict[Criterion, Weight], bands: tuple[int, int, int], day: dt.date) -> None:
        set_score_scheme(session, weights, bands, legal_note="新办法", valid_from=day, actor_id=SUPERVISOR)

    with pytest.raises(MonthStartError):
        scheme(EVEN, (90, 75, 60), dt.date(2026, 11, 2))
    with pytest.raises(BandsError):
        scheme(EVEN, (75, 75, 60), NOVEMBER)
    with pytest.raises(WeightsError):
        scheme(EVEN | {Criterion.LATE_ANSWERS: Weight(10, 0)}, (90, 75, 60), NOVEMBER)
    without = {Criterion.OFFENCES_PER_CALLS: Weight(0, 20), Criterion.OFFENCES_PER_ORDERS: Weight(0, 20)}
    with pytest.raises(WeightsError):
        scheme(EVEN | without, (90, 75, 60), NOVEMBER)

    scheme(EVEN, (95, 80, 50), NOVEMBER)
