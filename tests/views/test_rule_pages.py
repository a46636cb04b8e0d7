"""Rules by the form: every clause, errors beside their fields, versions compared, cautions ticked by a second person."""

import html
import re

import pytest
from flask import Flask
from sqlalchemy import select

from supervise import clock, db
from supervise.audit.models import AuditEvent
from supervise.contracts.models import RuleState, RuleVersion
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
#: As a browser sends a form in which every card says something, but for the first day.
RULE = {
    "code": "HX/P1",
    "offence_code": "after_refusal",
    "priority": "10",
    "last_on": "",
    "basis": "per_offence",
    "amount_fen": "200",
    "across_types": "highest_only",
    "window": "rolling_days",
    "days": "90",
    "steps-0-from_count": "1",
    "steps-0-amount_fen": "200",
    "steps-1-from_count": "4",
    "steps-1-amount_fen": "500",
    "times_after_refusal": "1.5",
    "times_night": "",
    "times_official_number": "2",
    "times_after_push": "",
    "threshold_count": "",
    "threshold_bp": "",
    "threshold_base": "",
    "caps-0-per": "month",
    "caps-0-limit_fen": "5,000.00",
    "caps-0-commission_bp": "",
    "caps-1-per": "month",
    "caps-1-limit_fen": "",
    "caps-1-commission_bp": "12.5",
    "caps-2-per": "subscriber",
    "caps-2-limit_fen": "1000",
    "caps-2-commission_bp": "",
    "share_mode": "joint",
    "shares-0-kind": "agent",
    "shares-0-share_bp": "66.67",
    "shares-0-limit_fen": "",
    "shares-1-kind": "outsourcer",
    "shares-1-share_bp": "33.33",
    "shares-1-limit_fen": "600",
    "recovery_bp": "80",
    "recovery_base": "finding",
    "points_each": "2",
    "points_months": "12",
}
PARAMETERS = {
    "basis": "per_offence",
    "amount_fen": 200_00,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [{"from_count": 1, "amount_fen": 200_00}, {"from_count": 4, "amount_fen": 500_00}],
    },
    "aggravations": [
        {"code": "after_refusal", "multiplier_bp": 15_000},
        {"code": "official_number", "multiplier_bp": 20_000},
    ],
    "caps": [
        {"per": "month", "limit_fen": 5_000_00},
        {"per": "month", "commission_bp": 1250},
        {"per": "subscriber", "limit_fen": 1_000_00},
    ],
    "shares": {
        "mode": "joint",
        "parts": [
            {"kind": "agent", "share_bp": 6667},
            {"kind": "outsourcer", "share_bp": 3333, "limit_fen": 600_00},
        ],
    },
    "recovery_bp": 8000,
    "recovery_base": "finding",
    "points": {"each": 2, "months": 12},
}


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def newest_rule(app: Flask) -> RuleVersion:
    with app.app_context(), db.reading() as session:
        return session.scalars(select(RuleVersion).order_by(RuleVersion.id.desc())).first()  # type: ignore[return-value]


def draft(app: Flask, scene: Scene, **changes: str) -> tuple[int, str]:
    address = f"/contracts/{scene.partner.contract.id}/rules/new"
    next_year = clock.today().year + 1
    response = browser(app, "triager").post(address, data=RULE | {"valid_from": f"{next_year}-01-01"} | changes)
    return response.status_code, response.text


def sent_again(page: str) -> dict[str, str]:
    """Return what a browser would send of the form on *page* if nothing was changed."""
    fields = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or "checked" in tag):
            fields[name[1]] = html.unescape(value[1]) if value else ""
    for name, choices in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option selected value="([^"]*)"', choices)
        fields[name] = chosen[1] if chosen else ""
    return {name: value for name, value in fields.items() if "__n__" not in name}


def test_a_clerks_form_becomes_the_rule_that_it_says(app: Flask, scene: Scene) -> None:
    status, _page = draft(app, scene)

    rule = newest_rule(app)
    assert status == 303
    assert (rule.state, rule.offence_code, rule.priority) == (RuleState.DRAFT, "after_refusal", 10)
    assert rule.parameters == PARAMETERS


def test_a_threshold_on_each_call_becomes_the_rule_that_it_says(app: Flask, scene: Scene) -> None:
    few = {name: "" for name in RULE if name.startswith(("steps", "caps", "shares"))} | {
        "window": "",
        "share_mode": "",
        "basis": "per_call",
        "times_after_refusal": "",
        "times_official_number": "",
        "recovery_bp": "",
        "points_each": "",
        "points_months": "",
        "threshold_count": "30",
        "threshold_bp": "0.5",
        "threshold_base": "orders",
        "excess_only": "y",
    }
    draft(app, scene, **few)

    assert newest_rule(app).parameters == {
        "basis": "per_call",
        "amount_fen": 200_00,
        "threshold": {"above_count": 30, "above_bp": 50, "excess_only": True, "base": "orders"},
    }


def test_a_version_copied_into_the_form_and_sent_again_says_the_same(app: Flask, scene: Scene) -> None:
    draft(app, scene)
    first = newest_rule(app)
    triager = browser(app, "triager")
    address = f"/contracts/{scene.partner.contract.id}/rules/new?after={first.id}"

    triager.post(address, data=sent_again(triager.get(address).text))

    second = newest_rule(app)
    assert second.number == 2
    assert second.parameters == PARAMETERS


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"shares-1-share_bp": "30"}, "share_mode", "Shares must add up to 100 percent"),
        ({"shares-1-share_bp": "33.333"}, "shares-1-share_bp", "Enter a percentage, such as 33.33"),
        ({"share_mode": "percent"}, "shares-1-limit_fen", "Only joint liability has limits"),
        ({"share_mode": ""}, "share_mode", "Choose how the parties below bear it"),
        ({"shares-1-limit_fen": "100"}, "share_mode", "The limit of Outsourcer is below its own share"),
        ({"steps-0-amount_fen": "100"}, "window", "The first tier must cost the rule's own amount"),
        ({"steps-1-amount_fen": ""}, "steps-1-amount_fen", "Enter an amount"),
        ({"days": ""}, "days", "Enter the number of days"),
        ({"times_night": "0.5"}, "times_night", "Enter how many times, from 1 to 100"),
        ({"threshold_count": "30"}, "threshold_count", "it does not go with tiers"),
        ({"caps-1-per": "day"}, "caps-1-commission_bp", "caps the calendar month"),
        ({"caps-0-commission_bp": "10"}, "caps-0-limit_fen", "Enter either an amount or a percentage"),
        ({"points_months": ""}, "points_months", "Points need both"),
        ({"amount_fen": "1.005"}, "amount_fen", "Enter an amount in yuan"),
        ({"last_on": "2020-01-01"}, "last_on", "The last day is before the first"),
    ],
)
def test_what_makes_no_rule_is_said_beside_the_field(
    app: Flask, scene: Scene, change: dict[str, str], field: str, words: str
) -> None:
    status, page = draft(app, scene, **change)

    beside = re.search(rf'id="{field}-error">(.*?)</div>\s*</div>', page, re.DOTALL)
    assert status == 400
    assert beside is not None
    assert words in html.unescape(beside[1])
    assert f'<a href="#{field}">' in page
    assert 'value="HX/P1"' in page


def test_a_supervisor_ticks_what_speaks_against_it_and_puts_it_into_force(app: Flask, scene: Scene) -> None:
    dear = {"amount_fen": "2000000", "steps-0-amount_fen": "2000000", "steps-1-amount_fen": "2000000"}
    draft(app, scene, **dear, **{"shares-1-limit_fen": "", "times_official_number": ""})
    rule = newest_rule(app)
    address = f"/contracts/rules/{rule.id}"
    triager, supervisor = browser(app, "triager"), browser(app, "supervisor")

    own, theirs = triager.get(address).text, supervisor.get(address).text
    sent = sent_again(theirs.split('id="turn"')[1].split('id="words"')[0])
    ticked = {"ticked": re.findall(r'name="ticked"\s+value="([^"]*)"', theirs)}
    stale = supervisor.post(f"{address}/activate", data=sent | ticked | {"shown_sha256": "0" * 64})
    unticked = supervisor.post(f"{address}/activate", data=sent)
    done = supervisor.post(f"{address}/activate", data=sent | ticked)

    assert "You drafted this" in own
    assert "Put into force</button>" not in own
    assert "It is your turn" in theirs
    assert "One offence could cost 3,000,000.00 yuan before caps" in theirs
    assert (stale.status_code, unticked.status_code, done.status_code) == (409, 409, 303)
    assert newest_rule(app).state is RuleState.ACTIVE
    with app.app_context(), db.reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "rule.activated")).one()
        assert event.changes is not None
        assert event.changes["warnings"] == ["amount:300000000"]


def test_a_clause_that_cannot_be_computed_is_said_before_anybody_tries(app: Flask, scene: Scene) -> None:
    draft(app, scene, **{"steps-1-amount_fen": "100"})

    page = browser(app, "supervisor").get(f"/contracts/rules/{newest_rule(app).id}").text

    assert "A repeat cannot cost less than the offence before it" in page
    assert "Put into force</button>" not in page


def test_the_next_version_shows_clause_by_clause_what_changes(app: Flask, scene: Scene) -> None:
    draft(app, scene)
    draft(app, scene, **{"amount_fen": "250", "steps-0-amount_fen": "250", "points_each": "", "points_months": ""})

    page = browser(app, "triager").get(f"/contracts/rules/{newest_rule(app).id}").text

    assert "Against version 1" in page
    assert "<del>200.00 yuan for each proven offence.</del>" in page
    assert "<ins>250.00 yuan for each proven offence.</ins>" in page
    assert "<del>Each offence takes 2 points off the party, for 12 months.</del>" in page
    assert "<ins>Each offence" not in page
