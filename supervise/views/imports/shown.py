"""A staged row as the preview shows it: numbers of subscribers masked, names and long texts left out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from supervise import phone
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import remark_text
from supervise.files.staging import StoredRow

_TEXT_MAX = 120
_DIGITS = re.compile(r"\d")
#: What a preview of complaints leaves out: names of people, and what only the machine needs.
_HIDDEN = frozenset({"complainant", "unit_id", "occurred_text"})
#: Their numbers belong to subscribers; in other files they are business data.
_PRIVATE_NUMBERS = frozenset({ImportKind.COMPLAINTS, ImportKind.SUBSCRIBERS, ImportKind.PERMISSIONS})


class ShownRow(NamedTuple):
    """A row of the preview."""

    row_number: int
    verdict: RowVerdict
    remarks: Sequence[str]
    #: Texts under the file's own headings.
    cells: Sequence[tuple[str, str]]
    subject_id: int | None


def shown(row: StoredRow, kind: ImportKind, headings: Mapping[str, str]) -> ShownRow:
    """Return *row* for people."""
    cells = row.cells or {}
    texts = [
        (heading, _shown_cell(kind, name, cells[name]))
        for name, heading in headings.items()
        if name not in _HIDDEN and cells.get(name) not in (None, "")
    ]
    return ShownRow(row.row_number, row.verdict, [remark_text(one) for one in row.remarks], texts, row.subject_id)


def _shown_cell(kind: ImportKind, name: str, value: Any) -> str:
    text = str(value)
    if kind in _PRIVATE_NUMBERS and name == "number":
        return phone.mask("".join(_DIGITS.findall(text))) or "****"
    if kind in _PRIVATE_NUMBERS and name != "caller_number":
        text = phone.mask_in_text(text)
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…"
