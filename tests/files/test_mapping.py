import pytest

from supervise.files.mapping import ColumnMapping, MappingError
from supervise.files.reader import CellProblem, RawRow
from supervise.files.refusals import MissingColumnsError
from supervise.files.remarks import remark_text
from supervise.files.row_values import RowValues
from supervise.files.values import parse_moment, parse_text, parse_yuan
from supervise.labels import use_locale
from supervise.phone import NumberingPlan, normalise

MAPPING = ColumnMapping(
    fields={
        "reference": ("转办编号", "工单编号"),
        "number": ("举报人号码",),
        "called_at": ("来电时间",),
        "text": ("举报描述",),
    },
    required=frozenset({"reference", "number"}),
)
HEADER = ["举报描述", " 举报人 号码", "备注", "工单编号"]


def test_columns_are_found_in_any_order_and_the_unused_are_listed() -> None:
    columns = MAPPING.columns(HEADER)

    row = columns.map_row(RawRow(7, ["多次推销", " 13800138000 ", "x", "0012"], []))

    assert row == (7, {"reference": "0012", "number": "13800138000", "text": "多次推销"}, [])
    assert columns.unused == ["备注"]
    assert columns.heading("number") == " 举报人 号码"


def test_missing_required_columns_are_refused_by_name() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        MAPPING.columns(["举报描述", "来电时间"])

    assert caught.value.parameters == {"columns": "转办编号, 举报人号码"}


def test_of_two_accepted_headings_the_preferred_one_is_used_and_the_other_listed() -> None:
    columns = MAPPING.columns(["工单编号", "转办编号", "举报人号码"])

    row = columns.map_row(RawRow(2, ["ours", "theirs", "1"], []))

    assert row.cells["reference"] == "theirs"
    assert columns.unused == ["工单编号"]


def test_a_constant_fills_what_the_file_does_not_say() -> None:
    mapping = ColumnMapping({"region": ("地区",), "text": ("内容",)}, constants={"region": "广东"})

    columns = mapping.columns(["内容", "地区"])

    assert columns.map_row(RawRow(2, ["a", ""], [])).cells["region"] == "广东"
    assert columns.map_row(RawRow(3, ["a", "湖南"], [])).cells["region"] == "湖南"


def test_a_row_that_does_not_fit_the_header_loses_its_cells() -> None:
    columns = MAPPING.columns(HEADER)
    problem = CellProblem(None, "The row has %(cells)d cells, the header %(columns)d", {"cells": 2, "columns": 4})

    row = columns.map_row(RawRow(2, ["a", "13800138000"], [problem]))

    assert row == (2, {}, [problem])


def test_a_problem_in_an_unused_column_is_left_out() -> None:
    columns = MAPPING.columns(HEADER)
    unused = CellProblem(2, "The cell shows an Excel error", {"column": "备注"})
    used = CellProblem(0, "The cell shows an Excel error", {"column": "举报描述"})

    row = columns.map_row(RawRow(2, ["", "1", "", "2"], [unused, used]))

    assert row.problems == [used]


def test_the_apostrophe_of_our_own_error_file_is_taken_off() -> None:
    columns = MAPPING.columns(HEADER)

    row = columns.map_row(RawRow(2, ["'=1+1", "1", "", "'abc"], []))

    assert row.cells["text"] == "=1+1"
    assert row.cells["reference"] == "'abc"


def test_a_mapping_is_the_same_after_it_was_stored() -> None:
    mapping = ColumnMapping(
        {"a": ("甲", "A"), "b": ("乙",)}, frozenset({"a"}), {"c": "x"}, NumberingPlan.OTHER, ("%m/%d/%Y",)
    )

    assert ColumnMapping.from_json(mapping.to_json()) == mapping


@pytest.mark.parametrize(
    "contradiction",
    [
        {"fields": {"a": ("编号",), "b": (" 编 号",)}},
        {"fields": {"a": ()}, "required": frozenset({"a"})},
        {"fields": {}, "required": frozenset({"a"})},
        {"fields": {"a": ("甲",)}, "date_formats": ("%H:%M",)},
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(contradiction: dict[str, object]) -> None:
    with pytest.raises(MappingError):
        ColumnMapping(**contradiction)  # type: ignore[arg-type]


def test_all_that_is_wrong_with_a_row_is_gathered_under_the_headings_of_the_file() -> None:
    columns = MAPPING.columns(["工单编号", "举报人号码", "来电时间", "举报描述"])
    row = columns.map_row(RawRow(2, ["", "1.38E+10", "2026-02-30 14:05", "好"], []))
    values = RowValues(row, columns)

    reference = values.required("reference", parse_text)
    number = values.required("number", normalise)
    called_at = values.optional("called_at", parse_moment)
    text = values.optional("text", parse_text)
    amount = values.optional("amount", parse_yuan)

    assert (reference, number, called_at, text, amount) == (None, None, None, "好", None)
    with use_locale("en"):
        assert [remark_text(remark) for remark in values.remarks] == [
            "工单编号: This cell must not be empty",
            "举报人号码: A spreadsheet has rounded this number (1.38E+10); its digits are lost",
            "来电时间: There is no such date or time: 2026-02-30 14:05",
        ]


def test_a_remark_holds_no_full_number() -> None:
    columns = MAPPING.columns(HEADER)
    row = columns.map_row(RawRow(2, ["", "138-0013-80001", "", "1"], []))
    values = RowValues(row, columns)

    assert values.required("number", normalise) is None

    message_id, parameters = values.remarks[0]
    assert parameters["digits"] == "138****0001"
    assert "13800138" not in str((message_id, parameters))
