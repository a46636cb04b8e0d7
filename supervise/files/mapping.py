"""Column mapping: which heading of a file gives which field. Pure; profiles store it as JSON.

Columns may come in any order and with extra ones between them; a heading matches without regard to width,
case and spaces. Nothing is guessed: what is missing is named, what is not used is listed.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from supervise.errors import InvalidInputError
from supervise.files.headers import missing_names, normalise_header
from supervise.files.reader import CellProblem, RawRow
from supervise.files.refusals import MissingColumnsError
from supervise.files.values import DateFormatError, check_date_format
from supervise.labels import N_
from supervise.phone import NumberingPlan


class MappingError(InvalidInputError):
    """The mapping contradicts itself; the message says where."""

    message = N_("The column mapping is not valid")


@dataclass(frozen=True)
class ColumnMapping:
    """How the columns of one kind of file are read.

    Raises:
        MappingError: if a heading gives two fields, a required field has no heading and no constant, or a
            date format is no format.
    """

    #: Field -> headings that are accepted for it, the preferred one first.
    fields: Mapping[str, tuple[str, ...]]
    #: Fields without whose column the file is refused; a row may still leave the cell empty.
    required: frozenset[str] = frozenset()
    #: Field -> text that every row gets, for what the file does not say.
    constants: Mapping[str, str] = field(default_factory=dict)
    plan: NumberingPlan = NumberingPlan.CHINA
    #: ``strptime`` formats that this source is known to use, e.g. ``%m/%d/%Y %H:%M``; tried before the common ones.
    date_formats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a mapping that contradicts itself."""
        owners: dict[str, str] = {}
        for name, headings in self.fields.items():
            for heading in headings:
                owner = owners.setdefault(normalise_header(heading), name)
                if owner != name:
                    raise MappingError(N_('The column "%(column)s" is given two meanings'), column=heading)
        for name in sorted(self.required):
            if not self.fields.get(name) and name not in self.constants:
                raise MappingError(N_("The field %(field)s needs a column"), field=name)
        for text in self.date_formats:
            try:
                check_date_format(text)
            except DateFormatError as error:
                raise MappingError(error.message_id, **error.parameters) from error

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the mapping that ``to_json`` stored."""
        return cls(
            fields={name: tuple(headings) for name, headings in stored["fields"].items()},
            required=frozenset(stored.get("required", ())),
            constants=dict(stored.get("constants", {})),
            plan=NumberingPlan(stored.get("plan", NumberingPlan.CHINA)),
            date_formats=tuple(stored.get("date_formats", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what a profile stores."""
        return {
            "fields": {name: list(headings) for name, headings in self.fields.items()},
            "required": sorted(self.required),
            "constants": dict(self.constants),
            "plan": self.plan.value,
            "date_formats": list(self.date_formats),
        }

    @property
    def required_headings(self) -> list[tuple[str, ...]]:
        """The accepted headings of each required column, as ``read_table`` wants them."""
        return [
            headings
            for name, headings in self.fields.items()
            if headings and name in self.required and name not in self.constants
        ]

    def columns(self, header: Sequence[str]) -> "Columns":
        """Find the fields in *header*.

        Where a file has two accepted headings of one field, the one that the mapping prefers gives it, and
        the other is listed as unused.

        Raises:
            MissingColumnsError: naming the required columns that are not there.
        """
        missing = missing_names(header, self.required_headings)
        if missing:
            raise MissingColumnsError(columns=", ".join(missing))
        places = {normalise_header(cell): place for place, cell in reversed(list(enumerate(header)))}
        found = {}
        for name, headings in self.fields.items():
            place = next((places[key] for key in map(normalise_header, headings) if key in places), None)
            if place is not None:
                found[name] = place
        return Columns(mapping=self, header=tuple(header), places=found)


class MappedRow(NamedTuple):
    """A row by field: stripped text, and what is already known to be wrong with it."""

    number: int
    cells: dict[str, str]
    problems: list[CellProblem]


@dataclass(frozen=True)
class Columns:
    """A mapping laid over the header of one file."""

    mapping: ColumnMapping
    header: tuple[str, ...]
    #: Field -> place in the row, from 0.
    places: Mapping[str, int]

    @property
    def unused(self) -> list[str]:
        """The headings that give no field, in the file's order; shown in the preview."""
        return [heading for place, heading in enumerate(self.header) if heading and place not in self._used]

    @functools.cached_property
    def _used(self) -> frozenset[int]:
        return frozenset(self.places.values())

    def heading(self, name: str) -> str:
        """Return what the file calls field *name*; a constant has its own name."""
        place = self.places.get(name)
        return self.header[place] if place is not None else name

    def map_row(self, row: RawRow) -> MappedRow:
        """Return *row* by field; a row that does not fit the header keeps its error and loses its cells.

        Such a row may be shifted, so that no cell of it can be trusted. Problems of columns that nobody uses
        are left out.
        """
        problems = [problem for problem in row.problems if problem.place is None or problem.place in self._used]
        if any(problem.place is None for problem in problems):
            return MappedRow(row.number, {}, problems)
        cells = dict(self.mapping.constants)
        for name, place in self.places.items():
            text = unescaped(row.cells[place]).strip()
            if text or name not in cells:
                cells[name] = text
        return MappedRow(row.number, cells, problems)


def unescaped(text: str) -> str:
    """Undo the apostrophe that our error file puts before a formula-like text: a mended file comes in again."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA_STARTS and text[1:2] else text


#: What a spreadsheet would run when a cell begins with it.
FORMULA_STARTS = "=+-@\t\r＝＋－＠"  # noqa: RUF001 - full width is run as well
