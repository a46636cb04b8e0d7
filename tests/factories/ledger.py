"""Legal rows of the ledger, for tests of every subject."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.models import Period, Posting
from supervise.ledger.post import post

#: A party, to the ledger: any number.
PARTY = 17


def make_period(session: Session, *, month: str | None = None) -> Period:
    """Open *month*, this one by default, unless it was opened before."""
    month = month or clock.month_of(clock.today())
    period = session.get(Period, month)
    if period is None:
        period = Period(month=month, opened_at=clock.now(), opened_by=None)
        session.add(period)
        session.flush()
    return period


def make_draft(
    *,
    key: str = "penalty:approved:1",
    event: str = "penalty.approved",
    effective_on: dt.date | None = None,
    amount_fen: int = 20000,
    debit: AccountCode = AccountCode.PENALTY_CONTESTABLE,
    credit: AccountCode = AccountCode.PENALTY_DEFERRED,
    dimension_id: int | None = PARTY,
    lines: Sequence[tuple[AccountCode, int | None, int]] | None = None,
    actor_id: int | None = 1,
    approver_id: int | None = None,
    reverses_id: int | None = None,
    reason: str | None = None,
) -> EntryDraft:
    """Draft a penalty's approval of 200 yuan, or what the arguments say instead."""
    return EntryDraft(
        key=key,
        event=event,
        effective_on=effective_on or clock.today(),
        lines=lines or [(debit, dimension_id, amount_fen), (credit, dimension_id, -amount_fen)],
        actor_id=actor_id,
        approver_id=approver_id,
        reverses_id=reverses_id,
        reason=reason,
    )


def make_entry(session: Session, **facts: object) -> int:
    """Post ``make_draft(**facts)`` in this month and return the entry's id."""
    make_period(session)
    return post(session, [make_draft(**facts)])[0]  # type: ignore[arg-type]


def out_of_balance_fen(session: Session) -> int:
    """By how many fen the entries are out of balance, each for itself: summed here, not asked of the ledger."""
    totals = select(func.sum(Posting.amount_fen).label("fen")).group_by(Posting.entry_id).subquery()
    return int(session.scalars(select(func.coalesce(func.sum(func.abs(totals.c.fen)), 0))).one())
