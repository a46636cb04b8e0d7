"""The writer of every workbook: text stays text, amounts are numbers, equal rows are equal bytes."""

import datetime as dt
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pytest

from reports import workbook
from reports.workbook import CellKind, Column, Sheet, write_workbook

MADE_AT = dt.datetime(2026, 11, 22, 8, 0, tzinfo=dt.UTC)


class Row(NamedTuple):
    text: str | None
    amount_fen: int | None = 0


COLUMNS = (
    Column[Row]("Letters", lambda row: row.text),
    Column[Row]("Fen as yuan", lambda row: row.amount_fen, CellKind.YUAN),
)


def cells(path: Path, title: str = "Rows") -> list[tuple[object, ...]]:
    return list(openpyxl.load_workbook(path)[title].iter_rows(min_row=2, values_only=True))


@pytest.mark.parametrize("text", ["=1+1", "+86", "-2", "@cmd", "\tx", '=HYPERLINK("http://x")', "'quoted"])
def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path, text: str) -> None:
    write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [Row(text)])], MADE_AT)

    cell = openpyxl.load_workbook(tmp_path / "a.xlsx")["Rows"]["A2"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (text, "s", True)


def test_digits_keep_their_leading_zero(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [Row("02012345678")])], MADE_AT)

    assert cells(tmp_path / "a.xlsx")[0][0] == "02012345678"


@pytest.mark.parametrize(
    ("fen", "yuan"), [(1, 0.01), (6667, 66.67), (-5000, -50.0), (999_999_999_999, 9_999_999_999.99)]
)
def test_fen_become_yuan_with_two_decimals(tmp_path: Path, fen: int, yuan: float) -> None:
    write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [Row("x", fen)])], MADE_AT)

    cell = openpyxl.load_workbook(tmp_path / "a.xlsx")["Rows"]["B2"]
    assert (cell.value, cell.data_type, cell.number_format) == (yuan, "n", "#,##0.00")


def test_an_unknown_amount_is_an_empty_cell_and_no_zero(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [Row("x", None)])], MADE_AT)

    assert cells(tmp_path / "a.xlsx") in ([("x", None)], [("x", "")])


def test_control_characters_do_not_block_an_export(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [Row("a\x00b\x0bc\ud800d\ne")])], MADE_AT)

    assert cells(tmp_path / "a.xlsx")[0][0] == "a�b�c�d\ne"


def test_text_beyond_a_cell_is_cut_and_says_so(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [Row("长" * 40_000)])], MADE_AT)

    value = str(cells(tmp_path / "a.xlsx")[0][0])
    assert len(value) == 32_767
    assert not value.endswith("长")


def test_the_same_rows_are_the_same_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    first = write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [Row("x", 1)])], MADE_AT)
    # The file carries MADE_AT, not the clock: nothing in it may be newer.
    second = write_workbook(tmp_path / "b.xlsx", [Sheet("Rows", COLUMNS, [Row("x", 1)])], MADE_AT)

    core = zipfile.ZipFile(tmp_path / "a.xlsx").read("docProps/core.xml").decode()
    assert first.sha256 == second.sha256
    assert "2026-11-22T08:00:00Z" in core
    assert core.count("W3CDTF") == 2


def test_one_other_cell_is_other_bytes(tmp_path: Path) -> None:
    first = write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [Row("x", 1)])], MADE_AT)
    second = write_workbook(tmp_path / "b.xlsx", [Sheet("Rows", COLUMNS, [Row("x", 2)])], MADE_AT)

    assert first.sha256 != second.sha256


def test_more_rows_than_a_sheet_holds_go_on_a_further_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "ROWS_PER_SHEET", 3)
    rows = (Row(str(number)) for number in range(7))

    write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, rows, 7)], MADE_AT)

    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["Rows", "Rows 2", "Rows 3"]
    assert [book[name].max_row - 1 for name in book.sheetnames] == [3, 3, 1]


def test_an_empty_table_keeps_its_headings(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, [])], MADE_AT)

    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Rows"]
    assert [cell.value for cell in sheet[1]] == ["Letters", "Fen as yuan"]


def test_a_title_that_excel_forbids_is_mended(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", [Sheet("a/b[c]:*?" + "长" * 40, COLUMNS, [Row("x")])], MADE_AT)

    [title] = openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames
    assert len(title) <= 31
    assert title.startswith("a b c")


def test_a_failure_half_way_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[Row]:
        yield Row("x")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        write_workbook(tmp_path / "a.xlsx", [Sheet("Rows", COLUMNS, broken())], MADE_AT)

    assert list(tmp_path.iterdir()) == []
