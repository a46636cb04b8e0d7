"""What the pages of all registers share: whose rows, codes that people type, history, download, plain form pages."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from flask import Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import Field

from reports.registers import register_csv, register_workbook
from reports.workbook import Column
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.audit.models import AuditEvent
from supervise.audit.queries import events_of
from supervise.labels import _
from supervise.parties.codes import UnknownCodeError
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.forms import Form

T = TypeVar("T")

PAGE = 50
_EVENTS = 50
#: A version fits 64 bits; nobody has a longer one.
_DIGITS_MAX = 19
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class History(NamedTuple):
    """What happened to a row, the newest first, and who did it."""

    events: Sequence[AuditEvent]
    names: dict[int, str]


def scope_of(session: Session) -> Scope:
    """Return what the user of this request sees."""
    return Scope.of(session, current_user())


def history_of(session: Session, subject: str, subject_id: int) -> History | None:
    """Return the history of a row for those who keep or check the registers; None for others."""
    if not current_user().can(Permission.WRITE_REGISTERS, Permission.READ_AUDIT):
        return None
    events = events_of(session, subject, subject_id, limit=_EVENTS)
    return History(events, display_names(session, [event.actor_id for event in events]))


def may_write() -> bool:
    """Say whether the user keeps the registers."""
    return current_user().can(Permission.WRITE_REGISTERS)


def may_propose() -> bool:
    """Say whether the user proposes changes to own rows."""
    return current_user().can(Permission.PROPOSE_REGISTER_CHANGES)


def named(field: Field, find: Callable[[Session, Scope, str], T]) -> T | None:
    """Return the row whose code was typed into *field*; else None, with the reason beside the field."""
    try:
        with db.reading() as session:
            return find(session, scope_of(session), field.data or "")
    except UnknownCodeError as error:
        field.errors = [*field.errors, str(error)]
        return None


def form_page(form: Form, *, title: str, words: str, cancel_url: str, hint: str = "") -> ResponseReturnValue:
    """Show *form* on a page of its own; with status 400 if something in it is wrong."""
    page = render_template("registers/form.html", form=form, title=title, words=words, cancel_url=cancel_url, hint=hint)
    return page, 400 if form.errors else 200


def first_page(rows: Sequence[T]) -> tuple[Sequence[T], bool]:
    """Return a page of *rows*, of which one more than a page was asked for, and whether there are more."""
    return rows[:PAGE], len(rows) > PAGE


def export_urls() -> dict[str, str]:
    """Return where the list with its present filters can be downloaded, by format."""
    return {kind: address_with(".export", after=None, before=None, format=kind) for kind in ("xlsx", "csv")}


def download(
    name: str, title: str, columns: Sequence[Column[T]], lines: Callable[[Session, Scope], Iterable[T]]
) -> ResponseReturnValue:
    """Send a register as the address asks: ``format=csv``, else a workbook. *name* is the file's, without ending."""
    file_name = f"{name}-{clock.today()}"
    if request.args.get("format") == "csv":
        body = stream_with_context(_csv(columns, lines))
        return Response(body, mimetype="text/csv; charset=utf-8", headers=_attachment(f"{file_name}.csv"))
    with tempfile.TemporaryDirectory() as folder, db.reading() as session:
        book = register_workbook(Path(folder, "register.xlsx"), title, columns, lines(session, scope_of(session)))
        content = book.path.read_bytes()
    return Response(content, mimetype=_XLSX, headers=_attachment(f"{file_name}.xlsx"))


def _csv(columns: Sequence[Column[T]], lines: Callable[[Session, Scope], Iterable[T]]) -> Iterator[str]:
    with db.reading() as session:
        yield from register_csv(columns, lines(session, scope_of(session)))


def _attachment(file_name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{file_name}"'}


def saved() -> str:
    """Return what a flash says after any change of a register."""
    return _("The register is changed")


def version_of(field: Any) -> int:
    """Return the version that a form carried along; nonsense is a version that nobody has."""
    text = str(field.data or "")
    return int(text) if text.isdecimal() and len(text) < _DIGITS_MAX else 0
