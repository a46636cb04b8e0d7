"""The credit workbook: its contract with finance (docs/reports.md), its sums, its bytes."""

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell import Cell
from sqlalchemy.orm import Session

from reports import credit_batch
from reports.credit_batch import build_credit_batch_workbook
from reports.workbook import Column, WorkbookFile
from supervise import clock
from supervise.cipher import Keyring
from supervise.compensation.batches import LineOutcome, freeze_batch, mark_lines
from supervise.compensation.lists import lines_of_page
from supervise.compensation.models import Credit, CreditBatch
from supervise.compensation.queries import batch_by_id
from supervise.complaints.subscribers import full_numbers
from supervise.errors import NotFoundError
from supervise.labels import translate, use_locale
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.models import Party
from tests.factories.access import make_user
from tests.factories.compensation import make_approved_credit, make_undertaking, make_victim
from tests.factories.complaints import CALLED_AT

#: domain.md section 9, with the tax label that every amount line carries.
COLUMNS = [
    "批次号",
    "序号",
    "赔偿单号",
    "手机号",
    "账户号",
    "归属省市",
    "性质",
    "类型",
    "次数",
    "单价(元)",
    "金额(元)",
    "责任方",
    "追偿方式",
    "会计科目",
    "税务标签",
    "成本中心",
    "工单号",
    "事件时间",
    "承诺编号",
    "审批人",
    "审批时间",
    "备注",
]
AMOUNTS = {"序号", "次数", "单价(元)", "金额(元)"}


@pytest.fixture
def granted(session: Session) -> list[Credit]:
    """Three approved credits of 50 yuan, on three days."""
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    return [
        make_approved_credit(session, subscriber=victim, occurred_at=CALLED_AT + dt.timedelta(days=day))
        for day in range(3)
    ]


def freeze(session: Session, chosen: Sequence[Credit], locale: str = "zh_Hans") -> CreditBatch:
    maker = make_user(session, username="finance-maker", display_name="周敏")
    return freeze_batch(
        session, [credit.id for credit in chosen], locale=locale, anchor="7 abcdef 2026-11-22", actor_id=maker.id
    )


def build(session: Session, keyring: Keyring, batch: CreditBatch, path: Path) -> WorkbookFile:
    return build_credit_batch_workbook(session, keyring, batch.id, path)


def detail(path: Path) -> list[dict[str, Cell]]:
    sheet = openpyxl.load_workbook(path)["赔偿明细"]
    headings = [str(cell.value) for cell in sheet[1]]
    return [dict(zip(headings, row, strict=True)) for row in sheet.iter_rows(min_row=2)]


def test_the_sheets_and_columns_are_those_of_the_contract(
    session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit]
) -> None:
    build(session, keyring, freeze(session, granted), tmp_path / "a.xlsx")

    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["说明", "赔偿明细", "汇总", "控制"]
    assert [cell.value for cell in book["赔偿明细"][1]] == COLUMNS


def test_numbers_are_text_and_amounts_are_numbers(
    session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit]
) -> None:
    build(session, keyring, freeze(session, granted), tmp_path / "a.xlsx")

    [number] = full_numbers(session, keyring, [granted[0].number_id]).values()
    for row in detail(tmp_path / "a.xlsx"):
        kinds = {name: cell.data_type for name, cell in row.items() if cell.value is not None}
        assert {name for name, kind in kinds.items() if kind == "n"} == AMOUNTS
        assert (row["手机号"].value, row["手机号"].data_type) == (number, "s")
        assert (row["金额(元)"].value, row["金额(元)"].number_format) == (50.0, "#,##0.00")


@pytest.mark.parametrize("text", ["=1+1", "+8613800138000", "-2", "@cmd", "\tx", '=HYPERLINK("http://x")'])
def test_text_that_a_spreadsheet_would_run_is_text(
    session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit], text: str
) -> None:
    party = session.get_one(Party, granted[0].party_id)
    party.name = text
    session.flush()

    build(session, keyring, freeze(session, granted[:1]), tmp_path / "a.xlsx")

    [row] = detail(tmp_path / "a.xlsx")
    cell = row["责任方"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (text, "s", True)


def test_every_sum_is_the_ledgers(session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit]) -> None:
    batch = freeze(session, granted)
    build(session, keyring, batch, tmp_path / "a.xlsx")

    in_clearing_fen = -balance_fen(session, AccountCode.BILLING_CLEARING, batch.id)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    lines_fen = sum(round(row["金额(元)"].value * 100) for row in detail(tmp_path / "a.xlsx"))
    groups: dict[str, int] = {}
    for grouping, _group, _count, amount in book["汇总"].iter_rows(min_row=2, values_only=True):
        groups[str(grouping)] = groups.get(str(grouping), 0) + round(float(str(amount)) * 100)
    assert in_clearing_fen == 150_00
    assert lines_fen == in_clearing_fen
    assert len(groups) == 3
    assert set(groups.values()) == {in_clearing_fen}
    control = list(book["控制"].iter_rows(min_row=2, values_only=True))
    assert {row[1:] for row in control} == {(3, 150.0, "是")}
    assert len(control) == 4


def test_a_sum_that_differs_is_said_on_the_control_sheet(
    session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit]
) -> None:
    batch = freeze(session, granted)

    # The database refuses to change a frozen batch, so the damage is never stored.
    with session.no_autoflush:
        batch.total_fen += 1
        build(session, keyring, batch, tmp_path / "a.xlsx")
        session.expire(batch)

    control = openpyxl.load_workbook(tmp_path / "a.xlsx")["控制"].iter_rows(min_row=3, values_only=True)
    assert {row[3] for row in control} == {translate("NO")}


def test_about_names_the_hash_of_the_rows_and_the_anchor(
    session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit]
) -> None:
    batch = freeze(session, granted)
    build(session, keyring, batch, tmp_path / "a.xlsx")

    facts = dict(openpyxl.load_workbook(tmp_path / "a.xlsx")["说明"].iter_rows(min_row=2, values_only=True))
    assert facts["批次号"] == batch.number
    assert facts["冻结行的 SHA-256"] == batch.rows_sha256
    assert facts["账簿最新封存"] == "7 abcdef 2026-11-22"
    assert facts["制单人"] == "周敏"


def test_the_same_batch_is_the_same_bytes_on_another_day_in_another_language_and_after_billing_answered(
    session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit]
) -> None:
    batch = freeze(session, granted)
    first = build(session, keyring, batch, tmp_path / "a.xlsx")
    [row, *_others] = lines_of_page(session, batch.id)
    mark_lines(session, batch.id, [LineOutcome(row.line.id, "E02")], actor_id=1)
    party = session.get_one(Party, granted[0].party_id)
    party.name = "改名后的公司"
    session.flush()

    with clock.pretending(clock.now() + dt.timedelta(days=40)), use_locale("en"):
        second = build(session, keyring, batch_by_id(session, batch.id), tmp_path / "b.xlsx")

    assert first.sha256 == second.sha256
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_a_batch_frozen_in_english_stays_english(
    session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit]
) -> None:
    with use_locale("zh_Hans"):
        build(session, keyring, freeze(session, granted, locale="en"), tmp_path / "a.xlsx")

    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["About", "Credit lines", "Totals", "Control"]
    assert [cell.value for cell in book["Credit lines"][1]][:4] == [
        "Batch number",
        "Line number",
        "Credit number",
        "Phone number",
    ]
    assert book["Credit lines"]["G2"].value == "Compensation"


def test_a_batch_that_is_not_there_is_refused_and_leaves_no_file(
    session: Session, keyring: Keyring, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError):
        build_credit_batch_workbook(session, keyring, 987_654, tmp_path / "a.xlsx")

    assert list(tmp_path.iterdir()) == []


def test_progress_hears_of_every_line(
    session: Session, keyring: Keyring, tmp_path: Path, granted: list[Credit]
) -> None:
    heard: list[int] = []

    build_credit_batch_workbook(
        session, keyring, freeze(session, granted).id, tmp_path / "a.xlsx", progress=heard.append
    )

    assert heard[-1] == 3


def test_the_documentation_defines_every_column() -> None:
    text = Path("docs/reports.md").read_text(encoding="utf-8")
    columns: list[Column[Any]] = [
        *credit_batch.DETAIL_COLUMNS,
        *credit_batch.ABOUT_COLUMNS,
        *credit_batch.TOTAL_COLUMNS,
        *credit_batch.CONTROL_COLUMNS,
    ]
    for column in columns:
        heading = translate(column.heading)
        defined = rf"^\| {re.escape(column.heading)} \| {re.escape(heading)} \| {re.escape(column.meaning)} \|"
        assert re.search(defined, text, re.MULTILINE), column.heading
