"""The queue as a file: just the rows of the list with its filters, numbers masked as there, and a word in the audit."""

from collections.abc import Iterator

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.queue import QUEUE_COLUMNS
from reports.registers import register_csv, register_workbook
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.desk.queue import QueueFilters, QueueRow
from supervise.desk.queue_export import count_tickets, queue_rows, record_export
from supervise.errors import InvalidInputError
from supervise.labels import N_, _
from supervise.parties.scope import Scope
from supervise.views.downloads import send_lines, send_workbook
from supervise.views.tickets.blueprint import bp
from supervise.views.tickets.queue_form import read_filters

#: A workbook is written whole before it is sent: so many rows take about two seconds. CSV goes out as it is read.
WORKBOOK_ROWS_MAX = 20_000


class FiltersNotReadError(InvalidInputError):
    """The address holds a filter that cannot be understood."""

    message = N_("The filters cannot be understood")


class TooManyForWorkbookError(InvalidInputError):
    """Such a workbook would keep the browser waiting."""

    message = N_(
        "%(rows)d tickets are too many for a workbook (at most %(limit)d): take the CSV file, or narrow the view"
    )


@bp.get("/export")
@require(Permission.READ_TICKETS)
def export() -> ResponseReturnValue:
    """Give the filtered queue as CSV (``format=csv``), else as a workbook."""
    me, today, name = current_user(), clock.today(), f"tickets-{clock.today()}"
    is_csv = request.args.get("format") == "csv"
    with db.reading() as session:
        scope = Scope.of(session, me)
        form, filters = read_filters(session, scope, request.args)
        if filters is None:
            raise FiltersNotReadError
        rows = count_tickets(session, scope, filters, today)
    if not is_csv and rows > WORKBOOK_ROWS_MAX:
        raise TooManyForWorkbookError(rows=rows, limit=WORKBOOK_ROWS_MAX)
    used = sorted(field.name for field in form if field.data)
    db.decide(record_export, used, rows, "csv" if is_csv else "xlsx", actor_id=me.id)
    if is_csv:
        return send_lines(f"{name}.csv", lambda session: register_csv(QUEUE_COLUMNS, _rows(session, filters)))
    with db.reading() as session:
        found = _rows(session, filters)
        return send_workbook(f"{name}.xlsx", lambda path: register_workbook(path, _("Tickets"), QUEUE_COLUMNS, found))


def _rows(session: Session, filters: QueueFilters) -> Iterator[QueueRow]:
    return queue_rows(session, Scope.of(session, current_user()), filters, clock.today())
