"""Simulation, fine, push and settlement in a real browser: each is finished by the mouse, and nothing moves sideways."""

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy.orm import Session

from supervise import clock
from supervise.donotcall.push import push_refusals
from supervise.penalties.fine_models import FineRecourse, RecourseState
from supervise.settlement.models import RunState, SettlementRun
from tests.factories.donotcall import make_refusal
from tests.factories.fines import make_recourse
from tests.factories.penalties import make_approved_penalty
from tests.factories.settlement import make_deposit, make_final_penalty
from tests.views.money_pages import Scene, Visitor, arranged, make_scene

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)]


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


@pytest.fixture
def visitor(app: Flask, live_url: str, page: Page) -> Visitor:
    page.set_viewport_size({"width": 390, "height": 900})
    return Visitor(app, page, live_url)


def stands_still(page: Page) -> bool:
    return not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def confirm(page: Page, form: str) -> None:
    page.locator(f"{form} button").first.click()
    with page.expect_navigation():
        page.locator("#confirm [data-yes]").click()


def test_a_rule_is_simulated_beside_what_was_charged(app: Flask, scene: Scene, visitor: Visitor) -> None:
    arranged(app, lambda session: make_approved_penalty(session, charged=scene.partner).id)
    page, month = visitor.page, clock.month_of(clock.today())
    visitor.sign_in("supervisor")

    visitor.goto(f"/contracts/rules/{scene.partner.rule.id}/simulation")
    page.locator("input[name=first]").fill("2026-01")
    page.locator("input[name=last]").fill(month)
    page.locator("main form[method=get] button[type=submit], main .filters button[type=submit]").first.click()
    page.wait_for_url("**first=2026-01**")

    assert page.get_by_text("200.00").count() >= 2
    assert stands_still(page)


def test_a_claim_of_a_fine_is_approved_where_it_stands(app: Flask, scene: Scene, visitor: Visitor) -> None:
    def claim(session: Session) -> int:
        return make_recourse(session, party_id=scene.partner.party.id).fine_id

    fine_id = arranged(app, claim)
    page = visitor.page
    visitor.sign_in("supervisor")

    visitor.goto(f"/fines/{fine_id}")
    confirm(page, "#claims form:has(input[value=approve])")

    assert arranged(app, lambda session: session.get_one(FineRecourse, 1).state) is RecourseState.APPROVED
    assert stands_still(page)


def test_a_partner_acknowledges_a_push_and_says_who_was_told(app: Flask, scene: Scene, visitor: Visitor) -> None:
    del scene

    def push(session: Session) -> int | None:
        make_refusal(session)
        return push_refusals(session, actor_id=None).push_id

    push_id = arranged(app, push)
    page = visitor.page
    visitor.sign_in("contact")

    visitor.goto(f"/pushes/{push_id}")
    page.locator("details:has(input[name=told]) summary").click()
    page.locator("input[name=told]").fill("外呼一组全体")
    with page.expect_navigation():
        page.locator("form:has(input[name=told]) button").click()

    assert page.get_by_text("外呼一组全体").count() == 1
    assert stands_still(page)


def test_a_settlement_run_is_computed_by_finance_and_approved_by_a_supervisor(
    app: Flask, scene: Scene, visitor: Visitor
) -> None:
    def due(session: Session) -> None:
        make_final_penalty(session, charged=scene.partner, amount_fen=200_00)
        make_deposit(session, charged=scene.partner, amount_fen=150_00)

    arranged(app, due)
    page = visitor.page
    visitor.sign_in("finance")
    visitor.goto("/settlements/")
    page.locator("input[name=month]").fill(clock.month_of(clock.today()))
    page.locator("#new button[type=submit]").click()
    page.wait_for_url("**/settlements/runs/*")
    address = page.url.removeprefix(visitor.live_url)
    preview = page.locator("#sources").inner_text()

    visitor.sign_in("supervisor")
    visitor.goto(address)
    confirm(page, "form:has(input[name=content_sha256])")

    assert "150.00" in preview
    assert arranged(app, lambda session: session.get_one(SettlementRun, 1).state) is not RunState.DRAFT
    assert stands_still(page)
