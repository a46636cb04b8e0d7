"""Writing .xlsx: text stays text, amounts are numbers, memory stays small, the same rows give the same bytes."""

import datetime as dt
import hashlib
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain, islice
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar
from xml.sax.saxutils import escape

from rustpy_xlsxwriter import Format, write_worksheets

from supervise.labels import _, translate
from supervise.money import FEN_PER_YUAN

T = TypeVar("T")

#: A sheet holds 1,048,576 rows; the rest goes to a further sheet.
ROWS_PER_SHEET = 1_000_000
#: What a cell holds; longer text is cut and says so.
_TEXT_MAX = 32_767
#: XML 1.0 forbids these, and one of them would block a whole export (reliability E9).
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN_IN_TITLE = re.compile(r"[\[\]:*?/\\]")
_FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class CellKind(Enum):
    """How a column's values are written: the width in characters is part of it."""

    TEXT = "text"
    #: ``int`` fen, shown as yuan with two decimals.
    YUAN = "yuan"
    INTEGER = "integer"


@dataclass(frozen=True)
class Column(Generic[T]):
    """A heading (a message id), what stands below it, and how."""

    heading: str
    value: Callable[[T], str | int | None]
    kind: CellKind = CellKind.TEXT
    width: int = 16
    #: What the column says, a message id: for the page of reports and docs/reports.md.
    meaning: str = ""


@dataclass(frozen=True)
class Sheet(Generic[T]):
    """A table: its title in words, its columns, its rows, which may be a generator of *count* rows.

    Without *count* all rows stand on one sheet.
    """

    title: str
    columns: Sequence[Column[T]]
    rows: Iterable[T]
    count: int = 0


class WorkbookFile(NamedTuple):
    """A finished workbook: where it lies, its size and the SHA-256 of its bytes."""

    path: Path
    size_bytes: int
    sha256: str


def write_workbook(path: Path, sheets: Sequence[Sheet[Any]], made_at: dt.datetime) -> WorkbookFile:
    """Write *sheets* to *path*, whole or not at all; *made_at* is the moment that the file carries.

    Headings are put into the current locale. The bytes depend on nothing but the arguments and the locale.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".xlsx")
    os.close(descriptor)
    part = Path(name)
    try:
        _write(part, sheets)
        _set_moment(part, made_at)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return WorkbookFile(path, path.stat().st_size, digest)


def _write(path: Path, sheets: Sequence[Sheet[Any]]) -> None:
    entries = list(chain.from_iterable(_entries(sheet) for sheet in sheets))
    titles = [title for title, _columns, _records in entries]
    write_worksheets(
        [(title, records) for title, _columns, records in entries],
        str(path),
        bold_headers=True,
        freeze_panes={title: {"row": 1, "col": 0} for title in titles},
        column_formats={
            title: {translate(column.heading): _format(column.kind) for column in columns}
            for title, columns, _records in entries
        },
        column_widths={
            title: {translate(column.heading): float(column.width) for column in columns}
            for title, columns, _records in entries
        },
    )


def _entries(sheet: Sheet[T]) -> Iterator[tuple[str, Sequence[Column[T]], Iterable[dict[str, Any]]]]:
    """Yield (title, columns, records) for each sheet that the rows need; an empty table keeps its headings."""
    rows = iter(sheet.rows)
    first = list(islice(rows, 1))
    if not first:
        yield sheet_title(sheet.title), sheet.columns, [{translate(column.heading): "" for column in sheet.columns}]
        return
    # The writer takes the sheets one after the other, so that they can share one iterator.
    remaining = chain(first, rows)
    for number in range(1, max(1, -(-sheet.count // ROWS_PER_SHEET)) + 1):
        title = sheet_title(sheet.title if number == 1 else f"{sheet.title[:27]} {number}")
        yield title, sheet.columns, _records(sheet.columns, islice(remaining, ROWS_PER_SHEET))


def _records(columns: Sequence[Column[T]], rows: Iterable[T]) -> Iterator[dict[str, Any]]:
    headed = [(translate(column.heading), column.value, _CONVERT[column.kind]) for column in columns]
    for row in rows:
        yield {heading: convert(value(row)) for heading, value, convert in headed}


def _text(value: str | int | None) -> str:
    # Nearly every cell: what is printable holds nothing that XML forbids.
    if isinstance(value, str) and len(value) <= _TEXT_MAX and value.isprintable():
        return value
    text = "" if value is None else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))
    if len(text) <= _TEXT_MAX:
        return text
    mark = _(" [cut]")
    return text[: _TEXT_MAX - len(mark)] + mark


def _yuan(value: str | int | None) -> float | str:
    # Up to 15 digits a double shows the very decimals that were meant; FEN_MAX has 13.
    return "" if value is None else int(value) / FEN_PER_YUAN


def _integer(value: str | int | None) -> int | str:
    return "" if value is None else int(value)


_CONVERT: dict[CellKind, Callable[[str | int | None], Any]] = {
    CellKind.TEXT: _text,
    CellKind.YUAN: _yuan,
    CellKind.INTEGER: _integer,
}


def _format(kind: CellKind) -> Format:
    if kind is CellKind.YUAN:
        return Format().set_num_format("#,##0.00")
    if kind is CellKind.INTEGER:
        return Format().set_num_format("0")
    # The quote prefix keeps '=1+1' and '0138...' text even after somebody edits the cell.
    return Format().set_num_format("@").set_quote_prefix()


def sheet_title(text: str) -> str:
    """Return *text* as a sheet may be called: at most 31 characters, no brackets, colon, star or slash."""
    return _FORBIDDEN_IN_TITLE.sub(" ", text)[:31].strip() or "Sheet"


def _set_moment(path: Path, made_at: dt.datetime) -> None:
    """Put *made_at* where the writer put its own clock, so that equal rows give equal bytes.

    The core properties are near the end of the archive: what follows the sheets is written again.
    """
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        entries = list(archive.infolist())
        place = next(i for i, entry in enumerate(entries) if entry.filename == "docProps/core.xml")
        later = [(entry.filename, archive.read(entry)) for entry in entries[place:]]
        for entry in entries[place:]:
            archive.filelist.remove(entry)
            del archive.NameToInfo[entry.filename]
        archive.start_dir = entries[place].header_offset
        for name, content in later:
            written = zipfile.ZipInfo(name, _FIRST_ZIP_DATE)
            written.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(written, _core(made_at) if name == "docProps/core.xml" else content)


def _core(made_at: dt.datetime) -> str:
    moment = escape(made_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:dcmitype="http://purl.org/dc/dcmitype/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        "<dc:creator>supervise</dc:creator>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{moment}</dcterms:created>'
        f'<dcterms:modified xsi:type="dcterms:W3CDTF">{moment}</dcterms:modified></cp:coreProperties>'
    )
