"""The identity of a row that has no reference of its own: what it says, and the how-manieth it is that says so.

The same table, renamed or saved again, gives the same keys and so adds nothing; two equal rows in one file are
two complaints.
"""

import datetime as dt
import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Mapping

#: One encoder for all rows: ``json.dumps`` would make a new one for each.
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":"))

Value = str | int | bool | dt.datetime | dt.date | None


def row_key(values: Mapping[str, Value], occurrence: int, scope: str = "") -> str:
    """Return 64 hex digits for the *occurrence*-th (from 1) row of *scope* with these *values*.

    Hand in parsed values, not cells: saving a file again changes how a time or a number is written.
    An empty field and a missing one are the same. *scope* is the channel: equal rows of two are two tickets.
    """
    canonical = {name: _canonical(value) for name, value in values.items() if value not in (None, "")}
    return hashlib.sha256(_CANONICAL.encode([scope, occurrence, canonical]).encode()).hexdigest()


def _canonical(value: Value) -> str:
    if isinstance(value, str):
        text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
        return text if text.isascii() else unicodedata.normalize("NFC", text)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


class RowKeys:
    """Counts equal rows of one file while their keys are made."""

    def __init__(self, scope: str = "") -> None:
        self._scope = scope
        self._seen: Counter[bytes] = Counter()

    def key(self, values: Mapping[str, Value]) -> str:
        """Return the key of the next row."""
        first = row_key(values, 1, self._scope)
        content = bytes.fromhex(first)
        self._seen[content] += 1
        occurrence = self._seen[content]
        return first if occurrence == 1 else row_key(values, occurrence, self._scope)
