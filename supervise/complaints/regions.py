"""Which org unit a row of a file belongs to: the region it names, else the subscriber's home, else the batch's unit."""

import datetime as dt
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.complaints.subscribers import holders_at
from supervise.parties.models import OrgUnit

#: What an office appends to the name of the place: 南昌市, 南昌分公司 and 南昌 are one region.
_SUFFIXES = ("分公司", "营业部", "省", "市", "县", "区")


class Regions:
    """The open units by code and name, read once for a file."""

    def __init__(self, units: Collection[tuple[int, str, str]], default_id: int | None) -> None:
        self._default_id = default_id
        self._by_code = {_folded(code): unit_id for unit_id, code, _name in units}
        places: dict[str, set[int]] = {}
        for unit_id, _code, name in units:
            for key in {_folded(name), _place(name)}:
                places.setdefault(key, set()).add(unit_id)
        # A name that two units share says nothing.
        self._by_name = {key: next(iter(ids)) for key, ids in places.items() if len(ids) == 1}
        # A file names few regions, thousands of times.
        self._found: dict[str, int | None] = {}

    @classmethod
    def load(cls, session: Session, *, default_id: int | None) -> "Regions":
        """Read the units that still exist."""
        query = sa.select(OrgUnit.id, OrgUnit.code, OrgUnit.name).where(
            OrgUnit.merged_into_id.is_(None), OrgUnit.closed_on.is_(None)
        )
        return cls([(row.id, row.code, row.name) for row in session.execute(query)], default_id)

    def homes(
        self, session: Session, questions: Collection[tuple[int, dt.datetime]]
    ) -> Mapping[tuple[int, dt.datetime], int | None]:
        """Return the home unit of the holders of some numbers at some moments."""
        held = holders_at(session, questions)
        return {(asked.number_id, asked.at): holder.unit_id for asked, holder in held.items()}

    def unit_of(self, cells: Mapping[str, Any], home_id: int | None) -> int | None:
        """Return the unit of a row: the finer region column first."""
        for field in ("region_detail", "region"):
            unit_id = self.find(cells.get(field))
            if unit_id is not None:
                return unit_id
        return home_id or self._default_id

    def find(self, text: str | None) -> int | None:
        """Return the unit that *text* names by code, name or place; None if no unit or several do."""
        if not text:
            return None
        if text not in self._found:
            self._found[text] = self._find(text)
        return self._found[text]

    def _find(self, text: str) -> int | None:
        return self._by_code.get(_folded(text)) or self._by_name.get(_folded(text)) or self._by_name.get(_place(text))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _place(text: str) -> str:
    folded = _folded(text)
    for suffix in _SUFFIXES:
        if folded.endswith(suffix) and len(folded) > len(suffix) + 1:
            folded = folded.removesuffix(suffix)
    return folded
