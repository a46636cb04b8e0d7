"""Taking what is still there: of locked debts and of what pays them, line by line; and booking it once."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import among, insert_rows, update_column
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.penalties.collecting import collect, lock_for_collection, open_debts
from supervise.penalties.debts import RECEIVABLE, DebtKey, OpenDebt, key_of
from supervise.penalties.models import JointPayment, Penalty
from supervise.settlement.models import CollectedFrom, FellOut, Settlement, SettlementLine, SettlementRun

#: What gives the money, by source.
_DEBITS = {
    CollectedFrom.REFUND: AccountCode.REFUND_DUE,
    CollectedFrom.DEPOSIT: AccountCode.DEPOSITS_HELD,
    CollectedFrom.COMMISSION: AccountCode.COMMISSION_CLEARING,
}


class LineNow(NamedTuple):
    """A line to be collected."""

    id: int
    settlement_id: int
    payer_id: int
    debt: DebtKey
    #: Whose debt it is: the payer's, or of a penalty a joint debtor's.
    debtor_id: int
    source: CollectedFrom
    proposed_fen: int


class Collected(NamedTuple):
    """What a line has collected, and why it is less than proposed."""

    line: LineNow
    fen: int
    fell_out: FellOut | None


@dataclass
class Purse:
    """What is left of debts and of what pays them, as lines are taken one after the other; in fen."""

    debts: Mapping[DebtKey, OpenDebt]
    open_fen: dict[DebtKey, int]
    given: dict[CollectedFrom, dict[int, int]] = field(default_factory=dict)

    def take(self, line: LineNow) -> Collected:
        """Take what is still there for *line*."""
        debt = self.debts.get(line.debt)
        if debt is not None and debt.is_disputed:
            return Collected(line, 0, FellOut.DISPUTED)
        wanted_fen = min(line.proposed_fen, self.open_fen.get(line.debt, 0))
        source = self.given.get(line.source)
        fen = wanted_fen if source is None else min(wanted_fen, source.get(line.payer_id, 0))
        if source is not None:
            source[line.payer_id] = source.get(line.payer_id, 0) - fen
        if fen:
            self.open_fen[line.debt] -= fen
        if fen == line.proposed_fen:
            return Collected(line, fen, None)
        return Collected(line, fen, FellOut.LIFTED if fen == wanted_fen else FellOut.DRAINED)


def lines_to_collect(session: Session, settlement_ids: Collection[int]) -> list[LineNow]:
    """Return the lines that still have to collect something, in the order in which they were proposed."""
    query = (
        select(
            SettlementLine.id,
            SettlementLine.settlement_id,
            Settlement.party_id,
            SettlementLine.penalty_id,
            SettlementLine.recovery_id,
            SettlementLine.recourse_id,
            func.coalesce(Penalty.party_id, Settlement.party_id),
            SettlementLine.source,
            SettlementLine.proposed_fen,
        )
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .join(Penalty, Penalty.id == SettlementLine.penalty_id, isouter=True)
        .where(
            among(session, SettlementLine.settlement_id, list(settlement_ids)),
            SettlementLine.source.in_(list(_DEBITS)),
            SettlementLine.collected_fen.is_(None),
        )
        .order_by(SettlementLine.id)
    )
    return [LineNow._make((*row[:3], key_of(row[3], row[4], row[5]), *row[6:])) for row in session.execute(query)]


def purse_for(session: Session, lines: Sequence[LineNow]) -> Purse:
    """Lock the debts of *lines* and return what is open of them now."""
    keys = {line.debt for line in lines}
    lock_for_collection(session, keys)
    debts = {debt.key: debt for debt in open_debts(session, until=clock.now(), keys=keys)}
    return Purse(debts, {key: debt.open_fen for key, debt in debts.items()})


def book(
    session: Session, run: SettlementRun, collected: Sequence[Collected], days: Mapping[int, dt.date] | None = None
) -> None:
    """Write what was collected into the lines, the debts and the ledger: one entry for each party and source.

    *days* say when it took effect, by settlement; without them, today.
    """
    amounts: dict[DebtKey, int] = defaultdict(int)
    for one in collected:
        amounts[one.line.debt] += one.fen
    collect(session, {key: fen for key, fen in amounts.items() if fen})
    _write_lines(session, collected)
    _remember_joint(session, collected)
    post(session, list(_drafts(run, collected, days or {})))


def _write_lines(session: Session, collected: Sequence[Collected]) -> None:
    whole = [one.line.id for one in collected if one.fell_out is None]
    _update_lines(session, whole, collected_fen=SettlementLine.proposed_fen)
    for reason in FellOut:
        # The reason first: a CHECK wants one beside every amount that is less than proposed.
        less = {one.line.id: one.fen for one in collected if one.fell_out is reason}
        _update_lines(session, list(less), fell_out=reason)
        update_column(session, SettlementLine.collected_fen, less)


def _update_lines(session: Session, ids: Sequence[int], **values: object) -> None:
    if ids:
        these = update(SettlementLine).where(among(session, SettlementLine.id, ids)).values(**values)
        session.execute(these.execution_options(synchronize_session=False))


def _remember_joint(session: Session, collected: Sequence[Collected]) -> None:
    now = clock.now()
    rows = [
        {
            "penalty_id": one.line.debt.id,
            "payer_id": one.line.payer_id,
            "amount_fen": one.fen,
            "returned_fen": 0,
            "because": _key(one.line.settlement_id, one.line.source),
            "at": now,
        }
        for one in collected
        if one.fen and one.line.debtor_id != one.line.payer_id
    ]
    insert_rows(session, JointPayment.__table__, rows)


def _key(settlement_id: int, source: CollectedFrom) -> str:
    return f"settlement:{settlement_id}:{source.value}"


def _drafts(run: SettlementRun, collected: Sequence[Collected], days: Mapping[int, dt.date]) -> Iterable[EntryDraft]:
    entries: dict[tuple[int, CollectedFrom], dict[tuple[AccountCode, int], int]] = {}
    payers: dict[int, int] = {}
    for one in collected:
        if one.fen:
            line = one.line
            payers[line.settlement_id] = line.payer_id
            sums = entries.setdefault((line.settlement_id, line.source), {})
            owed = RECEIVABLE[line.debt.kind], line.debtor_id
            sums[owed] = sums.get(owed, 0) + one.fen
    today = clock.today()
    for (settlement_id, source), sums in entries.items():
        payer_id = payers[settlement_id]
        yield EntryDraft(
            key=_key(settlement_id, source),
            event=f"settlement.{source.value}",
            effective_on=days.get(settlement_id, today),
            lines=[
                Line(_DEBITS[source], payer_id, sum(sums.values())),
                # A joint debtor's share is paid off with that one's own receivable (domain section 8).
                *(Line(account, debtor_id, -fen) for (account, debtor_id), fen in sums.items()),
            ],
            actor_id=run.made_by,
            approver_id=run.approved_by,
            reason=run.number,
        )
