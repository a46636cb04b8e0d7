"""The do-not-contact register in a real browser, by WCAG 2.2 AA, wide and narrow."""

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Page, expect

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from tests.conftest import Accessibility
from tests.factories.access import make_user, sign_in
from tests.factories.complaints import make_incident, make_number, make_subscriber, make_ticket
from tests.factories.donotcall import make_consent, make_refusal
from tests.factories.parties import make_party

NUMBER = "13900001111"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.usefixtures("register"),
    pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True),
]


@pytest.fixture
def register(app: Flask) -> None:
    with app.app_context(), db.writing() as session:
        number, party = make_number(session, digits=NUMBER), make_party(session, name="华信代理")
        make_subscriber(session, number=number)
        make_incident(session, ticket=make_ticket(session, number=number))
        make_refusal(session, number=number, party=party)
        make_consent(session, number=number)
        make_user(session, role=Role.TRIAGER, locale="zh_Hans")


@pytest.fixture
def triager(app: Flask, page: Page, live_url: str) -> Page:
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        sign_in(session, client, session.scalars(sa.select(User)).one())
    cookie = client.get_cookie(app.config["IDENTITY_COOKIE"])
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_url}])
    return page


def test_a_number_is_looked_up_and_its_newest_word_recorded(triager: Page, live_url: str) -> None:
    triager.goto(f"{live_url}/permissions/")
    triager.locator("#find input[name=number]").fill(NUMBER)
    triager.locator("#find button").click()
    triager.wait_for_url("**/permissions/numbers/*")
    expect(triager.locator("#permissions tbody tr")).to_have_count(2)

    triager.keyboard.press("a")
    triager.wait_for_url("**/record")
    triager.locator("input[name=word][value=refusal]").check()
    triager.locator("input[name=scopes][value=marketing_sms]").check()
    triager.locator("input[name=said_at]").fill("2026-03-05T09:30:00")
    triager.locator("input[name=source]").fill("录音 20260305-0001")
    triager.locator("main form button[type=submit]").click()
    triager.wait_for_url("**/permissions/numbers/*")

    expect(triager.locator("#permissions tbody tr")).to_have_count(3)
    assert NUMBER not in triager.url


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_can_be_read_by_all_and_fit(triager: Page, live_url: str, axe: Accessibility, width: int) -> None:
    problems: list[str] = []
    triager.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    triager.on("pageerror", lambda error: problems.append(str(error)))
    triager.set_viewport_size({"width": width, "height": 800})

    for path in (
        "/permissions/",
        "/permissions/?word=consent",
        "/permissions/?party=nobody",
        "/permissions/numbers/1",
        "/permissions/numbers/1/record",
        "/permissions/new",
        "/subscribers/1",
        "/tickets/1",
        "/incidents/1",
        "/imports/new?kind=permissions",
    ):
        triager.goto(live_url + path)
        assert axe.violations(triager) == [], path
        assert triager.evaluate("document.documentElement.scrollWidth") <= width, path

    assert problems == []
