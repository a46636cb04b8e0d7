"""Scorecards: counted from proven rows, never made up, weighed by dated figures, frozen when a month's figures are in."""

import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watching.kinds import Irregularity
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from supervise.penalties.card_ranking import RankingFilters, ranking_of_month
from supervise.penalties.card_rows import rows_of_card
from supervise.penalties.consequence_checks import scores_against_figures
from supervise.penalties.figure_models import PartyMonthFigure
from supervise.penalties.pricing import FigureKind
from supervise.penalties.score_models import CardStanding, Scorecard
from supervise.penalties.scorecards import Card, cards_of_month, freeze_due, trend_of
from supervise.penalties.scoring import Criterion, Figure, Scheme, Weight, score_of
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import make_number as make_subscriber_number
from tests.factories.parties import make_party, make_unit, unit_party
from tests.factories.watching import make_finding

MONTH = "2026-09"
CALLED_AT = clock.start_of_day(dt.date(2026, 9, 10)) + dt.timedelta(hours=2)
TODAY = dt.date(2026, 10, 5)
ONLY_CALLS = Scheme({one: Weight(1, 10) for one in Criterion}, good_from=90, watch_from=75, poor_from=60)


@pytest.fixture(autouse=True)
def _october() -> object:
    with time_machine.travel(clock.start_of_day(TODAY), tick=False) as traveller:
        yield traveller


def record(session: Session, party: Party, kind: FigureKind, amount: int, month: str = MONTH) -> None:
    session.add(
        PartyMonthFigure(
            party_id=party.id,
            month=month,
            kind=kind,
            amount=amount,
            source="月报",
            recorded_by=1,
            recorded_at=clock.now(),
        )
    )
    session.flush()


def card_of(session: Session, party: Party) -> Card:
    return cards_of_month(session, MONTH)[party.id]


def figure(card: Card, criterion: Criterion) -> Figure:
    return next(part.figure for part in card.parts if part.criterion is criterion)


def figures(**counted: tuple[int, int]) -> dict[Criterion, Figure]:
    return {one: Figure(*counted.get(one.value, (0, 0))) for one in Criterion}


def test_the_score_is_the_weighted_mean_of_what_has_a_denominator() -> None:
    weights = {**ONLY_CALLS.weights, Criterion.LATE_ANSWERS: Weight(3, 50)}
    scheme = Scheme(weights, good_from=90, watch_from=75, poor_from=60)

    # 4 in 10,000, of which 10 score nothing: 60. One late of five is 20 %, of which 50 score nothing: 60, three times.
    assert score_of(figures(offences_per_calls=(4, 10_000), late_answers=(1, 5)), scheme) == 60
    assert score_of(figures(offences_per_calls=(4, 10_000)), scheme) == 60
    assert score_of(figures(offences_per_calls=(50, 10_000)), scheme) == 0
    assert [scheme.standing(score) for score in (90, 89, 74, 59, None)] == [
        CardStanding.GOOD,
        CardStanding.WATCH,
        CardStanding.POOR,
        CardStanding.CRITICAL,
        CardStanding.NOT_RATED,
    ]


def test_without_calls_and_orders_a_card_is_not_rated_however_good_the_rest(session: Session) -> None:
    assert score_of(figures(objections_lost=(0, 5)), ONLY_CALLS) is None
    party = make_party(session, sponsor=make_unit(session))
    make_proven_incident(session, party=party, occurred_at=CALLED_AT)

    card = card_of(session, party)

    assert (card.score, card.standing) == (None, CardStanding.NOT_RATED)
    assert figure(card, Criterion.OFFENCES_PER_CALLS) == Figure(1, 0)


def test_an_offence_counts_once_for_the_caller_and_for_its_branch_and_leads_to_its_rows(session: Session) -> None:
    unit = make_unit(session)
    party = make_party(session, sponsor=unit)
    number = make_subscriber_number(session)
    for hour in (1, 2):
        at = CALLED_AT + dt.timedelta(hours=hour)
        make_proven_incident(session, party=party, occurred_at=at, number=number)
    make_proven_incident(session, party=party, occurred_at=clock.start_of_day(TODAY))  # the month after
    record(session, party, FigureKind.ANSWERED_CALLS, 4_000)
    record(session, party, FigureKind.ORDERS, 500)

    for one in (party, unit_party(session, unit)):
        card = card_of(session, one)
        assert figure(card, Criterion.OFFENCES_PER_CALLS).counted == 2
        assert figure(card, Criterion.REPEAT_SUBSCRIBERS) == Figure(1, 1)
        assert len(rows_of_card(session, one.id, MONTH, TODAY).offences) == 2
    card = card_of(session, party)
    assert figure(card, Criterion.OFFENCES_PER_CALLS) == Figure(2, 4_000)
    # 5.00 per 10,000, of which 20 score nothing: 75; 4.00 per 1,000, of which 20 score nothing: 80.
    assert [part.score for part in card.parts][:2] == [75, 80]
    assert card.parts[0].hundredths == 500


def test_a_frozen_card_stays_as_it_was_and_a_live_one_follows(session: Session) -> None:
    party = make_party(session, sponsor=make_unit(session))
    make_proven_incident(session, party=party, occurred_at=CALLED_AT)
    record(session, party, FigureKind.ANSWERED_CALLS, 10_000)
    assert freeze_due(session, dt.date(2026, 10, 10)) == []
    assert freeze_due(session, dt.date(2026, 10, 11)) == [MONTH]
    assert freeze_due(session, dt.date(2026, 10, 12)) == []

    make_proven_incident(session, party=party, occurred_at=CALLED_AT + dt.timedelta(hours=3))

    card = card_of(session, party)
    assert card.frozen_at is not None
    assert figure(card, Criterion.OFFENCES_PER_CALLS) == Figure(1, 10_000)
    trend = dict(trend_of(session, party.id, "2026-10"))
    assert len(trend) == 12
    assert trend[MONTH] == card
    assert trend["2026-08"] is None
    assert scores_against_figures(session) == []
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(sa.update(Scorecard).values(score=100))


def test_the_ranking_puts_the_lowest_first_and_who_is_not_rated_last(session: Session) -> None:
    unit, elsewhere = make_unit(session, code="U-RANK"), make_unit(session)
    bad, good, idle = (make_party(session, name=name, sponsor=unit) for name in ("甲", "乙", "丙"))
    make_proven_incident(session, party=bad, occurred_at=CALLED_AT)
    for party, calls in ((bad, 1_000), (good, 1_000)):
        record(session, party, FigureKind.ANSWERED_CALLS, calls)
    record(session, idle, FigureKind.ANSWERED_CALLS, 0)
    record(session, make_party(session, name="丁", sponsor=elsewhere), FigureKind.ANSWERED_CALLS, 1_000)

    ranking = ranking_of_month(session, Scope.everything(), RankingFilters(MONTH, unit="U-RANK"))

    external = [(row.party.name, row.place) for row in ranking.rows if row.party.org_unit_id is None]
    assert external == [("甲", 2), ("乙", 1), ("丙", None)]
    assert ranking_of_month(session, Scope.nothing(), RankingFilters(MONTH)).rows == []


def watched(session: Session, party: Party, kind: Irregularity, days: int) -> None:
    """So many days of the month were looked through, with 100 records of the party each."""
    for n in range(days):
        make_finding(session, party=party, kind=kind, on_day=dt.date(2026, 9, 1 + n), records=0, looked_at=100)


@pytest.mark.parametrize(
    ("kind", "criterion"),
    [
        (Irregularity.NO_RECORDING, Criterion.OFFENCES_PER_CALLS),
        (Irregularity.ORDER_STEP_MISSING, Criterion.OFFENCES_PER_ORDERS),
    ],
)
def test_what_nobody_recorded_is_counted_from_the_records_of_a_whole_month(
    session: Session, kind: Irregularity, criterion: Criterion
) -> None:
    party, other = make_party(session), make_party(session)
    watched(session, party, kind, 29)
    make_proven_incident(session, party=party, occurred_at=CALLED_AT)

    before = figure(card_of(session, party), criterion)
    make_finding(session, party=other, kind=kind, on_day=dt.date(2026, 9, 30), records=0, looked_at=7)

    assert before == Figure(1, 0)
    assert figure(card_of(session, party), criterion) == Figure(1, 2_900)
    assert figure(card_of(session, other), criterion) == Figure(0, 7)


def test_a_recorded_count_wins_over_the_records(session: Session) -> None:
    party = make_party(session)
    watched(session, party, Irregularity.ORDER_STEP_MISSING, 30)
    record(session, party, FigureKind.ORDERS, 5)

    assert figure(card_of(session, party), Criterion.OFFENCES_PER_ORDERS) == Figure(0, 5)
