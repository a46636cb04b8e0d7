"""What is read of promises and credits; nothing here writes."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, or_, select
from sqlalchemy.orm import Session

from supervise.attribution.models import Finding, FindingState, IncidentVerdict
from supervise.compensation.models import (
    CompensationPolicy,
    Credit,
    CreditBatch,
    CreditBatchLine,
    CreditKind,
    CreditState,
    PromiseState,
    Undertaking,
)
from supervise.complaints.models import Incident, IncidentKind, Precision, Subscriber, TicketIncident
from supervise.errors import NotFoundError
from supervise.parties.models import OrgUnit

_PORTION = 2_000

#: States in which a credit counts against "once per call" and "once per undertaking".
LIVE_CREDIT_STATES = (CreditState.PROPOSED, CreditState.APPROVED, CreditState.BATCHED, CreditState.ACCEPTED)


class CreditableIncident(NamedTuple):
    """An incident with all that decides on its credit."""

    incident_id: int
    kind: IncidentKind
    occurred_at: dt.datetime
    occurred_on: dt.date
    precision: Precision
    answered: bool | None
    number_id: int | None
    #: Holder of the number at the call, with the account's branch.
    subscriber_id: int | None
    subscriber_unit_id: int | None
    cost_centre: str | None
    party_id: int | None
    #: The earliest ticket that reports it.
    ticket_id: int | None
    credit_reference: str | None
    is_proven: bool


def creditable_incidents(session: Session, incident_ids: Collection[int]) -> Sequence[CreditableIncident]:
    """Return a row for each existing incident of *incident_ids*, by id."""
    held = and_(
        Subscriber.number_id == Incident.number_id,
        Subscriber.held_from <= Incident.occurred_at,
        or_(Subscriber.held_to.is_(None), Subscriber.held_to > Incident.occurred_at),
    )
    query = (
        select(
            Incident.id,
            Incident.kind,
            Incident.occurred_at,
            Incident.occurred_on,
            Incident.precision,
            Incident.answered,
            Incident.number_id,
            Subscriber.id,
            Subscriber.unit_id,
            OrgUnit.cost_centre,
            IncidentVerdict.party_id,
            _earliest_ticket(),
            _live_credit(),
            _is_proven(),
        )
        .outerjoin(Subscriber, held)
        .outerjoin(OrgUnit, OrgUnit.id == Subscriber.unit_id)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(Incident.id.in_(incident_ids))
        .order_by(Incident.id)
    )
    return [CreditableIncident._make(row) for row in session.execute(query)]


def _earliest_ticket() -> ScalarSelect[int]:
    reports = select(func.min(TicketIncident.ticket_id)).where(TicketIncident.incident_id == Incident.id)
    return reports.scalar_subquery()


def _live_credit() -> ScalarSelect[str]:
    live = select(func.min(Credit.reference)).where(
        Credit.incident_id == Incident.id,
        Credit.kind == CreditKind.PER_CALL,
        Credit.state.in_(LIVE_CREDIT_STATES),
    )
    return live.scalar_subquery()


def _is_proven() -> ColumnElement[bool]:
    proven = select(Finding.id).where(Finding.incident_id == Incident.id, Finding.state == FindingState.PROVEN)
    return proven.exists()


def undertakings_of_subscribers(session: Session, subscriber_ids: Collection[int]) -> dict[int, list[Undertaking]]:
    """Return the agreed undertakings of each subscriber, newest first."""
    found: dict[int, list[Undertaking]] = defaultdict(list)
    query = (
        select(Undertaking)
        .where(Undertaking.subscriber_id.in_(subscriber_ids), Undertaking.state != PromiseState.DRAFT)
        .order_by(Undertaking.starts_at.desc())
    )
    for undertaking in session.scalars(query):
        found[undertaking.subscriber_id].append(undertaking)
    return found


def policies_by_period(session: Session) -> Sequence[CompensationPolicy]:
    """Return the agreed policies, newest first; their periods do not overlap."""
    query = (
        select(CompensationPolicy)
        .where(CompensationPolicy.state != PromiseState.DRAFT)
        .order_by(CompensationPolicy.starts_at.desc())
    )
    return session.scalars(query).all()


def credits_by_promise_and_day(
    session: Session, subscriber_ids: Collection[int]
) -> Counter[tuple[tuple[int | None, int | None], int, str]]:
    """Return how many live per-call credits each ((undertaking, policy), subscriber, China day) has."""
    query = (
        select(Credit.undertaking_id, Credit.policy_id, Credit.subscriber_id, Credit.occurred_on, func.count(Credit.id))
        .where(
            Credit.subscriber_id.in_(subscriber_ids),
            Credit.kind == CreditKind.PER_CALL,
            Credit.state.in_(LIVE_CREDIT_STATES),
        )
        .group_by(Credit.undertaking_id, Credit.policy_id, Credit.subscriber_id, Credit.occurred_on)
    )
    return Counter(
        {
            ((undertaking_id, policy_id), subscriber_id, day.isoformat()): count
            for undertaking_id, policy_id, subscriber_id, day, count in session.execute(query)
        }
    )


class Bearer(NamedTuple):
    """The branch that bears a credit, and its cost centre."""

    unit_id: int | None
    cost_centre: str | None


def bearer_of(session: Session, subscriber_id: int) -> Bearer:
    """Return the branch of a subscriber's account."""
    row = session.execute(
        select(Subscriber.unit_id, OrgUnit.cost_centre)
        .outerjoin(OrgUnit, OrgUnit.id == Subscriber.unit_id)
        .where(Subscriber.id == subscriber_id)
    ).one()
    return Bearer._make(row)


class FrozenLine(NamedTuple):
    """A line of a batch as it was frozen, and whose number it needs."""

    frozen: dict[str, Any]
    number_id: int


def batch_by_id(session: Session, batch_id: int) -> CreditBatch:
    """Return the batch.

    Raises:
        NotFoundError: if there is none.
    """
    batch = session.get(CreditBatch, batch_id)
    if batch is None:
        raise NotFoundError
    return batch


def frozen_lines(session: Session, batch_id: int) -> Iterator[FrozenLine]:
    """Yield the lines of a batch in their order, in constant memory."""
    query = (
        select(CreditBatchLine.frozen, Credit.number_id)
        .join(Credit, Credit.id == CreditBatchLine.credit_id)
        .where(CreditBatchLine.batch_id == batch_id)
        .order_by(CreditBatchLine.line)
        .execution_options(yield_per=_PORTION)
    )
    for row in session.execute(query):
        yield FrozenLine._make(row)


class FrozenSum(NamedTuple):
    """The lines of a batch that share one value, in fen."""

    name: str
    lines: int
    amount_fen: int


def frozen_sums(session: Session, batch_id: int, field: str) -> Sequence[FrozenSum]:
    """Return count and sum of the frozen lines for each value of *field* (``region``), by value, as frozen."""
    # A subquery, so that the expression stands in the statement once: grouped by a second one, PostgreSQL refuses it.
    rows = (
        select(
            CreditBatchLine.frozen[field].as_string().label("name"),
            CreditBatchLine.frozen["amount_fen"].as_integer().label("amount_fen"),
        )
        .where(CreditBatchLine.batch_id == batch_id)
        .subquery()
    )
    query = select(rows.c.name, func.count(), func.sum(rows.c.amount_fen)).group_by(rows.c.name)
    # Sorted here: the two engines sort Chinese differently, and the workbook's bytes must not.
    return sorted(FrozenSum(name, lines, int(amount_fen)) for name, lines, amount_fen in session.execute(query))


def frozen_portions(session: Session, batch_id: int) -> Iterator[list[FrozenLine]]:
    """Yield the lines of a batch by the thousand, for work that is done per portion."""
    lines = frozen_lines(session, batch_id)
    while portion := list(islice(lines, _PORTION)):
        yield portion
