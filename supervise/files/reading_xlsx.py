"""A workbook as rows of text: what the cell says, never what pandas or Excel would make of it.

Runs in the reading child; calamine alone is imported, since pandas would cost 1.6 s and 300 MB for nothing.
"""

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from supervise.files.headers import HEADER_ROWS, checked_header, fewest_missing, find_header
from supervise.files.prescan import WorkbookMarks
from supervise.files.unreadable import UnreadableError

#: Excel keeps 15 digits of a number; what is longer was rounded when it was typed.
_EXACT_MAX = 10**15
_MILLISECOND = dt.timedelta(microseconds=500)

Marks = dict[tuple[int, int], str]


class Sheet:
    """One visible sheet, its rows numbered as Excel shows them."""

    def __init__(self, sheet: CalamineSheet, marks: Marks) -> None:
        self.name = sheet.name
        self._sheet = sheet
        self._marks = marks
        # calamine leaves out the empty columns before the first filled cell, but not the empty rows above it.
        self._first_column = sheet.start[1] if sheet.start else 0

    def rows(self) -> Iterator[tuple[int, list[str], list[tuple[int, str]]]]:
        """Yield row number, texts, and ``(place, what is wrong)`` of the cells without a usable value."""
        marked_rows = {row for row, _ in self._marks}
        for number, values in enumerate(self._sheet.iter_rows(), 1):
            cells = [value if value.__class__ is str else cell_text(value) for value in values]
            problems = []
            if float in map(type, values):
                problems = [(place, "rounded_number") for place, value in enumerate(values) if _is_rounded(value)]
            if number in marked_rows:
                problems += self._problems_of(number, cells)
            yield number, cells, problems

    def _problems_of(self, number: int, cells: list[str]) -> Iterator[tuple[int, str]]:
        for place in range(len(cells)):
            problem = self._marks.get((number, place + self._first_column))
            if problem is not None:
                yield place, problem


def _is_rounded(value: Any) -> bool:
    return value.__class__ is float and (value >= _EXACT_MAX or value <= -_EXACT_MAX)


def cell_text(value: Any) -> str:
    """Return a cell as people read it: integers without ``.0``, ISO dates, ``TRUE`` and ``FALSE``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float | int):
        return _number_text(value)
    if isinstance(value, dt.datetime):
        # A time of day is a fraction of a day in the file: 14:05:09 may come as 14:05:08.999999.
        return (value + _MILLISECOND).isoformat(" ", "seconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.isoformat("seconds")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    raise TypeError(f"calamine gave a {type(value).__name__}")


def _number_text(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < _EXACT_MAX:
        return str(int(value))
    # Fifteen digits is what Excel shows and keeps: 0.1 + 0.2 is 0.3 there.
    return format(Decimal(f"{value:.15g}"), "f")


def read_xlsx(
    file: BinaryIO, marks: WorkbookMarks, required: Sequence[Sequence[str]], columns_max: int
) -> tuple[list[str], int, Sheet]:
    """Return the header, its row number and the one visible sheet that has the *required* columns.

    Raises:
        UnreadableError: if no sheet has them, two have them, or calamine cannot read the workbook.
    """
    file.seek(0)
    try:
        with CalamineWorkbook.from_filelike(file) as workbook:
            names = [
                sheet.name
                for sheet in workbook.sheets_metadata
                if sheet.typ is SheetTypeEnum.WorkSheet and sheet.visible is SheetVisibleEnum.Visible
            ]
            found, place = _chosen(workbook, names, required)
            sheet = Sheet(found, marks.of_sheet(found.name))
    except PasswordError as error:
        raise UnreadableError("PasswordProtectedError") from error
    except CalamineError as error:
        raise UnreadableError("DamagedFileError") from error
    number, cells, _ = next(row for index, row in enumerate(sheet.rows()) if index == place)
    while cells and not cells[-1].strip():
        cells.pop()
    return checked_header(cells, columns_max), number, sheet


def _chosen(
    workbook: CalamineWorkbook, names: list[str], required: Sequence[Sequence[str]]
) -> tuple[CalamineSheet, int]:
    # Each sheet is parsed once, and only one that has the header is kept in memory.
    found: tuple[CalamineSheet, int] | None = None
    rows: list[list[str]] = []
    for name in names:
        sheet = workbook.get_sheet_by_name(name)
        head = _head(sheet)
        rows += head
        place = find_header(head, required)
        if place is None:
            continue
        if found is not None:
            raise UnreadableError("SeveralSheetsError", first=found[0].name, second=name)
        found = sheet, place
        if not required:
            break
    if found is not None:
        return found
    if not rows:
        raise UnreadableError("EmptyFileError")
    raise UnreadableError("MissingColumnsError", columns=", ".join(fewest_missing(rows, required)))


def _head(sheet: CalamineSheet) -> list[list[str]]:
    rows = []
    for index, values in enumerate(sheet.iter_rows()):
        if index == HEADER_ROWS:
            break
        rows.append([cell_text(value) for value in values])
    return rows
