"""Reading an uploaded table: a child process parses it under limits, and its rows arrive here one by one.

No row is ever held longer than its reader wants it: memory does not grow with the file.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from supervise.files.refusals import (
    REFUSALS,
    DamagedFileError,
    FileRefusedError,
    OutOfMemoryError,
    TimedOutError,
)
from supervise.labels import N_

_PROJECT = Path(__file__).resolve().parents[2]
_START = "import sys; sys.path.insert(0, sys.argv[1]); from supervise.files.reading_child import main; main()"
_PIPE_BYTES = 1 << 16

#: What may be wrong with a cell or a row, by the name that the reading child sends.
_PROBLEMS = {
    "error_cell": N_("The cell shows an Excel error"),
    "no_value": N_("The cell has a formula without a stored value; paste it as a value"),
    "rounded_number": N_("Excel keeps 15 digits of a number; this one was longer, and its end is lost"),
    "cell_too_long": N_("The text is longer than %(limit)d characters"),
    "unprintable": N_("The text contains control characters"),
    "row_too_long": N_("The row has more cells than the header (%(columns)d)"),
    "row_too_short": N_("The row has %(cells)d cells, the header %(columns)d"),
}


@dataclass(frozen=True)
class ReadingLimits:
    """What one file may have and its parser may use."""

    rows: int = 200_000
    columns: int = 200
    #: Excel's own limit for a cell; longer text is an error of its row.
    cell_chars: int = 32_767
    #: All parts of a workbook together, unpacked.
    unpacked_bytes: int = 400 << 20
    #: Address space: 200,000 rows of 12 columns take 340 MB.
    memory_bytes: int = 512 << 20
    cpu_seconds: int = 20
    #: How long the parent waits for the child, in all; its own work between rows does not count.
    wall_seconds: int = 30


DEFAULT_LIMITS = ReadingLimits()


class CellProblem(NamedTuple):
    """What is wrong with the cell at *place* (from 0), or with the whole row (None), in a stored message."""

    place: int | None
    message_id: str
    parameters: dict[str, str | int]


class RawRow(NamedTuple):
    """A row below the header: its number as a spreadsheet shows it, and its cells by place in the header."""

    number: int
    cells: list[str]
    problems: list[CellProblem]


@dataclass
class Table:
    """A file that is being read. ``rows`` can be walked once; ``row_count`` is known at its end."""

    header: list[str]
    header_row: int
    #: The sheet's name; None for CSV.
    sheet: str | None
    rows: Iterator[RawRow]
    row_count: int | None = field(default=None)


@contextmanager
def read_table(
    file: BinaryIO, required: Sequence[Sequence[str]] = (), limits: ReadingLimits = DEFAULT_LIMITS
) -> Iterator[Table]:
    """Open *file* (a real file, plain bytes) as a table in a child process; leaving the block ends the child.

    *required* lists, for each column that must be there, the headings that are accepted for it; they find the
    header among the first rows of each visible sheet. Without any, the first well-filled row is the header.

    Raises:
        FileRefusedError: a subclass with the reason; also while the rows are walked, since a file can be
            wrong in the middle. What was read until then must then be forgotten.
    """
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    request = json.dumps({"required": [list(names) for names in required], "limits": asdict(limits)})
    command = [sys.executable, "-I", "-c", _START, str(_PROJECT), request]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and code; the file is its standard input
        command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}
    ) as child:
        try:
            yield _table(_lines(child, limits.wall_seconds))
        finally:
            child.kill()


def _table(lines: Iterator[Any]) -> Table:
    head = next(lines)
    table = Table(header=head["header"], header_row=head["row"], sheet=head["sheet"], rows=iter(()))
    table.rows = _rows(lines, table)
    return table


def _rows(lines: Iterator[Any], table: Table) -> Iterator[RawRow]:
    for line in lines:
        if isinstance(line, dict):
            table.row_count = line["rows"]
            return
        number, cells, problems = line
        yield RawRow(number, cells, [_problem(*problem, header=table.header) for problem in problems])


def _problem(place: int | None, code: str, parameters: dict[str, int], *, header: list[str]) -> CellProblem:
    column = {} if place is None or place >= len(header) else {"column": header[place]}
    return CellProblem(place, _PROBLEMS[code], {**parameters, **column})


def _lines(child: subprocess.Popen[bytes], wall_seconds: float) -> Iterator[Any]:
    # The last line is {"rows": n} or {"refused": ...}; a child that ends without one was stopped.
    begun = bytearray()
    for chunk in _chunks(child, wall_seconds):
        *complete, rest = chunk.split(b"\n")
        for text in complete:
            begun += text
            line = json.loads(begun)
            begun.clear()
            if isinstance(line, dict) and "refused" in line:
                raise REFUSALS[line["refused"]](**line["parameters"])
            yield line
            if isinstance(line, dict) and "rows" in line:
                return
        begun += rest
    raise _stopped(child)


def _chunks(child: subprocess.Popen[bytes], wall_seconds: float) -> Iterator[bytes]:
    # Only waiting counts: a parent that stores rows slowly is not the file's fault.
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    left = wall_seconds
    while True:
        began = time.monotonic()
        ready, _, _ = select.select([child.stdout], [], [], left)
        left -= time.monotonic() - began
        if not ready or left <= 0:
            raise TimedOutError
        chunk = os.read(child.stdout.fileno(), _PIPE_BYTES)
        if not chunk:
            return
        yield chunk


def _stopped(child: subprocess.Popen[bytes]) -> FileRefusedError:
    code = child.wait()
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return TimedOutError()
    if code in {-signal.SIGABRT, -signal.SIGSEGV}:
        # Rust aborts when an allocation fails; there is no other way for it to say so.
        return OutOfMemoryError()
    return DamagedFileError()
