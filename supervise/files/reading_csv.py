"""Delimited text as rows: the encoding is proven, not guessed; a row that does not fit its header is said to be wrong.

Standard library only; runs in the reading child.
"""

import codecs
import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from supervise.files.headers import HEADER_ROWS, checked_header, fewest_missing, find_header
from supervise.files.unreadable import UnreadableError

_CHUNK_BYTES = 1 << 18
_DELIMITERS = (",", "\t", ";")
#: A cell longer than this is a quotation mark that was never closed.
_FIELD_CHARS_MAX = 1 << 20
#: The share of NUL bytes at the start that says UTF-16 without a byte order mark.
_NUL_SHARE = 0.1
_HEAD_BYTES = 4096
#: So many broken places, and more than good letters: the file is not UTF-8, and need not be read to its end.
_BROKEN_ENOUGH = 1_000

Row = tuple[int, list[str]]


def encoding_of(file: BinaryIO) -> str:
    """Return the encoding that all of *file* obeys.

    A byte order mark decides; without one it is strict UTF-8, else strict GB18030. A file that is UTF-8
    but for some broken bytes would also pass as GB18030, in wrong characters: it is refused (reliability E15).

    Raises:
        UnreadableError: if there is no such encoding.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _proven(file, "utf-16")
    if head.count(0) > len(head) * _NUL_SHARE:
        raise UnreadableError("EncodingError")
    if head.startswith(codecs.BOM_UTF8):
        return _proven(file, "utf-8-sig")
    if _obeys(file, "utf-8"):
        return "utf-8"
    valid, broken = _utf8_letters(file)
    if valid > broken:
        raise UnreadableError("EncodingError")
    return _proven(file, "gb18030")


def _proven(file: BinaryIO, encoding: str) -> str:
    if not _obeys(file, encoding):
        raise UnreadableError("EncodingError")
    return encoding


def _obeys(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _utf8_letters(file: BinaryIO) -> tuple[int, int]:
    # Counts letters beyond ASCII that are good UTF-8, and places that are not.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    valid = broken = 0
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        text = decoder.decode(chunk)
        if text.isascii():
            continue
        # A replacement character that stands in the file itself is a sign of earlier damage, and counts as such.
        missed = text.count("\ufffd")
        broken += missed
        valid += sum(1 for letter in text if letter > "\x7f") - missed
        if broken > _BROKEN_ENOUGH and broken > valid:
            break
    else:
        broken += decoder.decode(b"", final=True).count("\ufffd")
    return valid, broken


class CsvHead(NamedTuple):
    """What the first rows of a delimited text say of the rest."""

    encoding: str
    delimiter: str
    header: list[str]
    #: The header's row, as a spreadsheet numbers it.
    row: int


def csv_head(file: BinaryIO, required: Sequence[Sequence[str]], columns_max: int) -> CsvHead:
    """Return how *file* is written and where its header stands.

    Raises:
        UnreadableError: for a wrong encoding, open quotation marks, or no header.
    """
    csv.field_size_limit(_FIELD_CHARS_MAX)
    encoding = encoding_of(file)
    heads = {delimiter: _head(file, encoding, delimiter) for delimiter in _DELIMITERS}
    delimiter, place = _chosen(heads, required)
    row, cells = heads[delimiter][place]
    return CsvHead(encoding, delimiter, checked_header(cells, columns_max), row)


def read_csv(
    file: BinaryIO, required: Sequence[Sequence[str]], columns_max: int
) -> tuple[list[str], int, Iterator[Row]]:
    """Return the header of *file*, its row number, and the rows below it, numbered as a spreadsheet shows them.

    Raises:
        UnreadableError: for a wrong encoding, open quotation marks, or no header; later also while rows are read.
    """
    head = csv_head(file, required, columns_max)
    return head.header, head.row, rows_below(file, head)


def rows_below(file: BinaryIO, head: CsvHead) -> Iterator[Row]:
    """Yield the filled rows below the header.

    Raises:
        UnreadableError: for quotation marks that do not match.
    """
    return (row for row in _records(file, head.encoding, head.delimiter) if row[0] > head.row)


def _head(file: BinaryIO, encoding: str, delimiter: str) -> list[Row]:
    # With a wrong delimiter the quotation marks may not match: what came before still tells.
    rows: list[Row] = []
    try:
        rows.extend(itertools.islice(_records(file, encoding, delimiter), HEADER_ROWS))
    except UnreadableError:
        if not rows and delimiter == _DELIMITERS[-1]:
            raise
    return rows


def _chosen(heads: dict[str, list[Row]], required: Sequence[Sequence[str]]) -> tuple[str, int]:
    found = {}
    for delimiter, rows in heads.items():
        place = find_header([cells for _, cells in rows], required)
        if place is not None:
            found[delimiter] = place
    if not found:
        texts = [cells for head in heads.values() for _, cells in head]
        raise UnreadableError("MissingColumnsError", columns=", ".join(fewest_missing(texts, required)))
    # The widest header is the one that its delimiter cuts.
    delimiter = max(found, key=lambda key: len(heads[key][found[key]][1]))
    return delimiter, found[delimiter]


def _records(file: BinaryIO, encoding: str, delimiter: str) -> Iterator[Row]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="")
    number = 0
    try:
        for number, cells in enumerate(csv.reader(text, delimiter=delimiter, strict=True), 1):
            if any(cells):
                yield number, cells
    except csv.Error as error:
        raise UnreadableError("QuotationError", row=number + 1) from error
    finally:
        text.detach()
