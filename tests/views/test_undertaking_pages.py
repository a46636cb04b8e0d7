"""Undertakings by the form: found by number without writing it down, agreed by a second person, settled once."""

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import db
from supervise.compensation.models import CompensationPolicy, Credit, PromiseState, Undertaking
from supervise.complaints.models import Subscriber
from tests.factories.compensation import make_labels
from tests.factories.complaints import make_subscriber
from tests.factories.parties import make_unit
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
NUMBER = "13912345678"
TERMS = {
    "starts_at": "2026-11-01T00:00",
    "ends_at": "",
    "per_call_fen": "50",
    "call_unit": "attempted",
    "calls_per_day_max": "",
    "nature": "compensation",
    "lump_fen": "100",
    "text": "自承诺之日起每次赔偿50元",
    "ticket": "",
}


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


@pytest.fixture
def subscriber(app: Flask, scene: Scene) -> Subscriber:
    def make(session: Session) -> Subscriber:
        make_labels(session)
        unit = make_unit(session, cost_centre="CC-9")
        return make_subscriber(session, digits=NUMBER, account_ref="AC-778", unit=unit)

    return arranged(app, make)


def undertaking(app: Flask) -> Undertaking:
    with app.app_context(), db.reading() as session:
        return session.scalars(select(Undertaking)).one()


@pytest.mark.parametrize("who", [NUMBER, f"+86 {NUMBER}", "AC-778"])
def test_the_subscriber_is_found_by_number_or_account_and_the_number_stays_masked(
    app: Flask, subscriber: Subscriber, who: str
) -> None:
    page = browser(app, "triager").post("/undertakings/find", data={"who": who}).text

    assert f"/undertakings/new/{subscriber.id}" in page
    assert "139****5678" in page
    assert page.count(NUMBER) == (who != "AC-778"), "only what was typed stands in the field"


def test_an_unknown_number_is_said_to_be_unknown(app: Flask, subscriber: Subscriber) -> None:
    page = browser(app, "triager").post("/undertakings/find", data={"who": "13900000000"}).text

    assert "No subscriber is known by this number or account" in page


def test_an_undertaking_is_agreed_by_a_second_person_and_its_lump_sum_is_proposed_once(
    app: Flask, subscriber: Subscriber
) -> None:
    triager, supervisor = browser(app, "triager"), browser(app, "supervisor")

    triager.post(f"/undertakings/new/{subscriber.id}", data=TERMS)
    address = f"/undertakings/{undertaking(app).id}"
    early = triager.post(f"{address}/lump")
    own = triager.get(address).text
    agreed = supervisor.post(f"{address}/agree", data={"version": "1"})
    lump, again = triager.post(f"{address}/lump"), triager.post(f"{address}/lump")

    assert early.status_code == 409
    assert "You drafted this: a second person agrees" in own
    assert (agreed.status_code, lump.status_code, again.status_code) == (303, 303, 409)
    assert undertaking(app).state is PromiseState.ACTIVE
    with app.app_context(), db.reading() as session:
        assert [credit.amount_fen for credit in session.scalars(select(Credit))] == [100_00]


def test_an_undertaking_of_nothing_or_for_an_unknown_ticket_is_refused(app: Flask, subscriber: Subscriber) -> None:
    triager = browser(app, "triager")
    address = f"/undertakings/new/{subscriber.id}"

    nothing = triager.post(address, data=TERMS | {"per_call_fen": "0", "lump_fen": ""})
    no_ticket = triager.post(address, data=TERMS | {"ticket": "TS-1"})

    assert (nothing.status_code, no_ticket.status_code) == (422, 400)
    assert "There is no ticket TS-1" in no_ticket.text


def test_a_general_policy_is_put_into_force_by_a_second_person(app: Flask, scene: Scene) -> None:
    triager, supervisor = browser(app, "triager"), browser(app, "supervisor")
    terms = TERMS | {"code": "PC-1", "name": "统一赔偿办法"}

    drafted = triager.post("/undertakings/policies/new", data=terms)
    with app.app_context(), db.reading() as session:
        policy_id = session.scalars(select(CompensationPolicy.id)).one()
    own = triager.get("/undertakings/policies").text
    agreed = supervisor.post(f"/undertakings/policies/{policy_id}/agree", data={"version": "1"})

    assert (drafted.status_code, agreed.status_code) == (303, 303)
    assert "You drafted this: a second person agrees" in own
    with app.app_context(), db.reading() as session:
        assert session.get_one(CompensationPolicy, policy_id).state is PromiseState.ACTIVE


def test_a_label_is_added_by_finance_and_a_used_day_is_refused(app: Flask, scene: Scene) -> None:
    finance = browser(app, "finance")
    label = {"kind": "damages.we_buy", "gl_account_code": "6301.09", "tax_label": "不涉税"}

    added = finance.post("/accounting-labels/", data=label | {"valid_from": "2999-01-01"})
    refused = finance.post("/accounting-labels/", data=label | {"valid_from": "2026-01-01"})

    assert (added.status_code, refused.status_code) == (303, 409)
    assert "6301.09" in finance.get("/accounting-labels/").text
