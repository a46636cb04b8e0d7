"""What the pages of all registers share: whose rows, codes that people type, history, download, plain form pages."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
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
from supervise.views.downloads import send_lines, send_workbook
from supervise.views.forms import Form

T = TypeVar("T")

PAGE = 50
_EVENTS = 50
#: A version fits 64 bits; nobody has a longer one.
_DIGITS_MAX = 19


class History(NamedTuple):
    """What happened to a row, the newest first, and who did it."""

    events: Sequence[AuditEvent]
    names: dict[int, str]


def scope_of(session: Session) -> Scope:
    """Return what the user of this request sees."""
    return Scope.of(session, current_user())


def history_of(
    session: Session, subject: str | Sequence[str], subject_id: int | None, *keepers: Permission
) -> History | None:
    """Return the history of a row for those who keep its register (*keepers*) or check it; None for others.

    Without an id it is that of every row of the subject, or of several subjects.
    """
    if not current_user().can(*(keepers or (Permission.WRITE_REGISTERS,)), Permission.READ_AUDIT):
        return None
    subjects = (subject,) if isinstance(subject, str) else subject
    row = "" if subject_id is None else subject_id
    events = [event for one in subjects for event in events_of(session, one, row, limit=_EVENTS)]
    events = sorted(events, key=lambda event: event.id, reverse=True)[:_EVENTS]
    return History(events, display_names(session, [event.actor_id for event in events]))


def may_write() -> bool:
    """Say whether the user keeps the registers."""
    return current_user().can(Permission.WRITE_REGISTERS)


def sees_suspicion() -> bool:
    """Say whether the user is told that a number or party is suspected: who works on complaints, never the charged."""
    return current_user().can(Permission.READ_TICKETS)


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


def in_scope(find: Callable[[Session, Scope, int], T], row_id: int) -> T:
    """Return the row with the id, as *find* reads it.

    Raises:
        NotFoundError: if there is none, or it is not the user's.
    """
    with db.reading() as session:
        return find(session, scope_of(session), row_id)


def form_page(form: Form, *, title: str, words: str, cancel_url: str, hint: str = "") -> ResponseReturnValue:
    """Show *form* on a page of its own; with status 400 if something in it is wrong."""
    page = render_template("registers/form.html", form=form, title=title, words=words, cancel_url=cancel_url, hint=hint)
    return page, 400 if form.errors else 200


def first_page(rows: Sequence[T]) -> tuple[Sequence[T], bool]:
    """Return a page of *rows*, of which one more than a page was asked for, and whether there are more."""
    return rows[:PAGE], len(rows) > PAGE


def export_urls(endpoint: str = ".export") -> dict[str, str]:
    """Return where the list with its present filters can be downloaded, by format."""
    return {
        kind: address_with(endpoint, after=None, after_id=None, before=None, format=kind) for kind in ("xlsx", "csv")
    }


def download(
    name: str, title: str, columns: Sequence[Column[T]], lines: Callable[[Session, Scope], Iterable[T]]
) -> ResponseReturnValue:
    """Send a register as the address asks: ``format=csv``, else a workbook. *name* is the file's, without ending."""
    file_name = f"{name}-{clock.today()}"
    if request.args.get("format") == "csv":
        return send_lines(f"{file_name}.csv", lambda session: register_csv(columns, lines(session, scope_of(session))))
    with db.reading() as session:
        rows = lines(session, scope_of(session))
        return send_workbook(f"{file_name}.xlsx", lambda path: register_workbook(path, title, columns, rows))


def changed(address: str) -> Response:
    """Say that the register is changed, and show the page at *address*."""
    flash(_("The register is changed"), "success")
    return redirect(address, code=303)


def version_of(field: Any) -> int:
    """Return the version that a form carried along; nonsense is a version that nobody has."""
    text = str(field.data or "")
    return int(text) if text.isdecimal() and len(text) < _DIGITS_MAX else 0
