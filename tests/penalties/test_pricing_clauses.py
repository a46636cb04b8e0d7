"""The pure engine: units of charge, aggravations, caps by commission and subscriber, thresholds, joint shares, recovery."""

import datetime as dt
from typing import Any

import pytest

from supervise.labels import use_locale
from supervise.penalties.explain import explain_in_words
from supervise.penalties.pricing import (
    Charge,
    Figure,
    FigureKind,
    FigureUnknownError,
    History,
    NumberUnknownError,
    Spared,
    Subject,
    SubscriberUnknownError,
    price_calls,
    price_offence,
    recover,
    require_known,
    share_out,
)
from tests.factories.pricing import FLAT, PARTNER, amounts, offence, rule

SEPTEMBER = "2026-09"
BY_COMMISSION: dict[str, Any] = {**FLAT, "caps": [{"per": "month", "commission_bp": 3000}]}


def recorded(kind: FigureKind, amount: int, *, subject: Subject = PARTNER) -> History:
    history = History()
    history.figures[subject, SEPTEMBER, kind] = Figure(7, amount)
    return history


def said(charge: Charge | Spared) -> str:
    assert isinstance(charge, Charge)
    with use_locale("en"):
        return " ".join(explain_in_words(charge.explanation))


# 7.3 History: old calls are fined like others


def test_7_3_example_3_calls_that_a_lump_sum_covers_are_still_fined() -> None:
    calls = [offence(FLAT, incident=incident) for incident in range(1, 12)]  # eight old ones, three after the start

    assert sum(amounts(price_calls(calls, History()))) == 11 * 20000


# 7.4 Caps


def test_7_4_example_2_thirty_percent_of_12345_67_leaves_296_30_uncharged() -> None:
    calls = [offence(BY_COMMISSION, incident=incident) for incident in range(1, 21)]

    outcomes = price_calls(calls, recorded(FigureKind.COMMISSION, 1234567))

    assert amounts(outcomes) == [20000] * 18 + [10370, 0]
    assert sum(outcome.capped_fen for outcome in outcomes if isinstance(outcome, Charge)) == 29630
    assert "The cap is 30 % of the month's commission of 12,345.67 yuan, rounded down." in said(outcomes[18])


def test_without_the_months_commission_nothing_is_charged() -> None:
    with pytest.raises(FigureUnknownError) as refusal:
        price_calls([offence(BY_COMMISSION)], recorded(FigureKind.ORDERS, 100))

    assert refusal.value.parameters == {"month": SEPTEMBER}


def test_7_4_example_3_with_release_the_sixth_takes_the_freed_room() -> None:
    capped = {**FLAT, "caps": [{"per": "month", "limit_fen": 100000, "release": True}]}
    history = History()
    price_calls([offence(capped, incident=incident) for incident in range(1, 6)], history)
    before = price_offence(offence(capped, incident=6), history)

    history.add_amount(PARTNER, 2, dt.date(2026, 9, 29), 0, subscriber_id=5, lifted_fen=20000)

    assert (before.amount_fen, price_offence(offence(capped, incident=6), history).amount_fen) == (0, 20000)


def test_a_cap_per_subscriber_sums_their_calls_of_the_month() -> None:
    capped = {**FLAT, "caps": [{"per": "subscriber", "limit_fen": 30000}]}
    calls = [
        offence(capped, incident=1, on=dt.date(2026, 9, 1)),
        offence(capped, incident=2, on=dt.date(2026, 9, 2)),
        offence(capped, incident=3, on=dt.date(2026, 9, 3), subscriber_id=6),
        offence(capped, incident=4, on=dt.date(2026, 10, 1)),
    ]

    assert amounts(price_calls(calls, History())) == [20000, 10000, 20000, 20000]
    with pytest.raises(SubscriberUnknownError):
        require_known(offence(capped, subscriber_id=None), History())


# Units of charge


def test_a_price_per_recipient_is_charged_once_for_subscriber_number_and_day() -> None:
    per_recipient = {"basis": "per_recipient", "amount_fen": 5000}
    day, next_day = dt.date(2026, 9, 1), dt.date(2026, 9, 2)
    calls = [
        offence(per_recipient, incident=1, on=day),
        offence(per_recipient, incident=2, on=day),
        offence(per_recipient, incident=3, on=day, subscriber_id=6),
        offence(per_recipient, incident=4, on=day, caller_number="10690000"),
        offence(per_recipient, incident=5, on=next_day),
    ]

    outcomes = price_calls(calls, History())

    assert amounts(outcomes) == [5000, 0, 5000, 5000, 5000]
    assert isinstance(outcomes[1], Spared)
    assert outcomes[1].why.parameters == {"number": "02112345678", "period": "2026-09-01", "incident": 1}


def test_a_price_per_number_and_month_is_charged_once_whoever_was_called() -> None:
    monthly = {"basis": "per_number_month", "amount_fen": 50000}
    days = [dt.date(2026, 9, 1), dt.date(2026, 9, 30), dt.date(2026, 10, 1)]
    calls = [
        offence(monthly, incident=place, on=day, subscriber_id=None if place == 2 else place)
        for place, day in enumerate(days, start=1)
    ]

    assert amounts(price_calls(calls, History())) == [50000, 0, 50000]
    with pytest.raises(NumberUnknownError):
        require_known(offence(monthly, caller_number=None), History())


def test_a_unit_that_was_charged_before_is_not_charged_again() -> None:
    monthly = {"basis": "per_number_month", "amount_fen": 50000}
    history = History()
    price_calls([offence(monthly, incident=9)], history)

    [again] = price_calls([offence(monthly, incident=3, on=dt.date(2026, 9, 1))], history)

    assert isinstance(again, Spared)
    assert again.why.parameters["incident"] == 9


# Aggravations


def test_of_several_aggravations_the_highest_alone_counts_rounded_down() -> None:
    worse = {
        "basis": "per_offence",
        "amount_fen": 3333,
        "aggravations": [
            {"code": "night", "multiplier_bp": 12000},
            {"code": "after_refusal", "multiplier_bp": 15000},
            {"code": "official_number", "multiplier_bp": 90000},
        ],
    }

    charge = price_offence(offence(worse, proven=("night", "after_refusal")), History())

    assert charge.gross_fen == 4999  # 33.33 x 1.5 = 49.995
    assert charge.explanation["aggravation"]["others"] == ["night"]
    assert "The subscriber had refused before: 150 % of 33.33 yuan, rounded down to the fen. On record." in said(charge)
    assert price_offence(offence(worse), History()).gross_fen == 3333


# 7.6 Joint liability


def test_7_6_example_3_joint_parties_have_a_row_each_that_sums_to_one_total() -> None:
    parts = [
        {"kind": "agent", "share_bp": 6000, "limit_fen": 20000},
        {"kind": "outsourcer", "share_bp": 4000, "limit_fen": 20000},
    ]
    charge = price_offence(offence({**FLAT, "shares": {"mode": "joint", "parts": parts}}), History())

    agent, outsourcer = share_out(charge, [1, 2])

    assert (agent.gross_fen, outsourcer.gross_fen) == (12000, 8000)
    assert agent.explanation["share"] == {
        "mode": "joint",
        "share_bp": 6000,
        "bearers": 2,
        "of_fen": 20000,
        "limit_fen": 20000,
    }


# 7.7 Threshold and excess

ABOVE = {"above_count": 20, "above_bp": 1000, "base": "orders"}


def month_of_cases(count: int, *, excess_only: bool = True) -> list[Any]:
    priced_by = rule({"basis": "per_offence", "amount_fen": 10000, "threshold": {**ABOVE, "excess_only": excess_only}})
    return [offence(priced_by, incident=incident) for incident in range(1, count + 1)]


@pytest.mark.parametrize(
    ("cases", "orders", "total_fen"),
    [(25, 200, 50000), (18, 100, 0), (30, 400, 0), (45, 300, 150000)],
)
def test_7_7_examples_1_to_3_only_the_excess_above_ten_percent_is_charged(
    cases: int, orders: int, total_fen: int
) -> None:
    outcomes = price_calls(month_of_cases(cases), recorded(FigureKind.ORDERS, orders))

    assert sum(amounts(outcomes)) == total_fen


def test_the_first_cases_are_the_spared_ones() -> None:
    outcomes = price_calls(month_of_cases(25), recorded(FigureKind.ORDERS, 200))

    assert amounts(outcomes) == [0] * 20 + [10000] * 5
    assert isinstance(outcomes[0], Spared)
    assert outcomes[0].why.parameters == {"nth": 1, "cases": 25, "month": SEPTEMBER}
    assert "It is case 21 of 25 in the calendar month; the threshold is 20 cases." in said(outcomes[20])


def test_without_excess_only_all_cases_cost_once_the_month_is_above() -> None:
    history = recorded(FigureKind.ORDERS, 200)

    assert sum(amounts(price_calls(month_of_cases(25, excess_only=False), history))) == 250000


def test_a_count_alone_spares_as_many_and_needs_no_figure() -> None:
    by_count = rule({**FLAT, "threshold": {"above_count": 2, "above_bp": 0, "excess_only": True}})
    calls = [offence(by_count, incident=incident) for incident in (1, 2, 3)]

    assert amounts(price_calls(calls, History())) == [0, 0, 20000]


def test_cases_that_were_not_priced_now_count_too() -> None:
    history = recorded(FigureKind.ORDERS, 200)
    history.add_cases(month_of_cases(24))

    [last] = price_calls(month_of_cases(25)[-1:], history)

    assert isinstance(last, Charge)


# 7.8 Recovery of credits


def test_7_8_example_1_a_credit_is_recovered_beside_the_fine() -> None:
    fine = price_offence(offence(FLAT), History())

    assert fine.amount_fen + sum(recover(5000, 10000)) == 25000


def test_7_8_example_2_half_of_the_credits_is_recovered() -> None:
    assert recover(15000, 5000) == [7500]


def test_7_8_example_3_joint_parties_bear_it_by_their_parts() -> None:
    assert recover(15000, 10000, [6000, 4000]) == [9000, 6000]


def test_a_fraction_of_a_fen_stays_with_the_carrier() -> None:
    assert recover(4999, 5000, [1, 1]) == [1250, 1249]
