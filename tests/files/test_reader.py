import datetime as dt
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from supervise.files.reader import RawRow, ReadingLimits, Table, read_table
from supervise.files.refusals import (
    DuplicateColumnError,
    EncodingError,
    FileRefusedError,
    MissingColumnsError,
    QuotationError,
    SeveralSheetsError,
    TooManyColumnsError,
    TooManyRowsError,
)
from tests.factories.files import write_csv, write_raw_xlsx, write_xlsx

HEADER = ["工单编号", "来电号码", "诉求内容"]
ROWS = [HEADER, ["0012", "02012345678", "不要再打"], ["0013", "13800138000", "多次推销，要求处理"]]
REQUIRED = [("工单编号", "编号"), ("来电号码",)]
#: As a cell holds it: the wall clock, without a zone.
CALLED = dt.datetime.fromisoformat("2026-11-03 14:05:09")
PROJECT = Path(__file__).resolve().parents[2]


def read(path: Path, required: list[tuple[str, ...]] = REQUIRED, **limits: int) -> tuple[Table, list[RawRow]]:
    with path.open("rb") as file, read_table(file, required, ReadingLimits(**limits)) as table:
        return table, list(table.rows)


def texts(rows: list[RawRow]) -> list[list[str]]:
    return [row.cells for row in rows]


def messages(row: RawRow) -> list[str]:
    return [problem.message_id % problem.parameters for problem in row.problems]


# Delimited text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
def test_a_csv_file_gives_the_same_rows_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = write_csv(tmp_path / "a.csv", ROWS, encoding=encoding)

    table, rows = read(path)

    assert table.header == HEADER
    assert (table.header_row, table.sheet, table.row_count) == (1, None, 2)
    assert rows == [RawRow(2, ROWS[1], []), RawRow(3, ROWS[2], [])]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_delimiter_is_the_one_that_cuts_out_the_wanted_columns(tmp_path: Path, delimiter: str) -> None:
    path = write_csv(tmp_path / "a.txt", ROWS, delimiter=delimiter)

    _, rows = read(path)

    assert texts(rows) == ROWS[1:]


def test_utf8_with_a_broken_byte_is_refused_and_never_read_as_gb18030(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ROWS)
    path.write_bytes(path.read_bytes().replace("推".encode(), b"\xe6\x8e"))

    with pytest.raises(EncodingError):
        read(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\xd8a\x00", b"\x00a\x00b\x00,\x00c", b"\xef\xbb\xbfa,\xff\xff"])
def test_bytes_that_no_encoding_explains_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)

    with pytest.raises(EncodingError):
        read(path)


def test_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("工单编号,来电号码\n1,\ud800".encode("utf-8", "surrogatepass"))

    with pytest.raises(EncodingError):
        read(path)


def test_a_nul_is_an_error_of_its_row_and_the_others_are_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [HEADER, ["1", "2", "a\0b"], ["3", "4", "c"]])

    _, rows = read(path)

    assert messages(rows[0]) == ["The text contains control characters"]
    assert rows[0].problems[0].parameters == {"column": "诉求内容"}
    assert rows[1] == RawRow(3, ["3", "4", "c"], [])


def test_rows_longer_or_shorter_than_the_header_are_errors_and_never_shifted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [HEADER, ["1", "2", "3", "4"], ["5", "6"], ["7", "8", "9"]])

    _, rows = read(path)

    assert messages(rows[0]) == ["The row has more cells than the header (3)"]
    assert messages(rows[1]) == ["The row has 2 cells, the header 3"]
    assert rows[2] == RawRow(4, ["7", "8", "9"], [])


def test_row_numbers_are_those_of_a_spreadsheet_past_blank_and_many_line_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('工单编号,来电号码\n1,"two\nlines"\n\n,\n3,4\n\n\n', encoding="utf-8")

    table, rows = read(path)

    assert [row.number for row in rows] == [2, 5]
    assert rows[0].cells == ["1", "two\nlines"]
    assert table.row_count == 2


def test_a_quotation_mark_that_does_not_close_is_refused_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('工单编号,来电号码\n1,2\n3,"open\n' + "5,6\n" * 1000, encoding="utf-8")

    with pytest.raises(QuotationError) as caught:
        read(path)

    assert caught.value.parameters == {"row": 3}


def test_a_text_longer_than_a_cell_may_be_is_an_error_of_its_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [HEADER, ["1", "2", "长" * 40_000], ["3", "4", "长" * 12_000]])

    _, rows = read(path)

    assert messages(rows[0]) == ["The text is longer than 32767 characters"]
    assert len(rows[0].cells[2]) == 32_767
    assert (len(rows[1].cells[2]), rows[1].problems) == (12_000, [])


def test_more_rows_than_the_limit_are_refused_and_as_many_are_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [HEADER, *([str(i), "2", "3"] for i in range(11))])

    with pytest.raises(TooManyRowsError):
        read(path, rows=10)

    assert len(read(path, rows=11)[1]) == 11


def test_more_columns_than_the_limit_are_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [[*HEADER, *(f"c{i}" for i in range(198))]])

    with pytest.raises(TooManyColumnsError):
        read(path)


# Workbooks


def test_a_workbook_gives_text_as_people_read_it(tmp_path: Path) -> None:
    cells = [
        "0012",
        13800138000,
        CALLED,
        dt.date(2026, 11, 3),
        dt.time(14, 5),
        True,
        12.5,
        0.1 + 0.2,
        -5,
        "1.38E+10",
        "  空格  ",
        46000,
    ]
    path = write_xlsx(tmp_path / "a.xlsx", [[f"c{place}" for place in range(len(cells))], cells])

    _, rows = read(path, [("c0",)])

    assert rows == [
        RawRow(
            2,
            [
                "0012",
                "13800138000",
                "2026-11-03 14:05:09",
                "2026-11-03",
                "14:05:00",
                "TRUE",
                "12.5",
                "0.3",
                "-5",
                "1.38E+10",
                "  空格  ",
                "46000",
            ],
            [],
        )
    ]


def test_the_header_may_stand_below_a_merged_title(tmp_path: Path) -> None:
    title = [["2026年11月投诉工单汇总"], ["制表单位：某某分公司"], []]
    path = write_xlsx(tmp_path / "a.xlsx", [*title, *ROWS], change=lambda sheet: sheet.merge_cells("A1:C1"))

    table, rows = read(path)

    assert (table.header_row, table.header) == (4, HEADER)
    assert [row.number for row in rows] == [5, 6]


def test_a_table_that_does_not_begin_in_a1_keeps_its_row_numbers(tmp_path: Path) -> None:
    rows_below = [[], [], ["", "", *HEADER], ["", "", *ROWS[1]]]
    path = write_xlsx(tmp_path / "a.xlsx", rows_below)

    table, rows = read(path)

    assert table.header_row == 3
    assert [row.number for row in rows] == [4]


def test_hidden_sheets_are_not_read_and_of_several_the_one_with_the_header_is(tmp_path: Path) -> None:
    def add_sheets(sheet: object) -> None:
        book = sheet.parent  # type: ignore[attr-defined]
        book.create_sheet("说明", 0).append(["本表由系统导出"])
        hidden = book.create_sheet("旧")
        hidden.append(HEADER)
        hidden.append(["9", "9", "旧"])
        hidden.sheet_state = "hidden"

    path = write_xlsx(tmp_path / "a.xlsx", ROWS, change=add_sheets)

    table, rows = read(path)

    assert table.sheet == "Sheet"
    assert texts(rows) == ROWS[1:]


def test_two_sheets_with_the_header_are_refused(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", ROWS, change=lambda sheet: sheet.parent.create_sheet("十月").append(HEADER))

    with pytest.raises(SeveralSheetsError) as caught:
        read(path)

    assert caught.value.parameters == {"first": "Sheet", "second": "十月"}


def test_an_error_cell_and_a_formula_without_value_are_errors_of_their_cells(tmp_path: Path) -> None:
    def spoil(sheet: object) -> None:
        sheet["B2"] = "#N/A"  # type: ignore[index]
        sheet["B2"].data_type = "e"  # type: ignore[index]
        sheet["C3"] = "=A3&B3"  # type: ignore[index]

    path = write_xlsx(tmp_path / "a.xlsx", ROWS, change=spoil)

    _, rows = read(path)

    assert messages(rows[0]) == ["The cell shows an Excel error"]
    assert rows[0].problems[0].place == 1
    assert messages(rows[1]) == ["The cell has a formula without a stored value; paste it as a value"]


def test_a_formula_with_its_value_is_read_as_the_value_even_when_that_is_empty(tmp_path: Path) -> None:
    row = '<row r="2"><c r="A2" t="str"><f>"1"</f><v>1</v></c><c r="B2" t="str"><f>""</f><v></v></c></row>'
    path = write_raw_xlsx(tmp_path / "a.xlsx", _header_of("ref", "text") + row)

    _, rows = read(path, [("ref",)])

    assert rows == [RawRow(2, ["1", ""], [])]


def test_a_number_longer_than_excel_can_hold_is_an_error(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", [["编号"], [106575123456789012]])

    _, rows = read(path, [("编号",)])

    assert messages(rows[0]) == ["Excel keeps 15 digits of a number; this one was longer, and its end is lost"]


def test_empty_rows_at_the_end_are_dropped(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", [*ROWS, *([" ", None, ""] for _ in range(50))])

    table, rows = read(path)

    assert len(rows) == table.row_count == 2


def test_a_cell_beyond_the_header_is_an_error_of_its_row(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", [HEADER, ["1", "2", "3", "4"], ["5", "6", "7"]])

    _, rows = read(path)

    assert messages(rows[0]) == ["The row has more cells than the header (3)"]
    assert rows[1] == RawRow(3, ["5", "6", "7"], [])


def test_the_1904_calendar_is_understood(tmp_path: Path) -> None:
    def use_1904(sheet: object) -> None:
        sheet.parent.epoch = CALENDAR_MAC_1904  # type: ignore[attr-defined]

    path = write_xlsx(tmp_path / "a.xlsx", [["编号"], [CALLED]], change=use_1904)

    _, rows = read(path, [("编号",)])

    assert texts(rows) == [["2026-11-03 14:05:09"]]


# Headers


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_missing_columns_are_named_by_the_row_that_comes_nearest(tmp_path: Path, suffix: str) -> None:
    write = write_csv if suffix == "csv" else write_xlsx
    path = write(tmp_path / f"a.{suffix}", [["标题"], ["编号", "时间"], ["1", "2"]])

    with pytest.raises(MissingColumnsError) as caught:
        read(path)

    assert caught.value.parameters == {"columns": "来电号码"}


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_two_columns_with_the_same_heading_are_refused(tmp_path: Path, suffix: str) -> None:
    write = write_csv if suffix == "csv" else write_xlsx
    path = write(tmp_path / f"a.{suffix}", [["编号", "来电号码", " 来电 号码"], ["1", "2", "3"]])

    with pytest.raises(DuplicateColumnError):
        read(path)


def test_a_heading_matches_without_regard_to_width_case_and_spaces(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [["\u3000ＩＤ ", "Phone No"], ["1", "2"]])

    table, rows = read(path, [("id",), ("PHONENO",)])

    assert table.header == ["ＩＤ", "Phone No"]
    assert len(rows) == 1


def test_without_wanted_columns_the_first_well_filled_row_is_the_header(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [["标题", "", ""], ["甲", "乙", "丙"], ["1", "2", "3"]], delimiter=";")

    table, rows = read(path, [])

    assert (table.header, table.header_row) == (["甲", "乙", "丙"], 2)
    assert texts(rows) == [["1", "2", "3"]]


def test_every_refusal_is_a_sentence() -> None:
    kinds = FileRefusedError.__subclasses__()

    assert len(kinds) > 20
    assert all(kind.message != FileRefusedError.message and " " in kind.message for kind in kinds)


# The child


def test_leaving_the_block_early_ends_the_child(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [HEADER, *([str(i), "2", "3" * 50] for i in range(50_000))])
    before = _children()

    with path.open("rb") as file, read_table(file, REQUIRED) as table:
        first = next(table.rows)
        during = _children()

    assert first.number == 2
    assert len(during - before) == 1
    assert _children() == before


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


def _header_of(*headings: str) -> str:
    cells = "".join(
        f'<c r="{chr(65 + place)}1" t="inlineStr"><is><t>{text}</t></is></c>' for place, text in enumerate(headings)
    )
    return f'<row r="1">{cells}</row>'


def test_the_child_cannot_open_a_socket_or_a_file() -> None:
    limits = {"memory_bytes": 512 << 20, "cpu_seconds": 5}
    attempt = (
        "import socket, sys; sys.path.insert(0, sys.argv[1])\n"
        "from supervise.files.reading_child import confine\n"
        f"confine({limits})\n"
        "for deed in (socket.socket, lambda: open('/etc/passwd')):\n"
        "    try: deed()\n"
        "    except OSError as error: print(error.errno)\n"
    )

    done = subprocess.run([sys.executable, "-I", "-c", attempt, PROJECT], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["24", "24"]
