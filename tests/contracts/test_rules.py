"""The schema of a rule: what it takes, what it refuses, and what it can say but nobody can compute yet."""

from typing import Any

import pytest

from supervise.contracts.rules import (
    AcrossTypes,
    Basis,
    CapPer,
    RuleParametersError,
    ShareMode,
    TierWindow,
    UnsupportedRuleError,
    content_sha256,
    parse_parameters,
    refuse_what_cannot_be_computed,
)
from supervise.parties.models import PartyKind

FLAT = {"basis": "per_offence", "amount_fen": 20000}
STEPS = [{"from_count": 1, "amount_fen": 20000}, {"from_count": 2, "amount_fen": 30000}]


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
            "threshold": {"above_count": 20, "above_bp": 1000, "excess_only": True},
            "recovery_bp": 5000,
            "aggravations": [{"code": "after_refusal", "multiplier_bp": 15000}],
        }
    )

    assert rule.tiers is not None
    assert rule.tiers.window is TierWindow.ROLLING_DAYS
    assert [cap.per for cap in rule.caps] == [CapPer.MONTH, CapPer.MONTH]
    assert rule.shares is not None
    assert rule.shares.mode is ShareMode.PERCENT
    assert [part.kind for part in rule.shares.parts] == [PartyKind.ORG_UNIT, PartyKind.AGENT]
    assert rule.threshold is not None
    assert rule.threshold.excess_only
    assert (rule.recovery_bp, rule.aggravations[0].multiplier_bp) == (5000, 15000)


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
        ({"aggravations": [{"code": "x", "multiplier_bp": 9999}]}, "aggravations[0].multiplier_bp"),
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
        {"basis": "per_recipient"},
        {"basis": "per_number_month"},
        {"caps": [{"per": "month", "commission_bp": 3000}]},
        {"caps": [{"per": "subscriber", "limit_fen": 1}]},
        {"shares": {"mode": "joint", "parts": [{"kind": "agent"}, {"kind": "outsourcer"}]}},
        {"threshold": {"above_count": 20, "above_bp": 1000, "excess_only": True}},
        {"recovery_bp": 5000},
        {"aggravations": [{"code": "after_refusal", "multiplier_bp": 15000}]},
    ],
)
def test_a_clause_that_nobody_computes_is_refused_never_ignored(change: dict[str, Any]) -> None:
    parameters = parse_parameters({**FLAT, **change})

    with pytest.raises(UnsupportedRuleError):
        refuse_what_cannot_be_computed(parameters)


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
