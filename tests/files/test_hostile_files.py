"""Files that are not what they say, or want too much: each is refused with its sentence, or read, and soon."""

import itertools
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from supervise.files.reader import RawRow, ReadingLimits, read_table
from supervise.files.refusals import (
    BombError,
    DamagedFileError,
    EmptyFileError,
    EncodingError,
    ExternalLinkError,
    FileRefusedError,
    MacroError,
    MissingColumnsError,
    NotASpreadsheetError,
    NotAWorkbookError,
    OldExcelError,
    OutOfMemoryError,
    PasswordProtectedError,
    TimedOutError,
    TooManyColumnsError,
    TooManyErrorCellsError,
    TooManyRowsError,
    WebPageError,
)
from tests.factories.files import PLAIN_ROWS, write_csv, write_raw_xlsx, write_xlsx

REQUIRED = [("ref",), ("text",)]
#: No refusal may take longer; on an idle machine none takes four seconds.
WATCHDOG_SECONDS = 25
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def dice_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - damage that can be repeated, no secret


def read(path: Path, limits: ReadingLimits | None = None) -> list[RawRow]:
    began = time.monotonic()
    try:
        with path.open("rb") as file, read_table(file, REQUIRED, limits or ReadingLimits()) as table:
            return list(table.rows)
    finally:
        assert time.monotonic() - began < WATCHDOG_SECONDS


def refusal_of(path: Path, limits: ReadingLimits | None = None) -> type[FileRefusedError]:
    with pytest.raises(FileRefusedError) as caught:
        read(path, limits)
    assert str(caught.value) != caught.value.message or "%" not in caught.value.message
    return caught.type


# Not a table at all


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", EmptyFileError),
        (b"\xef\xbb\xbf \r\n\t\n", EmptyFileError),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), NotASpreadsheetError),
        (b"%PDF-1.7\n" + b"x" * 100, NotASpreadsheetError),
        (b"\xff\xd8\xff\xe0" + bytes(100), NotASpreadsheetError),
        (b"\x7fELF" + bytes(100), NotASpreadsheetError),
        (b"{\\rtf1 text}", NotASpreadsheetError),
        (b"Rar!\x1a\x07\x00" + bytes(50), NotASpreadsheetError),
        (b"<html><table><tr><td>ref</td></tr></table></html>", WebPageError),
        (b'\xef\xbb\xbf\r\n<?xml version="1.0"?><Workbook/>', WebPageError),
        (OLE, OldExcelError),
        (OLE + "EncryptedPackage".encode("utf-16-le") + bytes(512), PasswordProtectedError),
        (bytes(4096), EncodingError),
        (dice_of(1).randbytes(4096), EncodingError),
        (b"PK\x03\x04" + bytes(200), DamagedFileError),
    ],
)
def test_a_file_is_known_by_its_bytes_whatever_its_name(
    tmp_path: Path, content: bytes, expected: type[FileRefusedError]
) -> None:
    path = tmp_path / "tickets.csv"
    path.write_bytes(content)

    assert refusal_of(path) is expected


def test_a_csv_file_may_begin_with_the_letters_of_another_format(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [["BM", "ref", "text"], ["1", "2", "3"]])

    assert read(path) == [RawRow(2, ["1", "2", "3"], [])]


def test_another_kind_of_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")

    assert refusal_of(path) is NotAWorkbookError


# Workbooks with something inside


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("xl/vbaProject.bin", MacroError),
        ("xl/macrosheets/sheet1.xml", MacroError),
        ("xl/externalLinks/externalLink1.xml", ExternalLinkError),
        ("xl/connections.xml", ExternalLinkError),
    ],
)
def test_macros_and_references_to_other_files_are_refused(
    tmp_path: Path, part: str, expected: type[FileRefusedError]
) -> None:
    path = write_raw_xlsx(tmp_path / "a.xlsx", parts={part: b"<x/>"})

    assert refusal_of(path) is expected


def test_a_document_type_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    laughs = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><sst>&b;</sst>'
    path = write_raw_xlsx(tmp_path / "a.xlsx", parts={"xl/sharedStrings.xml": laughs})

    assert refusal_of(path) is DamagedFileError


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = write_raw_xlsx(tmp_path / "a.xlsx")
    content = bytearray(path.read_bytes())
    for start in _positions(content, b"PK\x01\x02"):
        content[start + 8] |= 1
    path.write_bytes(content)

    assert refusal_of(path) is PasswordProtectedError


def _positions(content: bytes | bytearray, found: bytes) -> Iterator[int]:
    start = content.find(found)
    while start >= 0:
        yield start
        start = content.find(found, start + 1)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_a_truncated_workbook_is_refused(tmp_path: Path, kept: float) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", [["ref", "text"], *([i, f"text {i}"] for i in range(2000))])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])

    assert refusal_of(path) is DamagedFileError


def test_a_changed_byte_in_the_sheet_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    write_raw_xlsx(path)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("xl/worksheets/sheet1.xml")
    content = bytearray(path.read_bytes())
    content[entry.header_offset + 30 + len(entry.filename) + 40] ^= 0xFF
    path.write_bytes(content)

    assert refusal_of(path) is DamagedFileError


def test_no_random_damage_gets_past_the_child(tmp_path: Path) -> None:
    dice = dice_of(7)
    whole = write_xlsx(tmp_path / "whole.xlsx", [["ref", "text"], *([i, f"text {i}"] for i in range(50))]).read_bytes()
    path = tmp_path / "a.xlsx"

    for _ in range(30):
        content = bytearray(whole)
        for _ in range(dice.randint(1, 20)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        path.write_bytes(content)
        try:
            rows = read(path)
        except FileRefusedError:
            continue
        assert len(rows) == 50


# Bombs


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    rows = itertools.chain([PLAIN_ROWS], (" " * (1 << 20) for _ in range(200)))
    path = write_raw_xlsx(tmp_path / "a.xlsx", rows)
    assert path.stat().st_size < 500_000

    assert refusal_of(path) is BombError


def test_a_shared_strings_bomb_is_refused(tmp_path: Path) -> None:
    strings = b'<?xml version="1.0"?><sst>' + b"<si><t>" + b"A" * (100 << 20) + b"</t></si></sst>"
    path = write_raw_xlsx(tmp_path / "a.xlsx", parts={"xl/sharedStrings.xml": strings})

    assert refusal_of(path) is BombError


def test_an_archive_whose_parts_lie_about_their_size_is_refused(tmp_path: Path) -> None:
    strings = b"<sst>" + b"<si><t>ab</t></si>" * 500_000 + b"</sst>"
    path = write_raw_xlsx(tmp_path / "a.xlsx", parts={"xl/sharedStrings.xml": strings})
    honest = len(strings).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, (1000).to_bytes(4, "little")))

    assert refusal_of(path) is DamagedFileError


def test_an_archive_of_thousands_of_entries_is_refused(tmp_path: Path) -> None:
    path = write_raw_xlsx(tmp_path / "a.xlsx", parts={f"xl/media/{i}.png": b"" for i in range(3000)})

    assert refusal_of(path) is BombError


def test_more_than_the_unpacked_limit_is_refused(tmp_path: Path) -> None:
    path = write_raw_xlsx(tmp_path / "a.xlsx", parts={"xl/media/a.png": dice_of(1).randbytes(3 << 20)})

    assert refusal_of(path, ReadingLimits(unpacked_bytes=2 << 20)) is BombError
    assert len(read(path)) == 1


# Sheets of strange size


def test_a_million_empty_rows_cost_little_and_are_not_counted(tmp_path: Path) -> None:
    empty = (f'<row r="{number}" ht="15" customHeight="1"/>' for number in range(3, 1_000_003))
    path = write_raw_xlsx(tmp_path / "a.xlsx", itertools.chain([PLAIN_ROWS], empty))

    rows = read(path)

    assert rows == [RawRow(2, ["1", "one"], [])]


def test_a_million_formatted_but_empty_cells_are_not_counted(tmp_path: Path) -> None:
    empty = (
        f'<row r="{number}"><c r="A{number}" s="0"/><c r="XFD{number}" s="0"/></row>' for number in range(3, 400_000)
    )
    path = write_raw_xlsx(tmp_path / "a.xlsx", itertools.chain([PLAIN_ROWS], empty))

    assert read(path) == [RawRow(2, ["1", "one"], [])]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("XFD1048576", TooManyColumnsError),
        ("XFD3", TooManyColumnsError),
        ("GS3", TooManyColumnsError),
        ("A1048576", TooManyRowsError),
    ],
)
def test_a_filled_cell_far_away_is_refused(tmp_path: Path, cell: str, expected: type[FileRefusedError]) -> None:
    row = "".join(letter for letter in cell if letter.isdigit())
    path = write_raw_xlsx(tmp_path / "a.xlsx", f'{PLAIN_ROWS}<row r="{row}"><c r="{cell}"><v>1</v></c></row>')

    assert refusal_of(path) is expected


def test_a_far_cell_written_in_an_odd_way_cannot_take_the_memory(tmp_path: Path) -> None:
    odd = "<row r='1048576'><c  r='XFD1048576'><v>1</v></c></row>"
    path = write_raw_xlsx(tmp_path / "a.xlsx", PLAIN_ROWS + odd)

    assert refusal_of(path) is OutOfMemoryError


@pytest.mark.parametrize("claimed", ["A1:XFD1048576", "A1", "B2:C3"])
def test_a_lying_dimension_changes_nothing(tmp_path: Path, claimed: str) -> None:
    path = write_raw_xlsx(tmp_path / "a.xlsx", before=f'<dimension ref="{claimed}"/>')

    assert read(path) == [RawRow(2, ["1", "one"], [])]


def test_more_rows_than_the_limit_are_refused(tmp_path: Path) -> None:
    rows = (f'<row r="{number}"><c r="A{number}"><v>{number}</v></c></row>' for number in range(3, 200_100))
    path = write_raw_xlsx(tmp_path / "a.xlsx", itertools.chain([PLAIN_ROWS], rows))

    assert refusal_of(path) is TooManyRowsError


def test_a_sheet_full_of_errors_is_refused_as_a_whole(tmp_path: Path) -> None:
    rows = (
        f'<row r="{number}"><c r="A{number}" t="e"><v>#N/A</v></c><c r="B{number}" t="e"><v>#N/A</v></c></row>'
        for number in range(3, 60_000)
    )
    path = write_raw_xlsx(tmp_path / "a.xlsx", itertools.chain([PLAIN_ROWS], rows))

    assert refusal_of(path) is TooManyErrorCellsError


# The limits of the child


def _wide_rows(count: int) -> Iterator[str]:
    yield PLAIN_ROWS
    dice = dice_of(3)
    for number in range(3, count):
        cells = "".join(f'<c r="{chr(65 + place)}{number}"><v>{dice.random()}</v></c>' for place in range(20))
        yield f'<row r="{number}">{cells}</row>'


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (ReadingLimits(memory_bytes=64 << 20), OutOfMemoryError),
        (ReadingLimits(cpu_seconds=1, wall_seconds=20), TimedOutError),
        (ReadingLimits(wall_seconds=0), TimedOutError),
    ],
)
def test_a_file_that_wants_more_than_the_child_may_have_is_refused(
    tmp_path_factory: pytest.TempPathFactory, limits: ReadingLimits, expected: type[FileRefusedError]
) -> None:
    path = write_raw_xlsx(tmp_path_factory.mktemp("wide") / "a.xlsx", _wide_rows(60_000))

    assert refusal_of(path, limits) is expected


def test_a_slow_reader_is_not_the_fault_of_the_file(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [["ref", "text"], *([str(i), "x" * 90] for i in range(2000))])

    with path.open("rb") as file, read_table(file, REQUIRED, ReadingLimits(wall_seconds=1)) as table:
        first = next(table.rows)
        time.sleep(1.2)
        rest = list(table.rows)

    assert (first.number, len(rest)) == (2, 1999)


CONTENT: list[tuple[str, Callable[[Path], Path]]] = [
    ("csv", lambda path: write_csv(path, [["one", "two"]])),
    ("xlsx", lambda path: write_xlsx(path, [["one", "two"]])),
]


@pytest.mark.parametrize(("suffix", "write"), CONTENT)
def test_a_file_without_the_wanted_columns_is_refused_by_their_names(
    tmp_path: Path, suffix: str, write: Callable[[Path], Path]
) -> None:
    with pytest.raises(MissingColumnsError) as caught:
        read(write(tmp_path / f"a.{suffix}"))

    assert caught.value.parameters == {"columns": "ref, text"}
