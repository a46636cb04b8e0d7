"""What settlement's rows must agree on with penalties and with the ledger; read only.

Each check returns the ids of the rows that do not hold, in order: none, unless something was damaged.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import unexplained_dimensions
from supervise.penalties import fine_queries, recovery_queries
from supervise.penalties.fine_models import FineRecourse, RecourseReceipt
from supervise.penalties.models import JointPayment, Penalty, PenaltyRefund
from supervise.penalties.recovery_models import Recovery
from supervise.settlement.models import (
    BankDirection,
    BankMovement,
    CollectedFrom,
    CommissionStatement,
    DepositKind,
    DepositMovement,
    ReceiptLine,
    RunState,
    Settlement,
    SettlementLine,
    SettlementRun,
    SettlementState,
    WriteOff,
    WriteOffState,
)


def _sums(session: Session, *queries: Select[Any, Any]) -> dict[int, int]:
    """Add up rows of (id, amount)."""
    total: dict[int, int] = defaultdict(int)
    for query in queries:
        for row_id, fen in session.execute(query):
            total[row_id] += int(fen or 0)
    return total


def _differing(first: dict[int, int], second: dict[int, int]) -> Sequence[int]:
    return sorted(one for one in first.keys() | second.keys() if first.get(one, 0) != second.get(one, 0))


def settled_against_lines(session: Session) -> Sequence[int]:
    """Return penalties whose collected amount is not what lines and receipts collected and refunds gave back."""
    stored = select(Penalty.id, Penalty.settled_fen).where(Penalty.settled_fen != 0)
    given_back = select(PenaltyRefund.penalty_id, -PenaltyRefund.amount_fen)
    came = _came(SettlementLine.penalty_id, ReceiptLine.penalty_id)
    return _differing(_sums(session, stored), _sums(session, *came, given_back))


def recovered_against_lines(session: Session) -> Sequence[int]:
    """Return recoveries whose collected amount is not what lines and receipts collected."""
    stored = select(Recovery.id, Recovery.settled_fen).where(Recovery.settled_fen != 0)
    return _differing(
        _sums(session, stored), _sums(session, *_came(SettlementLine.recovery_id, ReceiptLine.recovery_id))
    )


def received_against_receipts(session: Session) -> Sequence[int]:
    """Return recourse lines whose received amount is not what came for them alone, by settlements and by payments."""
    stored = select(FineRecourse.id, FineRecourse.received_fen).where(FineRecourse.received_fen != 0)
    alone = select(RecourseReceipt.recourse_id, RecourseReceipt.amount_fen)
    came = _came(SettlementLine.recourse_id, ReceiptLine.recourse_id)
    return _differing(_sums(session, stored), _sums(session, alone, *came))


def joint_payments_against_lines(session: Session) -> Sequence[int]:
    """Return penalties of which joint debtors paid something else than their settlements have collected."""
    stored = select(JointPayment.penalty_id, JointPayment.amount_fen)
    collected = (
        select(SettlementLine.penalty_id, SettlementLine.collected_fen)
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .join(Penalty, Penalty.id == SettlementLine.penalty_id)
        .where(Settlement.party_id != Penalty.party_id, SettlementLine.collected_fen > 0)
    )
    return _differing(_sums(session, stored), _sums(session, collected))


def _came(
    settled: InstrumentedAttribute[int | None], received: InstrumentedAttribute[int | None]
) -> tuple[Select[Any, Any], Select[Any, Any]]:
    """Return (debt, amount) of what settlements and payments have collected of one kind of debt."""
    return (
        select(settled, SettlementLine.collected_fen).where(settled.is_not(None), SettlementLine.collected_fen > 0),
        select(received, ReceiptLine.amount_fen).where(received.is_not(None)),
    )


def written_off_against_requests(session: Session) -> Sequence[int]:
    """Return penalties whose written-off amount is not what two supervisors approved."""
    stored = select(Penalty.id, Penalty.written_off_fen).where(Penalty.written_off_fen != 0)
    approved = select(WriteOff.penalty_id, WriteOff.amount_fen).where(WriteOff.state == WriteOffState.APPROVED)
    return _differing(_sums(session, stored), _sums(session, approved))


def deposits_against_ledger(session: Session) -> Sequence[int]:
    """Return parties whose deposit in the ledger is not the sum of its movements."""
    signed = case((DepositMovement.kind == DepositKind.RECEIVED, -1), else_=1) * DepositMovement.amount_fen
    expected = _sums(session, select(DepositMovement.party_id, signed))
    return sorted(unexplained_dimensions(session, AccountCode.DEPOSITS_HELD, expected))


def commissions_against_ledger(session: Session) -> Sequence[int]:
    """Return parties whose set-off clearing is not what was set off and no commission statement has confirmed."""
    confirmed = select(CommissionStatement.party_id, -CommissionStatement.deducted_fen).where(
        CommissionStatement.superseded_at.is_(None)
    )
    expected = _sums(session, collected_by_payer(CollectedFrom.COMMISSION), confirmed)
    return sorted(unexplained_dimensions(session, AccountCode.COMMISSION_CLEARING, expected))


def refunds_against_ledger(session: Session) -> Sequence[int]:
    """Return parties whose refund due in the ledger is not what is owed back and neither set off nor paid."""
    owed = select(Penalty.party_id, -PenaltyRefund.amount_fen).join(Penalty, Penalty.id == PenaltyRefund.penalty_id)
    # What a joint debtor paid goes back to that one.
    not_own = select(Penalty.party_id, JointPayment.returned_fen).join(Penalty, Penalty.id == JointPayment.penalty_id)
    to_payers = select(JointPayment.payer_id, -JointPayment.returned_fen)
    received = BankMovement.direction == BankDirection.RECEIVED
    signed = case((received, -1), else_=1) * BankMovement.amount_fen
    moved = select(BankMovement.party_id, signed)
    applied = select(BankMovement.party_id, ReceiptLine.amount_fen).join(
        ReceiptLine, ReceiptLine.bank_movement_id == BankMovement.id
    )
    ended = fine_queries.refunds_owed(), recovery_queries.refunds_owed()
    set_off = collected_by_payer(CollectedFrom.REFUND)
    expected = _sums(session, owed, not_own, to_payers, moved, applied, set_off, *ended)
    return sorted(unexplained_dimensions(session, AccountCode.REFUND_DUE, expected))


def collected_by_payer(source: CollectedFrom) -> Select[Any, Any]:
    """Return (party, amount) of each line that has collected something from *source*."""
    return (
        select(Settlement.party_id, SettlementLine.collected_fen)
        .join(SettlementLine, SettlementLine.settlement_id == Settlement.id)
        .where(SettlementLine.source == source, SettlementLine.collected_fen > 0)
    )


def runs_against_settlements(session: Session) -> Sequence[int]:
    """Return posted runs of which a party is not posted."""
    query = (
        select(SettlementRun.id)
        .join(Settlement, Settlement.run_id == SettlementRun.id)
        .where(SettlementRun.state == RunState.POSTED, Settlement.state == SettlementState.PROPOSED)
        .distinct()
    )
    return session.scalars(query.order_by(SettlementRun.id)).all()


def clearing_is_explained(session: Session) -> bool:
    """Say whether all that stands on the set-off clearing waits for a commission statement to confirm it."""
    return not commissions_against_ledger(session)


def unconfirmed_fen(session: Session) -> int:
    """Return what was set off and no commission statement has confirmed yet, in fen."""
    taken = collected_by_payer(CollectedFrom.COMMISSION).subquery()
    confirmed = select(func.coalesce(func.sum(CommissionStatement.deducted_fen), 0)).where(
        CommissionStatement.superseded_at.is_(None)
    )
    set_off = session.scalar(select(func.coalesce(func.sum(taken.c.collected_fen), 0))) or 0
    return int(set_off) - int(session.scalar(confirmed) or 0)
