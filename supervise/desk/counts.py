"""How many rows wait behind each line of the side bar: one short read each, never counted beyond a thousand."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise.access.roles import Permission
from supervise.attribution.inquiry_queries import waiting_for_us
from supervise.attribution.queries import unattributed
from supervise.compensation.batches import sendable
from supervise.compensation.models import Credit
from supervise.complaints.models import Ticket, TicketState
from supervise.desk.models import OPEN_TICKETS
from supervise.desk.second_person import waiting_for_second_person
from supervise.desk.worker import COUNT_MAX, Worker, capped
from supervise.penalties.attention import Attention, needing
from supervise.penalties.models import Penalty


def daily_counts(session: Session, worker: Worker) -> dict[str, int]:
    """Return how many rows of daily work wait for *worker*, by the endpoint of their list; at most ``COUNT_MAX``."""
    return {
        endpoint: capped(session, query_for(worker))
        for endpoint, needed, query_for in _COUNTED
        if needed in worker.permissions
    }


def waiting_counts(session: Session, worker: Worker) -> dict[str, int]:
    """Return the daily counts and what waits for a second person; all but the registers' is behind the approvals."""
    together = daily_counts(session, worker)
    for one in waiting_for_second_person(session, worker):
        endpoint = one.endpoint if one.endpoint.startswith("register_proposals.") else "approvals.index"
        together[endpoint] = min(together.get(endpoint, 0) + one.rows, COUNT_MAX)
    return together


def unanswered(worker: Worker) -> Select[int]:
    """Return the open tickets in scope that nobody has answered."""
    query = select(Ticket.id).where(OPEN_TICKETS, Ticket.state != TicketState.REPLIED)
    return worker.scope.limit(query, unit=Ticket.unit_id)


def _undecided(worker: Worker) -> Select[int]:
    return unattributed(worker.scope)


def _asked_of_us(worker: Worker) -> Select[int]:
    return waiting_for_us(worker.scope)


def _penalties_unseen(worker: Worker) -> Select[int]:
    return needing(select(Penalty.id), Attention.UNOPENED, worker.scope, user_id=worker.id)


def _credits_to_send(worker: Worker) -> Select[int]:
    return worker.scope.limit(select(Credit.id).where(sendable()), unit=Credit.unit_id)


_COUNTED: tuple[tuple[str, Permission, Callable[[Worker], Select[Any]]], ...] = (
    ("tickets.queue", Permission.ANSWER_TICKETS, unanswered),
    ("incidents.unattributed", Permission.TRIAGE, _undecided),
    ("inquiries.index", Permission.ANSWER_INQUIRIES, _asked_of_us),
    ("penalties.index", Permission.ACKNOWLEDGE_PENALTIES, _penalties_unseen),
    ("batches.index", Permission.EXPORT_CREDITS, _credits_to_send),
)
