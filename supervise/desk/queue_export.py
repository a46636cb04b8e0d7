"""The queue carried away as a file: every row of a view, and who took it."""

import datetime as dt
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.complaints.models import Ticket
from supervise.desk.queue import QueueFilters, QueueRow, narrowed, rows_of
from supervise.parties.scope import Scope

_AT_ONCE = 1_000


def queue_rows(session: Session, scope: Scope, filters: QueueFilters, today: dt.date) -> Iterator[QueueRow]:
    """Yield every row of a view as the list shows it, in its order, a thousand at a time."""
    key = tuple_(Ticket.due_on, Ticket.id)
    query = narrowed(session, scope, filters, today).order_by(Ticket.due_on, Ticket.id).limit(_AT_ONCE)
    found = session.execute(query).all()
    while found:
        yield from rows_of(session, [row.id for row in found])
        found = session.execute(query.where(key > (found[-1].due_on, found[-1].id))).all()


def count_tickets(session: Session, scope: Scope, filters: QueueFilters, today: dt.date) -> int:
    """Return how many rows a view has: what an export carries away."""
    tickets = narrowed(session, scope, filters, today).subquery()
    return session.execute(select(func.count()).select_from(tickets)).scalar_one()


def record_export(session: Session, filters: Sequence[str], rows: int, kind: str, *, actor_id: int) -> None:
    """Write who took so many rows away, and the names of the filters: what was searched for may be a number."""
    record_event(
        session,
        actor_id=actor_id,
        action="tickets.exported",
        subject="ticket",
        subject_id=None,
        changes={"filters": list(filters), "rows": rows, "format": kind},
    )
