"""The list of a register, described once: its filters, its pages by key, its buttons, and its download."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.workbook import Column
from supervise import db
from supervise.access.identity import current_user
from supervise.access.roles import Permission
from supervise.files.models import ImportKind
from supervise.labels import translate
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.navigation import url_of
from supervise.views.registers import PAGE, download, export_urls, first_page, scope_of
from supervise.views.typed_numbers import asked

Filters = TypeVar("Filters")
Wanted_co = TypeVar("Wanted_co", covariant=True)
Row = TypeVar("Row")
Line = TypeVar("Line")
#: What a page begins after: the key of the list's order.
Key = TypeVar("Key")

#: The most digits that any id has in an address; what is longer names no row.
_ID_DIGITS = 18


class ListFilters(Protocol[Wanted_co]):
    """The form above a list."""

    def wanted(self) -> Wanted_co:
        """Return what the address asks for; nonsense narrows nothing."""


class Cursor(NamedTuple, Generic[Row, Key]):
    """Where a page begins, and how the address of the next one says it."""

    start: Callable[[], Key]
    next: Callable[[Row], dict[str, Any]]


def by_text(key: Callable[[Row], str]) -> Cursor[Row, str]:
    """Go on after the *key* of the last row; it is unique."""
    return Cursor(lambda: asked("after"), lambda row: {"after": key(row)})


def by_text_and_id(key: Callable[[Row], tuple[str, int]]) -> Cursor[Row, tuple[str, int] | None]:
    """Go on after the *key* of the last row: a text that several may have, and the id."""

    def start() -> tuple[str, int] | None:
        row_id = _asked_id("after_id")
        return (asked("after"), row_id) if row_id is not None else None

    def following(row: Row) -> dict[str, Any]:
        text, row_id = key(row)
        return {"after": text, "after_id": row_id}

    return Cursor(start, following)


def by_id(key: Callable[[Row], int]) -> Cursor[Row, int | None]:
    """Go on after the id of the last row."""
    return Cursor(lambda: _asked_id("after"), lambda row: {"after": key(row)})


def newest_first(key: Callable[[Row], int]) -> Cursor[Row, int | None]:
    """Go on before the id of the last row."""
    return Cursor(lambda: _asked_id("before"), lambda row: {"before": key(row)})


def _asked_id(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= _ID_DIGITS else None


@dataclass(frozen=True, kw_only=True)
class RegisterList(Generic[Filters, Row, Line]):
    """What the list of a register and its download are made of."""

    #: Folder of its templates, and beginning of its files' names.
    name: str
    #: A message id.
    title: str
    form: Callable[[], ListFilters[Filters]]
    #: A named read: ``rows(session, scope, filters, after=key, limit=n)``.
    rows: Callable[..., Sequence[Row]]
    cursor: Cursor[Row, Any]
    #: What else the template shows of the rows of a page, read as of the same moment.
    beside: Callable[[Session, Sequence[Row]], dict[str, Any]] = lambda _session, _rows: {}
    #: The download has a line for each period where the list has a row for each thing.
    columns: Sequence[Column[Line]]
    lines: Callable[[Session, Scope, Filters], Iterable[Line]]
    #: Who adds rows, one by one or by a file of the kind *imports*.
    writes: Permission = Permission.WRITE_REGISTERS
    imports: ImportKind | None = None
    #: Where a row is entered; empty: on the pages of another register.
    new: str = ".new"

    def page(self, form: ListFilters[Filters] | None = None, /, **shown: Any) -> str:
        """Return the page of the list that the address asks for; the template gets *shown* too."""
        form = form or self.form()
        with db.reading() as session:
            after = self.cursor.start()
            found = self.rows(session, scope_of(session), form.wanted(), after=after, limit=PAGE + 1)
            rows, more = first_page(found)
            shown |= self.beside(session, rows)
        may_write = current_user().can(self.writes)
        return render_template(
            f"{self.name}/index.html",
            form=form,
            rows=rows,
            next_url=address_with(**self.cursor.next(rows[-1])) if more else None,
            exports=export_urls(),
            import_url=url_of("imports.new", kind=self.imports.value) if may_write and self.imports else None,
            new_url=url_for(self.new) if may_write and self.new else None,
            **shown,
        )

    def download(self) -> ResponseReturnValue:
        """Send the filtered list as the address asks: ``format=csv``, else a workbook."""
        filters = self.form().wanted()
        return download(
            self.name.replace("_", "-"),
            translate(self.title),
            self.columns,
            lambda session, scope: self.lines(session, scope, filters),
        )
