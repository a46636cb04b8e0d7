"""What a run says of itself beside what the ledger says of it; and the assessments that stay inside the carrier."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise.ledger.chart import AccountCode
from supervise.ledger.movements import debits_of
from supervise.ledger.queries import balances_by_dimension, entries_of_keys
from supervise.parties.models import OrgUnit
from supervise.settlement.models import CollectedFrom, Settlement, SettlementState
from supervise.settlement.queries import totals_of_run


class SourceControl(NamedTuple):
    """One source of a run, counted four ways, in fen."""

    source: CollectedFrom
    parties_fen: int
    lines_fen: int
    collected_fen: int
    ledger_fen: int

    @property
    def is_equal(self) -> bool:
        """Whether parties and lines agree, and lines and ledger."""
        return self.parties_fen == self.lines_fen and self.collected_fen == self.ledger_fen


class InternalUnit(NamedTuple):
    """A unit's final assessments and their offset: together zero; in fen, debit positive."""

    code: str
    name: str
    assessed_fen: int
    offset_fen: int


def source_controls(session: Session, run_id: int) -> list[SourceControl]:
    """Return one row for each source, in the order of the waterfall."""
    sums = select(*(func.sum(getattr(Settlement, f"{source.value}_fen")) for source in CollectedFrom))
    by_source = session.execute(sums.where(Settlement.run_id == run_id)).one()
    ledger = _in_ledger(session, run_id)
    return [
        SourceControl(total.source, int(fen or 0), total.proposed_fen, total.collected_fen, ledger.get(total.source, 0))
        for fen, total in zip(by_source, totals_of_run(session, run_id), strict=True)
    ]


def _in_ledger(session: Session, run_id: int) -> dict[CollectedFrom, int]:
    ids = session.scalars(
        select(Settlement.id).where(Settlement.run_id == run_id, Settlement.state == SettlementState.POSTED)
    ).all()
    found = {}
    for source in CollectedFrom:
        entries = entries_of_keys(session, [f"settlement:{settlement_id}:{source.value}" for settlement_id in ids])
        found[source] = sum(debits_of(session, list(entries.values())).values()) if entries else 0
    return found


def internal_assessments(session: Session) -> Sequence[InternalUnit]:
    """Return each unit with final assessments, by code: they are not collected, and net to zero."""
    assessed = {
        row.dimension_id: row.balance_fen for row in balances_by_dimension(session, AccountCode.ASSESSMENT_FINAL)
    }
    offset = {
        row.dimension_id: row.balance_fen for row in balances_by_dimension(session, AccountCode.ASSESSMENT_OFFSET)
    }
    units = select(OrgUnit.id, OrgUnit.code, OrgUnit.name).where(OrgUnit.id.in_(assessed.keys() | offset.keys()))
    return [
        InternalUnit(row.code, row.name, assessed.get(row.id, 0), offset.get(row.id, 0))
        for row in session.execute(units.order_by(OrgUnit.code))
    ]


def _by_unit(session: Session, account: AccountCode) -> dict[int | None, int]:
    return {row.dimension_id: row.balance_fen for row in balances_by_dimension(session, account)}
