"""The schema of a rule: what it takes, what it refuses, and what it can say but nobody can compute yet."""

from typing import Any

import pytest

from supervise.contracts.rules import (
    AcrossTypes,
    Aggravation,
    AggravationCode,
    Basis,
    CapPer,
    Points,
    RecoveryBase,
    RuleParametersError,
    ShareMode,
    Threshold,
    ThresholdBase,
    TierWindow,
    UnsupportedRuleError,
    content_sha256,
    parse_parameters,
    refuse_what_cannot_be_computed,
)
from supervise.parties.models import PartyKind

FLAT = {"basis": "per_offence", "amount_fen": 20000}
COUNT = {"above_count": 20, "above_bp": 0, "excess_only": True}
STEPS = [{"from_count": 1, "amount_fen": 20000}, {"from_count": 2, "amount_fen": 30000}]


def joint(*parts: tuple[str, int | None, int | None]) -> dict[str, Any]:
    return {
        "mode": "joint",
        "parts": [{"kind": kind, "share_bp": bp, "limit_fen": limit} for kind, bp, limit in parts],
    }


def test_the_smallest_rule_charges_the_highest_offence_only() -> None:
    rule = parse_parameters(FLAT)

    assert (rule.basis, rule.amount_fen, rule.across_types) == (Basis.PER_OFFENCE, 20000, AcrossTypes.HIGHEST_ONLY)
    assert (rule.tiers, rule.caps, rule.shares, rule.threshold, rule.recovery_bp) == (None, (), None, None, None)


def test_every_clause_can_be_said() -> None:
    rule = parse_parameters(
        {
            **FLAT,
            "across_types": "cumulative",
            "tiers": {"window": "rolling_days", "days": 90, "steps": STEPS},
            "caps": [{"per": "month", "limit_fen": 500000}, {"per": "month", "commission_bp": 3000}],
            "shares": {
                "mode": "percent",
                "parts": [{"kind": "org_unit", "share_bp": 2000}, {"kind": "agent", "share_bp": 8000}],
            },
            "recovery_bp": 5000,
            "points": {"each": 20, "months": 12},
            "aggravations": [{"code": "after_refusal", "multiplier_bp": 15000}],
        }
    )

    assert rule.tiers is not None
    assert rule.tiers.window is TierWindow.ROLLING_DAYS
    assert [cap.per for cap in rule.caps] == [CapPer.MONTH, CapPer.MONTH]
    assert rule.shares is not None
    assert rule.shares.mode is ShareMode.PERCENT
    assert [part.kind for part in rule.shares.parts] == [PartyKind.ORG_UNIT, PartyKind.AGENT]
    assert (rule.recovery_bp, rule.recovery_base) == (5000, RecoveryBase.CALL_PROVEN)
    assert rule.aggravations == (Aggravation(AggravationCode.AFTER_REFUSAL, 15000),)
    assert rule.points == Points(20, 12)


def test_a_threshold_counts_cases_and_their_part_of_a_figure() -> None:
    rule = parse_parameters(
        {**FLAT, "threshold": {"above_count": 20, "above_bp": 1000, "excess_only": True, "base": "orders"}}
    )

    assert rule.threshold == Threshold(20, 1000, excess_only=True, base=ThresholdBase.ORDERS)


def test_joint_parties_have_percentages_and_limits_or_bear_it_equally() -> None:
    stated = parse_parameters({**FLAT, "shares": joint(("agent", 6000, 20000), ("outsourcer", 4000, None))})
    unstated = parse_parameters({**FLAT, "shares": joint(("agent", None, None), ("outsourcer", None, None))})

    assert stated.shares is not None
    assert [(part.share_bp, part.limit_fen) for part in stated.shares.parts] == [(6000, 20000), (4000, None)]
    assert unstated.shares is not None
    assert [part.share_bp for part in unstated.shares.parts] == [None, None]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount_fen": 0}, "amount_fen"),
        ({"amount_fen": -1}, "amount_fen"),
        ({"amount_fen": True}, "amount_fen"),
        ({"amount_fen": 200.0}, "amount_fen"),
        ({"amount_fen": "20000"}, "amount_fen"),
        ({"amount_fen": None}, "amount_fen"),
        ({"basis": "per_month"}, "basis"),
        ({"across_types": "some"}, "across_types"),
        ({"ammount": 3}, "ammount"),
        ({"tiers": {"window": "rolling_days", "steps": STEPS}}, "tiers.days"),
        ({"tiers": {"window": "calendar_month", "days": 30, "steps": STEPS}}, "tiers.days"),
        ({"tiers": {"window": "calendar_month", "steps": []}}, "tiers.steps"),
        ({"tiers": {"window": "calendar_month", "steps": [{"from_count": 1}]}}, "tiers.steps[0].amount_fen"),
        ({"caps": [{"per": "week", "limit_fen": 1}]}, "caps[0].per"),
        ({"shares": {"mode": "equal", "parts": [{"kind": "agent", "share_bp": 1}]}}, "shares.parts[0].share_bp"),
        ({"shares": {"mode": "percent", "parts": [{"kind": "nobody", "share_bp": 1}]}}, "shares.parts[0].kind"),
        ({"threshold": {"above_count": 1, "above_bp": 1, "excess_only": 1}}, "threshold.excess_only"),
        ({"recovery_bp": 10001}, "recovery_bp"),
        ({"aggravations": [{"code": "", "multiplier_bp": 20000}]}, "aggravations[0].code"),
        ({"aggravations": [{"code": "rudeness", "multiplier_bp": 20000}]}, "aggravations[0].code"),
        ({"aggravations": [{"code": "night", "multiplier_bp": 9999}]}, "aggravations[0].multiplier_bp"),
        ({"caps": [{"per": "day", "limit_fen": 1, "release": "yes"}]}, "caps[0].release"),
        ({"shares": {"mode": "equal", "parts": [{"kind": "agent", "limit_fen": 1}]}}, "shares.parts[0].limit_fen"),
        ({"threshold": {"above_count": 1, "above_bp": 1, "excess_only": True, "base": "sales"}}, "threshold.base"),
        ({"points": {"each": 101, "months": 12}}, "points.each"),
        ({"points": {"each": 1, "months": 0}}, "points.months"),
        ({"recovery_bp": 1, "recovery_base": "nothing"}, "recovery_base"),
    ],
)
def test_a_wrong_member_is_refused_by_its_name(change: dict[str, Any], field: str) -> None:
    with pytest.raises(RuleParametersError) as refusal:
        parse_parameters({**FLAT, **change})

    assert refusal.value.parameters["field"] == field


@pytest.mark.parametrize(
    "change",
    [
        {"tiers": {"window": "calendar_month", "steps": STEPS[1:]}},
        {"tiers": {"window": "calendar_month", "steps": [STEPS[0], STEPS[0]]}},
        {"tiers": {"window": "calendar_month", "steps": [{"from_count": 1, "amount_fen": 1}]}},
        {"caps": [{"per": "day"}]},
        {"caps": [{"per": "day", "limit_fen": 1, "commission_bp": 1}]},
        {"shares": {"mode": "percent", "parts": [{"kind": "agent", "share_bp": 9999}]}},
        {"shares": {"mode": "equal", "parts": [{"kind": "agent"}, {"kind": "agent"}]}},
        {"basis": "per_call", "across_types": "cumulative"},
        {"basis": "per_recipient", "across_types": "cumulative"},
        {"caps": [{"per": "day", "commission_bp": 3000}]},
        {"shares": joint(("agent", 6000, None), ("outsourcer", 3999, None))},
        {"shares": joint(("agent", 6000, None), ("outsourcer", None, None))},
        {"shares": joint(("agent", 10000, None))},
        {"shares": joint(("agent", 5000, None), ("org_unit", 5000, None))},
        {"shares": joint(("agent", 6000, 11999), ("outsourcer", 4000, None))},
        {"threshold": {"above_count": 20, "above_bp": 1000, "excess_only": True}},
        {"threshold": {"above_count": 0, "above_bp": 0, "excess_only": True}},
        {"threshold": COUNT, "tiers": {"window": "calendar_month", "steps": STEPS}},
        {"threshold": COUNT, "basis": "per_recipient"},
        {"recovery_base": "finding"},
        {"aggravations": [{"code": "night", "multiplier_bp": bp} for bp in (20000, 30000)]},
        {"amount_fen": 10_000_000_000, "aggravations": [{"code": "night", "multiplier_bp": 20000}]},
    ],
)
def test_members_that_contradict_each_other_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RuleParametersError):
        parse_parameters({**FLAT, **change})


@pytest.mark.parametrize("value", [None, [], "per_offence", 3])
def test_what_is_no_object_is_no_rule(value: object) -> None:
    with pytest.raises(RuleParametersError):
        parse_parameters(value)


@pytest.mark.parametrize(
    "change",
    [
        {"tiers": {"window": "calendar_month", "steps": [STEPS[0], {"from_count": 2, "amount_fen": 1}]}},
    ],
)
def test_a_clause_that_nobody_computes_is_refused_never_ignored(change: dict[str, Any]) -> None:
    parameters = parse_parameters({**FLAT, **change})

    with pytest.raises(UnsupportedRuleError):
        refuse_what_cannot_be_computed(parameters)


@pytest.mark.parametrize(
    "change",
    [
        {"basis": "per_recipient"},
        {"basis": "per_number_month"},
        {"caps": [{"per": "month", "commission_bp": 3000}, {"per": "subscriber", "limit_fen": 1}]},
        {"shares": joint(("agent", None, None), ("outsourcer", None, None))},
        {"threshold": COUNT},
        {"recovery_bp": 5000},
        {"aggravations": [{"code": "after_push", "multiplier_bp": 15000}]},
        {"aggravations": [{"code": "after_refusal", "multiplier_bp": 15000}], "points": {"each": 5, "months": 12}},
    ],
)
def test_every_other_clause_can_be_computed(change: dict[str, Any]) -> None:
    refuse_what_cannot_be_computed(parse_parameters({**FLAT, **change}))


def test_tiers_caps_and_shares_can_be_computed() -> None:
    parameters = parse_parameters(
        {
            **FLAT,
            "tiers": {"window": "calendar_month", "steps": STEPS},
            "caps": [{"per": per, "limit_fen": 1} for per in ("incident", "day", "month")],
            "shares": {"mode": "equal", "parts": [{"kind": "agent"}, {"kind": "org_unit"}]},
        }
    )

    refuse_what_cannot_be_computed(parameters)


def test_the_hash_does_not_depend_on_the_order_of_members() -> None:
    assert content_sha256({"a": 1, "b": 2}) == content_sha256({"b": 2, "a": 1})
    assert content_sha256({"a": 1, "b": 2}) != content_sha256({"a": 1, "b": 3})
