"""The desk in a real browser: the queue by keyboard alone, and every page by WCAG 2.2 AA, wide and narrow."""

import datetime as dt
import re

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.complaints.models import DemandHead, DemandLine, Ticket, TicketState
from supervise.complaints.search import Searchable, index_tickets
from supervise.desk.replies import reply_to_ticket
from tests.conftest import Accessibility
from tests.factories.access import make_user, sign_in
from tests.factories.attribution import TRIAGER as MAKER
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import link_ticket, make_incident, make_number, make_ticket
from tests.factories.desk import make_override, make_second_look, make_view
from tests.factories.parties import give_scope, make_holder, make_party, make_unit
from tests.factories.penalties import make_charged_partner, propose
from tests.factories.records import record_calls

CALLER = "02988880000"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.usefixtures("office"),
    pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True),
]


@pytest.fixture
def office(app: Flask) -> None:
    with app.app_context(), db.writing() as session:
        unit = make_unit(session, name="城关分公司")
        for role in Role:
            user = make_user(session, role=role, display_name="王芳", locale="zh_Hans")
            if role in {Role.CLERK, Role.BRANCH_MANAGER}:
                give_scope(session, user_id=user.id, unit=unit)
            make_view(session, user_id=user.id, shared=role is Role.CLERK)
        make_holder(session, party=make_party(session, name="华信代理", sponsor=unit), digits=CALLER)
        now = clock.now()
        for hours in range(3):
            ticket = make_ticket(session, number=make_number(session), unit=unit, received_at=now, due_on=clock.today())
            at = now - dt.timedelta(hours=hours + 1)
            record_calls(session, make_incident(session, ticket=ticket, caller_number=CALLER, occurred_at=at))
            index_tickets(session, [Searchable(ticket.id, [ticket.reference, "推销流量套餐"])])
        _whole_story(session)
        make_override(session, unit=unit)
        make_second_look(session, unit=unit)


def _whole_story(session: Session) -> None:
    """A ticket with all there can be: two tickets of one call, money, demands, a reply that solves nothing."""
    charged = make_charged_partner(session)
    unit = session.scalars(sa.text("SELECT unit_id FROM ticket WHERE id = 1")).one()
    ticket = make_ticket(session, number=make_number(session), state=TicketState.INVESTIGATING)
    ticket.unit_id = unit
    incident = make_proven_incident(session, party=charged.party, ticket=ticket)
    other = make_ticket(session, external_ref="W-1")
    other.unit_id = unit
    link_ticket(session, ticket=other, incident=incident)
    propose(session, incident)
    session.add(DemandLine(ticket_id=ticket.id, head=DemandHead.PER_CALL, units=3, unit_fen=10000))
    reply_to_ticket(session, ticket.id, "请安装拦截软件", "deflected_app", version=1, actor_id=MAKER)


def enter(app: Flask, page: Page, live_url: str, role: Role) -> None:
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        sign_in(session, client, session.scalars(sa.select(User).where(User.role == role)).one())
    cookie = client.get_cookie(app.config["IDENTITY_COOKIE"])
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_url}])


def state_of(app: Flask, ticket_id: int) -> TicketState:
    with app.app_context(), db.reading() as session:
        return session.get_one(Ticket, ticket_id).state


def test_a_ticket_is_found_chosen_and_opened_without_a_mouse(app: Flask, page: Page, live_url: str) -> None:
    enter(app, page, live_url, Role.TRIAGER)
    page.goto(f"{live_url}/tickets/")

    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("套餐")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tickets/?q=*")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")

    expect(page.locator("tr.cursor [data-pick]")).to_be_checked()
    expect(page.locator(".bulk-bar [data-count]")).to_contain_text("1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tickets/2")
    page.keyboard.press("a")
    page.wait_for_load_state()
    expect(page.get_by_role("status").or_(page.locator(".alert-success")).first).to_be_visible()
    assert state_of(app, 2) is TicketState.ACCEPTED


def test_suggestions_are_accepted_for_a_whole_page_after_a_question(app: Flask, page: Page, live_url: str) -> None:
    enter(app, page, live_url, Role.TRIAGER)
    page.goto(f"{live_url}/tickets/?q=套餐")

    page.locator("[data-pick-all]").check()
    page.locator('.bulk-bar button[value="suggestions"]').click()
    page.locator("#confirm [data-yes]").click()
    page.wait_for_load_state()

    expect(page.locator("tbody .result.tone-success")).to_have_count(3)


def test_the_full_number_takes_a_reason(app: Flask, page: Page, live_url: str) -> None:
    enter(app, page, live_url, Role.CLERK)
    page.goto(f"{live_url}/tickets/1")

    page.locator("details.reveal summary").click()
    page.locator('details.reveal input[name="reason"]').fill("回访用户核实")
    page.locator("details.reveal button").click()
    page.wait_for_load_state()

    expect(page.locator("#reported .phone").first).to_have_text(re.compile(r"^\d{11}$"))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_checklist_is_seen_beneath_its_ticked_offence_and_filled_from_the_keyboard(
    app: Flask, page: Page, live_url: str, axe: Accessibility, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    enter(app, page, live_url, Role.TRIAGER)
    page.goto(f"{live_url}/incidents/4")
    page.locator("#find details > summary").first.click()
    checklists = page.locator("#find .checklist").filter(visible=True)

    expect(checklists).to_have_count(0)
    page.locator('[name="proven"][value="concealment"]').press("Space")
    expect(checklists).to_have_count(1)
    # Wherever the key scrolled to, the bar at the top may lie on half of a button.
    page.evaluate("scrollTo(0, 0)")
    assert axe.violations(page) == []
    for item, answer in (("price", "no"), ("applicable_scene", "yes"), ("validity", "yes"), ("limits", "yes")):
        page.locator(f'[name="check-concealment-{item}"][value="{answer}"]').press("Space")
    page.locator('#find [name="evidence_note"]').fill("录音第12秒")
    page.locator("#find form button[type=submit]").press("Enter")

    expect(page.locator("#findings")).to_contain_text("资费标准")
    expect(checklists).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    ("role", "paths"),
    [
        (
            Role.TRIAGER,
            [
                "/",
                "/tickets/",
                "/tickets/?q=套餐&state=new&due=today",
                "/tickets/?party=nobody",
                "/tickets/4",
                "/tickets/4/print",
                "/tickets/4/calls",
                "/incidents/4",
                "/incidents/1",
                "/incidents/unattributed",
                "/incidents/proposals",
            ],
        ),
        (Role.CLERK, ["/", "/tickets/1", "/tickets/1?template=1"]),
        (Role.SUPERVISOR, ["/", "/incidents/overrides", "/incidents/5"]),
        (Role.ADMIN, ["/"]),
    ],
)
def test_the_pages_can_be_read_by_all_and_fit(
    app: Flask, page: Page, live_url: str, axe: Accessibility, *, role: Role, paths: list[str], width: int
) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_viewport_size({"width": width, "height": 800})
    enter(app, page, live_url, role)

    for path in paths:
        page.goto(live_url + path)
        assert axe.violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path

    assert [problem for problem in problems if "400" not in problem] == []
