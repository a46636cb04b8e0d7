"""Lists beside the runs: deposits and calls, bank movements, commissions, write-offs."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.models import Contract
from supervise.parties.models import Party
from supervise.penalties.models import Penalty
from supervise.settlement.accounts import deposits_held, refunds_due
from supervise.settlement.commissions import SetOff, set_off_by_contract
from supervise.settlement.deposits import required_deposits
from supervise.settlement.models import BankMovement, CommissionStatement, DepositMovement, TopUpCall, WriteOff

ROWS_MAX = 200


def party_names(session: Session) -> dict[int, tuple[str, str]]:
    """Return code and name of every party."""
    return {row.id: (row.code, row.name) for row in session.execute(select(Party.id, Party.code, Party.name))}


class DepositRow(NamedTuple):
    """A party's deposit, what its contracts require, what was called for and when; in fen."""

    party_id: int
    code: str
    name: str
    held_fen: int
    required_fen: int
    called_fen: int
    due_on: dt.date | None

    @property
    def short_fen(self) -> int:
        """What is missing."""
        return max(0, self.required_fen - self.held_fen)

    @property
    def is_overdue(self) -> bool:
        """Whether a call has passed its day."""
        return self.due_on is not None and self.due_on < clock.today()


def deposits(session: Session) -> list[DepositRow]:
    """Return every party with a deposit, or of whom one is required; overdue calls first, then what is missing."""
    held, required = deposits_held(session), required_deposits(session, clock.today())
    called: dict[int, int] = defaultdict(int)
    due: dict[int, dt.date] = {}
    for call in session.scalars(select(TopUpCall).where(TopUpCall.met_on.is_(None))):
        called[call.party_id] += call.amount_fen
        due[call.party_id] = min(call.due_on, due.get(call.party_id, call.due_on))
    names = party_names(session)
    rows = [
        DepositRow(
            party_id,
            *names[party_id],
            held.get(party_id, 0),
            required.get(party_id, 0),
            called.get(party_id, 0),
            due.get(party_id),
        )
        for party_id in held.keys() | required.keys() | called.keys()
    ]
    return sorted(rows, key=lambda row: (not row.is_overdue, -row.short_fen, row.name, row.party_id))


class DepositLine(NamedTuple):
    """A movement of a deposit, with the balance after it."""

    movement: DepositMovement
    balance_fen: int


def deposit_lines(session: Session, party_id: int) -> list[DepositLine]:
    """Return the movements of a party's deposit, in order, each with the balance after it."""
    balance_fen, lines = 0, []
    query = select(DepositMovement).where(DepositMovement.party_id == party_id).order_by(DepositMovement.id)
    for movement in session.scalars(query):
        balance_fen += movement.amount_fen if movement.kind.value == "received" else -movement.amount_fen
        lines.append(DepositLine(movement, balance_fen))
    return lines


class BankRow(NamedTuple):
    """A payment, with its party."""

    movement: BankMovement
    party: str


def bank_movements(session: Session) -> Sequence[BankRow]:
    """Return the newest payments from and to parties."""
    query = select(BankMovement, Party.name).join(Party, Party.id == BankMovement.party_id)
    rows = session.execute(query.order_by(BankMovement.id.desc()).limit(ROWS_MAX))
    return [BankRow._make(row) for row in rows]


class RefundRow(NamedTuple):
    """What is owed back to a party, in fen."""

    party_id: int
    name: str
    fen: int


def refunds_to_pay(session: Session) -> list[RefundRow]:
    """Return to whom something is owed back, the largest first."""
    names = party_names(session)
    rows = [RefundRow(party_id, names[party_id][1], fen) for party_id, fen in refunds_due(session).items() if fen > 0]
    return sorted(rows, key=lambda row: (-row.fen, row.party_id))


class CommissionRow(NamedTuple):
    """A commission statement, with its contract, and what was set off against it."""

    statement: CommissionStatement
    contract: str
    party: str
    set_off: SetOff

    @property
    def unconfirmed_fen(self) -> int:
        """Set off and in effect, but not deducted by the commission system yet."""
        return self.set_off.posted_fen - self.statement.deducted_fen


def commissions(session: Session, month: str) -> list[CommissionRow]:
    """Return the statements in force of *month*; what nobody confirmed comes first."""
    used = set_off_by_contract(session, [month])
    query = (
        select(CommissionStatement, Contract.number, Party.name)
        .join(Contract, Contract.id == CommissionStatement.contract_id)
        .join(Party, Party.id == CommissionStatement.party_id)
        .where(CommissionStatement.month == month, CommissionStatement.superseded_at.is_(None))
    )
    rows = [
        CommissionRow(row[0], row[1], row[2], used.get((row[0].contract_id, month), SetOff(0, 0)))
        for row in session.execute(query)
    ]
    return sorted(rows, key=lambda row: (-row.unconfirmed_fen, row.contract))


class WriteOffRow(NamedTuple):
    """A write-off, with its penalty and party."""

    write_off: WriteOff
    reference: str
    party: str


def write_offs(session: Session, write_off_id: int | None = None) -> Sequence[WriteOffRow]:
    """Return write-offs, the newest first; or the one that is named."""
    query = (
        select(WriteOff, Penalty.reference, Party.name)
        .join(Penalty, Penalty.id == WriteOff.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .order_by(WriteOff.id.desc())
        .limit(ROWS_MAX)
    )
    if write_off_id is not None:
        query = query.where(WriteOff.id == write_off_id)
    return [WriteOffRow._make(row) for row in session.execute(query)]
