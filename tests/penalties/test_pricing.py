"""The pure engine: the examples of domain.md 7.1, 7.4, 7.5 and 7.6 (percent, equally), and their edges."""

import copy
import datetime as dt
from typing import Any

import pytest

from supervise.contracts.rules import Basis, CapPer, parse_parameters
from supervise.penalties.pricing import (
    Charge,
    History,
    Spared,
    Subject,
    price_calls,
    price_offence,
    share_out,
)
from tests.factories.pricing import FLAT, PARTNER, amounts, offence

TIERS: dict[str, Any] = {
    "basis": "per_offence",
    "amount_fen": 20000,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [
            {"from_count": 1, "amount_fen": 20000},
            {"from_count": 2, "amount_fen": 30000},
            {"from_count": 4, "amount_fen": 50000},
        ],
    },
}


def capped(limit_fen: int, per: str = "month") -> dict[str, Any]:
    return {**FLAT, "caps": [{"per": per, "limit_fen": limit_fen}]}


# 7.1 Per offence


def test_7_1_example_1_one_offence_costs_the_rules_amount() -> None:
    assert amounts(price_calls([offence(FLAT)], History())) == [20000]


def test_7_1_example_2_three_calls_cost_three_amounts_however_many_tickets_reported_them() -> None:
    calls = [offence(FLAT, incident=incident) for incident in (1, 2, 3)]

    assert sum(amounts(price_calls(calls, History()))) == 60000


@pytest.mark.parametrize(("across", "total"), [("highest_only", 50000), ("cumulative", 70000)])
def test_7_1_example_3_two_types_of_one_call_cost_the_highest_or_both(across: str, total: int) -> None:
    call = [
        offence({**FLAT, "amount_fen": 50000, "across_types": across}, finding=1, code="after_refusal"),
        offence({**FLAT, "across_types": across}, finding=2, code="unauthorised_number"),
    ]

    outcomes = price_calls(call, History())

    assert sum(amounts(outcomes)) == total


def test_if_one_rule_says_highest_only_the_types_do_not_add_up() -> None:
    call = [
        offence({**FLAT, "across_types": "cumulative"}, finding=1, code="after_refusal"),
        offence({**FLAT, "amount_fen": 10000}, finding=2, code="unauthorised_number"),
    ]

    kept, spared = price_calls(call, History())

    assert isinstance(kept, Charge)
    assert kept.explanation["across"] == {"rule": "highest_only", "spared": [["unauthorised_number", 10000]]}
    assert isinstance(spared, Spared)
    assert spared.why.parameters == {"offence": "after_refusal", "amount": "200.00"}


def test_of_equal_amounts_the_first_finding_is_charged() -> None:
    call = [offence(FLAT, finding=finding, code=f"type_{finding}") for finding in (7, 8)]

    first, second = price_calls(call, History())

    assert isinstance(first, Charge)
    assert isinstance(second, Spared)


def test_a_price_per_call_is_charged_once_for_the_call() -> None:
    per_call = {"basis": "per_call", "amount_fen": 5000}
    call = [offence(per_call, finding=finding, code=f"type_{finding}") for finding in (1, 2)]

    assert amounts(price_calls(call, History())) == [5000, 0]


# 7.4 Caps


def test_7_4_example_1_a_month_cap_leaves_what_room_there_is() -> None:
    history = History()
    history.add_amount(PARTNER, 90, dt.date(2026, 9, 1), 490000)

    charge = price_offence(offence(capped(500000)), history)

    assert (charge.gross_fen, charge.amount_fen, charge.capped_fen) == (20000, 10000, 10000)
    assert charge.explanation["caps"] == [{"per": "month", "limit_fen": 500000, "used_fen": 490000, "over_fen": 10000}]


def test_twenty_offences_under_a_cap_of_3703_70_leave_296_30_uncharged() -> None:
    calls = [offence(capped(370370), incident=incident) for incident in range(1, 21)]

    outcomes = price_calls(calls, History())

    assert amounts(outcomes) == [20000] * 18 + [10370, 0]
    assert sum(outcome.capped_fen for outcome in outcomes if isinstance(outcome, Charge)) == 29630


def test_7_4_example_3_an_overturned_offence_releases_no_room() -> None:
    history = History()
    five = price_calls([offence(capped(100000), incident=incident) for incident in range(1, 6)], history)

    sixth = price_offence(offence(capped(100000), incident=6), history)

    assert sum(amounts(five)) == 100000
    assert sixth.amount_fen == 0  # though one of the five may be lifted later: P-3


def test_the_next_month_has_its_own_room() -> None:
    history = History()
    history.add_amount(PARTNER, 90, dt.date(2026, 8, 31), 500000)

    assert price_offence(offence(capped(500000), on=dt.date(2026, 9, 1)), history).amount_fen == 20000


def test_another_contract_has_its_own_room() -> None:
    history = History()
    history.add_amount(Subject(2, None), 90, dt.date(2026, 9, 1), 500000)

    assert price_offence(offence(capped(500000)), history).amount_fen == 20000


@pytest.mark.parametrize("per", ["incident", "day"])
def test_caps_per_call_and_day_bound_what_adds_up(per: str) -> None:
    cumulative = {**capped(25000, per), "across_types": "cumulative"}
    call = [offence(cumulative, finding=finding, code=f"type_{finding}") for finding in (1, 2)]

    assert amounts(price_calls(call, History())) == [20000, 5000]


def test_of_two_caps_the_tighter_holds() -> None:
    both = {**FLAT, "caps": [{"per": "day", "limit_fen": 15000}, {"per": "month", "limit_fen": 12000}]}

    assert price_offence(offence(both), History()).amount_fen == 12000


# 7.5 Tiers


def test_7_5_example_1_repeats_within_ninety_days_cost_more() -> None:
    days = [dt.date(2026, 3, 1), dt.date(2026, 3, 20), dt.date(2026, 4, 10), dt.date(2026, 5, 15)]
    calls = [offence(TIERS, incident=place, on=day) for place, day in enumerate(days, start=1)]

    assert amounts(price_calls(calls, History())) == [20000, 30000, 30000, 50000]


def test_7_5_example_2_after_105_days_the_count_begins_anew() -> None:
    calls = [offence(TIERS, incident=1, on=dt.date(2026, 1, 5)), offence(TIERS, incident=2, on=dt.date(2026, 4, 20))]

    assert amounts(price_calls(calls, History())) == [20000, 20000]


@pytest.mark.parametrize(("days", "amount_fen"), [(90, 30000), (91, 20000)])
def test_the_ninetieth_day_before_still_counts(days: int, amount_fen: int) -> None:
    later = dt.date(2026, 6, 30)
    calls = [offence(TIERS, incident=1, on=later - dt.timedelta(days=days)), offence(TIERS, incident=2, on=later)]

    assert amounts(price_calls(calls, History()))[1] == amount_fen


def test_7_5_example_3_without_the_overturned_first_the_others_are_second_and_third() -> None:
    days = [dt.date(2026, 3, 20), dt.date(2026, 4, 10), dt.date(2026, 5, 15)]
    calls = [offence(TIERS, incident=place, on=day) for place, day in enumerate(days, start=2)]

    assert amounts(price_calls(calls, History())) == [20000, 30000, 30000]  # the proposal of example 3: 800.00


def test_another_type_and_another_branch_count_by_themselves() -> None:
    branch, other = Subject(1, 10), Subject(1, 11)
    calls = [
        offence(TIERS, incident=1, subject=branch),
        offence(TIERS, incident=2, subject=branch, code="night_hours"),
        offence(TIERS, incident=3, subject=other),
    ]

    assert amounts(price_calls(calls, History())) == [20000, 20000, 20000]


def test_a_calendar_month_begins_on_its_first_day() -> None:
    monthly = copy.deepcopy(TIERS)
    monthly["tiers"] |= {"window": "calendar_month", "days": None}
    days = [dt.date(2026, 8, 31), dt.date(2026, 9, 1), dt.date(2026, 9, 30)]
    calls = [offence(monthly, incident=place, on=day) for place, day in enumerate(days, start=1)]

    assert amounts(price_calls(calls, History())) == [20000, 20000, 30000]


def test_a_spared_type_is_no_repeat() -> None:
    history = History()
    price_calls([offence(TIERS, finding=1, code="a"), offence(FLAT, finding=2, code="b")], history)

    later = offence(TIERS, incident=3, code="b", on=dt.date(2026, 9, 30))

    assert price_offence(later, history).amount_fen == 20000


# 7.6 Shares


def shared(amount_fen: int, **shares: int | None) -> dict[str, Any]:
    mode = "equal" if None in shares.values() else "percent"
    parts = [{"kind": kind, "share_bp": bp} for kind, bp in shares.items()]
    return {"basis": "per_offence", "amount_fen": amount_fen, "shares": {"mode": mode, "parts": parts}}


def test_7_6_example_1_200_among_three_is_66_67_66_67_66_66() -> None:
    parameters = shared(20000, org_unit=None, agent=None, outsourcer=None)

    portions = share_out(price_offence(offence(parameters), History()), [1, 2, 3])

    assert [(part.party_id, part.gross_fen - part.capped_fen) for part in portions] == [(1, 6667), (2, 6667), (3, 6666)]


def test_7_6_example_2_500_by_20_50_30_is_100_250_150() -> None:
    parameters = shared(50000, org_unit=2000, agent=5000, outsourcer=3000)

    portions = share_out(price_offence(offence(parameters), History()), [1, 2, 3])

    assert [part.gross_fen for part in portions] == [10000, 25000, 15000]


def test_a_cap_counts_in_the_bucket_of_its_kind() -> None:
    history = History()

    history.add_amount(PARTNER, 5, dt.date(2026, 9, 29), 100)

    assert history.used_fen[PARTNER, CapPer.DAY, dt.date(2026, 9, 29)] == 100
    assert history.used_fen[PARTNER, CapPer.MONTH, "2026-09"] == 100
    assert history.used_fen[PARTNER, CapPer.INCIDENT, 5] == 100
    assert parse_parameters(FLAT).basis is Basis.PER_OFFENCE
