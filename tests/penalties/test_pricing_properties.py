"""What holds for every rule, and where "one more offence never lowers a total" holds (docs/rules.md, P-9)."""

import datetime as dt
from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervise.penalties.history import PastAmount, add_past
from supervise.penalties.pricing import (
    Charge,
    Figure,
    FigureKind,
    History,
    Offence,
    Rule,
    Spared,
    price_calls,
    recover,
    share_out,
)
from tests.factories.pricing import PARTNER, amounts, offence, rule

FIRST = dt.date(2026, 8, 1)
AMOUNTS = st.integers(1, 10_000_000)
KINDS = ("agent", "outsourcer", "line_customer", "port_holder")
AGGRAVATIONS = st.lists(
    st.builds(
        lambda code, multiplier: {"code": code, "multiplier_bp": multiplier},
        st.sampled_from(("after_refusal", "night", "official_number")),
        st.integers(10_000, 50_000),
    ),
    max_size=3,
    unique_by=lambda one: one["code"],
)


def caps(*overs: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    limits = st.integers(1, 30_000_000)
    fixed = st.builds(lambda per, fen: {"per": per, "limit_fen": fen}, st.sampled_from(overs), limits)
    by_commission = st.builds(lambda bp: {"per": "month", "commission_bp": bp}, st.integers(1, 10_000))
    return st.lists(fixed | by_commission, max_size=3)


@st.composite
def parameters(draw: st.DrawFn, *, overs: tuple[str, ...], bases: tuple[str, ...]) -> dict[str, Any]:
    amount_fen = draw(AMOUNTS)
    made: dict[str, Any] = {
        "basis": draw(st.sampled_from(bases)),
        "amount_fen": amount_fen,
        "caps": draw(caps(*overs)) or None,
        "aggravations": draw(AGGRAVATIONS) or None,
    }
    if made["basis"] in ("per_offence", "per_call") and draw(st.booleans()):
        made["threshold"] = {
            "above_count": draw(st.integers(1, 4)),
            "above_bp": draw(st.integers(0, 2000)),
            "excess_only": draw(st.booleans()),
            "base": "orders",
        }
    else:
        steps = [{"from_count": place, "amount_fen": amount_fen * place} for place in range(1, draw(st.integers(1, 4)))]
        made["tiers"] = {"window": "rolling_days", "days": 30, "steps": steps} if steps else None
    parts = draw(st.integers(0, 4))
    if parts:
        mode = "joint" if parts > 1 and draw(st.booleans()) else "equal"
        made["shares"] = {"mode": mode, "parts": [{"kind": kind} for kind in KINDS[:parts]]}
    return made


CALLS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.integers(1, 3),
        st.sampled_from(("02110000000", "10690000")),
        st.sets(st.sampled_from(("after_refusal", "night")), max_size=2),
    ),
    min_size=1,
    max_size=12,
)
ANY_RULE = parameters(
    overs=("incident", "subscriber", "day", "month"),
    bases=("per_offence", "per_call", "per_recipient", "per_number_month"),
)
#: Caps that nest, and a charge for each offence: where one more offence never lowers a total.
NESTING_RULE = parameters(overs=("incident", "day", "month"), bases=("per_offence", "per_call"))


def offences(priced_by: Rule, calls: list[Any]) -> list[Offence]:
    return [
        offence(
            priced_by,
            incident=place,
            on=FIRST + dt.timedelta(days=day),
            subscriber_id=subscriber,
            caller_number=number,
            proven=sorted(proven),
        )
        for place, (day, subscriber, number, proven) in enumerate(calls, start=1)
    ]


def known() -> History:
    history = History()
    for month in ("2026-08", "2026-09"):
        history.figures[PARTNER, month, FigureKind.COMMISSION] = Figure(1, 20_000_000)
        history.figures[PARTNER, month, FigureKind.ORDERS] = Figure(2, 30)
    return history


def priced(some: list[Offence]) -> list[Charge | Spared]:
    return price_calls(some, known())


@given(ANY_RULE, CALLS)
def test_no_line_is_negative_no_cap_is_exceeded_and_shares_sum_to_their_charge(
    stated: dict[str, Any], calls: list[Any]
) -> None:
    charges = [outcome for outcome in priced(offences(rule(stated), calls)) if isinstance(outcome, Charge)]

    taken: dict[Any, int] = defaultdict(int)
    for charge in charges:
        assert charge.gross_fen > 0
        assert 0 <= charge.capped_fen <= charge.gross_fen
        month = f"{charge.offence.occurred_on:%Y-%m}"
        for bucket in (
            ("incident", charge.offence.incident_id),
            ("subscriber", month, charge.offence.subscriber_id),
            ("day", charge.offence.occurred_on),
            ("month", month),
        ):
            taken[bucket] += charge.amount_fen
        shares = charge.offence.rule.parameters.shares
        portions = share_out(charge, list(range(len(shares.parts))) if shares else [0])
        assert sum(part.gross_fen for part in portions) == charge.gross_fen
        assert sum(part.capped_fen for part in portions) == charge.capped_fen
        assert all(0 <= part.capped_fen <= part.gross_fen for part in portions)
    for cap in stated["caps"] or []:
        limit_fen = cap.get("limit_fen") or 20_000_000 * cap["commission_bp"] // 10_000
        assert all(fen <= limit_fen for bucket, fen in taken.items() if bucket[0] == cap["per"])


@given(ANY_RULE, CALLS, st.randoms())
def test_the_order_in_which_calls_are_given_changes_nothing(
    stated: dict[str, Any], calls: list[Any], random: Any
) -> None:
    given_calls = offences(rule(stated), calls)
    shuffled = random.sample(given_calls, len(given_calls))

    assert repr(priced(shuffled)) == repr(priced(given_calls))


@given(ANY_RULE.filter(lambda stated: "threshold" not in stated), CALLS)
def test_pricing_one_by_one_gives_what_pricing_together_gives(stated: dict[str, Any], calls: list[Any]) -> None:
    in_time = sorted(offences(rule(stated), calls), key=lambda one: one.order)
    history = known()

    one_by_one = [outcome for call in in_time for outcome in price_calls([call], history)]

    assert repr(one_by_one) == repr(priced(in_time))


@given(NESTING_RULE, CALLS, st.integers(0, 11))
def test_one_more_offence_never_lowers_the_total(stated: dict[str, Any], calls: list[Any], more: int) -> None:
    every = offences(rule(stated), calls)
    less = [one for one in every if one.incident_id != more % len(calls) + 1]

    assert sum(amounts(priced(less))) <= sum(amounts(priced(every)))


STANDING = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 3), AMOUNTS, st.integers(0, 100)), max_size=8)
NEW_RULES = st.tuples(
    st.sampled_from(("day", "month", "subscriber")), st.integers(1, 30_000_000), AMOUNTS, AMOUNTS, st.booleans()
)


@given(STANDING, NEW_RULES, CALLS)
def test_lines_of_an_old_rule_take_room_in_a_new_ones_cap_once_with_what_was_approved(
    standing: list[Any], new: Any, calls: list[Any]
) -> None:
    per, limit_fen, first_fen, second_fen, release = new
    cap = {"per": per, "limit_fen": limit_fen, "release": release}
    rules = [
        rule({"basis": "per_offence", "amount_fen": fen, "caps": [cap]}, version_id=number, code=f"R-{number}")
        for number, fen in ((2, first_fen), (3, second_fen))
    ]
    history = History()
    taken: dict[Any, int] = defaultdict(int)

    def bucket(on: dt.date, subscriber: int) -> Any:
        return {"day": on, "month": f"{on:%Y-%m}", "subscriber": (f"{on:%Y-%m}", subscriber)}[per]

    for place, (day, subscriber, fen, lifted) in enumerate(standing, start=100):
        on, lifted_fen = FIRST + dt.timedelta(days=day), fen * lifted // 100
        add_past(history, PastAmount(place, place, PARTNER, place, on, subscriber, fen, lifted_fen))
        taken[bucket(on, subscriber)] += fen - (lifted_fen if release else 0)

    mixed = [one for place, one in enumerate(offences(rules[0], calls)) if place % 2 == 0]
    mixed += [one for place, one in enumerate(offences(rules[1], calls)) if place % 2]
    for outcome in price_calls(mixed, history):
        assert isinstance(outcome, Charge)
        key = bucket(outcome.offence.occurred_on, outcome.offence.subscriber_id or 0)
        assert outcome.amount_fen == min(outcome.gross_fen, max(0, limit_fen - taken[key]))
        taken[key] += outcome.amount_fen


@given(st.integers(0, 10**9), st.integers(1, 10_000), st.lists(st.integers(1, 10_000), min_size=1, max_size=4))
def test_no_more_is_recovered_than_was_paid(credits_fen: int, recovery_bp: int, weights: list[int]) -> None:
    parts = recover(credits_fen, recovery_bp, weights)

    assert sum(parts) == credits_fen * recovery_bp // 10_000 <= credits_fen
    assert min(parts) >= 0
