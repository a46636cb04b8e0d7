"""The pages of the registers, as a browser without a screen sees them."""

import csv
import datetime as dt
import re
from collections.abc import Callable
from io import BytesIO

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.parties.holders import holders_at
from supervise.parties.models import Party, PartyAlias, ProposalState, RegisterProposal
from tests.conftest import Accessibility
from tests.factories.access import make_user, sign_in
from tests.factories.parties import (
    give_scope,
    make_holder,
    make_number,
    make_party,
    make_staff_number,
    make_unit,
    unit_party,
)

NOON = dt.datetime(2026, 3, 5, 12, 0, tzinfo=clock.CHINA).astimezone(dt.UTC)

Arrange = Callable[[Callable[[Session], object]], None]

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def arrange(app: Flask) -> Arrange:
    """Commit what a function adds."""

    def commit(add: Callable[[Session], object]) -> None:
        with app.app_context(), db.writing() as session:
            add(session)

    return commit


def register(session: Session) -> None:
    """Two branches, each with an agent; the first agent's number, and a triager."""
    mine, other = make_unit(session, name="城关分公司", code="029"), make_unit(session, name="碑林分公司", code="030")
    own = make_party(session, name="华信代理", code="A1", sponsor=mine)
    strange = make_party(session, name="联达外呼", code="A2", sponsor=other)
    make_holder(session, party=own, digits="02988880001")
    make_holder(session, party=strange, digits="02988880002")
    make_holder(session, party=unit_party(session, mine), digits="02988880003")
    make_staff_number(session, employer=own, staff_number="8001", placed_at=unit_party(session, mine))
    make_user(session, role=Role.TRIAGER)
    manager, contact = make_user(session, role=Role.BRANCH_MANAGER), make_user(session, role=Role.PARTNER_CONTACT)
    give_scope(session, user_id=manager.id, unit=mine)
    give_scope(session, user_id=contact.id, party=own)


def signed_in(app: Flask, role: Role) -> FlaskClient:
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        user = session.scalars(select(User).where(User.role == role)).one()
        sign_in(session, client, user)
    return client


def texts_of(client: FlaskClient, address: str) -> str:
    # A full number in a search is hidden from the address: the page is one step further.
    response = client.get(address, follow_redirects=True)
    assert response.status_code == 200, response.text
    return response.text


def test_a_branch_manager_sees_own_numbers_in_list_search_and_both_exports(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    manager = signed_in(app, Role.BRANCH_MANAGER)

    page = texts_of(manager, "/numbers/")
    found = texts_of(manager, "/numbers/?q=02988880002")
    lines = list(csv.reader(manager.get("/numbers/export?format=csv").text.removeprefix("\ufeff").splitlines()))
    book = openpyxl.load_workbook(BytesIO(manager.get("/numbers/export").data))

    assert set(re.findall("0298888000[0-9]", page)) == {"02988880001", "02988880003"}
    assert "No number fits" in found
    assert {line[0] for line in lines[1:]} == {"02988880001", "02988880003"}
    assert {row[0] for row in book.active.iter_rows(min_row=2, values_only=True)} == {"02988880001", "02988880003"}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("words", [("en", "Unit name", "City branch"), ("zh_Hans", "机构名称", "市分公司")])
def test_a_download_speaks_the_language_of_its_reader(
    app: Flask, arrange: Arrange, words: tuple[str, str, str], kind: str
) -> None:
    locale, heading, level = words

    def add(session: Session) -> None:
        register(session)
        session.execute(update(User).values(locale=locale))

    arrange(add)

    response = signed_in(app, Role.TRIAGER).get(f"/org-units/export?format={kind}")

    if kind == "csv":
        lines = list(csv.reader(response.text.removeprefix("\ufeff").splitlines()))
    else:
        lines = [list(row) for row in openpyxl.load_workbook(BytesIO(response.data)).active.values]
    assert heading in lines[0]
    assert {line[2] for line in lines[1:]} == {level}


def test_a_partner_sees_the_own_party_and_its_workers_only(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    contact = signed_in(app, Role.PARTNER_CONTACT)

    parties, staff, units = (texts_of(contact, f"/{name}/") for name in ("parties", "staff", "org-units"))

    assert "华信代理" in parties
    assert "联达外呼" not in parties
    assert "8001" in staff
    assert "No unit fits" in units


def test_a_former_number_shows_a_partner_no_word_of_its_new_holder(app: Flask, arrange: Arrange) -> None:
    def hand_over(session: Session) -> None:
        register(session)
        own, strange = (session.scalars(select(Party).where(Party.code == code)).one() for code in ("A1", "A2"))
        number = make_number(session, digits="02988880009")
        make_holder(session, party=own, number=number, held_to=NOON)
        make_holder(session, party=strange, number=number, held_from=NOON, source="保密")

    arrange(hand_over)
    contact = signed_in(app, Role.PARTNER_CONTACT)

    page = texts_of(contact, "/numbers/?q=02988880009")
    address = re.search(r'href="(/numbers/\d+)"', page)
    assert address is not None
    detail = texts_of(contact, address[1])

    assert "联达外呼" not in page + detail
    assert "保密" not in page + detail


def test_parties_are_found_by_another_name(app: Flask, arrange: Arrange) -> None:
    def add(session: Session) -> None:
        register(session)
        party = session.scalars(select(Party).where(Party.code == "A2")).one()
        session.add(PartyAlias(party_id=party.id, name="联通外呼中心", source="投诉"))

    arrange(add)

    page = texts_of(signed_in(app, Role.TRIAGER), "/parties/?q=外呼中心&kind=agent")

    assert "联达外呼" in page
    assert "华信代理" not in page


def test_a_list_goes_on_where_the_page_ended(app: Flask, arrange: Arrange) -> None:
    def add(session: Session) -> None:
        register(session)
        for place in range(60):
            make_party(session, name=f"名称{place:02d}", code=f"X{place:02d}")

    arrange(add)
    triager = signed_in(app, Role.TRIAGER)

    first = texts_of(triager, "/parties/?q=名称")
    following = re.search(r'rel="next"\s+href="([^"]+)"', first)
    assert following is not None
    second = texts_of(triager, following[1].replace("&amp;", "&"))

    names = [set(re.findall("名称[0-9]{2}", page)) for page in (first, second)]
    assert (len(names[0]), len(names[1])) == (50, 10)
    assert names[0].isdisjoint(names[1])


def test_a_number_is_entered_and_handed_over_at_the_second(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    triager = signed_in(app, Role.TRIAGER)
    number = {
        "digits": "029-8888 1234",
        "plan": "china",
        "party": "A1",
        "held_from": "2026-01-01T00:00",
        "source": "合同",
    }

    entered = triager.post("/numbers/new", data=number)
    handed = triager.post(
        f"{entered.location}/hand-over", data={"party": "A2", "at": "2026-03-05T12:00:00", "source": "交接单"}
    )

    assert (entered.status_code, handed.status_code) == (303, 303)
    second = dt.timedelta(seconds=1)
    with app.app_context(), db.reading() as session:
        found = holders_at(session, [("02988881234", NOON - second), ("02988881234", NOON)])
        names = [session.get_one(Party, found["02988881234", at].party_id).code for at in (NOON - second, NOON)]
    assert names == ["A1", "A2"]
    page = texts_of(triager, handed.location or "")
    assert "Holding of a number ended" in page


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    triager = signed_in(app, Role.TRIAGER)

    response = triager.post(
        "/numbers/new",
        data={
            "digits": "2988881234",
            "plan": "china",
            "party": "A1",
            "held_from": "2026-01-01T00:00",
            "held_to": "2025-01-01T00:00",
            "source": "合同",
        },
    )
    unknown = triager.post(
        "/numbers/new",
        data={"digits": "02988881234", "plan": "china", "party": "A9", "held_from": "2026-01-01T00:00", "source": "x"},
    )

    assert response.status_code == 400
    assert "leading zero" in response.text
    assert "The end must be after the start" in response.text
    assert 'value="2988881234"' in response.text
    assert unknown.status_code == 400
    assert "Nothing in the register has the code A9" in unknown.text


def test_an_overlap_is_refused_in_words_that_name_the_holder(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    triager = signed_in(app, Role.TRIAGER)
    page = texts_of(triager, "/numbers/?q=02988880001")
    address = re.search(r'href="(/numbers/\d+)"', page)
    assert address is not None

    response = triager.post(
        f"{address[1]}/hold", data={"party": "A2", "held_from": "2026-01-01T00:00", "source": "声明"}
    )

    assert response.status_code == 409
    assert "华信代理 holds 02988880001" in response.text


def test_a_party_with_a_wrong_credit_code_is_not_entered(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    triager = signed_in(app, Role.TRIAGER)
    party = {
        "code": "A3",
        "kind": "agent",
        "name": "新代理",
        "above": "029",
        "role": "sponsored_by",
        "valid_from": "2026-01-01",
    }

    refused = triager.post("/parties/new", data={**party, "credit_code": "91330100799655058A"})
    entered = triager.post("/parties/new", data={**party, "credit_code": "91330100799655058B"})

    assert refused.status_code == 400
    assert "18 characters" in refused.text
    assert entered.status_code == 303
    assert "城关分公司" in texts_of(triager, entered.location or "")


def test_a_unit_is_founded_moved_and_closed(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    triager = signed_in(app, Role.TRIAGER)
    unit = {"code": "029-1", "name": "钟楼营业厅", "kind": "hall", "parent": "029", "valid_from": "2026-01-01"}

    founded = triager.post("/org-units/new", data=unit)
    moved = triager.post(f"{founded.location}/move", data={"parent": "030", "from_on": "2026-02-01", "reason": "调整"})
    closed = triager.post(f"{founded.location}/close", data={"on": "2026-03-01", "reason": "撤销"})

    assert [response.status_code for response in (founded, moved, closed)] == [303, 303, 303]
    page = texts_of(triager, founded.location or "")
    assert "碑林分公司" in page
    assert "Closed from 2026-03-01" in page


def test_a_partner_proposes_and_a_triager_does_it(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    contact, triager = signed_in(app, Role.PARTNER_CONTACT), signed_in(app, Role.TRIAGER)
    with app.app_context(), db.reading() as session:
        own_id = session.scalars(select(Party.id).where(Party.code == "A1")).one()

    proposed = contact.post(
        "/register-proposals/new",
        data={
            "party": str(own_id),
            "action": "hold",
            "digits": "02988885555",
            "at": "2026-03-05T12:00",
            "reason": "新线路",
        },
    )
    waiting = texts_of(triager, "/register-proposals/")
    accepted = triager.post(f"{proposed.location}/accept", data={"version": "1"})

    assert (proposed.status_code, accepted.status_code) == (303, 303)
    assert "02988885555" in waiting
    with app.app_context(), db.reading() as session:
        assert session.scalars(select(RegisterProposal.state)).one() is ProposalState.ACCEPTED
        assert holders_at(session, [("02988885555", NOON)])["02988885555", NOON].party_id == own_id


def test_a_partner_proposes_nothing_for_a_stranger(app: Flask, arrange: Arrange) -> None:
    arrange(register)
    contact = signed_in(app, Role.PARTNER_CONTACT)
    with app.app_context(), db.reading() as session:
        strange_id = session.scalars(select(Party.id).where(Party.code == "A2")).one()

    response = contact.post(
        "/register-proposals/new",
        data={
            "party": str(strange_id),
            "action": "hold",
            "digits": "02988885555",
            "at": "2026-03-05T12:00",
            "reason": "x",
        },
    )

    assert response.status_code == 400
    with app.app_context(), db.reading() as session:
        assert session.scalars(select(RegisterProposal)).all() == []


def test_the_official_numbers_are_reference_data_with_their_law(app: Flask, arrange: Arrange) -> None:
    arrange(register)

    page = texts_of(signed_in(app, Role.TRIAGER), "/official-numbers/")

    assert all(digits in page for digits in ("10001", "10085", "10016", "10000", "10086", "10010"))
    assert "2025-08-01" in page


@pytest.mark.browser
def test_the_pages_break_no_rule_of_accessibility(
    app: Flask, arrange: Arrange, live_url: str, page: Page, axe: Accessibility
) -> None:
    arrange(register)
    cookie = signed_in(app, Role.TRIAGER).get_cookie(app.config["IDENTITY_COOKIE"])
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_url}])
    addresses = [
        "/parties/",
        "/parties/3",
        "/parties/new",
        "/numbers/",
        "/numbers/1",
        "/staff/",
        "/staff/1",
        "/org-units/",
        "/org-units/1",
        "/official-numbers/",
        "/register-proposals/",
    ]

    broken = {}
    for address in addresses:
        response = page.goto(f"{live_url}{address}")
        assert response is not None
        assert response.ok, address
        broken[address] = axe.violations(page)

    assert broken == {address: [] for address in addresses}
