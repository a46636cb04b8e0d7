"""Headings of columns: how two are the same, and which row of a sheet holds them. Standard library only."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from supervise.files.unreadable import UnreadableError

#: A title, a date and a note may stand above the header, but no more than this many rows.
HEADER_ROWS = 20
#: Without names to look for, the header is the first row that is nearly as full as the fullest.
_NEARLY = 0.8


def normalise_header(text: str) -> str:
    """Return what makes two headings the same: no spaces, no width, no case (``Ticket ID`` is ``ticketid``)."""
    return "".join(unicodedata.normalize("NFKC", text).split()).replace("\ufeff", "").casefold()


def missing_names(row: Iterable[str], required: Sequence[Sequence[str]]) -> list[str]:
    """Return the first accepted name of each *required* column that *row* does not have."""
    present = {normalise_header(cell) for cell in row}
    return [names[0] for names in required if present.isdisjoint(map(normalise_header, names))]


def find_header(rows: Sequence[Sequence[str]], required: Sequence[Sequence[str]]) -> int | None:
    """Return the index of the first of *rows* that has all *required* columns, each under one of its names.

    Without required columns (a file that nobody described yet) it is the first well-filled row.
    """
    if required:
        return next((place for place, row in enumerate(rows) if not missing_names(row, required)), None)
    filled = [sum(1 for cell in row if cell.strip()) for row in rows]
    enough = max(filled, default=0) * _NEARLY
    return next((place for place, count in enumerate(filled) if count and count >= enough), None)


def fewest_missing(rows: Sequence[Sequence[str]], required: Sequence[Sequence[str]]) -> list[str]:
    """Return the names that the best of *rows* lacks, for the sentence that refuses the file."""
    return min((missing_names(row, required) for row in rows), key=len, default=[names[0] for names in required])


def checked_header(row: Sequence[str], columns_max: int) -> list[str]:
    """Return the headings of *row*, trimmed.

    Raises:
        UnreadableError: if there are more than *columns_max*, or two are the same.
    """
    header = [cell.strip() for cell in row]
    if len(header) > columns_max:
        raise UnreadableError("TooManyColumnsError", limit=columns_max)
    counts = Counter(normalise_header(cell) for cell in header if cell)
    twice = next((cell for cell in header if counts[normalise_header(cell)] > 1), None)
    if twice is not None:
        raise UnreadableError("DuplicateColumnError", column=twice[:100])
    return header
