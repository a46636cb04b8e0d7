"""Credits and batches as lists: a page at a time by key, with their sums; nothing here writes."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.batches import sendable
from supervise.compensation.models import (
    CancellationState,
    CompensationPolicy,
    Credit,
    CreditBatch,
    CreditBatchLine,
    CreditBatchState,
    CreditCancellation,
    CreditNature,
    CreditState,
    LineResult,
    Undertaking,
)
from supervise.complaints.models import Subscriber, SubscriberNumber, Ticket
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope

PAGE = 50
#: Billing has rejected it so often that sending it again is no answer: a supervisor looks at it (domain 4.9).
REJECTIONS_FOR_SUPERVISOR = 3
#: An approved credit that is not sent by then keeps its subscriber waiting.
_UNSENT = dt.timedelta(days=7)


class CreditFilters(NamedTuple):
    """What a list of credits is narrowed by; the empty one takes all."""

    state: CreditState | None = None
    nature: CreditNature | None = None
    unit_id: int | None = None
    subscriber_id: int | None = None
    period: str = ""
    #: Beginning of an undertaking's reference or of a policy's code.
    promise: str = ""
    #: Beginning of a credit's or ticket's reference, or a whole account reference.
    words: str = ""
    #: Only those whose cancellation waits for a second person.
    to_cancel: bool = False
    #: Only those that billing has rejected three times.
    rejected_often: bool = False
    #: Only those approved before that moment.
    approved_before: dt.datetime | None = None


class CreditRow(NamedTuple):
    """A credit as a list shows it."""

    credit: Credit
    number_mask: str
    account_ref: str
    unit: str | None
    party: str | None
    promise: str
    ticket: str | None
    cancellation_waits: bool

    @property
    def rejected_often(self) -> bool:
        """Say whether billing's rejections make it a supervisor's case."""
        return self.credit.rejections >= REJECTIONS_FOR_SUPERVISOR


class Sum(NamedTuple):
    """How many credits, and what they come to in fen."""

    credits: int
    amount_fen: int


class StateSum(NamedTuple):
    """The credits of one state."""

    state: CreditState
    credits: int
    amount_fen: int


class CreditPage(NamedTuple):
    """Some rows, and whether more follow."""

    rows: Sequence[CreditRow]
    has_more: bool


def unsent_since(today: dt.date) -> dt.datetime:
    """Return before which moment a credit was approved that should have been sent by *today*."""
    return clock.start_of_day(today - _UNSENT)


def credits_newest_first(
    session: Session, scope: Scope, filters: CreditFilters, *, before_id: int | None = None, limit: int = PAGE
) -> CreditPage:
    """Return a page of the credits in *scope*, the newest first, older than *before_id*."""
    query = _rows(scope, filters).order_by(Credit.id.desc())
    if before_id is not None:
        query = query.where(Credit.id < before_id)
    return _page(session, query, limit)


def credits_to_send(session: Session, filters: CreditFilters, *, after_id: int = 0, limit: int = PAGE) -> CreditPage:
    """Return a page of the approved credits that no batch has, in the order in which a batch would take them."""
    query = _rows(Scope.everything(), filters).where(sendable(), Credit.id > after_id).order_by(Credit.id)
    return _page(session, query, limit)


def ids_to_send(session: Session, filters: CreditFilters, limit: int) -> Sequence[int]:
    """Return the oldest credits that can be sent, without those that are a supervisor's case."""
    query = _narrowed(select(Credit.id), Scope.everything(), filters)
    query = query.where(sendable(), Credit.rejections < REJECTIONS_FOR_SUPERVISOR)
    return session.scalars(query.order_by(Credit.id).limit(limit)).all()


def sum_to_send(session: Session, filters: CreditFilters) -> Sum:
    """Return what ``ids_to_send`` would take without a limit."""
    query = _narrowed(_sum(), Scope.everything(), filters)
    query = query.where(sendable(), Credit.rejections < REJECTIONS_FOR_SUPERVISOR)
    credits_waiting, amount_fen = session.execute(query).one()
    return Sum(credits_waiting, int(amount_fen))


def sums_by_state(session: Session, scope: Scope, filters: CreditFilters) -> Sequence[StateSum]:
    """Return the count and amount of the credits in *scope* for each state there is, in the order of the states."""
    query = _narrowed(
        select(Credit.state, func.count(Credit.id), func.sum(Credit.amount_fen)).group_by(Credit.state), scope, filters
    )
    found = {row[0]: StateSum(row[0], row[1], int(row[2])) for row in session.execute(query)}
    return [found[state] for state in CreditState if state in found]


def periods_of_credits(session: Session, scope: Scope) -> Sequence[str]:
    """Return the months that credits in *scope* belong to, the newest first."""
    query = scope.limit(select(Credit.period).distinct(), unit=Credit.unit_id)
    return session.scalars(query.order_by(Credit.period.desc())).all()


def units_of_credits(session: Session, scope: Scope) -> Sequence[tuple[int, str]]:
    """Return (id, name) of the branches that credits in *scope* are borne by, by name."""
    of_unit = scope.limit(select(Credit.id).where(Credit.unit_id == OrgUnit.id), unit=Credit.unit_id)
    query = select(OrgUnit.id, OrgUnit.name).where(of_unit.exists()).order_by(OrgUnit.name, OrgUnit.id)
    return [(row.id, row.name) for row in session.execute(query)]


def _page(session: Session, query: Select[*tuple[Any, ...]], limit: int) -> CreditPage:
    found = session.execute(query.limit(limit + 1)).all()
    return CreditPage([CreditRow._make(row) for row in found[:limit]], len(found) > limit)


def _rows(scope: Scope, filters: CreditFilters) -> Select[*tuple[Any, ...]]:
    columns = select(
        Credit,
        SubscriberNumber.number_mask,
        Subscriber.account_ref,
        OrgUnit.name,
        Party.name,
        func.coalesce(Undertaking.reference, CompensationPolicy.code),
        Ticket.reference,
        _wish().exists(),
    )
    joined = (
        columns.join(SubscriberNumber, SubscriberNumber.id == Credit.number_id)
        .join(Subscriber, Subscriber.id == Credit.subscriber_id)
        .outerjoin(OrgUnit, OrgUnit.id == Credit.unit_id)
        .outerjoin(Party, Party.id == Credit.party_id)
        .outerjoin(Undertaking, Undertaking.id == Credit.undertaking_id)
        .outerjoin(CompensationPolicy, CompensationPolicy.id == Credit.policy_id)
        .outerjoin(Ticket, Ticket.id == Credit.ticket_id)
    )
    return _narrowed(joined, scope, filters)


def _sum() -> Select[*tuple[Any, ...]]:
    return select(func.count(Credit.id), func.coalesce(func.sum(Credit.amount_fen), 0))


def _wish() -> Select[int]:
    return select(CreditCancellation.id).where(
        CreditCancellation.credit_id == Credit.id, CreditCancellation.state == CancellationState.OPEN
    )


def _narrowed(query: Select[*tuple[Any, ...]], scope: Scope, filters: CreditFilters) -> Select[*tuple[Any, ...]]:
    equal = {
        Credit.state: filters.state,
        Credit.nature: filters.nature,
        Credit.unit_id: filters.unit_id,
        Credit.subscriber_id: filters.subscriber_id,
        Credit.period: filters.period or None,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if filters.promise:
        conditions.append(_promised(filters.promise))
    if filters.words:
        conditions.append(_named(filters.words))
    if filters.to_cancel:
        conditions.append(_wish().exists())
    if filters.approved_before is not None:
        conditions.append(Credit.approved_at < filters.approved_before)
    if filters.rejected_often:
        conditions.append(and_(Credit.rejections >= REJECTIONS_FOR_SUPERVISOR, Credit.state == CreditState.APPROVED))
    return scope.limit(query, unit=Credit.unit_id).where(*conditions)


def _promised(promise: str) -> ColumnElement[bool]:
    # Sets of ids instead of joins: the same condition serves the list and the sums.
    undertakings = select(Undertaking.id).where(Undertaking.reference.startswith(promise, autoescape=True))
    policies = select(CompensationPolicy.id).where(CompensationPolicy.code.startswith(promise, autoescape=True))
    return or_(Credit.undertaking_id.in_(undertakings), Credit.policy_id.in_(policies))


def _named(words: str) -> ColumnElement[bool]:
    tickets = select(Ticket.id).where(Ticket.reference.startswith(words, autoescape=True))
    holders = select(Subscriber.id).where(Subscriber.account_ref == words)
    return or_(
        Credit.reference.startswith(words, autoescape=True),
        Credit.ticket_id.in_(tickets),
        Credit.subscriber_id.in_(holders),
    )


class BatchRow(NamedTuple):
    """A batch as a list shows it: how many of its lines billing has accepted, rejected, not answered."""

    batch: CreditBatch
    accepted: int
    rejected: int
    waiting: int


def batches_newest_first(
    session: Session, state: CreditBatchState | None = None, *, before_id: int | None = None, limit: int = PAGE
) -> Sequence[BatchRow]:
    """Return up to *limit* batches older than *before_id*, the newest first; those in *state*, or all."""
    newest = select(CreditBatch.id).order_by(CreditBatch.id.desc()).limit(limit)
    if state is not None:
        newest = newest.where(CreditBatch.state == state)
    if before_id is not None:
        newest = newest.where(CreditBatch.id < before_id)
    query = (
        select(CreditBatch, *_counts())
        .outerjoin(CreditBatchLine, CreditBatchLine.batch_id == CreditBatch.id)
        .where(CreditBatch.id.in_(newest))
        .group_by(CreditBatch.id)
        .order_by(CreditBatch.id.desc())
    )
    return [BatchRow._make(row) for row in session.execute(query)]


def _counts() -> tuple[ColumnElement[int], ...]:
    result = CreditBatchLine.result
    return (
        func.count().filter(result == LineResult.ACCEPTED),
        func.count().filter(result == LineResult.REJECTED),
        func.count(CreditBatchLine.id).filter(result.is_(None)),
    )


class ResultSum(NamedTuple):
    """The lines of a batch with one result; None: not answered yet."""

    result: LineResult | None
    lines: int
    amount_fen: int


def sums_by_result(session: Session, batch_id: int) -> Sequence[ResultSum]:
    """Return the control totals of a batch: its lines by result, those not answered first."""
    query = (
        select(CreditBatchLine.result, func.count(), func.sum(CreditBatchLine.amount_fen))
        .where(CreditBatchLine.batch_id == batch_id)
        .group_by(CreditBatchLine.result)
    )
    found = {row[0]: ResultSum(row[0], row[1], int(row[2])) for row in session.execute(query)}
    return [found[result] for result in (None, *LineResult) if result in found]


class LineRow(NamedTuple):
    """A frozen line with the mask of the subscriber's number, and how often billing has rejected the credit."""

    line: CreditBatchLine
    number_mask: str
    rejections: int


def lines_of_page(
    session: Session,
    batch_id: int,
    *,
    result: LineResult | None = None,
    unanswered: bool = False,
    after_line: int = 0,
    limit: int = PAGE,
) -> Sequence[LineRow]:
    """Return up to *limit* lines of a batch after *after_line*, with *result*, or without one."""
    query = (
        select(CreditBatchLine, SubscriberNumber.number_mask, Credit.rejections)
        .join(Credit, Credit.id == CreditBatchLine.credit_id)
        .join(SubscriberNumber, SubscriberNumber.id == Credit.number_id)
        .where(CreditBatchLine.batch_id == batch_id, CreditBatchLine.line > after_line)
        .order_by(CreditBatchLine.line)
        .limit(limit)
    )
    if result is not None:
        query = query.where(CreditBatchLine.result == result)
    if unanswered:
        query = query.where(CreditBatchLine.result.is_(None))
    return [_line_row(row) for row in session.execute(query)]


def _line_row(row: Row[*tuple[Any, ...]]) -> LineRow:
    return LineRow._make(row)
