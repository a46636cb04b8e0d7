"""The child process that parses a file: limited memory, time and descriptors; rows go out as lines of JSON.

The file is its standard input, so it never learns a path. It imports nothing of the application but its own
few modules, and gives itself the limits before it reads the first byte (reliability M13).
"""

import codecs
import json
import re
import resource
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from supervise.files.headers import HEADER_ROWS
from supervise.files.prescan import inspect_workbook, sniff
from supervise.files.reading_csv import read_csv
from supervise.files.reading_xlsx import read_xlsx
from supervise.files.unreadable import UnreadableError

#: Codecs are imported at their first use, when no file can be opened any more; cp437 names a zip's entries.
CODECS = [codecs.lookup(name) for name in ("ascii", "cp437", "gb18030", "latin-1", "utf-8", "utf-8-sig", "utf-16")]

# PostgreSQL takes no NUL, XML no control characters, UTF-8 no half of a surrogate pair (reliability E9, E14).
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_STANDARD_DESCRIPTORS = 3

Problem = tuple[int | None, str, dict[str, int]]
Limits = dict[str, int]


def confine(limits: Limits) -> None:
    """Give up what parsing does not need: memory, time, output files, core dumps, new descriptors.

    Without a free descriptor no socket and no file can be opened, whatever the parser is made to do.
    """
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_STANDARD_DESCRIPTORS,) * 2)


def table_lines(file: BinaryIO, required: list[list[str]], limits: Limits) -> Iterator[Any]:
    """Yield what the parent reads: the header, each filled row below it, and how many rows there were.

    Raises:
        UnreadableError: if the file is refused, at the start or in the middle.
    """
    rows: Iterator[tuple[int, list[str], list[Problem]]]
    if sniff(file) == "xlsx":
        marks = inspect_workbook(
            file,
            rows_max=limits["rows"] + HEADER_ROWS,
            columns_max=limits["columns"],
            unpacked_max=limits["unpacked_bytes"],
        )
        header, first, sheet = read_xlsx(file, marks, required, limits["columns"])
        rows = (_fitted(row, header) for row in sheet.rows() if row[0] > first)
        yield {"header": header, "row": first, "sheet": sheet.name}
    else:
        header, first, records = read_csv(file, required, limits["columns"])
        rows = ((number, cells, _width_problem(cells, header)) for number, cells in records)
        yield {"header": header, "row": first, "sheet": None}
    count = 0
    for number, cells, problems in rows:
        if not any(map(str.strip, cells)) and not problems:
            continue
        count += 1
        if count > limits["rows"]:
            raise UnreadableError("TooManyRowsError", limit=limits["rows"])
        yield [number, *_checked(cells, problems, limits["cell_chars"])]
    yield {"rows": count}


def _fitted(
    row: tuple[int, list[str], list[tuple[int, str]]], header: list[str]
) -> tuple[int, list[str], list[Problem]]:
    # A sheet is a rectangle as wide as its widest row: beyond the header nothing may stand.
    number, cells, marked = row
    problems: list[Problem] = [(place, problem, {}) for place, problem in marked if place < len(header)]
    if len(cells) > len(header):
        if any(map(str.strip, cells[len(header) :])):
            problems.append((None, "row_too_long", {"columns": len(header)}))
        cells = cells[: len(header)]
    return number, cells + [""] * (len(header) - len(cells)), problems


def _width_problem(cells: list[str], header: list[str]) -> list[Problem]:
    if len(cells) == len(header):
        return []
    problem = "row_too_long" if len(cells) > len(header) else "row_too_short"
    return [(None, problem, {"cells": len(cells), "columns": len(header)})]


def _checked(cells: list[str], problems: list[Problem], chars_max: int) -> tuple[list[str], list[Problem]]:
    if max(map(len, cells)) <= chars_max and not _UNPRINTABLE.search("".join(cells)):
        return cells, problems
    for place, cell in enumerate(cells):
        if len(cell) > chars_max:
            problems = [*problems, (place, "cell_too_long", {"limit": chars_max})]
            cells[place] = cell[:chars_max]
        if _UNPRINTABLE.search(cell):
            problems = [*problems, (place, "unprintable", {})]
            cells[place] = _UNPRINTABLE.sub("\ufffd", cells[place])
    return cells, problems


def main() -> None:
    """Read the request from the command line and the file from standard input."""
    request = json.loads(sys.argv[-1])
    out = sys.stdout.buffer
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    confine(request["limits"])
    try:
        with open(0, "rb", closefd=False) as file:
            for line in table_lines(file, request["required"], request["limits"]):
                out.write(encode(line).encode() + b"\n")
    except UnreadableError as error:
        _refuse(out, error.refusal, error.parameters)
    except MemoryError:
        _refuse(out, "OutOfMemoryError", {})
    out.flush()


def _refuse(out: BinaryIO, refusal: str, parameters: dict[str, str | int]) -> None:
    out.write(json.dumps({"refused": refusal, "parameters": parameters}).encode() + b"\n")
