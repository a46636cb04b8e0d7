"""Amendments by the form, and the contracts that end soon."""

import datetime as dt
import re

import pytest
from flask import Flask

from supervise import clock, db
from supervise.contracts.models import Contract
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def test_an_amendment_is_drafted_read_and_put_into_force_by_two_people(app: Flask, scene: Scene) -> None:
    triager, supervisor = browser(app, "triager"), browser(app, "supervisor")
    address = f"/contracts/{scene.partner.contract.id}"
    today = clock.today().isoformat()
    paper = {"number": "补充协议一", "signed_on": today, "effective_from": today, "reason": "双方会谈纪要第 3 条"}

    nothing = triager.post(f"{address}/amendments/new", data=paper)
    drafted = triager.post(
        f"{address}/amendments/new", data=paper | {"deposit_required_fen": "20000", "appeal_days": "9"}
    )
    own, theirs = triager.get(address).text, supervisor.get(address).text
    done = supervisor.post(re.search(r"/contracts/amendments/\d+/activate", theirs)[0])  # type: ignore[index]
    after = supervisor.get(address).text

    assert nothing.status_code == 422
    assert "An amendment changes at least one term" in nothing.text
    assert (drafted.status_code, done.status_code) == (303, 303)
    assert "9 days to object. Deposit required: 20,000.00 yuan." in own
    assert "/activate" not in own
    assert "20,000.00" in after.split('id="terms"')[1].split('id="amendments"')[0]


def test_the_list_finds_contracts_that_end_soon(app: Flask, scene: Scene) -> None:
    with app.app_context(), db.writing() as session:
        soon = clock.today() + dt.timedelta(days=91)
        session.get_one(Contract, scene.partner.contract.id).ends_on = soon
    page = browser(app, "supervisor").get("/contracts/?expiring=y").text

    assert scene.partner.contract.number in page
    assert page.count("data-open") == 1
