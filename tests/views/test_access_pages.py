"""Logging in, changing a password and giving out accounts, in a real browser, in Chinese and by WCAG 2.2 AA."""

import re

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from supervise import db
from supervise.access.roles import Role
from tests.conftest import Accessibility
from tests.factories.access import PASSWORD, make_deputy, make_user

pytestmark = [
    pytest.mark.browser,
    pytest.mark.usefixtures("people"),
    pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True),
]


@pytest.fixture
def people(app: Flask) -> None:
    with app.app_context(), db.writing() as session:
        users = {role: make_user(session, role=role, display_name="王芳", locale="zh_Hans") for role in Role}
        make_deputy(session, delegator=users[Role.SUPERVISOR], deputy=users[Role.TRIAGER])


def log_in(page: Page, live_url: str, username: str, password: str = PASSWORD) -> None:
    page.goto(f"{live_url}/login")
    page.locator("#username").fill(username)
    page.locator("#password").fill(password)
    page.locator("#password").press("Enter")


def problems_of(page: Page) -> list[str]:
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def test_the_login_says_what_is_wrong_and_can_be_read_by_all(page: Page, live_url: str, axe: Accessibility) -> None:
    problems = problems_of(page)
    page.goto(f"{live_url}/login")
    assert axe.violations(page) == []

    log_in(page, live_url, "clerk", "wrong")

    expect(page.get_by_role("alert")).to_be_visible()
    assert axe.violations(page) == []
    assert [problem for problem in problems if "401" not in problem] == []


@pytest.mark.parametrize(
    ("username", "paths"),
    [
        ("clerk", ["/account/", "/account/password", "/users/"]),
        ("supervisor", ["/deputies/"]),
        ("auditor", ["/audit/"]),
        ("admin", ["/users/", "/users/new", "/users/1", "/users/1/scope"]),
    ],
)
def test_the_pages_can_be_read_by_all(
    page: Page, live_url: str, axe: Accessibility, username: str, paths: list[str]
) -> None:
    problems = problems_of(page)
    log_in(page, live_url, username)
    expect(page).not_to_have_url(re.compile("/login"))

    for path in paths:
        page.goto(f"{live_url}{path}")
        assert axe.violations(page) == [], path

    assert [problem for problem in problems if "403" not in problem and "404" not in problem] == []


def test_the_second_factor_is_set_up_from_the_picture_and_asked_for(
    page: Page, live_url: str, axe: Accessibility
) -> None:
    problems = problems_of(page)
    log_in(page, live_url, "clerk")
    page.goto(f"{live_url}/account/")
    page.locator("#second-factor input[type=password]").fill(PASSWORD)
    page.locator("#second-factor button[type=submit]").click()
    picture = page.locator('img[src^="data:image/svg+xml"]')
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0
    assert axe.violations(page) == []
    key = page.locator("code").inner_text()

    page.locator("#code").fill(pyotp.TOTP(key).now())
    page.locator("#code").press("Enter")
    expect(page).to_have_url(f"{live_url}/account/")
    page.context.clear_cookies()
    log_in(page, live_url, "clerk")

    expect(page).to_have_url(re.compile("/login/code"))
    assert axe.violations(page) == []
    assert problems == []


def test_a_new_user_gets_a_password_shown_once_and_replaces_it(page: Page, live_url: str, axe: Accessibility) -> None:
    log_in(page, live_url, "admin")
    page.goto(f"{live_url}/users/new")
    page.locator("#username").fill("Li.Wei")
    page.locator("#display_name").fill("李伟")
    page.locator("#role").select_option("finance")
    page.locator("main form button[type=submit]").click()
    initial = page.locator("#initial-password").inner_text()
    assert axe.violations(page) == []
    page.context.clear_cookies()

    log_in(page, live_url, "li.wei", initial)

    expect(page).to_have_url(f"{live_url}/account/password")
    page.locator("#old").fill(initial)
    page.locator("#new").fill("一句好记的话,十二个字以上")
    page.locator("#again").fill("一句好记的话,十二个字以上")
    page.locator("#again").press("Enter")
    expect(page).not_to_have_url(re.compile("/account/password"))
    expect(page.get_by_text("李伟").first).to_be_attached()
