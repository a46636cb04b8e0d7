"""How many rows wait behind each line of the side bar: one short read each, never counted beyond a thousand."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from supervise.access.roles import Permission
from supervise.attribution.models import IncidentVerdict
from supervise.compensation.models import Credit, CreditState
from supervise.complaints.models import Incident, IncidentState, Ticket, TicketState
from supervise.desk.models import OPEN_TICKETS
from supervise.parties.scope import Scope
from supervise.penalties.models import Objection, ObjectionState, Penalty, PenaltyState

#: The side bar shows "999+" from here on.
COUNT_MAX = 1_000


class Worker(NamedTuple):
    """For whom is counted."""

    id: int
    permissions: frozenset[Permission]
    scope: Scope


def waiting_counts(session: Session, worker: Worker) -> dict[str, int]:
    """Return how many rows wait for *worker*, by the endpoint of the page that lists them; at most ``COUNT_MAX``."""
    counts: dict[str, int] = {}
    for endpoint, needed, query_for in _COUNTED:
        if needed in worker.permissions:
            counts[endpoint] = counts.get(endpoint, 0) + capped(session, query_for(worker))
    return {endpoint: min(count, COUNT_MAX) for endpoint, count in counts.items()}


def capped(session: Session, query: Select[Any]) -> int:
    """Return how many rows *query* has, counted no further than ``COUNT_MAX``."""
    return session.execute(select(func.count()).select_from(query.limit(COUNT_MAX).subquery())).scalar_one()


def _unanswered(worker: Worker) -> Select[int]:
    query = select(Ticket.id).where(OPEN_TICKETS, Ticket.state != TicketState.REPLIED)
    return worker.scope.limit(query, unit=Ticket.unit_id)


def _undecided(worker: Worker) -> Select[int]:
    decided = select(IncidentVerdict.incident_id).where(IncidentVerdict.incident_id == Incident.id).exists()
    query = select(Incident.id).where(Incident.state == IncidentState.REPORTED, ~decided)
    return worker.scope.limit(query, unit=Incident.unit_id)


def _penalties_to_approve(worker: Worker) -> Select[int]:
    query = select(Penalty.id).where(Penalty.state == PenaltyState.PROPOSED, Penalty.maker_id != worker.id)
    return worker.scope.limit(query, unit=Penalty.unit_id, party=Penalty.party_id)


def _credits_to_approve(worker: Worker) -> Select[int]:
    query = select(Credit.id).where(Credit.state == CreditState.PROPOSED, Credit.maker_id != worker.id)
    return worker.scope.limit(query, unit=Credit.unit_id)


def _objections(worker: Worker) -> Select[int]:
    query = (
        select(Objection.id)
        .join(Penalty, Penalty.id == Objection.penalty_id)
        .where(Objection.state == ObjectionState.OPEN, Penalty.approver_id != worker.id)
    )
    return worker.scope.limit(query, unit=Penalty.unit_id, party=Penalty.party_id)


def _penalties_unseen(worker: Worker) -> Select[int]:
    query = select(Penalty.id).where(Penalty.state == PenaltyState.APPROVED, Penalty.window_start.is_(None))
    return worker.scope.limit(query, unit=Penalty.unit_id, party=Penalty.party_id)


def _credits_to_send(worker: Worker) -> Select[int]:
    query = select(Credit.id).where(Credit.state == CreditState.APPROVED)
    return worker.scope.limit(query, unit=Credit.unit_id)


_COUNTED: tuple[tuple[str, Permission, Callable[[Worker], Select[Any]]], ...] = (
    ("tickets.queue", Permission.ANSWER_TICKETS, _unanswered),
    ("incidents.unattributed", Permission.TRIAGE, _undecided),
    ("approvals.index", Permission.APPROVE_MONEY, _penalties_to_approve),
    ("approvals.index", Permission.APPROVE_MONEY, _credits_to_approve),
    ("penalties.index", Permission.DECIDE_APPEALS, _objections),
    ("penalties.index", Permission.ACKNOWLEDGE_PENALTIES, _penalties_unseen),
    ("batches.index", Permission.EXPORT_CREDITS, _credits_to_send),
)
