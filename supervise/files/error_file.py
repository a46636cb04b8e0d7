"""The error file of an import: the rows that were not taken over, with the reason, to be mended and sent again."""

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from supervise.cipher import Keyring
from supervise.files.mapping import FORMULA_STARTS
from supervise.files.models import RowVerdict
from supervise.files.remarks import remarks_text
from supervise.files.staging import staged_rows
from supervise.labels import _

_BOM = "\ufeff"
#: A signed amount or a number with its country code is no formula, and must come back as it went out.
_NUMBER = re.compile(r"[+-]?[0-9][0-9 ,.-]*", re.ASCII)


def error_file(
    session: Session,
    batch_id: int,
    keyring: Keyring,
    columns: Mapping[str, str],
    *,
    verdicts: Collection[RowVerdict] = (RowVerdict.ERROR,),
) -> Iterator[bytes]:
    """Yield a CSV file (UTF-8 with BOM, which Excel needs) of the rows with *verdicts*, in constant memory.

    *columns* is ``{field: heading}`` in the order of the file. Text that a spreadsheet would run gets an
    apostrophe, which the import takes off again; the first two columns are ours and unknown to it.
    """
    yield _line([_("Row"), _("Reason"), *columns.values()], bom=True)
    for row in staged_rows(session, batch_id, keyring, verdicts=verdicts):
        cells: Mapping[str, Any] = row.cells or {}
        texts = [_text(cells.get(name)) for name in columns]
        yield _line([str(row.row_number), neutralised(remarks_text(row.remarks)), *map(neutralised, texts)])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return "" if value is None else str(value)


def neutralised(text: str) -> str:
    """Return *text* so that no spreadsheet runs it; numbers stay numbers."""
    return f"'{text}" if text[:1] and text[0] in FORMULA_STARTS and not _NUMBER.fullmatch(text) else text


def _line(cells: list[str], *, bom: bool = False) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return ((_BOM if bom else "") + out.getvalue()).encode()
