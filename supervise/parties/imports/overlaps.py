"""Overlaps among the rows of a file and the rows that the register has already, for all keys in one pass."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

Point = TypeVar("Point", dt.date, dt.datetime)


class Span(NamedTuple, Generic[Point]):
    """A period of one key: of a row of the file, or (row 0) of the register."""

    first: Point
    end: Point | None
    row_number: int
    #: Who holds the key in this period.
    name: str


def overlapping_rows(spans_by_key: Mapping[Any, Iterable[Span[Point]]]) -> dict[int, Span[Point]]:
    """Return which rows of the file overlap something, and what: ``{row number: the other span}``.

    The register's own rows are right by definition; of two rows of the file the later one in time is named.
    """
    found: dict[int, Span[Point]] = {}
    for spans in spans_by_key.values():
        _sweep(sorted(spans, key=lambda span: (span.first, span.row_number)), found)
    return found


def _sweep(spans: list[Span[Point]], found: dict[int, Span[Point]]) -> None:
    last: Span[Point] | None = None
    for span in spans:
        if last is None or (last.end is not None and last.end <= span.first):
            last = span
        elif span.row_number:
            found[span.row_number] = last
        else:
            found[last.row_number] = span
            last = span
