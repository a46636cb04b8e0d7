"""Closing a month: what must be settled, or at least seen, before the books are closed (domain 4.6)."""

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.compensation.models import (
    Credit,
    CreditBatch,
    CreditBatchLine,
    CreditBatchState,
    CreditState,
)
from supervise.errors import ConflictError
from supervise.labels import N_
from supervise.ledger.chart import AccountCode, AccountType
from supervise.ledger.periods import PeriodRow, close_period
from supervise.ledger.queries import balances_by_dimension, entries_of_keys, trial_balance
from supervise.penalties.models import Penalty, PenaltyState
from supervise.settlement.checks import clearing_is_explained, unconfirmed_fen
from supervise.settlement.models import RunState
from supervise.settlement.queries import unposted_runs

_PORTION = 5_000
_SHOWN = 20
#: Billing's clearing is compared with the open lines of batches; its control account stands for the main general
#: ledger, where it is cleared.
_EXPLAINED = frozenset({AccountCode.BILLING_CLEARING, AccountCode.BILLING_CONTROL})
_ONE_DAY = dt.timedelta(days=1)


class NotReadyError(ConflictError):
    """The checklist has a point that closing may not pass over."""

    message = N_("%(month)s cannot be closed: approved items are not posted, or a clearing account is not explained")


class NotSeenError(ConflictError):
    """The checklist has open points that nobody has said to have seen."""

    message = N_("%(month)s has open points: confirm that you have seen them")


class OpenBatch(NamedTuple):
    """A batch that billing has not answered in full, and whether the ledger's clearing agrees with its open lines."""

    batch: CreditBatch
    lines: int
    amount_fen: int
    clearing_fen: int

    @property
    def is_explained(self) -> bool:
        """Say whether what stands on clearing is exactly the lines that wait."""
        return self.clearing_fen == -self.amount_fen


class ClearingBalance(NamedTuple):
    """What stood on a clearing account at the end of the month, in fen."""

    account: AccountCode
    balance_fen: int


class Checklist(NamedTuple):
    """What finance looks at before closing a month."""

    month: str
    #: References of approved credits and penalties of the month without a journal entry: damage.
    unposted: Sequence[str]
    #: Proposals that still wait for approval; they will be booked in a later month.
    waiting_proposals: int
    batches: Sequence[OpenBatch]
    clearing: Sequence[ClearingBalance]
    #: Clearing accounts other than billing's that are not zero now: nothing here explains them.
    unexplained: Sequence[ClearingBalance]
    #: Settlement runs that were approved and are not posted wholly; and those that wait for approval.
    unposted_runs: Sequence[str]
    waiting_runs: Sequence[str]
    #: Set off against commissions, and not confirmed by a commission statement yet, in fen.
    unconfirmed_fen: int

    @property
    def is_blocked(self) -> bool:
        """Say whether the month cannot be closed at all."""
        damaged = bool(self.unposted or self.unexplained or self.unposted_runs)
        return damaged or not all(batch.is_explained for batch in self.batches)

    @property
    def has_open_points(self) -> bool:
        """Say whether something should have been seen first."""
        return bool(self.batches or self.waiting_proposals or self.waiting_runs or self.unconfirmed_fen)


def checklist(session: Session, month: str) -> Checklist:
    """Return the checklist of *month* (``2026-11``) as of now."""
    last_day = min(clock.today(), clock.month_bounds(month)[1] - _ONE_DAY)
    clearing = [
        ClearingBalance(row.account, row.balance_fen)
        for row in trial_balance(session, last_day)
        if row.type is AccountType.CLEARING
    ]
    # What was set off waits for the commission statement: explained, as long as the lines say the same.
    explained = _EXPLAINED | ({AccountCode.COMMISSION_CLEARING} if clearing_is_explained(session) else set())
    return Checklist(
        month,
        list(islice(_unposted(session, month), _SHOWN)),
        _waiting_proposals(session),
        _open_batches(session, month),
        clearing,
        [row for row in clearing if row.account not in explained and row.balance_fen],
        unposted_runs(session, month, RunState.APPROVED),
        unposted_runs(session, month, RunState.DRAFT),
        unconfirmed_fen(session),
    )


def close_month(session: Session, month: str, *, seen: bool, keyring: Keyring, actor_id: int) -> PeriodRow:
    """Close *month*, if its checklist allows it; *seen* says that somebody has looked at the open points.

    Raises:
        NotReadyError: if approved items are not posted, or a clearing account is not explained.
        NotSeenError: if there are open points that nobody has said to have seen.
        PeriodStateError: if the month is not open or not over, or an earlier one is open.
    """
    points = checklist(session, month)
    if points.is_blocked:
        raise NotReadyError(month=month)
    if points.has_open_points and not seen:
        raise NotSeenError(month=month)
    return close_period(session, month, actor_id=actor_id, keyring=keyring)


def _unposted(session: Session, month: str) -> Iterator[str]:
    first, next_first = (clock.start_of_day(day) for day in clock.month_bounds(month))
    approved_credits = select(Credit.id, Credit.reference).where(
        Credit.approved_at >= first, Credit.approved_at < next_first
    )
    # A penalty that a cap took down to nothing is approved without an entry.
    approved_penalties = select(Penalty.id, Penalty.reference).where(
        Penalty.approved_at >= first, Penalty.approved_at < next_first, Penalty.amount_fen > 0
    )
    yield from _without_entry(session, "credit:approved", approved_credits.order_by(Credit.id))
    yield from _without_entry(session, "penalty:approved", approved_penalties.order_by(Penalty.id))


def _without_entry(session: Session, event: str, query: Select[int, str]) -> Iterator[str]:
    rows = iter(session.execute(query).all())
    while portion := list(islice(rows, _PORTION)):
        keys = {f"{event}:{row[0]}": row[1] for row in portion}
        posted = entries_of_keys(session, list(keys))
        yield from (reference for key, reference in keys.items() if key not in posted)


def _waiting_proposals(session: Session) -> int:
    waiting_credits = select(func.count(Credit.id)).where(Credit.state == CreditState.PROPOSED)
    waiting_penalties = select(func.count(Penalty.id)).where(Penalty.state == PenaltyState.PROPOSED)
    return session.scalars(waiting_credits).one() + session.scalars(waiting_penalties).one()


def _open_batches(session: Session, month: str) -> list[OpenBatch]:
    """Return the batches sent up to *month* with open lines, or whose clearing is not zero though they have none."""
    next_month = clock.start_of_day(clock.month_bounds(month)[1])
    sums = {
        batch_id: (lines, int(amount_fen))
        for batch_id, lines, amount_fen in session.execute(
            select(CreditBatchLine.batch_id, func.count(), func.sum(CreditBatchLine.amount_fen))
            .join(CreditBatch, CreditBatch.id == CreditBatchLine.batch_id)
            .where(CreditBatch.state == CreditBatchState.SENT, CreditBatchLine.result.is_(None))
            .group_by(CreditBatchLine.batch_id)
        )
    }
    clearing = {
        row.dimension_id: row.balance_fen for row in balances_by_dimension(session, AccountCode.BILLING_CLEARING)
    }
    batches = (
        select(CreditBatch)
        .where(CreditBatch.id.in_(sums.keys() | clearing.keys()), CreditBatch.frozen_at < next_month)
        .order_by(CreditBatch.id)
    )
    return [
        OpenBatch(batch, *sums.get(batch.id, (0, 0)), clearing.get(batch.id, 0)) for batch in session.scalars(batches)
    ]
