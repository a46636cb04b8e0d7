"""A staged row as the preview shows it: numbers of subscribers masked, names and long texts left out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from supervise import phone
from supervise.complaints.models import CallerKind, IncidentKind
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import remark_text
from supervise.files.staging import StoredRow
from supervise.labels import LabelledEnum, _

_TEXT_MAX = 120
_DIGITS = re.compile(r"\d")
#: What a preview of complaints leaves out: names of people, and what only the machine needs.
_HIDDEN = frozenset({"complainant", "unit_id", "occurred_text"})
#: Their numbers belong to subscribers; in other files they are business data.
_PRIVATE_NUMBERS = frozenset({ImportKind.COMPLAINTS, ImportKind.SUBSCRIBERS, ImportKind.PERMISSIONS})
#: Fields of a complaint that are read into one of a few kinds.
_KINDS: Mapping[str, type[LabelledEnum]] = {"kind": IncidentKind, "caller_kind": CallerKind}


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


def _spoken(kind: ImportKind, name: str, value: Any) -> str:
    """The words of a kind that was read from a complaint's file; what could not be read stays as the file has it."""
    words = _KINDS.get(name) if kind is ImportKind.COMPLAINTS else None
    is_known = words is not None and value in {member.value for member in words}
    return str(words(value).label) if words is not None and is_known else str(value)


def _shown_cell(kind: ImportKind, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    text = _spoken(kind, name, value)
    if kind in _PRIVATE_NUMBERS and name == "number":
        return phone.mask("".join(_DIGITS.findall(text))) or "****"
    if kind in _PRIVATE_NUMBERS and name != "caller_number":
        text = phone.mask_in_text(text)
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…"
