"""The main job, end to end by hand in a real browser: a foreign file in, the month's workbook out, judged by pandas."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.access.sessions import open_session
from supervise.compensation.models import Credit
from supervise.complaints.models import Ticket
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.numbers import enter_number
from supervise.phone import NumberingPlan
from tests.factories.access import make_user
from tests.factories.contracts import make_contract, make_rule
from tests.factories.ledger import make_period, out_of_balance_fen
from tests.factories.parties import give_scope, make_holder, make_party, make_unit
from tests.factories.records import record_every_call

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)]

EVER_SINCE = dt.datetime(2026, 1, 1, tzinfo=clock.CHINA)
NOON = dt.datetime(2026, 9, 3, 12, 0, tzinfo=clock.CHINA)
#: Caller -> who held it in [from, to): the second was handed over at a noon with calls before and after it.
HOLDINGS = pd.DataFrame(
    [
        ("5205269536", "华信代理", EVER_SINCE, None),
        ("70611454600144", "恒通渠道", EVER_SINCE, NOON),
        ("70611454600144", "华信代理", NOON, None),
    ],
    columns=["caller", "party", "held_from", "held_to"],
)
#: What people write down: two that the register knows, one that it does not, none at all, and no number.
CALLERS = ("5205269536", "70611454600144", "8443843774", "", "fasttowriteit")
COLUMNS = {"caller_number": "Company_Phone", "occurred_at": "Violation_Date", "received_at": "Created_Date"}


def complaints() -> pd.DataFrame:
    """60 complaints without a complainant, as a regulator abroad publishes them; some calls at midnight."""
    rows = []
    for place in range(60):
        called_at = dt.datetime(2026, 9, 1) + dt.timedelta(days=place % 5, minutes=place * 97 % 1440 // 30 * 30)  # noqa: DTZ001 - a cell
        rows.append(
            {
                "Company_Phone": CALLERS[place % len(CALLERS)],
                "Created_Date": f"{called_at + dt.timedelta(hours=5, seconds=place)}",
                "Violation_Date": f"{called_at}",
                "Subject": "Other",
            }
        )
    return pd.DataFrame(rows)


def owed(rows: pd.DataFrame) -> dict[str, int]:
    """Return the penalties by party in fen, worked out from the file and the holdings alone."""
    calls = rows.assign(at=pd.to_datetime(rows["Violation_Date"]).dt.tz_localize(clock.CHINA))
    held = calls.merge(HOLDINGS, left_on="Company_Phone", right_on="caller")
    until = pd.to_datetime(held["held_to"], utc=True)
    in_force = (held["at"] >= held["held_from"]) & (until.isna() | (held["at"] < until))
    sums: dict[str, int] = (held[in_force].groupby("party").size() * 200_00).to_dict()
    return sums


def build(session: Session) -> None:
    """Two partners of two branches, their numbers and contracts, and the people who work on their complaints."""
    make_period(session)
    users = {role: make_user(session, role=role, locale="zh_Hans") for role in Role}
    units = [make_unit(session, name=name) for name in ("城东分公司", "城西分公司")]
    parties = {
        name: make_party(session, name=name, sponsor=unit)
        for name, unit in zip(("华信代理", "恒通渠道"), units, strict=True)
    }
    for party, unit in zip(parties.values(), units, strict=True):
        make_rule(session, contract=make_contract(session, party=party, unit=unit))
    actor_id = users[Role.ADMIN].id
    numbers = {
        digits: enter_number(session, text=digits, actor_id=actor_id, plan=NumberingPlan.OTHER)
        for digits in HOLDINGS["caller"].unique()
    }
    for row in HOLDINGS.itertuples():
        make_holder(
            session,
            number=numbers[row.caller],
            party=parties[row.party],
            held_from=row.held_from,
            held_to=None if pd.isna(row.held_to) else row.held_to,
        )
    give_scope(session, user_id=users[Role.BRANCH_MANAGER].id, unit=units[1])


@dataclass
class Office:
    """The people of the office, one after the other at one browser."""

    app: Flask
    page: Page
    live_url: str

    def enter(self, role: Role, path: str) -> None:
        """Sit down as *role* and open a page."""
        with self.app.app_context(), db.writing() as session:
            user = session.scalars(select(User).where(User.role == role)).one()
            token = open_session(session, user.id, is_confirmed=True, address=None, agent=None)
        cookie = {"name": self.app.config["IDENTITY_COOKIE"], "value": token, "url": self.live_url}
        self.page.context.add_cookies([cookie])  # type: ignore[list-item]  # a plain dict is what it takes
        self.page.goto(f"{self.live_url}{path}")

    def upload(self, path: Path, profile: str) -> None:
        """Send a file with the profile whose name begins so."""
        self.page.goto(f"{self.live_url}/imports/new")
        self.page.set_input_files("input[type=file]", path)
        choice = self.page.locator("select[name=profile] option", has_text=profile).get_attribute("value")
        self.page.select_option("select[name=profile]", choice)
        self.page.locator("main form[enctype] button[type=submit]").click()

    def map_columns(self) -> None:
        """Say what the columns of the file are, and keep that as a profile."""
        for field, heading in COLUMNS.items():
            self.page.select_option(f"select[name=columns-{field}]", heading)
        self.page.fill("input[name=name]", "境外投诉")
        self.page.select_option("select[name=channel]", "12321")
        self.page.select_option("select[name=plan]", "other")
        self.page.locator("main form button[type=submit]").click()

    def count(self, words: str) -> int:
        """Return the figure under these words on the page of an import."""
        return int(self.page.locator(".stat", has_text=words).locator(".value").first.inner_text())

    def say_yes(self) -> None:
        """Answer the question of the page."""
        self.page.locator("#confirm [data-yes]").click()

    def ask_for(self, action: str) -> None:
        """Choose what to do with every ticket of the queue; the link of the bar leads there."""
        self.page.goto(f"{self.live_url}/tickets/")
        self.page.locator("[data-pick-all]").check()
        self.page.locator(".bulk-bar a[href='#whole-view']").click()
        self.page.locator(f".whole-view button[value={action}]").click()

    def have_done(self, action: str) -> None:
        """Do one thing with every ticket of the queue, and answer the question before it."""
        self.ask_for(action)
        self.say_yes()

    def results(self, tone: str) -> list[str]:
        """Return what the rows of a result page say, each wording once."""
        self.page.wait_for_selector("tbody .result")
        return sorted({words.strip() for words in self.page.locator(f".result.tone-{tone}").all_inner_texts()})


@pytest.fixture
def office(app: Flask, page: Page, live_url: str) -> Office:
    with app.app_context():
        db.decide(build)
    return Office(app, page, live_url)


def take_in(office: Office, folder: Path) -> None:
    path = folder / "complaints.csv"
    path.write_bytes(complaints().to_csv(index=False, lineterminator="\r\n").encode())
    office.enter(Role.TRIAGER, "/imports/")
    office.upload(path, "手工对应各列")
    office.map_columns()
    office.page.locator("form[action$=take-over] button").click()
    office.say_yes()
    office.page.wait_for_selector(".alert-success")


def decide(office: Office) -> None:
    with office.app.app_context():
        db.decide(record_every_call)
    office.have_done("suggestions")
    office.results("success")
    office.ask_for("findings")
    office.page.locator("input[name=offences][value=misleading_free]").check()
    office.page.fill("textarea[name=evidence_note]", "录音复核属实")
    office.page.locator("main form[action$='/bulk/findings'] button[type=submit]").click()
    office.results("success")


def approve_all(office: Office) -> None:
    office.enter(Role.SUPERVISOR, "/approvals/")
    office.page.locator("[data-pick-all]").check()
    office.page.locator(".bulk-bar button[value=approve]").click()
    office.say_yes()
    office.results("success")


def penalties_of(workbook: Path) -> dict[str, int]:
    """Return the workbook's penalties by party in fen."""
    heads, *rows = openpyxl.load_workbook(workbook)["扣罚明细"].iter_rows(values_only=True)
    sheet = pd.DataFrame(rows, columns=heads)
    sums: dict[str, int] = sheet["实扣（元）"].mul(100).round().astype(int).groupby(sheet["责任方"]).sum().to_dict()
    return sums


def test_the_workbook_equals_an_independent_calculation_and_nobody_unknown_is_credited(
    office: Office, tmp_path: Path
) -> None:
    expected = owed(complaints())
    take_in(office, tmp_path)
    decide(office)

    office.have_done("amounts")
    assert "来电当时该号码没有登记用户" in office.results("danger")
    approve_all(office)
    office.enter(Role.FINANCE, "/reports/")
    with office.page.expect_download() as download:
        office.page.locator("form[action$='/reports/penalties'] button").click()
    download.value.save_as(tmp_path / "penalties.xlsx")

    assert expected.keys() == {"华信代理", "恒通渠道"}
    assert penalties_of(tmp_path / "penalties.xlsx") == expected
    with office.app.app_context(), db.reading() as session:
        assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE) == sum(expected.values())
        assert out_of_balance_fen(session) == 0
        assert session.scalar(select(func.count(Credit.id))) == 0
    office.enter(Role.BRANCH_MANAGER, "/penalties/")
    expect(office.page.locator("#penalties tbody tr")).to_have_count(expected["恒通渠道"] // 200_00)


def test_the_file_sent_again_under_another_name_has_nothing_to_take_over(office: Office, tmp_path: Path) -> None:
    take_in(office, tmp_path)

    office.upload((tmp_path / "complaints.csv").rename(tmp_path / "另存为.csv"), "境外投诉")

    expect(office.page.locator(".alert", has_text="同一文件此前已入库")).to_be_visible()
    assert (office.count("新增"), office.count("已存在"), office.count("错误")) == (0, 48, 12)
    assert office.page.locator("form[action$=take-over]").count() == 0
    with office.app.app_context(), db.reading() as session:
        assert session.scalar(select(func.count(Ticket.id))) == 48
