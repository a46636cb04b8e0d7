"""Reads the fields of one row and gathers all that is wrong with it, instead of stopping at the first."""

from collections.abc import Callable
from typing import TypeVar

from supervise.errors import InvalidInputError
from supervise.files.mapping import Columns, MappedRow
from supervise.files.remarks import Remark, remark
from supervise.labels import N_

T = TypeVar("T")


class RowValues:
    """The values of one mapped row; what cannot be read becomes a remark under the file's own heading."""

    def __init__(self, row: MappedRow, columns: Columns) -> None:
        self._cells = row.cells
        self._columns = columns
        #: What is wrong, ready to be stored; an empty list means that every cell asked for was read.
        self.remarks: list[Remark] = [remark(problem.message_id, **problem.parameters) for problem in row.problems]

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Return the value of field *name*; None if the cell is empty, or wrong (then ``remarks`` says so)."""
        text = self._cells.get(name, "")
        if not text:
            return None
        try:
            return parse(text)
        except InvalidInputError as error:
            self.add(name, error.message_id, **error.parameters)
            return None

    def required(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Return the value of field *name*; an empty cell is wrong too."""
        if not self._cells.get(name, ""):
            self.add(name, N_("This cell must not be empty"))
            return None
        return self.optional(name, parse)

    def add(self, name: str, message_id: str, **parameters: str | int) -> None:
        """Note that field *name* is wrong, for a reason that only the interpreter can know."""
        self.remarks.append(remark(message_id, **{**parameters, "column": self._columns.heading(name)}))
