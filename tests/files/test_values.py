import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from supervise.errors import InvalidInputError
from supervise.files.values import (
    CellError,
    DateFormatError,
    Precision,
    check_date_format,
    parse_boolean,
    parse_count,
    parse_day,
    parse_digits,
    parse_moment,
    parse_seconds,
    parse_text,
    parse_yuan,
)

SECOND, MINUTE, DAY = Precision.SECOND, Precision.MINUTE, Precision.DAY


@pytest.mark.parametrize(
    ("text", "utc", "precision"),
    [
        ("2026-11-03 14:05:09", "2026-11-03 06:05:09", SECOND),
        ("2026-11-03T14:05:09.250", "2026-11-03 06:05:09", SECOND),
        ("2026-11-03 14:05", "2026-11-03 06:05:00", MINUTE),
        ("2026/11/3 14:05", "2026-11-03 06:05:00", MINUTE),
        ("2026/11/3 4:05:09", "2026-11-02 20:05:09", SECOND),
        ("2026.11.03 14:05", "2026-11-03 06:05:00", MINUTE),
        ("2026年11月3日14时5分", "2026-11-03 06:05:00", MINUTE),
        ("2026年11月3日 14时5分9秒", "2026-11-03 06:05:09", SECOND),
        ("2026年11月3日 14:05", "2026-11-03 06:05:00", MINUTE),
        ("2026年11月3日", "2026-11-02 16:00:00", DAY),
        ("20261103140509", "2026-11-03 06:05:09", SECOND),
        ("202611031405", "2026-11-03 06:05:00", MINUTE),
        ("20261103", "2026-11-02 16:00:00", DAY),
        ("2026-11-03", "2026-11-02 16:00:00", DAY),
        ("２０２６－１１－０３　１４：０５", "2026-11-03 06:05:00", MINUTE),
        ("2026-11-03T06:05:09Z", "2026-11-03 06:05:09", SECOND),
        ("2026-11-03 14:05:09+08:00", "2026-11-03 06:05:09", SECOND),
        ("2026-11-03 00:00:00", "2026-11-02 16:00:00", SECOND),
    ],
)
def test_a_time_is_read_with_its_precision(text: str, utc: str, precision: Precision) -> None:
    moment = parse_moment(f" {text} ")

    assert moment == (dt.datetime.fromisoformat(f"{utc}+00:00"), precision)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("03/04/2026", "%(text)s could be two dates; write the year first, or name the format in the import profile"),
        ("3-4-26 14:05", "%(text)s could be two dates; write the year first, or name the format in the import profile"),
        ("2026-02-30", "There is no such date or time: %(text)s"),
        ("2026-11-03 24:00", "There is no such date or time: %(text)s"),
        ("2026年13月1日", "There is no such date or time: %(text)s"),
        ("46329.5869097222", "Excel has turned this time into the number %(text)s; format the column as a date"),
        ("46329", "Excel has turned this time into the number %(text)s; format the column as a date"),
        ("2.02611E+13", "A spreadsheet has rounded this number (%(text)s); its digits are lost"),
        ("昨天下午", "This is not a time: %(text)s"),
        ("2026-11", "This is not a time: %(text)s"),
        ("2026-11/03", "This is not a time: %(text)s"),
    ],
)
def test_a_time_that_would_be_a_guess_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(CellError) as caught:
        parse_moment(text)

    assert caught.value.message_id == message
    assert caught.value.parameters["text"] == text


def test_a_named_format_settles_what_would_be_ambiguous() -> None:
    assert parse_day("03/04/2026", ["%m/%d/%Y"]) == dt.date(2026, 3, 4)
    assert parse_day("03/04/2026", ["%d/%m/%Y"]) == dt.date(2026, 4, 3)
    assert parse_moment("03/04/2026 14:05", ["%m/%d/%Y %H:%M"]).precision is MINUTE
    assert parse_moment("2026-11-03 14:05:09", ["%m/%d/%Y"]).precision is SECOND


def test_two_named_formats_that_disagree_are_refused() -> None:
    with pytest.raises(CellError):
        parse_moment("03/04/2026", ["%m/%d/%Y", "%d/%m/%Y"])

    assert parse_day("03/14/2026", ["%m/%d/%Y", "%d/%m/%Y"]) == dt.date(2026, 3, 14)


@pytest.mark.parametrize("text", ["%H:%M", "%Y-%m", "day first", "%Q"])
def test_a_format_without_a_whole_date_is_refused(text: str) -> None:
    with pytest.raises(DateFormatError):
        check_date_format(text)


def test_text_keeps_its_leading_zeros_and_inner_lines() -> None:
    assert parse_text("  0012\r\n行  ") == "0012\n行"


@pytest.mark.parametrize("text", ["是", "有", "Y", "yes", "TRUE", "1", "Ｙ"])
def test_yes_is_read(text: str) -> None:
    assert parse_boolean(text) is True


@pytest.mark.parametrize("text", ["否", "无", "N", "no", "False", "0"])
def test_no_is_read(text: str) -> None:
    assert parse_boolean(text) is False


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_yuan, "1,234.5", 123450),
        (parse_yuan, "￥200", 20000),
        (parse_yuan, "200元", 20000),
        (parse_yuan, "-50", -5000),
        (parse_digits, "00123", "00123"),
        (parse_digits, "００１２３", "00123"),
        (parse_count, "8", 8),
        (parse_seconds, "95", 95),
        (parse_seconds, "95秒", 95),
        (parse_seconds, "1分35秒", 95),
        (parse_seconds, "00:01:35", 95),
        (parse_seconds, "1:35", 95),
        (parse_seconds, "1小时2分3秒", 3723),
    ],
)
def test_other_kinds_are_read(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_boolean, "也许"),
        (parse_boolean, ""),
        (parse_yuan, "1.38E+10"),
        (parse_yuan, "12.345"),
        (parse_yuan, "二百"),
        (parse_yuan, "NaN"),
        (parse_digits, "1.38E+10"),
        (parse_digits, "12a"),
        (parse_digits, "1_000"),
        (parse_digits, "-5"),
        (parse_digits, "12.0"),
        (parse_digits, "1" * 41),
        (parse_count, "1000001"),
        (parse_seconds, "9" * 20),
        (parse_seconds, "9" * 5000 + "秒"),
        (parse_count, "99999999999999999999"),
        (parse_seconds, "很久"),
        (parse_seconds, ""),
        (parse_seconds, "1:99"),
    ],
)
def test_other_kinds_are_refused_rather_than_guessed(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text)
