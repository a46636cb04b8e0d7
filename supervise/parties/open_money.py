"""What is open between the carrier and a party, from the ledger (domain 8)."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from supervise.bulk import slices
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balances_by_dimension

#: What it may owe us, and what is held for it or owed back.
_OWED = (
    AccountCode.PENALTY_CONTESTABLE,
    AccountCode.PENALTY_RECEIVABLE,
    AccountCode.COMPENSATION_RECOVERABLE,
    AccountCode.FINE_RECOVERABLE,
)
_HELD = (AccountCode.DEPOSITS_HELD, AccountCode.REFUND_DUE, AccountCode.COMMISSION_CLEARING)


@dataclass
class OpenMoney:
    """What is open of a party, in fen; a party of which nothing is open has none."""

    owed_fen: int = 0
    #: Deposit, refunds due, and what was set off and is not confirmed yet.
    held_fen: int = 0

    @property
    def total_fen(self) -> int:
        """How much money a decision about the party is about."""
        return self.owed_fen + self.held_fen


def open_money(session: Session, party_ids: Collection[int]) -> dict[int, OpenMoney]:
    """Return what is open of each of the parties of which anything is."""
    found: dict[int, OpenMoney] = defaultdict(OpenMoney)
    for some in slices(sorted(party_ids)):
        for account in _OWED:
            for row in balances_by_dimension(session, account, some):
                found[row.dimension_id or 0].owed_fen += abs(row.balance_fen)
        for account in _HELD:
            for row in balances_by_dimension(session, account, some):
                found[row.dimension_id or 0].held_fen += abs(row.balance_fen)
    return dict(found)
