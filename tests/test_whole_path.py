"""The main job, end to end by command: real files in, a workbook out, judged by a calculation of its own in pandas."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.roles import Role
from supervise.cipher import Keyring
from supervise.compensation.models import CallUnit
from supervise.complaints.models import Incident, Ticket
from supervise.complaints.subscribers import add_subscriber
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.models import Party
from supervise.penalties.models import Penalty
from tests.factories.access import make_user
from tests.factories.compensation import make_labels, make_policy
from tests.factories.contracts import make_contract, make_rule
from tests.factories.ledger import out_of_balance_fen
from tests.factories.parties import make_holder, make_number, make_party, make_unit
from tests.factories.records import record_every_call

FIRST_DAY = dt.datetime(2026, 9, 1, 9, 0, tzinfo=clock.CHINA)
NOON = dt.datetime(2026, 9, 10, 12, 0, tzinfo=clock.CHINA)
EVER_SINCE = dt.datetime(2026, 1, 1, tzinfo=clock.CHINA)
#: Caller -> who held it in [from, to); one was handed over at a noon, one is nobody's.
HOLDINGS = pd.DataFrame(
    [
        ("02568801001", "华信代理", EVER_SINCE, None),
        ("02568802001", "恒通渠道", EVER_SINCE, None),
        ("02568803001", "华信代理", EVER_SINCE, NOON),
        ("02568803001", "恒通渠道", NOON, None),
    ],
    columns=["caller", "party", "held_from", "held_to"],
)
CALLERS = ("02568801001", "02568802001", "02568803001", "02531990001")
SUBSCRIBERS = tuple(f"138{number:08d}" for number in range(20))
#: The last three callers of the hotline are not on our network: no subscriber, no credit.
STRANGERS = tuple(f"139{number:08d}" for number in range(3))


def complaints() -> pd.DataFrame:
    """120 calls at different minutes, every third not answered; some calls are on the day of the hand-over."""
    people = SUBSCRIBERS + STRANGERS
    rows = []
    for place in range(120):
        called_at = FIRST_DAY + dt.timedelta(days=place % 19, minutes=(place * 37) % 600)
        rows.append(
            {
                "举报编号": f"JB{place:06d}",
                "举报人号码": people[place % len(people)],
                "被举报号码": CALLERS[place % len(CALLERS)],
                "来电时间": called_at.strftime("%Y-%m-%d %H:%M:%S"),
                "是否接听": "否" if place % 3 == 0 else "是",
                "举报描述": "免费升级套餐",
                "转办日期": (called_at + dt.timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S"),
            }
        )
    return pd.DataFrame(rows)


def told_again(first: pd.DataFrame) -> pd.DataFrame:
    """The first 30 calls once more through the mayor's line, a minute off: tickets, but no new incidents."""
    again = first.head(30)
    off = pd.to_datetime(again["来电时间"]) + pd.Timedelta(minutes=1)
    return pd.DataFrame(
        {
            "工单编号": "GD" + again["举报编号"],
            "来电号码": again["举报人号码"],
            "被投诉号码": again["被举报号码"],
            "骚扰时间": off.dt.strftime("%Y-%m-%d %H:%M:%S"),
            "是否接听": again["是否接听"],
            "诉求内容": "要求赔偿",
            "派单时间": again["转办日期"],
        }
    )


def owed(first: pd.DataFrame) -> tuple[dict[str, int], dict[str, int]]:
    """Return (penalties by party, credits by number) in fen, worked out from the file and the holdings alone."""
    calls = first.assign(at=pd.to_datetime(first["来电时间"]).dt.tz_localize(clock.CHINA))
    held = calls.merge(HOLDINGS, left_on="被举报号码", right_on="caller")
    until = pd.to_datetime(held["held_to"], utc=True)
    in_force = (held["at"] >= held["held_from"]) & (until.isna() | (held["at"] < until))
    proven = held[in_force]
    penalties = proven.groupby("party").size() * 200_00
    credited = proven[(proven["是否接听"] == "是") & proven["举报人号码"].isin(SUBSCRIBERS)]
    credits_ = credited.groupby("举报人号码").size() * 50_00
    return penalties.to_dict(), credits_.to_dict()


def build(session: Session, keyring: Keyring) -> None:
    make_labels(session)
    for role in (Role.TRIAGER, Role.SUPERVISOR, Role.FINANCE):
        make_user(session, username=role.value, role=role)
    unit = make_unit(session, name="城东分公司", cost_centre="CC-1")
    parties = {name: make_party(session, name=name, sponsor=unit) for name in ("华信代理", "恒通渠道")}
    for party in parties.values():
        make_rule(session, contract=make_contract(session, party=party, unit=unit))
    numbers = {digits: make_number(session, digits=digits) for digits in HOLDINGS["caller"].unique()}
    for row in HOLDINGS.itertuples():
        make_holder(
            session,
            number=numbers[row.caller],
            party=parties[row.party],
            held_from=row.held_from,
            held_to=row.held_to if isinstance(row.held_to, dt.datetime) and not pd.isna(row.held_to) else None,
        )
    make_policy(session, starts_at=EVER_SINCE, per_call_fen=50_00, call_unit=CallUnit.ANSWERED)
    for number in SUBSCRIBERS:
        add_subscriber(
            session,
            keyring,
            number=number,
            account_ref=f"AC-{number}",
            unit_id=unit.id,
            held_from=EVER_SINCE,
            source="test",
            actor_id=1,
        )


@pytest.fixture
def runner(app: Flask, keyring: Keyring) -> Iterator[FlaskCliRunner]:
    with app.app_context():
        db.decide(build, keyring)
        yield app.test_cli_runner()


def run(runner: FlaskCliRunner, *words: str | Path) -> Result:
    result = runner.invoke(args=["cases", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result


def write_csv(rows: pd.DataFrame, path: Path, encoding: str = "gb18030") -> Path:
    path.write_bytes(rows.to_csv(index=False).encode(encoding))
    return path


def take_in(runner: FlaskCliRunner, folder: Path, first: pd.DataFrame) -> None:
    reports = write_csv(first, folder / "12321.csv")
    again = write_csv(told_again(first), folder / "12345.csv", "utf-8-sig")
    run(runner, "import", reports, "--profile", "12321", "--commit", "--user", "triager")
    run(runner, "import", again, "--profile", "12345", "--commit", "--user", "triager")
    # Nobody's line has a record as well: it leads to nobody.
    db.decide(record_every_call)


def decide(runner: FlaskCliRunner) -> None:
    run(runner, "attribute", "--user", "triager")
    run(runner, "find", "--offence", "misleading_free", "--evidence", "录音复核属实", "--user", "triager")
    run(runner, "propose", "--user", "triager")
    run(runner, "approve", "--user", "supervisor")


def penalties_by_party() -> dict[str, int]:
    with db.reading() as session:
        rows = session.execute(select(Party.name, Penalty.amount_fen).join(Penalty, Penalty.party_id == Party.id)).all()
    sums: dict[str, int] = pd.DataFrame(rows, columns=["party", "fen"]).groupby("party")["fen"].sum().to_dict()
    return sums


def credits_by_number(workbook: Path) -> dict[str, int]:
    details = pd.read_excel(workbook, sheet_name=1, dtype=str, engine="openpyxl")
    number, amount = details.columns[3], details.columns[10]
    fen = details[amount].astype(float).mul(100).round().astype(int)
    sums: dict[str, int] = fen.groupby(details[number]).sum().to_dict()
    return sums


def test_every_yuan_equals_an_independent_calculation(runner: FlaskCliRunner, tmp_path: Path) -> None:
    first = complaints()
    expected_penalties, expected_credits = owed(first)

    take_in(runner, tmp_path, first)
    decide(runner)
    run(runner, "batch", tmp_path / "batch.xlsx", "--user", "finance")

    assert penalties_by_party() == expected_penalties
    assert credits_by_number(tmp_path / "batch.xlsx") == expected_credits
    with db.reading() as session:
        assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE) == sum(expected_penalties.values())
        assert balance_fen(session, AccountCode.COMPENSATION_EXPENSE) == sum(expected_credits.values())
        assert balance_fen(session, AccountCode.BILLING_CLEARING) == -sum(expected_credits.values())
        assert out_of_balance_fen(session) == 0


def test_two_channels_are_two_tickets_and_one_incident(runner: FlaskCliRunner, tmp_path: Path) -> None:
    take_in(runner, tmp_path, complaints())

    with db.reading() as session:
        assert session.scalar(select(func.count(Ticket.id))) == 150
        assert session.scalar(select(func.count(Incident.id))) == 120


def test_the_same_files_again_renamed_and_saved_anew_add_nothing(runner: FlaskCliRunner, tmp_path: Path) -> None:
    first = complaints()
    take_in(runner, tmp_path, first)

    saved_anew = write_csv(first[list(reversed(first.columns))], tmp_path / "另存为.csv", "utf-8-sig")
    result = run(runner, "import", saved_anew, "--profile", "12321", "--commit", "--user", "triager")

    with db.reading() as session:
        assert session.scalar(select(func.count(Ticket.id))) == 150
    assert "120" in result.output


def test_every_step_done_twice_is_done_once(runner: FlaskCliRunner, tmp_path: Path) -> None:
    first = complaints()
    expected_penalties, _expected_credits = owed(first)
    take_in(runner, tmp_path, first)

    decide(runner)
    decide(runner)

    assert penalties_by_party() == expected_penalties


def test_who_proposed_cannot_approve(runner: FlaskCliRunner, tmp_path: Path) -> None:
    take_in(runner, tmp_path, complaints())

    result = runner.invoke(args=["cases", "approve", "--user", "triager"])

    assert result.exit_code == 1
    with db.reading() as session:
        assert session.scalar(select(func.count(Penalty.id))) == 0


def test_the_workbook_adds_up_sheet_by_sheet(runner: FlaskCliRunner, tmp_path: Path) -> None:
    first = complaints()
    _expected_penalties, expected_credits = owed(first)
    take_in(runner, tmp_path, first)
    decide(runner)

    run(runner, "batch", tmp_path / "batch.xlsx", "--user", "finance")

    book = openpyxl.load_workbook(tmp_path / "batch.xlsx")
    about, _details, totals, control = book.worksheets
    total = sum(expected_credits.values()) / 100
    assert {row[2] for row in control.iter_rows(min_row=2, values_only=True)} == {total}
    assert len({row[3] for row in control.iter_rows(min_row=2, values_only=True)}) == 1
    by_grouping = pd.DataFrame(totals.iter_rows(min_row=2, values_only=True)).groupby(0)[3].sum()
    assert set(by_grouping) == {total}
    assert about.max_row > 5


def test_the_penalty_workbook_of_the_month_adds_up_to_the_calculation(runner: FlaskCliRunner, tmp_path: Path) -> None:
    first = complaints()
    expected_penalties, _expected_credits = owed(first)
    take_in(runner, tmp_path, first)
    decide(runner)

    month = clock.month_of(clock.today())
    run(runner, "penalty-workbook", month, tmp_path / "penalties.xlsx", "--user", "finance")

    details = pd.read_excel(tmp_path / "penalties.xlsx", sheet_name=1, dtype=str, engine="openpyxl")
    amount = details.columns[11]
    by_party = details[amount].astype(float).mul(100).round().astype(int).groupby(details[details.columns[1]]).sum()
    assert by_party.to_dict() == expected_penalties
