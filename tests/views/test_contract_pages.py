"""Contracts by the form: drafted by one person, put into force by another."""

import pytest
from flask import Flask
from sqlalchemy import select

from supervise import db
from supervise.contracts.models import Contract, ContractState, SettlementOrder
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


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
