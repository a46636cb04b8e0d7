"""Regulators' fines on their pages: recorded by finance, claimed back by two people, read by whom it concerns."""

import pytest
from flask import Flask
from sqlalchemy import select

from supervise import db
from supervise.penalties.fine_models import FineRecourse, RecourseState, RegulatorFine
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
FINE = {
    "authority": "某省通信管理局",
    "decision_number": "通管罚字2026第12号",
    "decided_on": "2026-10-08",
    "received_on": "2026-10-12",
    "amount_fen": "100,000.00",
    "due_on": "",
    "subject": "未经同意拨打营销电话",
    "legal_basis": "消费者权益保护法第五十六条",
}


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def recorded(app: Flask, scene: Scene, **changes: str) -> tuple[int, str]:
    form = FINE | {"unit": scene.branch.unit.code, "respondents": scene.partner.party.code} | changes
    response = browser(app, "finance").post("/fines/new", data=form)
    return response.status_code, response.text


def claimed(app: Flask, scene: Scene, amount: str = "60000") -> tuple[int, str]:
    form = {"claim-party": scene.partner.party.code, "claim-amount_fen": amount, "claim-ground": "合同第十二条"}
    response = browser(app, "finance").post("/fines/1/claims", data=form)
    return response.status_code, response.text


def rows(app: Flask) -> list[FineRecourse]:
    with app.app_context(), db.reading() as session:
        return list(session.scalars(select(FineRecourse).order_by(FineRecourse.id)))


def test_a_fine_is_recorded_claimed_back_approved_and_paid(app: Flask, scene: Scene) -> None:
    assert recorded(app, scene)[0] == 303
    assert claimed(app, scene)[0] == 303

    done = browser(app, "supervisor").post("/fines/claims/1/decide", data={"action": "approve"})
    paid = {"amount_fen": "45000", "on": "2026-10-20", "reference": "BANK-1"}
    got = browser(app, "finance").post("/fines/claims/1/receipt", data=paid)

    assert (done.status_code, got.status_code) == (303, 303)
    page = browser(app, "supervisor").get("/fines/1").text
    assert "45,000.00" in page
    assert scene.partner.party.name in page


def test_what_names_nobody_is_said_beside_the_field(app: Flask, scene: Scene) -> None:
    status, page = recorded(app, scene, unit="NOWHERE", respondents="NOBODY")

    assert status == 400
    assert page.count("form-error") >= 2
    with app.app_context(), db.reading() as session:
        assert session.scalars(select(RegulatorFine)).first() is None


def test_more_than_the_fine_is_refused_in_words(app: Flask, scene: Scene) -> None:
    recorded(app, scene)
    claimed(app, scene)

    status, page = claimed(app, scene, amount="40000.01")

    assert status == 409
    assert "40,000.00" in page


def test_a_refused_claim_says_why(app: Flask, scene: Scene) -> None:
    recorded(app, scene)
    claimed(app, scene)

    browser(app, "supervisor").post("/fines/claims/1/decide", data={"action": "reject", "reason": "比例不对"})

    assert [line.state for line in rows(app)] == [RecourseState.REJECTED]
    assert "比例不对" in browser(app, "supervisor").get("/fines/1").text


@pytest.mark.parametrize("username", ["contact", "manager", "stranger"])
def test_who_reads_no_ledger_sees_no_fines(app: Flask, scene: Scene, username: str) -> None:
    recorded(app, scene)

    assert browser(app, username).get("/fines/1").status_code == 403
