"""What waits for one person, what is late, and what this month cost: one short read for each line of a home page."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Permission
from supervise.attribution.conflict_queries import open_conflicts
from supervise.attribution.inquiry_models import Inquiry
from supervise.attribution.inquiry_queries import Standing, overdue, to_decide, waiting_for_us
from supervise.attribution.models import ProposalState, ReattributionProposal
from supervise.audit.models import AuditEvent
from supervise.compensation.batches import sendable
from supervise.compensation.lists import unsent_since
from supervise.compensation.models import Credit, CreditBatch, CreditBatchState
from supervise.complaints import originals
from supervise.complaints.dispute_queries import Dispute, tickets_in
from supervise.complaints.models import CalendarYear, Ticket, TicketState
from supervise.desk.counts import daily_counts, unanswered
from supervise.desk.models import OPEN_TICKETS
from supervise.desk.second_person import waiting_for_second_person
from supervise.desk.worker import Worker, capped
from supervise.donotcall.push_queries import unacknowledged
from supervise.labels import N_
from supervise.penalties.attention import Attention, needing
from supervise.penalties.models import Penalty
from supervise.penalties.notice_models import Notice, NoticeState
from supervise.penalties.notice_queries import in_state, ours
from supervise.settlement.notice_queries import notices_under_way

_P = Permission


class Task(NamedTuple):
    """A line of the home page: how many rows wait where."""

    #: A message id.
    words: str
    rows: int
    endpoint: str
    arguments: Mapping[str, str | Sequence[str]]
    is_urgent: bool


class _Line(NamedTuple):
    words: str
    needs: Permission
    endpoint: str
    query_for: Callable[[Worker, dt.date], Select[Any]]
    arguments: Mapping[str, str | Sequence[str]] = {}
    is_urgent: bool = False
    #: The list is narrowed to this month.
    this_month: bool = False


def tasks_of(session: Session, worker: Worker, today: dt.date) -> list[Task]:
    """Return the lines of *worker*'s home page with at least one row, urgent ones first.

    Each leads to a list that shows just the rows that are counted.
    """
    daily = daily_counts(session, worker)
    tasks = [
        Task(words, daily[counted], endpoint, arguments, is_urgent=False)
        for counted, words, endpoint, arguments in _DAILY
        if counted in daily
    ]
    tasks += [
        Task(waiting.kind.words, waiting.rows, waiting.endpoint, waiting.arguments, is_urgent=False)
        for waiting in waiting_for_second_person(session, worker)
    ]
    for line in _LINES:
        if line.needs in worker.permissions:
            count = capped(session, line.query_for(worker, today))
            tasks.append(Task(line.words, count, line.endpoint, _arguments(line, today), line.is_urgent))
    return sorted((task for task in tasks if task.rows), key=lambda task: not task.is_urgent)


def _arguments(line: _Line, today: dt.date) -> Mapping[str, str | Sequence[str]]:
    return {**line.arguments, "since": today.replace(day=1).isoformat()} if line.this_month else line.arguments


def missing_calendars(session: Session, today: dt.date) -> Sequence[int]:
    """Return the years whose working days should be loaded by now: this one, and from November on the next."""
    november = 11
    wanted = [today.year, today.year + 1] if today.month >= november else [today.year]
    loaded = set(session.scalars(select(CalendarYear.year).where(CalendarYear.year.in_(wanted))))
    return [year for year in wanted if year not in loaded]


_UNANSWERED = ("new", "accepted", "investigating")
#: The side bar's endpoint, the words of the home page, and the list that shows just these rows.
_DAILY: tuple[tuple[str, str, str, Mapping[str, str | Sequence[str]]], ...] = (
    ("tickets.queue", N_("Tickets to answer"), "tickets.queue", {"state": _UNANSWERED}),
    ("incidents.unattributed", N_("Calls that nobody answers for yet"), "incidents.unattributed", {}),
    ("inquiries.index", N_("Questions asked of us"), "inquiries.index", {"state": "open", "mine": "y"}),
    ("penalties.index", N_("Penalties to look at"), "penalties.index", {"attention": Attention.UNOPENED.value}),
    ("batches.index", N_("Credits to send to billing"), "credits.to_send", {}),
)


def _late_tickets(worker: Worker, today: dt.date) -> Select[int]:
    return unanswered(worker).where(Ticket.due_on < today)


def _due_today(worker: Worker, today: dt.date) -> Select[int]:
    return unanswered(worker).where(Ticket.due_on == today)


def _to_close(worker: Worker, _today: dt.date) -> Select[int]:
    query = select(Ticket.id).where(OPEN_TICKETS, Ticket.state == TicketState.REPLIED)
    return worker.scope.limit(query, unit=Ticket.unit_id)


def _objected(worker: Worker, _today: dt.date) -> Select[int]:
    return _disputed(worker, Dispute.OBJECTED)


def _objected_again(worker: Worker, _today: dt.date) -> Select[int]:
    return _disputed(worker, Dispute.AGAIN)


def _mediated(worker: Worker, _today: dt.date) -> Select[int]:
    return _disputed(worker, Dispute.MEDIATION)


def _disputed(worker: Worker, dispute: Dispute) -> Select[int]:
    query = select(Ticket.id).where(OPEN_TICKETS, Ticket.id.in_(tickets_in(dispute)))
    return worker.scope.limit(query, unit=Ticket.unit_id)


def _second_looks(_worker: Worker, _today: dt.date) -> Select[int]:
    return select(ReattributionProposal.id).where(ReattributionProposal.state == ProposalState.OPEN)


def _answers_to_decide(worker: Worker, _today: dt.date) -> Select[int]:
    return worker.scope.limit(select(Inquiry.id).where(to_decide()), party=Inquiry.party_id)


def _overdue_of_us(worker: Worker, today: dt.date) -> Select[int]:
    return waiting_for_us(worker.scope).where(overdue(today))


def _conflicts(_worker: Worker, _today: dt.date) -> Select[int]:
    return open_conflicts()


def _returned(worker: Worker, today: dt.date) -> Select[int]:
    return needing(select(Penalty.id), Attention.RETURNED, worker.scope, user_id=worker.id, today=today)


def _closing_windows(worker: Worker, today: dt.date) -> Select[int]:
    return needing(select(Penalty.id), Attention.CLOSING, worker.scope, user_id=worker.id, today=today)


def _asked_about_objections(worker: Worker, today: dt.date) -> Select[int]:
    return needing(select(Penalty.id), Attention.ASKED, worker.scope, user_id=worker.id, today=today)


def _unopened_notices(worker: Worker, _today: dt.date) -> Select[int]:
    # Also one that was to be printed: who can sign in by now opens it here.
    query = select(Notice.id).where(Notice.delivery.is_(None))
    return ours(worker.scope.limit(query, unit=Notice.unit_id, party=Notice.party_id), worker.scope)


def _unacknowledged_pushes(worker: Worker, _today: dt.date) -> Select[int]:
    return unacknowledged(worker.scope)


def _notices_to_post(worker: Worker, today: dt.date) -> Select[int]:
    query = select(Notice.id).where(in_state(NoticeState.TO_POST, today))
    return worker.scope.limit(query, unit=Notice.unit_id, party=Notice.party_id)


def _settlement_notices(worker: Worker, _today: dt.date) -> Select[int]:
    return notices_under_way(worker.scope)


def _unsent_credits(worker: Worker, today: dt.date) -> Select[int]:
    query = select(Credit.id).where(sendable(), Credit.approved_at < unsent_since(today))
    return worker.scope.limit(query, unit=Credit.unit_id)


def _batches_out(_worker: Worker, _today: dt.date) -> Select[int]:
    return select(CreditBatch.id).where(CreditBatch.state == CreditBatchState.SENT)


def _initial_passwords(_worker: Worker, _today: dt.date) -> Select[int]:
    return select(User.id).where(User.active, User.password_is_initial)


def _looks(_worker: Worker, today: dt.date) -> Select[int]:
    return _events("subscriber_number.revealed", today)


def _originals(_worker: Worker, today: dt.date) -> Select[int]:
    return _events(originals.ACTION, today)


def _refused(_worker: Worker, today: dt.date) -> Select[int]:
    return _events("request.refused", today)


def _events(action: str, today: dt.date) -> Select[int]:
    return select(AuditEvent.id).where(
        AuditEvent.action == action, AuditEvent.at >= clock.start_of_day(today.replace(day=1))
    )


def _overrides_in_force(_worker: Worker, today: dt.date) -> Select[int]:
    return _events("override.confirmed", today)


_LINES = (
    _Line(
        N_("Late tickets"),
        _P.ANSWER_TICKETS,
        "tickets.queue",
        _late_tickets,
        {"due": "late", "state": _UNANSWERED},
        is_urgent=True,
    ),
    _Line(
        N_("Tickets due today"), _P.ANSWER_TICKETS, "tickets.queue", _due_today, {"due": "today", "state": _UNANSWERED}
    ),
    _Line(
        N_("Subscribers' objections to answer"),
        _P.ANSWER_TICKETS,
        "tickets.queue",
        _objected,
        {"dispute": Dispute.OBJECTED.value},
        is_urgent=True,
    ),
    _Line(
        N_("Tickets objected to again"),
        _P.CONFIRM_OVERRIDES,
        "tickets.queue",
        _objected_again,
        {"dispute": Dispute.AGAIN.value},
    ),
    _Line(
        N_("Tickets in mediation"), _P.ANSWER_TICKETS, "tickets.queue", _mediated, {"dispute": Dispute.MEDIATION.value}
    ),
    _Line(N_("Answered tickets to close"), _P.ANSWER_TICKETS, "tickets.queue", _to_close, {"state": "replied"}),
    _Line(N_("Calls to look at again"), _P.TRIAGE, "incidents.proposals", _second_looks),
    _Line(
        N_("Calls whose party answered or was silent, to decide"),
        _P.TRIAGE,
        "inquiries.index",
        _answers_to_decide,
        {"state": Standing.TO_DECIDE.value},
    ),
    _Line(
        N_("Questions asked of us whose deadline has passed"),
        _P.ANSWER_INQUIRIES,
        "inquiries.index",
        _overdue_of_us,
        {"state": Standing.OVERDUE.value, "mine": "y"},
        is_urgent=True,
    ),
    _Line(
        N_("Do-not-call pushes to acknowledge"),
        _P.ACKNOWLEDGE_PUSHES,
        "pushes.index",
        _unacknowledged_pushes,
        is_urgent=True,
    ),
    _Line(N_("Contradicting answers to settle"), _P.CONFIRM_OVERRIDES, "inquiries.conflicts", _conflicts),
    _Line(
        N_("Proposals that came back to you"),
        _P.TRIAGE,
        "penalties.index",
        _returned,
        {"attention": Attention.RETURNED.value},
    ),
    _Line(
        N_("Windows for an objection that close within 3 days"),
        _P.OBJECT,
        "penalties.index",
        _closing_windows,
        {"attention": Attention.CLOSING.value},
        is_urgent=True,
    ),
    _Line(
        N_("Questions about our objections"),
        _P.OBJECT,
        "penalties.index",
        _asked_about_objections,
        {"attention": Attention.ASKED.value},
        is_urgent=True,
    ),
    _Line(
        N_("Notices to open"),
        _P.ACKNOWLEDGE_PENALTIES,
        "notices.index",
        _unopened_notices,
        {"undelivered": "y", "mine": "y"},
    ),
    _Line(
        N_("Notices to print and deliver"),
        _P.OBJECT_FOR_PARTY,
        "notices.index",
        _notices_to_post,
        {"state": NoticeState.TO_POST.value},
    ),
    _Line(
        N_("Settlement notices to acknowledge"),
        _P.ACKNOWLEDGE_PENALTIES,
        "settlements.notices",
        _settlement_notices,
        {"under_way": "y"},
    ),
    _Line(
        N_("Settlement notices that have not arrived"),
        _P.SETTLE,
        "settlements.notices",
        _settlement_notices,
        {"under_way": "y"},
    ),
    _Line(
        N_("Credits approved a week ago and not sent"),
        _P.EXPORT_CREDITS,
        "credits.to_send",
        _unsent_credits,
        {"old": "y"},
        is_urgent=True,
    ),
    _Line(N_("Batches without billing's answer"), _P.IMPORT_RETURNS, "batches.index", _batches_out, {"state": "sent"}),
    _Line(N_("Users with an initial password"), _P.MANAGE_USERS, "users.index", _initial_passwords, {"initial": "y"}),
    _Line(
        N_("Full numbers shown this month"),
        _P.READ_AUDIT,
        "audit.index",
        _looks,
        {"action": "subscriber_number.revealed"},
        this_month=True,
    ),
    _Line(
        N_("Names and original words shown this month"),
        _P.READ_AUDIT,
        "audit.index",
        _originals,
        {"action": originals.ACTION},
        this_month=True,
    ),
    _Line(
        N_("Refused requests this month"),
        _P.READ_AUDIT,
        "audit.index",
        _refused,
        {"action": "request.refused"},
        this_month=True,
    ),
    _Line(
        N_("Overrides confirmed this month"),
        _P.READ_AUDIT,
        "audit.index",
        _overrides_in_force,
        {"action": "override.confirmed"},
        this_month=True,
    ),
)
