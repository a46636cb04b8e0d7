"""A file of records as batches of text, in constant memory: delimited text, a workbook or Parquet, known by its bytes.

Batches hold the cells of the columns that the store knows; what else the file has is named and never read.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from supervise.evidence.record_types import PLATFORM_HEADINGS, RecordType
from supervise.evidence.refusals import DamagedParquetError, NestedColumnError, TwoHeadingsError
from supervise.files.headers import missing_names, normalise_header
from supervise.files.prescan import sniff
from supervise.files.reader import DEFAULT_LIMITS, read_table
from supervise.files.reading_csv import CsvHead, csv_head, rows_below
from supervise.files.refusals import REFUSALS, DamagedFileError, DuplicateColumnError, MissingColumnsError
from supervise.files.remarks import Remark, remark
from supervise.files.unreadable import UnreadableError
from supervise.labels import N_

B = TypeVar("B")
#: The name in a batch of the column that says which platform a row is of.
PLATFORM = "platform"
_PARQUET = b"PAR1"
#: What the parser takes at once; its own memory is forty times as much.
_BLOCK_BYTES = 1 << 20
#: Rows that are looked at together.
_BATCH_ROWS = 65_536
_SHEET_ROWS = 20_000
_PARQUET_ROWS = 65_536
#: Where a Parquet file is read in pieces, however long its row groups are.
_BUFFER_BYTES = 1 << 20
_HEADER_ROW = 1


class RawBatch(NamedTuple):
    """Some rows of the file: the texts of each column (empty or NULL where there is nothing), and the row numbers."""

    cells: Mapping[str, pa.Array]
    row_numbers: pa.Array
    #: What the reader found wrong, by place in the batch.
    wrong: Mapping[int, Sequence[Remark]]
    #: How far in the file, in the unit of ``RecordFile.size``.
    position: int


class UnfitRow(NamedTuple):
    """A row that has no cells to look at."""

    number: int
    remark: Remark


@dataclass
class RecordFile:
    """A file that is being read; ``batches`` can be walked once."""

    #: The heading of each column that is read, by its name in the store.
    headings: Mapping[str, str]
    unused: Sequence[str]
    #: Bytes, or rows where the format tells them beforehand; 0: unknown.
    size: int
    batches: Iterator[RawBatch] = field(default_factory=lambda: iter(()))
    #: Grows while the batches are walked.
    unfit: deque[UnfitRow] = field(default_factory=deque)


@contextmanager
def open_records(file: BinaryIO, kind_of: RecordType, *, needs_platform: bool) -> Iterator[RecordFile]:
    """Open *file* (a real file, plain bytes) as records.

    Raises:
        FileRefusedError: a subclass with the reason; also while the batches are walked.
    """
    required = [column.headings for column in kind_of.columns if column.required]
    if needs_platform:
        required.append(PLATFORM_HEADINGS)
    file.seek(0)
    try:
        if file.read(len(_PARQUET)) == _PARQUET:
            yield _open_parquet(file, kind_of, required)
        elif sniff(file) == "xlsx":
            with ExitStack() as stack:
                yield _open_sheet(file, kind_of, required, stack)
        else:
            yield _open_csv(file, kind_of, required)
    except UnreadableError as error:
        parameters: dict[str, Any] = dict(error.parameters)
        raise REFUSALS[error.refusal](**parameters) from error


def _places(header: Sequence[str], kind_of: RecordType) -> dict[str, int]:
    """Return the place in *header* of each column that the store knows."""
    wanted = {column.name: column.headings for column in kind_of.columns} | {PLATFORM: PLATFORM_HEADINGS}
    by_heading = {normalise_header(heading): place for place, heading in enumerate(header)}
    places: dict[str, int] = {}
    for name, headings in wanted.items():
        found = [by_heading[key] for key in map(normalise_header, headings) if key in by_heading]
        if len(found) > 1:
            raise TwoHeadingsError(first=header[found[0]], second=header[found[1]])
        if found:
            places[name] = found[0]
    return places


def _opened(header: Sequence[str], places: Mapping[str, int], size: int) -> RecordFile:
    taken = set(places.values())
    unused = [heading for place, heading in enumerate(header) if heading and place not in taken]
    return RecordFile({name: header[place] for name, place in places.items()}, unused, size)


# Delimited text


def _open_csv(file: BinaryIO, kind_of: RecordType, required: Sequence[Sequence[str]]) -> RecordFile:
    head = csv_head(file, required, DEFAULT_LIMITS.columns)
    places = _places(head.header, kind_of)
    opened = _opened(head.header, places, os.fstat(file.fileno()).st_size)
    opened.batches = _csv_batches(file, head, places, opened.unfit)
    return opened


def _csv_batches(
    file: BinaryIO, head: CsvHead, places: Mapping[str, int], unfit: deque[UnfitRow]
) -> Iterator[RawBatch]:
    skipped: deque[int] = deque()

    def note(row: arrow_csv.InvalidRow) -> str:
        skipped.append(row.number)
        unfit.append(UnfitRow(row.number, _width_remark(row.actual_columns, row.expected_columns)))
        return "skip"

    names = [str(place) for place in range(len(head.header))]
    file.seek(0)
    numbers = _RowNumbers(head.row + 1, skipped)
    try:
        reader = arrow_csv.open_csv(
            _as_utf8(file, head.encoding),
            # In one thread, for the rows to be numbered; the store's own engine works beside it.
            arrow_csv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows_after_names=head.row
            ),
            arrow_csv.ParseOptions(
                delimiter=head.delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), include_columns=[names[at] for at in places.values()]
            ),
        )
        for batch in ahead(_joined(reader)):
            cells = {name: batch.column(names[place]) for name, place in places.items()}
            yield RawBatch(cells, numbers.of_next(batch.num_rows), {}, file.tell())
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        _refuse_text(file, head, error)
    _refuse_open_quotation(file, head, unfit)


def _as_utf8(file: BinaryIO, encoding: str) -> pa.NativeFile:
    plain = pa.PythonFile(file, mode="r")
    return plain if encoding.startswith("utf-8") else pa.transcoding_input_stream(plain, encoding, "utf-8")


def _width_remark(cells: int, columns: int) -> Remark:
    if cells > columns:
        return remark(N_("The row has more cells than the header (%(columns)d)"), columns=columns)
    return remark(N_("The row has %(cells)d cells, the header %(columns)d"), cells=cells, columns=columns)


def _refuse_text(file: BinaryIO, head: CsvHead, error: Exception) -> None:
    """Find the row that could not be read, by the parser that says which."""
    for _row in rows_below(file, head):
        pass
    raise DamagedFileError from error


def _refuse_open_quotation(file: BinaryIO, head: CsvHead, unfit: Sequence[UnfitRow]) -> None:
    """Refuse a file whose last quotation mark does not close: it made one cell, or one unfit row, of many rows."""
    file.seek(0)
    odd = False
    while chunk := file.read(_BLOCK_BYTES):
        odd ^= bool(chunk.count(b'"') % 2)
    if odd or (unfit and head.encoding == "utf-16"):
        for _row in rows_below(file, head):
            pass


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield *batches* in larger ones."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _BATCH_ROWS:
            yield pa.concat_batches(waiting)
            waiting.clear()
    if waiting:
        yield pa.concat_batches(waiting)


def ahead(batches: Iterable[B]) -> Iterator[B]:
    """Yield *batches*, the next one being made in another thread while one is worked on."""
    following = iter(batches)
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, following, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, following, None)
            yield batch


class _RowNumbers:
    """Numbers the rows of batches as a spreadsheet does: the rows that were skipped have numbers too."""

    def __init__(self, first: int, skipped: deque[int]) -> None:
        self._next = first
        self._skipped = skipped

    def of_next(self, count: int) -> pa.Array:
        runs = []
        while count:
            run = min(count, self._skipped[0] - self._next) if self._skipped else count
            runs.append(pa.arange(self._next, self._next + run))
            self._next, count = self._next + run, count - run
            if count or (self._skipped and self._skipped[0] == self._next):
                self._skipped.popleft()
                self._next += 1
        return pa.concat_arrays(runs) if runs else pa.array([], pa.int64())


# A workbook


def _open_sheet(file: BinaryIO, kind_of: RecordType, required: Sequence[Sequence[str]], stack: ExitStack) -> RecordFile:
    table = stack.enter_context(read_table(file, required))
    places = _places(table.header, kind_of)
    opened = _opened(table.header, places, 0)
    opened.batches = _sheet_batches(table.rows, places)
    return opened


def _sheet_batches(rows: Iterator[NamedTuple], places: Mapping[str, int]) -> Iterator[RawBatch]:
    used = set(places.values())
    numbers: list[int] = []
    lines: list[list[str]] = []
    wrong: dict[int, list[Remark]] = {}

    def batch() -> RawBatch:
        columns = list(zip(*lines, strict=True))
        cells = {name: pa.array(columns[place], pa.string()) for name, place in places.items()}
        return RawBatch(cells, pa.array(numbers, pa.int64()), dict(wrong), numbers[-1])

    for number, cells, problems in rows:
        # What is wrong with a column that nobody reads is no reason to refuse a row.
        found = [remark(one.message_id, **one.parameters) for one in problems if one.place is None or one.place in used]
        if found:
            wrong[len(lines)] = found
        numbers.append(number)
        lines.append(cells)
        if len(lines) == _SHEET_ROWS:
            yield batch()
            numbers.clear()
            lines.clear()
            wrong.clear()
    if lines:
        yield batch()


# Parquet


def _open_parquet(file: BinaryIO, kind_of: RecordType, required: Sequence[Sequence[str]]) -> RecordFile:
    try:
        parquet = pq.ParquetFile(pa.PythonFile(file, mode="r"), buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise DamagedParquetError from error
    header = parquet.schema_arrow.names
    missing = missing_names(header, required)
    if missing:
        raise MissingColumnsError(columns=", ".join(missing))
    keys = list(map(normalise_header, header))
    twice = next((heading for heading, key in zip(header, keys, strict=True) if keys.count(key) > 1), None)
    if twice is not None:
        raise DuplicateColumnError(column=twice[:100])
    places = _places(header, kind_of)
    for place in places.values():
        if pa.types.is_nested(parquet.schema_arrow.field(place).type):
            raise NestedColumnError(column=header[place])
    opened = _opened(header, places, parquet.metadata.num_rows)
    opened.batches = _parquet_batches(parquet, places)
    return opened


def _parquet_batches(parquet: pq.ParquetFile, places: Mapping[str, int]) -> Iterator[RawBatch]:
    header = parquet.schema_arrow.names
    columns = [header[place] for place in places.values()]
    done = 0
    try:
        for batch in parquet.iter_batches(batch_size=_PARQUET_ROWS, columns=columns, use_threads=False):
            cells = {name: _texts(batch.column(header[place])) for name, place in places.items()}
            first = done + _HEADER_ROW + 1
            done += batch.num_rows
            yield RawBatch(cells, pa.arange(first, first + batch.num_rows), {}, done)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise DamagedParquetError from error


def _texts(values: pa.Array) -> pa.Array:
    """Return *values* as they would stand in delimited text; a moment with a zone says so."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_timestamp(values.type):
        moments = values.cast(pa.timestamp("us", values.type.tz), safe=False)
        if moments.type.tz is None:
            return moments.cast(pa.string())
        return pc.binary_join_element_wise(moments.cast(pa.timestamp("us")).cast(pa.string()), "+00:00", "")
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return values.cast(pa.binary()).cast(pa.string())
    return values.cast(pa.string())
