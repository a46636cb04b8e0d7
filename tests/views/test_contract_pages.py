"""Contracts and rules by the form: drafted by one person, compared, put into force by another."""

import pytest
from flask import Flask
from sqlalchemy import select

from supervise import clock, db
from supervise.contracts.models import Contract, ContractState, RuleState, RuleVersion, SettlementOrder
from supervise.contracts.rules import TierWindow, parse_parameters
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
TOMORROW = clock.today().replace(year=clock.today().year + 1)
RULE = {
    "code": "HX/P1",
    "offence_code": "after_refusal",
    "priority": "10",
    "valid_from": TOMORROW.isoformat(),
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
    "cap_month_fen": "5,000.00",
    "cap_day_fen": "",
    "cap_incident_fen": "",
    "share_mode": "percent",
    "shares-0-kind": "agent",
    "shares-0-share_bp": "66.67",
    "shares-1-kind": "outsourcer",
    "shares-1-share_bp": "33.33",
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
    response = browser(app, "triager").post(address, data=RULE | changes)
    return response.status_code, response.text


def test_a_clerks_form_becomes_the_rule_that_it_says(app: Flask, scene: Scene) -> None:
    status, _page = draft(app, scene)

    rule = newest_rule(app)
    parameters = parse_parameters(rule.parameters)
    assert status == 303
    assert (rule.state, rule.offence_code, rule.priority) == (RuleState.DRAFT, "after_refusal", 10)
    assert parameters.tiers is not None
    assert parameters.tiers.window is TierWindow.ROLLING_DAYS
    assert [(step.from_count, step.amount_fen) for step in parameters.tiers.steps] == [(1, 200_00), (4, 500_00)]
    assert [cap.limit_fen for cap in parameters.caps] == [5_000_00]
    assert parameters.shares is not None
    assert [part.share_bp for part in parameters.shares.parts] == [6667, 3333]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shares-1-share_bp": "30"}, "Shares must add up to 100 percent"),
        ({"shares-1-share_bp": "33.333"}, "Enter a percentage, such as 33.33"),
        ({"steps-0-amount_fen": "100"}, "The first tier must cost the rule&#39;s own amount"),
        ({"days": ""}, "Enter the number of days"),
        ({"amount_fen": "1.005"}, "Enter an amount in yuan"),
        ({"last_on": "2020-01-01"}, "The last day is before the first"),
    ],
)
def test_what_makes_no_rule_is_said_in_the_form(app: Flask, scene: Scene, change: dict[str, str], words: str) -> None:
    status, page = draft(app, scene, **change)

    assert status == 400
    assert words in page
    assert 'value="HX/P1"' in page


def test_the_drafter_sees_whose_turn_it_is_and_a_supervisor_puts_it_into_force(app: Flask, scene: Scene) -> None:
    draft(app, scene)
    rule = newest_rule(app)
    address = f"/contracts/rules/{rule.id}"
    triager, supervisor = browser(app, "triager"), browser(app, "supervisor")

    own, theirs = triager.get(address).text, supervisor.get(address).text
    shown = theirs.split('name="shown_sha256"')[1].split('value="')[1].split('"')[0]
    stale = supervisor.post(f"{address}/activate", data={"shown_sha256": "0" * 64})
    done = supervisor.post(f"{address}/activate", data={"shown_sha256": shown})

    assert "You drafted this" in own
    assert "Put into force</button>" not in own
    assert "It is your turn" in theirs
    assert (stale.status_code, done.status_code) == (409, 303)
    assert newest_rule(app).state is RuleState.ACTIVE


def test_the_next_version_shows_what_changes_against_the_one_before(app: Flask, scene: Scene) -> None:
    draft(app, scene)
    first = newest_rule(app)
    triager = browser(app, "triager")

    copied = triager.get(f"/contracts/{scene.partner.contract.id}/rules/new?after={first.id}").text
    draft(app, scene, **{"amount_fen": "250", "steps-0-amount_fen": "250"})
    page = triager.get(f"/contracts/rules/{newest_rule(app).id}").text

    assert 'value="33.33"' in copied
    assert "Against version 1" in page
    assert "<del>200.00 yuan for each proven offence.</del>" in page
    assert "<ins>250.00 yuan for each proven offence.</ins>" in page


def test_a_contract_is_drafted_changed_and_put_into_force_by_two_people(app: Flask, scene: Scene) -> None:
    triager, supervisor = browser(app, "triager"), browser(app, "supervisor")
    terms = {
        "number": "HT-2027-1",
        "name": "外呼合作",
        "party_id": str(scene.partner.party.id),
        "counterparty_unit_id": str(scene.partner.unit.id),
        "direction": "we_buy",
        "scope": "sms",
        "starts_on": "2027-01-01",
        "last_on": "2027-12-31",
        "appeal_days": "5",
        "appeal_day_type": "working",
        "deemed_days": "3",
        "deposit_required_fen": "50,000",
        "top_up_days": "10",
        "settlement_order": "commission_deposit_cash",
    }

    # The scene's contract covers everything; this one is of a year that nobody prices yet, for messages alone.
    location = triager.post("/contracts/new", data=terms).location
    wrong = triager.post("/contracts/new", data=terms | {"number": "HT-2027-2", "direction": "internal"})
    triager.post(f"{location}/edit", data=terms | {"name": "短信合作", "version": "1"})
    stale = supervisor.post(f"{location}/activate", data={"version": "1"})
    done = supervisor.post(f"{location}/activate", data={"version": "2"})

    assert wrong.status_code == 400
    assert "Internal belongs to a policy" in wrong.text
    assert (stale.status_code, done.status_code) == (409, 303)
    with app.app_context(), db.reading() as session:
        contract = session.scalars(select(Contract).where(Contract.number == "HT-2027-1")).one()
        assert (contract.name, contract.state) == ("短信合作", ContractState.ACTIVE)
        assert contract.ends_on is not None
        assert contract.ends_on.isoformat() == "2028-01-01"
        assert contract.deposit_required_fen == 50_000_00
        assert contract.settlement_order is SettlementOrder.COMMISSION_DEPOSIT_CASH


def test_the_month_of_the_workbook_is_checked(app: Flask, scene: Scene) -> None:
    finance = browser(app, "finance")

    assert finance.get("/reports/penalties?month=2999-01").status_code == 422
    assert finance.get("/reports/penalties?month=x").status_code == 422
    assert finance.get("/reports/penalties").status_code == 200
