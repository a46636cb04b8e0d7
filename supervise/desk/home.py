"""What waits for one person, what is late, and what this month cost: one short read for each line of a home page."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Permission
from supervise.attribution.models import Attribution, AttributionState, Method, ProposalState, ReattributionProposal
from supervise.audit.models import AuditEvent
from supervise.compensation.models import Credit, CreditBatch, CreditBatchState, CreditState
from supervise.complaints.models import CalendarYear, Ticket, TicketState
from supervise.desk.counts import Worker, capped, waiting_counts
from supervise.desk.models import OPEN_TICKETS
from supervise.labels import N_
from supervise.penalties.models import Penalty, PenaltyState, ReversalRequest

_P = Permission
#: A window for an objection that closes this soon is urgent.
_CLOSING = dt.timedelta(days=3)
#: An approved credit that is not sent by then keeps its subscriber waiting.
_UNSENT = dt.timedelta(days=7)


class Task(NamedTuple):
    """A line of the home page: how many rows wait where."""

    #: A message id.
    words: str
    rows: int
    endpoint: str
    arguments: Mapping[str, str]
    is_urgent: bool


class _Line(NamedTuple):
    words: str
    needs: Permission
    endpoint: str
    query_for: Callable[[Worker, dt.date], Select[Any]]
    arguments: Mapping[str, str] = {}
    is_urgent: bool = False


def tasks_of(session: Session, worker: Worker, today: dt.date) -> list[Task]:
    """Return the lines of *worker*'s home page with at least one row, urgent ones first."""
    waiting = waiting_counts(session, worker)
    tasks = [
        Task(words, waiting[endpoint], endpoint, {}, is_urgent=False)
        for endpoint, words in _WAITING_WORDS.items()
        if waiting.get(endpoint)
    ]
    for line in _LINES:
        if line.needs in worker.permissions:
            count = capped(session, line.query_for(worker, today))
            tasks.append(Task(line.words, count, line.endpoint, line.arguments, line.is_urgent))
    return sorted((task for task in tasks if task.rows), key=lambda task: not task.is_urgent)


def missing_calendars(session: Session, today: dt.date) -> Sequence[int]:
    """Return the years whose working days should be loaded by now: this one, and from November on the next."""
    november = 11
    wanted = [today.year, today.year + 1] if today.month >= november else [today.year]
    loaded = set(session.scalars(select(CalendarYear.year).where(CalendarYear.year.in_(wanted))))
    return [year for year in wanted if year not in loaded]


_WAITING_WORDS = {
    "tickets.queue": N_("Tickets to answer"),
    "incidents.unattributed": N_("Calls without a verdict"),
    "approvals.index": N_("Amounts to approve"),
    "penalties.index": N_("Penalties to look at"),
    "batches.index": N_("Credits to send to billing"),
}


def _late_tickets(worker: Worker, today: dt.date) -> Select[int]:
    query = select(Ticket.id).where(OPEN_TICKETS, Ticket.state != TicketState.REPLIED, Ticket.due_on < today)
    return worker.scope.limit(query, unit=Ticket.unit_id)


def _due_today(worker: Worker, today: dt.date) -> Select[int]:
    query = select(Ticket.id).where(OPEN_TICKETS, Ticket.state != TicketState.REPLIED, Ticket.due_on == today)
    return worker.scope.limit(query, unit=Ticket.unit_id)


def _to_close(worker: Worker, _today: dt.date) -> Select[int]:
    query = select(Ticket.id).where(OPEN_TICKETS, Ticket.state == TicketState.REPLIED)
    return worker.scope.limit(query, unit=Ticket.unit_id)


def _overrides(worker: Worker, _today: dt.date) -> Select[int]:
    return select(Attribution.id).where(
        Attribution.state == AttributionState.WAITING, Attribution.decided_by != worker.id
    )


def _second_looks(_worker: Worker, _today: dt.date) -> Select[int]:
    return select(ReattributionProposal.id).where(ReattributionProposal.state == ProposalState.OPEN)


def _returned(worker: Worker, _today: dt.date) -> Select[int]:
    return select(Penalty.id).where(Penalty.state == PenaltyState.RETURNED, Penalty.maker_id == worker.id)


def _closing_windows(worker: Worker, today: dt.date) -> Select[int]:
    query = select(Penalty.id).where(
        Penalty.state == PenaltyState.APPROVED, Penalty.objection_until_on.between(today, today + _CLOSING)
    )
    return worker.scope.limit(query, unit=Penalty.unit_id, party=Penalty.party_id)


def _reversals(worker: Worker, _today: dt.date) -> Select[int]:
    return select(ReversalRequest.id).where(ReversalRequest.state == "open", ReversalRequest.proposed_by != worker.id)


def _unsent_credits(worker: Worker, today: dt.date) -> Select[int]:
    before = clock.start_of_day(today - _UNSENT)
    query = select(Credit.id).where(Credit.state == CreditState.APPROVED, Credit.approved_at < before)
    return worker.scope.limit(query, unit=Credit.unit_id)


def _batches_out(_worker: Worker, _today: dt.date) -> Select[int]:
    return select(CreditBatch.id).where(CreditBatch.state == CreditBatchState.SENT)


def _voids(worker: Worker, _today: dt.date) -> Select[int]:
    return select(CreditBatch.id).where(
        CreditBatch.state == CreditBatchState.SENT,
        CreditBatch.void_proposed_by.is_not(None),
        CreditBatch.void_proposed_by != worker.id,
    )


def _initial_passwords(_worker: Worker, _today: dt.date) -> Select[int]:
    return select(User.id).where(User.active, User.password_is_initial)


def _looks(_worker: Worker, today: dt.date) -> Select[int]:
    return _events("subscriber_number.revealed", today)


def _refused(_worker: Worker, today: dt.date) -> Select[int]:
    return _events("request.refused", today)


def _events(action: str, today: dt.date) -> Select[int]:
    return select(AuditEvent.id).where(
        AuditEvent.action == action, AuditEvent.at >= clock.start_of_day(today.replace(day=1))
    )


def _overrides_in_force(_worker: Worker, today: dt.date) -> Select[int]:
    return select(Attribution.id).where(
        Attribution.method == Method.OVERRIDE,
        Attribution.state == AttributionState.IN_FORCE,
        Attribution.confirmed_at >= clock.start_of_day(today.replace(day=1)),
    )


_LINES = (
    _Line(N_("Late tickets"), _P.ANSWER_TICKETS, "tickets.queue", _late_tickets, {"due": "late"}, is_urgent=True),
    _Line(N_("Tickets due today"), _P.ANSWER_TICKETS, "tickets.queue", _due_today, {"due": "today"}),
    _Line(N_("Answered tickets to close"), _P.ANSWER_TICKETS, "tickets.queue", _to_close, {"state": "replied"}),
    _Line(N_("Overrides that wait for you"), _P.CONFIRM_OVERRIDES, "incidents.overrides", _overrides),
    _Line(N_("Calls to look at again"), _P.TRIAGE, "incidents.proposals", _second_looks),
    _Line(N_("Proposals that came back to you"), _P.TRIAGE, "penalties.index", _returned, {"state": "returned"}),
    _Line(
        N_("Windows for an objection that close within 3 days"),
        _P.OBJECT,
        "penalties.index",
        _closing_windows,
        is_urgent=True,
    ),
    _Line(N_("Reversals that wait for you"), _P.APPROVE_REVERSALS, "approvals.index", _reversals),
    _Line(N_("Batches to be voided, if you agree"), _P.APPROVE_REVERSALS, "batches.index", _voids),
    _Line(
        N_("Credits approved a week ago and not sent"),
        _P.EXPORT_CREDITS,
        "batches.index",
        _unsent_credits,
        is_urgent=True,
    ),
    _Line(N_("Batches without billing's answer"), _P.IMPORT_RETURNS, "batches.index", _batches_out),
    _Line(N_("Users with an initial password"), _P.MANAGE_USERS, "users.index", _initial_passwords),
    _Line(
        N_("Full numbers shown this month"),
        _P.READ_AUDIT,
        "audit.index",
        _looks,
        {"action": "subscriber_number.revealed"},
    ),
    _Line(N_("Refused requests this month"), _P.READ_AUDIT, "audit.index", _refused, {"action": "request.refused"}),
    _Line(
        N_("Overrides confirmed this month"),
        _P.READ_AUDIT,
        "audit.index",
        _overrides_in_force,
        {"action": "override.confirmed"},
    ),
)
