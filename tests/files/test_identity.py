import datetime as dt
from pathlib import Path

from supervise.files.identity import RowKeys, row_key
from supervise.files.mapping import ColumnMapping
from supervise.files.reader import read_table
from supervise.files.row_values import RowValues
from supervise.files.values import parse_moment, parse_text
from tests.factories.files import write_csv, write_xlsx

MAPPING = ColumnMapping({"number": ("号码",), "at": ("时间",), "text": ("内容",)}, frozenset({"number"}))


def keys_of(path: Path) -> list[str]:
    keys = RowKeys("10086")
    found = []
    with path.open("rb") as file, read_table(file, MAPPING.required_headings) as table:
        columns = MAPPING.columns(table.header)
        for raw in table.rows:
            values = RowValues(columns.map_row(raw), columns)
            moment = values.optional("at", parse_moment)
            number = values.optional("number", parse_text)
            text = values.optional("text", parse_text)
            found.append(keys.key({"number": number, "at": moment and moment.at, "text": text}))
    return found


def test_the_same_table_saved_again_in_another_way_has_the_same_keys(tmp_path: Path) -> None:
    rows = [["1", "2026-11-03 14:05", "一\n二"], ["2", "2026-11-03", "三"], ["1", "2026-11-03 14:05", "一\n二"]]
    moved = [["三", "2", "2026年11月3日"], ["一\r\n二 ", "1", "2026/11/3 14:05"], ["一\n二", "1", "202611031405"]]

    first = keys_of(write_csv(tmp_path / "a.csv", [["号码", "时间", "内容"], *rows]))
    again = keys_of(write_csv(tmp_path / "b.csv", [["内容", "号码", "时间"], *moved], encoding="gb18030"))
    called = dt.datetime.fromisoformat("2026-11-03 14:05")
    cells = [["1", called, "一\n二"], ["2", dt.date(2026, 11, 3), "三"], ["1", called, "一\n二"]]
    workbook = keys_of(write_xlsx(tmp_path / "c.xlsx", [["号码", "时间", "内容"], *cells]))

    assert len(set(first)) == 3
    assert set(first) == set(again) == set(workbook)


def test_equal_rows_are_told_apart_by_their_occurrence() -> None:
    keys = RowKeys()

    found = [keys.key({"a": "1"}) for _ in range(3)]

    assert found == [row_key({"a": "1"}, 1), row_key({"a": "1"}, 2), row_key({"a": "1"}, 3)]
    assert len(set(found)) == 3


def test_another_value_another_field_or_another_channel_is_another_row() -> None:
    keys = {
        row_key({"a": "1", "b": "2"}, 1),
        row_key({"a": "12", "b": ""}, 1),
        row_key({"a": "", "b": "12"}, 1),
        row_key({"a": "2", "b": "1"}, 1),
        row_key({"a": "1", "b": "2"}, 1, "12321"),
        row_key({"a": "1", "b": "2"}, 2),
    }

    assert len(keys) == 6


def test_an_empty_field_and_a_missing_one_are_the_same() -> None:
    assert row_key({"a": "1", "b": None, "c": ""}, 1) == row_key({"a": "1"}, 1)
