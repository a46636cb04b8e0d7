"""What is known of a file before it is parsed: its true kind, and that a workbook's archive is harmless.

The name of a file proves nothing; its first bytes and the directory of the archive do (reliability E10, M13).
Standard library only, and run inside the limits of the reading child.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.etree import ElementTree as ET

from supervise.files.unreadable import UnreadableError

_HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 20
#: A cell with its formula is shorter than this; pieces of a sheet overlap by it.
_OVERLAP_BYTES = 64 * 1024
_ENTRIES_MAX = 2_000
#: Real sheets shrink 10 to 40 times; the bombs of E10 shrink 350 and 1,040 times.
_RATIO_MAX = 150
_RATIO_FROM_BYTES = 4 << 20
#: One hundred thousand rows without a usable value are no file to mend row by row.
_MARKS_MAX = 100_000

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_OTHER_KINDS = (
    (b"%PDF-", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"{\\rtf", "RTF"),
    (b"SQLite format 3", "SQLite"),
    (b"\x7fELF", "ELF"),
    (b"MZ", "EXE"),
)
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|table|meta|\?xml|script)", re.IGNORECASE)
_CONTROL = bytes(set(range(32)) - {9, 10, 13, 27})

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_NS_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_RELATION_ID = re.compile(r"\{.*relationships\}id$")
# A filled cell far to the right or far down; a cell that is only formatted closes itself and does not count.
_FAR_CELL = re.compile(rb"""<c r="(?:([A-Z]{2,3})([0-9]{1,7})|([A-Z])([0-9]{6,7}))"[^>]*(?<!/)>""")
_ERROR_CELL = re.compile(rb"""\st=(?:"e"|'e')[\s>]""")
_FORMULA_END = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f [^<>]*/>)\s*(<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
# Plain text is found ten times faster than a pattern, and most sheets have neither.
_ERROR_SIGNS = (b't="e"', b"t='e'")
_FORMULA_SIGNS = (b"</f>", b":f>", b"<f ", b":f ")
_CELL_START = re.compile(rb"""<(?:\w+:)?c\s[^<>]*?\br=["']([A-Z]{1,3})([0-9]{1,7})["'][^<>]*>""")


@dataclass
class WorkbookMarks:
    """The part of each sheet, and the cells that show an error or a formula nobody has calculated."""

    parts: dict[str, str] = field(default_factory=dict)
    #: Part -> (row from 1, column from 0) -> what is wrong there.
    cells: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)

    def of_sheet(self, name: str) -> dict[tuple[int, int], str]:
        """Return the marked cells of sheet *name*."""
        return self.cells.get(self.parts.get(name, ""), {})


def sniff(file: BinaryIO) -> str:
    """Return ``xlsx`` or ``csv`` by the content of *file*.

    Raises:
        UnreadableError: for anything else, naming it.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise UnreadableError("EmptyFileError")
    if head.startswith(_ZIP):
        return "xlsx"
    if head.startswith(_OLE):
        file.seek(0)
        raise UnreadableError("PasswordProtectedError" if _ENCRYPTED_PACKAGE in file.read() else "OldExcelError")
    if _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        raise UnreadableError("WebPageError")
    kind = next((kind for magic, kind in _OTHER_KINDS if head.startswith(magic) and not _is_text(head)), None)
    if kind is not None:
        raise UnreadableError("NotASpreadsheetError", kind=kind)
    return "csv"


def _is_text(head: bytes) -> bool:
    # "BM" and "MZ" may begin a heading; a picture or a program has control characters, a PDF says %PDF-.
    return not head.startswith((b"%PDF-", b"{\\rtf")) and not set(head) & set(_CONTROL)


def inspect_workbook(file: BinaryIO, *, rows_max: int, columns_max: int, unpacked_max: int) -> WorkbookMarks:
    """Read the archive's directory, then every part once, and say which cells cannot be read.

    Raises:
        UnreadableError: for an archive that is damaged, protected, a bomb, no workbook, has macros or refers
            to other files, or whose filled cells lie beyond the limits.
    """
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            _check_directory(archive.infolist(), unpacked_max)
            marks = WorkbookMarks(parts=_sheet_parts(archive))
            for entry in archive.infolist():
                if entry.filename.lower().endswith((".xml", ".rels")):
                    marks.cells[entry.filename] = _scan_part(archive, entry, rows_max, columns_max)
            return marks
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, KeyError, ET.ParseError) as error:
        raise UnreadableError("DamagedFileError") from error


def _check_directory(entries: list[zipfile.ZipInfo], unpacked_max: int) -> None:
    names = [entry.filename.lower() for entry in entries]
    if len(entries) > _ENTRIES_MAX or len(set(names)) < len(names):
        raise UnreadableError("BombError")
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnreadableError("PasswordProtectedError")
    if "xl/workbook.xml" not in names:
        raise UnreadableError("NotAWorkbookError")
    if any(name.endswith("vbaproject.bin") or "/macrosheets/" in name for name in names):
        raise UnreadableError("MacroError")
    if any(name.startswith(("xl/externallinks/", "xl/connections.xml")) for name in names):
        raise UnreadableError("ExternalLinkError")
    if sum(entry.file_size for entry in entries) > unpacked_max:
        raise UnreadableError("BombError")
    for entry in entries:
        if entry.file_size > _RATIO_FROM_BYTES and entry.file_size > _RATIO_MAX * entry.compress_size:
            raise UnreadableError("BombError")


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    targets = {
        relation.get("Id", ""): relation.get("Target", "") for relation in _tree(archive, "xl/_rels/workbook.xml.rels")
    }
    parts = {}
    root = _tree(archive, "xl/workbook.xml")
    for sheet in [*root.iter(f"{_NS}sheet"), *root.iter(f"{_NS_STRICT}sheet")]:
        relation = next((value for name, value in sheet.items() if _RELATION_ID.match(name)), "")
        target = targets.get(relation, "")
        parts[sheet.get("name", "")] = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    return parts


def _tree(archive: zipfile.ZipFile, name: str) -> ET.Element:
    text = archive.read(name)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UnreadableError("DamagedFileError")
    return ET.fromstring(text)  # noqa: S314 - no entity can be declared without a DOCTYPE


def _scan_part(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, rows_max: int, columns_max: int
) -> dict[tuple[int, int], str]:
    # Reading to the end also proves the size and checksum that the directory claims.
    marks: dict[tuple[int, int], str] = {}
    is_sheet = "worksheets/" in entry.filename.lower()
    for piece, seen in _pieces(archive, entry):
        if b"<!DOCTYPE" in piece or b"<!ENTITY" in piece:
            raise UnreadableError("DamagedFileError")
        if is_sheet:
            _check_extent(piece, rows_max, columns_max)
            marks.update(_marks_in(piece, seen))
            if len(marks) > _MARKS_MAX:
                raise UnreadableError("TooManyErrorCellsError", limit=_MARKS_MAX)
    return marks


def _pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[tuple[bytes, int]]:
    # Yields a piece and how many of its first bytes were in the piece before.
    overlap = b""
    with archive.open(entry) as part:
        while chunk := part.read(_CHUNK_BYTES):
            piece = overlap + chunk
            yield piece, len(overlap)
            overlap = piece[-_OVERLAP_BYTES:]


def _check_extent(piece: bytes, rows_max: int, columns_max: int) -> None:
    for wide, wide_row, narrow, narrow_row in _FAR_CELL.findall(piece):
        if column_index(wide or narrow) >= columns_max:
            raise UnreadableError("TooManyColumnsError", limit=columns_max)
        if int(wide_row or narrow_row) > rows_max:
            raise UnreadableError("TooManyRowsError", limit=rows_max)


def _marks_in(piece: bytes, seen: int) -> Iterator[tuple[tuple[int, int], str]]:
    for match in _ERROR_CELL.finditer(piece) if _has_any(piece, _ERROR_SIGNS) else ():
        if match.end() > seen:
            yield _cell_at(piece, match.start())[0], "error_cell"
    for match in _FORMULA_END.finditer(piece) if _has_any(piece, _FORMULA_SIGNS) else ():
        if match.end() > seen:
            place, tag = _cell_at(piece, match.start())
            # A formula may well give an empty text; Excel then says so with t="str" and an empty value.
            if not (match[1] and b't="str"' in tag):
                yield place, "no_value"


def _has_any(piece: bytes, signs: tuple[bytes, ...]) -> bool:
    return any(sign in piece for sign in signs)


def _cell_at(piece: bytes, position: int) -> tuple[tuple[int, int], bytes]:
    start = max(piece.rfind(b"<c ", 0, position), 0)
    prefixed = piece.rfind(b":c ", start, position)
    if prefixed > 0:
        start = piece.rfind(b"<", start, prefixed)
    match = _CELL_START.match(piece, max(start, 0))
    if match is None:
        raise UnreadableError("DamagedFileError")
    return (int(match[2]), column_index(match[1])), match[0]


def column_index(letters: bytes) -> int:
    """Return the column of *letters*, counted from 0: ``A`` is 0, ``XFD`` is 16383."""
    index = 0
    for letter in letters:
        index = index * 26 + letter - ord("A") + 1
    return index - 1
