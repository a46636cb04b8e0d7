"""Finance's pages in a real browser: what axe forbids is absent, at both widths; a day's work goes by hand."""

import re
from pathlib import Path

import openpyxl
import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from supervise import clock, db
from supervise.access.sessions import open_session
from supervise.compensation.models import CreditBatch, CreditBatchState
from tests.conftest import Accessibility
from tests.views.finance_pages import Office, open_office

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)]

WIDTHS = (1280, 390)


@pytest.fixture
def office(app: Flask) -> Office:
    office = open_office(app)
    app.config["WTF_CSRF_ENABLED"] = True
    return office


def sign_in(office: Office, page: Page, live_url: str, username: str) -> None:
    """Become *username* in the browser."""
    with office.app.app_context(), db.writing() as session:
        token = open_session(session, office.users[username], is_confirmed=True, address=None, agent=None)
    cookie = {"name": office.app.config["IDENTITY_COOKIE"], "value": token, "url": live_url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]  # a plain dict is what it takes


@pytest.mark.parametrize("width", WIDTHS)
def test_the_pages_can_be_read_by_all(
    office: Office, page: Page, live_url: str, axe: Accessibility, width: int
) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    batch_id = office.sent(office.credit_ids[:2])
    sign_in(office, page, live_url, "finance")
    page.set_viewport_size({"width": width, "height": 900})

    for path in (
        "/credits/",
        "/credits/to-send",
        f"/credits/{office.credit_ids[0]}",
        "/credits/subscribers/1",
        "/credit-batches/",
        f"/credit-batches/{batch_id}",
        "/ledger/",
        "/ledger/accounts/2241.01",
        "/ledger/accounts/2241.01/balances",
        "/ledger/entries/1",
        "/ledger/periods",
        f"/ledger/periods/{clock.month_of(clock.today())}/close",
        "/ledger/verification",
    ):
        page.goto(f"{live_url}{path}")
        assert axe.violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path

    assert problems == []


def test_credits_are_sent_and_the_workbook_is_taken_home(
    office: Office, page: Page, live_url: str, axe: Accessibility, tmp_path: Path
) -> None:
    sign_in(office, page, live_url, "finance")
    page.goto(f"{live_url}/credits/to-send")

    page.keyboard.press("a")
    page.locator("#confirm [data-yes]").click()
    expect(page).to_have_url(re.compile(r"/credit-batches/\d+$"))
    assert axe.violations(page) == []
    with page.expect_download() as download:
        page.locator(".page-head button[data-primary]").click()

    batch = office.row(CreditBatch, 1)
    assert download.value.suggested_filename == f"{batch.number}.xlsx"
    # The browser keeps it under a name without an ending, which openpyxl does not like.
    download.value.save_as(tmp_path / "taken.xlsx")
    assert openpyxl.load_workbook(tmp_path / "taken.xlsx")["Credit lines"].max_row == 4


def test_lines_are_answered_by_the_keyboard(office: Office, page: Page, live_url: str, axe: Accessibility) -> None:
    batch_id = office.sent()
    sign_in(office, page, live_url, "finance")
    page.goto(f"{live_url}/credit-batches/{batch_id}")

    page.locator("#lines [data-pick-all]").check()
    page.locator(".bulk-bar button[value=accepted]").click()
    page.locator("#confirm [data-yes]").click()

    expect(page.locator("#lines .badge").first).to_be_visible()
    expect(page.locator(".bulk-bar")).to_have_count(0)
    assert office.row(CreditBatch, batch_id).state is CreditBatchState.COMPLETED
    assert axe.violations(page) == []


def test_the_ledger_is_verified_and_says_so(office: Office, page: Page, live_url: str, axe: Accessibility) -> None:
    sign_in(office, page, live_url, "auditor")
    page.goto(f"{live_url}/ledger/verification")

    page.locator("#verify button").click()

    expect(page.locator("#result [role=status]")).to_be_visible()
    expect(page.locator("#result .tone-success")).to_have_count(1)
    assert axe.violations(page) == []


def test_what_a_form_refuses_stands_beside_the_field(
    office: Office, page: Page, live_url: str, axe: Accessibility
) -> None:
    sign_in(office, page, live_url, "finance")
    page.goto(f"{live_url}/credits/{office.credit_ids[0]}")

    page.locator("#cancel textarea").evaluate("field => field.form.noValidate = true")
    page.locator("#cancel button[type=submit]").click()

    expect(page.locator("#cancel .form-error")).to_be_visible()
    assert axe.violations(page) == []
