"""The story before a triager's eyes: a denied call with both sides on one screen, and what records prove in one go."""

from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.roles import Role
from supervise.access.sessions import open_session
from supervise.attribution.inquiry_models import AnswerKind
from supervise.attribution.weighing_run import undecided_by_day
from supervise.cipher import Keyring
from supervise.complaints.models import Precision
from supervise.jobs.models import Job
from supervise.jobs.queue import JobQueue
from supervise.jobs.weighing import weigh_parts
from tests.factories.access import make_user
from tests.story_world import HANDED_OVER, NOW, SUB_PORT, Office, call, message

pytestmark = pytest.mark.browser

DENIAL = "我厅未安排外呼，应该是第三方代理给用户打的电话。"
REASON = "次日后该厅渠道受理升档订单，与来电推销内容一致"


def sign_in(session: Session) -> str:
    """A triager at the desk; the token of the session."""
    triager = make_user(session, role=Role.TRIAGER, locale="zh_Hans")
    return open_session(session, triager.id, is_confirmed=True, address=None, agent=None)


def sit_down(app: Flask, page: Page, live_url: str) -> None:
    """Let *page* be a triager's."""
    with app.app_context():
        token = db.decide(sign_in)
    cookie = {"name": app.config["IDENTITY_COOKIE"], "value": token, "url": live_url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]  # a plain dict is what it takes


def work(app: Flask) -> None:
    """Do what the worker would do."""
    queue: JobQueue = app.extensions["supervise.jobs"]
    with app.app_context(), db.reading() as session:
        waiting = session.scalars(select(Job.id).order_by(Job.id)).all()
    for job_id in waiting:
        queue.run(job_id)


def tell(office: Office) -> tuple[int, list[int]]:
    """The call that the hall denies, and two that the platform of 10085 dialled, all before anybody decides."""
    [denied] = office.take_in("13055101000", call("18652010088", "14:05:00"), content="称免费升级5G套餐，月租贵了40元")
    order = ["DD2026110501", "13055101000", "2026-11-05 10:12:00", "QD3001", "", "CX59", "CX99", "40.00"]
    office.deliver("BS01", [order], days=3)
    office.ask(denied, "三里店营业厅")
    office.answer("三里店营业厅", AnswerKind.NOT_OURS, DENIAL)
    dialled, rows = [], []
    for number, minute in (("13155101037", 20), ("13255101074", 40)):
        dialled += office.take_in(number, call("10085", f"15:{minute}:00"))
        begun, ended = f"2026-11-03 15:{minute}:31", f"2026-11-03 15:{minute + 2}:00"
        rows.append([f"HD{minute}", "10085", number, begun, ended, "75", "是", "9583", ""])
    office.deliver("WH02", rows)
    with db.reading() as session:
        undecided = undecided_by_day(session)
    weigh_parts(undecided, lambda _done, _total: None)
    return denied, dialled


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_triager_weighs_a_denial_against_an_order_and_accepts_what_records_prove(
    app: Flask, page: Page, live_url: str, keyring: Keyring, tmp_path: Path
) -> None:
    with app.app_context(), clock.pretending(NOW):
        denied, dialled = tell(Office(keyring, tmp_path))
    sit_down(app, page, live_url)

    # Both sides on one screen: the order with its price, the denial in the hall's own words.
    page.goto(f"{live_url}/incidents/{denied}")
    for words in ("DD2026110501", "QD3001", "40.00"):
        expect(page.locator("section[aria-labelledby=speaks-for]")).to_contain_text(words)
    expect(page.locator("section[aria-labelledby=speaks-against] .tone-danger")).to_contain_text("三里店营业厅")
    expect(page.locator("#inquiries")).to_contain_text(DENIAL)
    decide = page.locator("#decide")
    decide.locator("input[name=verdict][value=attributed]").check()
    decide.locator("input[name=party]").fill("三里店营业厅")
    decide.locator("form button[type=submit]").click()

    # Without a word nothing is decided, and what was typed is kept; with one it is in force.
    expect(decide.locator("textarea[name=reason]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#verdict")).not_to_contain_text("DD2026110501")
    expect(decide.locator("input[name=party]")).to_have_value("三里店营业厅")
    decide.locator("textarea[name=reason]").fill(REASON)
    decide.locator("form button[type=submit]").click()
    expect(page.locator("#verdict")).to_contain_text(REASON)
    expect(page.locator("#verdict")).to_contain_text("DD2026110501")

    # What the platform's record proves is accepted at once, with a result for each row.
    page.goto(f"{live_url}/incidents/unattributed?says=proven")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator("form:has(input[name=everything]) button").click()
    page.locator("#confirm [data-yes]").click()
    page.wait_for_url("**/bulk-runs/*")
    work(app)
    expect(page.locator("#tallies tbody tr")).to_have_count(1)
    expect(page.locator("#tallies tbody tr")).to_contain_text("2")
    expect(page.locator("#refused tbody tr")).to_have_count(0)
    page.goto(f"{live_url}/incidents/{dialled[0]}")
    for words in ("HD20", "9583", "联达外呼", "华信代理", "城东分公司"):
        expect(page.locator("#verdict")).to_contain_text(words)


def tell_the_rest(office: Office) -> tuple[int, int, int, int]:
    """A spoofed 10016, a call before and one after the noon at which a number changed hands, an SMS of a burst."""
    [spoofed] = office.take_in("13055101000", call("10016", "20:10:00"))
    [last] = office.take_in("13155101037", call(HANDED_OVER, "11:59:59", precision=Precision.SECOND))
    [first] = office.take_in("13255101074", call(HANDED_OVER, "12:00:00", precision=Precision.SECOND))
    words, port = "【锐达】老用户升级套餐立享五折，回T退订", f"{SUB_PORT}01"
    [texted] = office.take_in("13355101011", message(port, "09:00:00", words), content="回复T后仍连发")
    rows = [
        [name, HANDED_OVER, number, f"2026-11-03 {begun}", "2026-11-03 12:01:00", "50", "是", "", ""]
        for name, number, begun in (("HD2", "13155101037", "11:59:59"), ("HD3", "13255101074", "12:00:00"))
    ]
    office.deliver("WH01", rows)
    office.deliver("WH02")
    sent = ["DX1", port, "13355101011", "2026-11-03 09:00:04", "【锐达】", "回T退订", "营销", words]
    office.deliver("DX01", [sent])
    return spoofed, last, first, texted


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_a_triager_decides_a_spoofed_number_both_sides_of_a_noon_and_a_message(
    app: Flask, page: Page, live_url: str, keyring: Keyring, tmp_path: Path
) -> None:
    with app.app_context(), clock.pretending(NOW):
        spoofed, last, first, texted = tell_the_rest(Office(keyring, tmp_path))
    sit_down(app, page, live_url)

    # What the evidence comes to is filled in; who owes nothing for a spoofed number needs a word.
    for incident, reason, expected in (
        (spoofed, "各平台话单齐全，均无此呼叫", ("改号", "WH01", "WH02")),
        (last, "", ("恒通渠道", "HD2", "2026-11-03 12:00:00")),
        (first, "", ("星河呼叫", "HD3", "2026-11-03 12:00:00")),
        (texted, "", ("锐达营销", "DX1", "锐达")),
    ):
        page.goto(f"{live_url}/incidents/{incident}")
        form = page.locator("#decide form")
        form.locator("textarea[name=reason]").fill(reason)
        form.locator("button[type=submit]").click()
        for words in expected:
            expect(page.locator("#verdict")).to_contain_text(words)
    page.goto(f"{live_url}/incidents/tracebacks")
    expect(page.locator("main")).to_contain_text("10016")
