"""From the text of a cell to a value: one way to read each kind, used by every import, and never a guess.

Each parser raises ``CellError`` with a message and its parameters. Times without a zone are China's.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from supervise import clock, money
from supervise.errors import InvalidInputError
from supervise.labels import N_, LabelledEnum

_TEXT_SHOWN = 40


class CellError(InvalidInputError):
    """A cell cannot be read; the message says why."""

    message = N_("The cell cannot be read")


class DateFormatError(InvalidInputError):
    """A named date format does not name a year, a month and a day."""

    message = N_("%(format)s is no date format: it must name year, month and day")


class Precision(LabelledEnum):
    """How exactly a source gives a time; a day is never turned into midnight silently."""

    SECOND = "second", N_("To the second")
    MINUTE = "minute", N_("To the minute")
    DAY = "day", N_("Day only")


class Moment(NamedTuple):
    """A time as a file gives it: UTC, and how exact it is. A day begins at midnight in China."""

    at: dt.datetime
    precision: Precision


_DATE = (
    r"(?P<year>\d{4})(?:(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})"
    r"|年(?P<month2>\d{1,2})月(?P<day2>\d{1,2})日)"
)
_TIME = (
    r"(?:(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{1,9})?)?"
    r"|(?P<hour2>\d{1,2})[时点](?P<minute2>\d{1,2})分(?:(?P<second2>\d{1,2})秒)?)"
)
_ZONE = r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?"
_MOMENT = re.compile(rf"{_DATE}(?:(?:T|\s+|(?<=日)){_TIME}{_ZONE})?", re.ASCII | re.IGNORECASE)
_COMPACT = re.compile(
    r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:\s*(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?)?",
    re.ASCII,
)
_MONTH = re.compile(r"(?P<year>20\d{2})[-/.年]?(?P<month>0?[1-9]|1[0-2])月?", re.ASCII)
_AMBIGUOUS = re.compile(r"\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d{2})(?:\D.*)?", re.ASCII)
_SERIAL = re.compile(r"\d{5}(?:\.\d+)?", re.ASCII)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:\.\d+)?e[+-]?\d+", re.ASCII | re.IGNORECASE)
_DIGITS = re.compile(r"\d+", re.ASCII)
#: No call lasts longer, and no database column holds what a slip of the finger makes of it.
_DURATION_DIGITS_MAX = 6
_DURATION = re.compile(r"(?:(\d+):)?(\d{1,3}):([0-5]\d)|(?:(\d+)小?时)?(?:(\d+)分钟?)?(?:(\d+)秒?)?", re.ASCII)

_TRUE = frozenset({"是", "有", "y", "yes", "true", "1", "\u221a"})
_FALSE = frozenset({"否", "无", "n", "no", "false", "0", "\u00d7"})


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _shown(text: str) -> str:
    return text[:_TEXT_SHOWN]


def parse_text(text: str) -> str:
    """Return *text* as it stands (leading zeros too), with one kind of line ending and no space around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def parse_moment(text: str, formats: Sequence[str] = ()) -> Moment:
    """Return the moment that *text* names: ISO, 2026/11/3 14:05, 2026年11月3日14时5分, 20261103140509, a day alone.

    *formats* are the source's own ``strptime`` formats, tried first.

    Raises:
        CellError: for an impossible date, a serial number of Excel, or a text that could be two dates.
    """
    folded = _folded(text)
    named = _by_named_formats(folded, formats)
    if named is not None:
        return named
    match = _MOMENT.fullmatch(folded) or _COMPACT.fullmatch(folded)
    if match is None:
        raise CellError(_why_no_moment(folded), text=_shown(text))
    found = match.groupdict()
    numbers = [_number(found, name) for name in ("year", "month", "day", "hour", "minute", "second")]
    year, month, day, hour, minute, second = numbers
    try:
        naive = dt.datetime(year or 0, month or 0, day or 0, hour or 0, minute or 0, second or 0)  # noqa: DTZ001 - zone below
    except ValueError as error:
        raise CellError(N_("There is no such date or time: %(text)s"), text=_shown(text)) from error
    precision = Precision.DAY if hour is None else Precision.MINUTE if second is None else Precision.SECOND
    return Moment(_placed(naive, found.get("zone")), precision)


def _number(found: Mapping[str, str | None], name: str) -> int | None:
    digits = found.get(name) or found.get(f"{name}2")
    return int(digits) if digits else None


def _placed(naive: dt.datetime, zone: str | None) -> dt.datetime:
    if not zone:
        return clock.from_china(naive)
    return dt.datetime.fromisoformat(f"{naive.isoformat()}{zone.upper()}").astimezone(dt.UTC)


def _why_no_moment(folded: str) -> str:
    if _SERIAL.fullmatch(folded):
        return N_("Excel has turned this time into the number %(text)s; format the column as a date")
    if _SCIENTIFIC.fullmatch(folded):
        return N_("A spreadsheet has rounded this number (%(text)s); its digits are lost")
    if _AMBIGUOUS.fullmatch(folded):
        return N_("%(text)s could be two dates; write the year first, or name the format in the import profile")
    return N_("This is not a time: %(text)s")


def _by_named_formats(folded: str, formats: Sequence[str]) -> Moment | None:
    found = set()
    for text in formats:
        try:
            naive = dt.datetime.strptime(folded, text)  # noqa: DTZ007 - most sources give no zone
        except ValueError:
            continue
        at = naive.astimezone(dt.UTC) if naive.tzinfo else clock.from_china(naive)
        found.add(Moment(at, _precision_of(text)))
    if len({moment.at for moment in found}) > 1:
        raise CellError(N_("%(text)s is a different date by each format of the import profile"), text=_shown(folded))
    return next(iter(found), None)


def _precision_of(date_format: str) -> Precision:
    if any(directive in date_format for directive in ("%S", "%T", "%X", "%c", "%s")):
        return Precision.SECOND
    return Precision.MINUTE if any(part in date_format for part in ("%H", "%I", "%R")) else Precision.DAY


def check_date_format(date_format: str) -> None:
    """Refuse a format that does not give back the day it was given.

    Raises:
        DateFormatError: naming the format.
    """
    sample = dt.datetime(2026, 11, 23, 14, 5, 9, tzinfo=clock.CHINA)
    try:
        back = dt.datetime.strptime(sample.strftime(date_format), date_format).date()  # noqa: DTZ007 - only the day counts
    except ValueError as error:
        raise DateFormatError(format=date_format) from error
    if back != sample.date():
        raise DateFormatError(format=date_format)


def parse_day(text: str, formats: Sequence[str] = ()) -> dt.date:
    """Return the China day that *text* names; a time of day is let go.

    Raises:
        CellError: as ``parse_moment``.
    """
    return clock.china_day(parse_moment(text, formats).at)


def parse_month(text: str) -> str:
    """Return the month that *text* names as ``2026-11``: 2026-11, 2026/11, 202611, 2026年11月.

    Raises:
        CellError: for anything else.
    """
    match = _MONTH.fullmatch(_folded(text))
    if match is None:
        raise CellError(N_("This is not a month: %(text)s"), text=_shown(text))
    return f"{match['year']}-{int(match['month']):02}"


def parse_boolean(text: str) -> bool:
    """Return yes or no: 是/否, 有/无, Y/N, TRUE/FALSE, 1/0.

    Raises:
        CellError: for anything else, an empty cell included: unknown is not no.
    """
    folded = _folded(text).casefold()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise CellError(N_("This is neither yes nor no: %(text)s"), text=_shown(text))


def parse_yuan(text: str) -> int:
    """Return the fen of an amount in yuan, with or without ¥ or 元.

    Raises:
        CellError: for more than two decimals, other signs, or too large an amount.
    """
    folded = _folded(text).removeprefix("¥").removesuffix("元").strip()
    _refuse_rounded(folded)
    try:
        return money.parse_yuan(folded)
    except ValueError as error:
        raise CellError(N_("This is not an amount in yuan: %(text)s"), text=_shown(text)) from error


def parse_digits(text: str, *, digits_max: int = 40) -> str:
    """Return a number that is a name (order, account): its digits, leading zeros kept.

    Raises:
        CellError: for anything but digits, or for a number that a spreadsheet has rounded.
    """
    folded = _folded(text)
    _refuse_rounded(folded)
    if not _DIGITS.fullmatch(folded) or len(folded) > digits_max:
        raise CellError(
            N_("Only digits may stand here (%(limit)d at most): %(text)s"), limit=digits_max, text=_shown(text)
        )
    return folded


def parse_count(text: str, *, largest: int = 1_000_000) -> int:
    """Return a whole number from 0 to *largest*.

    Raises:
        CellError: for anything else.
    """
    number = int(parse_digits(text, digits_max=len(str(largest))))
    if number > largest:
        raise CellError(N_("This number is larger than %(limit)d"), limit=largest)
    return number


def parse_seconds(text: str) -> int:
    """Return a duration in seconds: ``95``, ``95秒``, ``1分35秒``, ``00:01:35``, ``01:35``.

    Raises:
        CellError: for anything else.
    """
    match = _DURATION.fullmatch(_folded(text).replace(" ", ""))
    if match is None or not match[0]:
        raise CellError(N_("This is not a duration: %(text)s"), text=_shown(text))
    parts = [match[place] or match[place + 3] or "0" for place in (1, 2, 3)]
    if max(map(len, parts)) > _DURATION_DIGITS_MAX:
        raise CellError(N_("This is not a duration: %(text)s"), text=_shown(text))
    hours, minutes, seconds = map(int, parts)
    return hours * 3600 + minutes * 60 + seconds


def _refuse_rounded(folded: str) -> None:
    if _SCIENTIFIC.fullmatch(folded):
        raise CellError(
            N_("A spreadsheet has rounded this number (%(text)s); its digits are lost"), text=_shown(folded)
        )
