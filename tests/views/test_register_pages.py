"""Each register has its list, page, history, correction and download: what the pages of the further ones do."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.complaints.models import Subscriber
from supervise.contracts.models import Contract
from supervise.files.models import ImportBatch
from supervise.parties.models import OfficialNumber, PartyRelation, StaffNumber
from tests.conftest import Accessibility
from tests.factories.access import make_user, sign_in
from tests.factories.complaints import make_number, make_subscriber
from tests.factories.contracts import make_contract
from tests.factories.parties import give_scope, make_party, make_staff_number, make_unit

Arrange = Callable[[Callable[[Session], object]], None]

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def world(app: Flask) -> Flask:
    """Two branches with an agent, a worker, a subscriber and a contract each; a user of every role that counts here."""
    with app.app_context(), db.writing() as session:
        for place, name in enumerate(("城关分公司", "碑林分公司")):
            unit = make_unit(session, name=name, code=f"02{place}")
            agent = make_party(session, name=f"{name}代理", code=f"A{place}", sponsor=unit)
            make_staff_number(session, employer=agent, staff_number=f"800{place}")
            number = make_number(session, digits=f"1391234567{place}")
            make_subscriber(session, number=number, unit=unit, account_ref=f"ACC-{place}")
            make_contract(session, party=agent, unit=unit, number=f"HT-{place}")
            if not place:
                clerk = make_user(session, role=Role.CLERK)
                give_scope(session, user_id=clerk.id, unit=unit)
        for role in (Role.TRIAGER, Role.SUPERVISOR, Role.ADMIN):
            make_user(session, role=role)
    return app


def signed_in(app: Flask, role: Role) -> FlaskClient:
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        sign_in(session, client, session.scalars(select(User).where(User.role == role)).one())
    return client


def first(app: Flask, model: type[Any]) -> int:
    with app.app_context(), db.reading() as session:
        return int(session.scalars(select(model.id).order_by(model.id).limit(1)).one())


def text_of(client: FlaskClient, address: str) -> str:
    response = client.get(address, follow_redirects=True)
    assert response.status_code == 200, response.text
    return response.text


def lines_of(client: FlaskClient, address: str) -> list[list[str]]:
    return list(csv.reader(text_of(client, address).removeprefix("\ufeff").splitlines()))


def test_official_numbers_are_found_by_carrier_and_use_and_go_out_so(world: Flask) -> None:
    clerk = signed_in(world, Role.CLERK)

    page = text_of(clerk, "/official-numbers/?carrier=CM&use=outbound")
    lines = lines_of(clerk, "/official-numbers/export?format=csv&carrier=CM&use=outbound")

    assert set(re.findall(">(100[0-9]{2})<", page)) == {"10085"}
    assert {line[1] for line in lines[1:]} == {"10085"}


def test_an_administrator_corrects_a_declaration_and_its_page_tells_of_it(world: Flask) -> None:
    admin = signed_in(world, Role.ADMIN)
    official_id = first(world, OfficialNumber)
    change = {"legal_basis": "新公告", "valid_from": "2025-08-01", "reason": "文号有误", "version": "1"}

    done = admin.post(f"/official-numbers/{official_id}/correct", data=change)
    again = admin.post(f"/official-numbers/{official_id}/correct", data=change)

    assert (done.status_code, again.status_code) == (303, 409)
    page = text_of(admin, done.location)
    assert "新公告" in page
    assert "Official number corrected" in page
    assert "Official number corrected" not in text_of(signed_in(world, Role.CLERK), done.location)


def test_an_administrator_brings_a_file_of_official_numbers_in(world: Flask) -> None:
    admin = signed_in(world, Role.ADMIN)
    file = "运营商,号码,用途,依据,生效日期\nCU,10018,hotline,公告,2026-03-01\nCU,10018,hotline,公告,2026-04-01\n"

    sent = admin.post("/imports/new?kind=official_numbers", data={"file": (io.BytesIO(file.encode()), "official.csv")})
    preview = text_of(admin, sent.location)
    taken = admin.post(f"{sent.location}/take-over")

    assert "Row 2 declares this number for the same use" in preview
    assert taken.status_code == 303
    assert ">10018<" in text_of(admin, "/official-numbers/?q=10018")
    batch_id = first(world, ImportBatch)
    assert signed_in(world, Role.TRIAGER).get(f"/imports/{batch_id}").status_code == 404


def test_a_worker_is_corrected_on_a_page_that_shows_what_is_wrong(world: Flask) -> None:
    triager = signed_in(world, Role.TRIAGER)
    address = f"/staff/{first(world, StaffNumber)}"
    change = {"alias": "小李", "place": "020", "valid_from": "2026-01-01", "reason": "录入有误", "version": "1"}

    backwards = triager.post(f"{address}/correct", data={**change, "valid_to": "2025-01-01"})
    unknown = triager.post(f"{address}/correct", data={**change, "place": "099"})
    done = triager.post(f"{address}/correct", data=change)

    assert (backwards.status_code, unknown.status_code, done.status_code) == (400, 400, 303)
    assert "The end must be after the start" in backwards.text
    assert "Nothing in the register has the code 099" in unknown.text
    page = text_of(triager, address)
    assert "小李" in page
    assert "Staff number corrected" in page


def test_a_branch_clerk_sees_the_ties_of_own_parties_in_list_and_file(world: Flask) -> None:
    clerk, triager = signed_in(world, Role.CLERK), signed_in(world, Role.TRIAGER)

    own = lines_of(clerk, "/relations/export?format=csv")
    every = lines_of(triager, "/relations/export?format=csv")

    assert {line[0] for line in own[1:]} == {"A0"}
    assert {line[0] for line in every[1:]} == {"A0", "A1"}
    assert "碑林分公司代理" not in text_of(clerk, "/relations/")


def test_a_tie_is_corrected_from_the_partys_page(world: Flask) -> None:
    triager = signed_in(world, Role.TRIAGER)
    relation_id = first(world, PartyRelation)

    done = triager.post(
        f"/relations/{relation_id}/correct",
        data={"valid_from": "2026-01-01", "valid_to": "2026-07-01", "reason": "协议日期", "version": "1"},
    )

    assert done.status_code == 303
    page = text_of(triager, done.location)
    assert "2026-07-01" in page
    assert "Relation corrected" in page


def test_subscribers_are_narrowed_by_region_and_go_out_masked(world: Flask) -> None:
    clerk, triager = signed_in(world, Role.CLERK), signed_in(world, Role.TRIAGER)

    found = triager.post("/subscribers/", data={"number": "13912345671", "present": "y"})
    page = text_of(triager, found.location)
    files = {client: text_of(client, "/subscribers/export?format=csv") for client in (clerk, triager)}

    assert "ACC-1" in page
    assert "ACC-0" not in page
    assert "ACC-0" in files[clerk]
    assert "ACC-1" not in files[clerk]
    assert "139****5671" in files[triager]
    assert not re.search("1391234567[0-9]", page + "".join(files.values()))


def test_a_subscriber_is_corrected_and_a_second_hand_is_told(world: Flask) -> None:
    triager = signed_in(world, Role.TRIAGER)
    address = f"/subscribers/{first(world, Subscriber)}"
    change = {"account_ref": "ACC-9", "unit_id": "", "held_from": "2026-01-01T00:00", "reason": "录错", "version": "1"}

    done = triager.post(f"{address}/correct", data=change)
    again = triager.post(f"{address}/correct", data=change)

    assert (done.status_code, again.status_code) == (303, 409)
    page = text_of(triager, address)
    assert "ACC-9" in page
    assert "Subscriber entry corrected" in page


def test_contracts_go_out_with_their_rules_beside_and_tell_their_history(world: Flask) -> None:
    supervisor, triager = signed_in(world, Role.SUPERVISOR), signed_in(world, Role.TRIAGER)
    address = f"/contracts/{first(world, Contract)}"
    end = {"last_on": "2030-12-31", "reason": "协商终止", "version": "1"}

    assert supervisor.post(f"{address}/terminate", data=end).status_code == 303
    every = lines_of(triager, "/contracts/export?format=csv")
    ended = lines_of(triager, "/contracts/export?format=csv&state=terminated")
    rules = lines_of(triager, "/contracts/rules/export?format=csv")

    assert {line[0] for line in every[1:]} == {"HT-0", "HT-1"}
    assert {line[0] for line in ended[1:]} == {"HT-0"}
    assert rules[0][:4] == ["Contract number", "Partner", "Rule", "Version"]
    assert "协商终止" in text_of(supervisor, address)


def test_parties_below_nobody_are_found(world: Flask) -> None:
    with world.app_context(), db.writing() as session:
        make_party(session, name="无主外呼", code="A9")

    page = text_of(signed_in(world, Role.TRIAGER), "/parties/?untied=y")

    assert "无主外呼" in page
    assert "城关分公司" not in page


def test_the_list_of_users_goes_out_with_everybodys_scope(world: Flask) -> None:
    admin = signed_in(world, Role.ADMIN)

    lines = lines_of(admin, "/users/export?format=csv&role=clerk")

    assert [line[:5] for line in lines[1:]] == [["clerk", "Wang Fang", "Clerk", "020", "yes"]]


def test_undertakings_go_out_masked_and_tell_their_history(world: Flask) -> None:
    triager = signed_in(world, Role.TRIAGER)
    promise = {
        "starts_at": "2026-01-01T00:00",
        "per_call_fen": "50",
        "call_unit": "answered",
        "nature": "compensation",
        "lump_fen": "100",
        "text": "每次补偿",
    }

    drafted = triager.post(f"/undertakings/new/{first(world, Subscriber)}", data=promise)
    lines = lines_of(triager, "/undertakings/export?format=csv&state=draft")

    assert drafted.status_code == 303
    assert [line[1:3] + line[6:8] for line in lines[1:]] == [["139****5670", "ACC-0", "50.00", "100.00"]]
    assert "Undertaking drafted" in text_of(triager, drafted.location)


def test_reference_rows_go_out_and_tell_their_history_to_who_keeps_them(world: Flask) -> None:
    admin, clerk = signed_in(world, Role.ADMIN), signed_in(world, Role.CLERK)
    offence = {
        "code": "night_calls",
        "family": "frequency",
        "name_zh": "夜间外呼",
        "name_en": "Calls at night",
        "legal_basis": "考核办法第七条",
        "valid_from": "2026-01-01",
    }

    assert admin.post("/reference/offences/new", data=offence).status_code == 303
    offences, deadlines = (
        lines_of(clerk, f"/reference/{name}/export?format=csv") for name in ("offences", "deadlines")
    )

    assert "night_calls" in {line[1] for line in offences}
    assert len(deadlines) > 1
    assert "Offence type added" in text_of(admin, "/reference/offences")
    assert "Offence type added" not in text_of(clerk, "/reference/offences")


@pytest.mark.browser
def test_the_further_pages_break_no_rule_of_accessibility(
    world: Flask, live_url: str, page: Page, axe: Accessibility
) -> None:
    broken = {}
    for role, addresses in (
        (
            Role.TRIAGER,
            [
                "/relations/",
                f"/relations/{first(world, PartyRelation)}/correct",
                "/subscribers/",
                f"/subscribers/{first(world, Subscriber)}/correct",
                "/contracts/",
                f"/contracts/{first(world, Contract)}",
                "/imports/new?kind=relations",
                "/records/coverage",
                "/records/imports/new",
                "/records/retention",
                "/watch/",
                "/watch/no_recording",
            ],
        ),
        (
            Role.ADMIN,
            ["/official-numbers/", f"/official-numbers/{first(world, OfficialNumber)}", "/imports/"],
        ),
    ):
        cookie = signed_in(world, role).get_cookie(world.config["IDENTITY_COOKIE"])
        assert cookie is not None
        page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_url}])
        for address in addresses:
            response = page.goto(f"{live_url}{address}")
            assert response is not None
            assert response.ok, address
            if found := axe.violations(page):
                broken[address] = found

    assert broken == {}
