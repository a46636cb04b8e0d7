"""What waits for an approver: proposed credits, and their sums by promise and branch."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from supervise.compensation.models import (
    CompensationPolicy,
    Credit,
    CreditBatch,
    CreditBatchState,
    CreditKind,
    CreditState,
    Undertaking,
)
from supervise.complaints.models import SubscriberNumber
from supervise.parties.models import OrgUnit, Party

PAGE = 100


class WaitingCredit(NamedTuple):
    """A proposed credit as an approver weighs it."""

    credit: Credit
    #: The undertaking's reference or the policy's code.
    promise: str
    unit: str | None
    party: str | None
    number_mask: str

    @property
    def is_exception(self) -> bool:
        """Say whether it deserves a second look: a lump sum, or a credit that billing has rejected before."""
        return self.credit.kind is CreditKind.LUMP or self.credit.rejections > 0


class WaitingCreditPage(NamedTuple):
    """Some rows, and (rank, id) after which the next page begins; None: this was the last."""

    rows: Sequence[WaitingCredit]
    after: tuple[int, int] | None


class CreditTotal(NamedTuple):
    """What waits for approval under one promise, for one branch."""

    promise: str
    unit: str | None
    credits: int
    amount_fen: int


def waiting_credits(session: Session, *, after: tuple[int, int] | None = None, limit: int = PAGE) -> WaitingCreditPage:
    """Return proposed credits: lump sums and those rejected before first, then the oldest."""
    rank = case((or_(Credit.kind == CreditKind.LUMP, Credit.rejections > 0), 0), else_=1)
    query = (
        select(Credit, _promise(), OrgUnit.name, Party.name, SubscriberNumber.number_mask, rank)
        .join(SubscriberNumber, SubscriberNumber.id == Credit.number_id)
        .join(Undertaking, Undertaking.id == Credit.undertaking_id, isouter=True)
        .join(CompensationPolicy, CompensationPolicy.id == Credit.policy_id, isouter=True)
        .join(OrgUnit, OrgUnit.id == Credit.unit_id, isouter=True)
        .join(Party, Party.id == Credit.party_id, isouter=True)
        .where(Credit.state == CreditState.PROPOSED)
        .order_by(rank, Credit.id)
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(or_(rank > after[0], and_(rank == after[0], Credit.id > after[1])))
    found = session.execute(query).all()
    rows = [WaitingCredit(*row[:5]) for row in found[:limit]]
    return WaitingCreditPage(rows, (found[limit - 1][5], found[limit - 1][0].id) if len(found) > limit else None)


def every_waiting(session: Session, *, limit: int) -> Sequence[tuple[int, str]]:
    """Return (id, content hash) of the proposed credits, the oldest first, at most *limit*."""
    query = select(Credit.id, Credit.content_sha256).where(Credit.state == CreditState.PROPOSED)
    return [(row.id, row.content_sha256) for row in session.execute(query.order_by(Credit.id).limit(limit))]


def credit_totals(session: Session) -> Sequence[CreditTotal]:
    """Return what waits for approval by promise and branch, the largest amount first."""
    amount = func.sum(Credit.amount_fen)
    query = (
        select(_promise(), OrgUnit.name, func.count(Credit.id), amount)
        .join(Undertaking, Undertaking.id == Credit.undertaking_id, isouter=True)
        .join(CompensationPolicy, CompensationPolicy.id == Credit.policy_id, isouter=True)
        .join(OrgUnit, OrgUnit.id == Credit.unit_id, isouter=True)
        .where(Credit.state == CreditState.PROPOSED)
        .group_by(_promise(), OrgUnit.name)
        .order_by(amount.desc(), _promise(), OrgUnit.name)
    )
    return [CreditTotal._make((*row[:3], int(row[3]))) for row in session.execute(query)]


def _promise() -> ColumnElement[str]:
    return func.coalesce(Undertaking.reference, CompensationPolicy.code)


def references_of(session: Session, credit_ids: Collection[int]) -> dict[int, str]:
    """Return the reference of each known credit, for the result of a bulk decision."""
    rows = session.execute(select(Credit.id, Credit.reference).where(Credit.id.in_(credit_ids)))
    return {row.id: row.reference for row in rows}


def batches_to_void(session: Session) -> Sequence[CreditBatch]:
    """Return the batches whose void waits for a second person, the oldest first."""
    query = select(CreditBatch).where(
        CreditBatch.void_proposed_by.is_not(None), CreditBatch.state == CreditBatchState.SENT
    )
    return session.scalars(query.order_by(CreditBatch.id)).all()
