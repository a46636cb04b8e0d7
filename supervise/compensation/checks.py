"""What credits, batches and the ledger must agree on; read only, each check returns the ids that do not hold."""

from collections.abc import Sequence

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from supervise.compensation.batches import rows_sha256
from supervise.compensation.models import (
    Credit,
    CreditBatch,
    CreditBatchLine,
    CreditBatchState,
    CreditState,
    LineResult,
)
from supervise.complaints.models import Incident, Subscriber
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import unexplained_dimensions

_AT_BILLING = (CreditState.BATCHED, CreditState.ACCEPTED)


def batches_against_lines(session: Session) -> Sequence[int]:
    """Return the batches whose lines are not those that were frozen: their number, their sum or their SHA-256."""
    differing = []
    for batch in session.scalars(select(CreditBatch).order_by(CreditBatch.id)).all():
        # A batch at a time: its lines carry the whole row of a workbook each.
        lines = session.execute(
            select(CreditBatchLine.amount_fen, CreditBatchLine.frozen)
            .where(CreditBatchLine.batch_id == batch.id)
            .order_by(CreditBatchLine.line)
        ).all()
        found = len(lines), sum(line.amount_fen for line in lines), rows_sha256([line.frozen for line in lines])
        if found != (batch.lines_total, batch.total_fen, batch.rows_sha256):
            differing.append(batch.id)
    return differing


def credits_against_lines(session: Session) -> Sequence[int]:
    """Return the credits whose state is not what their line in a batch says.

    A credit at billing has one line that waits; a credited one has one that billing accepted; no other has either.
    """
    live = or_(CreditBatchLine.result.is_(None), CreditBatchLine.result == LineResult.ACCEPTED)
    waits = and_(Credit.state == CreditState.BATCHED, CreditBatchLine.id.is_not(None), CreditBatchLine.result.is_(None))
    credited = and_(Credit.state == CreditState.ACCEPTED, CreditBatchLine.result == LineResult.ACCEPTED)
    elsewhere = and_(Credit.state.not_in(_AT_BILLING), CreditBatchLine.id.is_(None))
    query = (
        select(Credit.id)
        .join(CreditBatchLine, and_(CreditBatchLine.credit_id == Credit.id, live), isouter=True)
        .where(~func.coalesce(or_(waits, credited, elsewhere), False))
    )
    return session.scalars(query.order_by(Credit.id)).all()


def credits_against_calls(session: Session) -> Sequence[int]:
    """Return the credits that are not for the number that was called, or not for a holder of it."""
    query = (
        select(Credit.id)
        .join(Subscriber, Subscriber.id == Credit.subscriber_id)
        .join(Incident, Incident.id == Credit.incident_id, isouter=True)
        .where(
            or_(
                Subscriber.number_id != Credit.number_id,
                and_(Credit.incident_id.is_not(None), Incident.number_id.is_distinct_from(Credit.number_id)),
            )
        )
    )
    return session.scalars(query.order_by(Credit.id)).all()


def subscribers_against_ledger(session: Session) -> Sequence[int]:
    """Return the subscribers whose approved, unsent credits do not sum to what the ledger says is payable to them."""
    owed = (
        select(Credit.subscriber_id, func.sum(Credit.amount_fen))
        .where(Credit.state == CreditState.APPROVED)
        .group_by(Credit.subscriber_id)
    )
    expected = {row[0]: -int(row[1]) for row in session.execute(owed)}
    return sorted(unexplained_dimensions(session, AccountCode.COMPENSATION_PAYABLE, expected))


def batches_against_ledger(session: Session) -> Sequence[int]:
    """Return the batches whose open lines do not sum to what the ledger's billing clearing holds for them."""
    waiting = (
        select(CreditBatchLine.batch_id, func.sum(CreditBatchLine.amount_fen))
        .join(CreditBatch, CreditBatch.id == CreditBatchLine.batch_id)
        .where(CreditBatch.state == CreditBatchState.SENT, CreditBatchLine.result.is_(None))
        .group_by(CreditBatchLine.batch_id)
    )
    expected = {row[0]: -int(row[1]) for row in session.execute(waiting)}
    return sorted(unexplained_dimensions(session, AccountCode.BILLING_CLEARING, expected))
