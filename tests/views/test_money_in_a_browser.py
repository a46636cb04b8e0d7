"""The money pages in a real browser: what axe forbids is absent, and a bulk approval works by the keyboard."""

import datetime as dt

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy.orm import Session

from supervise.penalties.models import Penalty, PenaltyState
from tests.conftest import Accessibility
from tests.factories.complaints import CALLED_AT
from tests.factories.penalties import approve_all
from tests.views.money_pages import Scene, Visitor, arranged, make_scene, proposed, reread

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)]


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


@pytest.fixture
def visitor(app: Flask, live_url: str, page: Page) -> Visitor:
    return Visitor(app, page, live_url)


def two_proposals(session: Session, scene: Scene) -> list[Penalty]:
    return [
        proposed(session, scene.partner, scene.people["triager"], occurred_at=CALLED_AT + dt.timedelta(days=day))
        for day in range(2)
    ]


def test_a_supervisor_approves_by_the_keyboard(app: Flask, scene: Scene, visitor: Visitor) -> None:
    first, second = arranged(app, lambda session: two_proposals(session, scene))
    visitor.sign_in("supervisor")
    page = visitor.page

    visitor.goto("/approvals/")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.locator(".bulk-bar button[value=approve]").click()
    page.locator("#confirm [data-yes]").click()
    page.wait_for_url("**/approvals/penalties")

    assert page.locator(".result.tone-success").count() == 1
    states = sorted(reread(app, one.id).state for one in (first, second))
    assert states == sorted([PenaltyState.APPROVED, PenaltyState.PROPOSED])


@pytest.mark.parametrize("width", [1280, 390])
def test_the_money_pages_break_no_rule_of_accessibility(
    app: Flask, scene: Scene, visitor: Visitor, axe: Accessibility, width: int
) -> None:
    waiting = arranged(app, lambda session: two_proposals(session, scene))
    penalty = waiting[0]
    arranged(
        app,
        lambda session: approve_all(
            session, session.get_one(Penalty, penalty.id), actor_id=scene.people["supervisor2"]
        ),
    )
    contract = scene.partner.contract.id
    visits = {
        "supervisor": (
            "/approvals/",
            "/approvals/credits",
            "/approvals/second-person",
            "/penalties/",
            f"/statements/{scene.partner.party.id}",
            "/reports/",
            "/contracts/",
            f"/contracts/{contract}",
            f"/contracts/rules/{scene.partner.rule.id}",
            "/undertakings/",
            "/undertakings/policies",
        ),
        "contact": ("/penalties/", f"/penalties/{penalty.id}", "/statements/"),
        "triager": (f"/contracts/{contract}/rules/new", "/contracts/new", "/undertakings/find"),
        "finance": ("/accounting-labels/", f"/penalties/{penalty.id}"),
    }
    page = visitor.page
    page.set_viewport_size({"width": width, "height": 900})

    broken = {}
    for username, addresses in visits.items():
        visitor.sign_in(username)
        for address in addresses:
            visitor.goto(address)
            wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            if found := [*axe.violations(page), *(["wider than the window"] if wide else [])]:
                broken[username, address] = found

    assert broken == {}
