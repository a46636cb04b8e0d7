"""The kinds of debts that are collected from parties outside the carrier, and how one is named."""

import datetime as dt
from typing import NamedTuple

from supervise.labels import N_, LabelledEnum
from supervise.ledger.chart import AccountCode


class DebtKind(LabelledEnum):
    """What is owed; in the order in which debts of one moment are paid."""

    PENALTY = "penalty", N_("Penalty")
    RECOVERY = "recovery", N_("Recovery of a credit")
    RECOURSE = "recourse", N_("Recourse of a regulator's fine")


#: Where each kind of debt stands once it is due.
RECEIVABLE = {
    DebtKind.PENALTY: AccountCode.PENALTY_RECEIVABLE,
    DebtKind.RECOVERY: AccountCode.COMPENSATION_RECOVERABLE,
    DebtKind.RECOURSE: AccountCode.FINE_RECOVERABLE,
}


_COLUMN = {kind: f"{kind.value}_id" for kind in DebtKind}
_NAMELESS: dict[str, int | None] = dict.fromkeys(_COLUMN.values())


class DebtKey(NamedTuple):
    """Names one debt."""

    kind: DebtKind
    id: int

    @property
    def columns(self) -> dict[str, int | None]:
        """The columns of a line that names it."""
        return {**_NAMELESS, _COLUMN[self.kind]: self.id}


def key_of(penalty_id: int | None, recovery_id: int | None, recourse_id: int | None) -> DebtKey:
    """Return the debt that a line names; a CHECK lets it name exactly one."""
    if penalty_id is not None:
        return DebtKey(DebtKind.PENALTY, penalty_id)
    if recovery_id is not None:
        return DebtKey(DebtKind.RECOVERY, recovery_id)
    return DebtKey(DebtKind.RECOURSE, recourse_id or 0)


class OpenDebt(NamedTuple):
    """What a party owes and nobody has collected yet, in fen."""

    key: DebtKey
    reference: str
    party_id: int
    #: None: a recourse line that no contract stands behind.
    contract_id: int | None
    #: Since when it is due: a penalty became final, a recovery or a recourse line was approved.
    due_at: dt.datetime
    open_fen: int
    #: The finding whose joint debtors may be asked for it; None: the party alone owes it.
    joint_finding_id: int | None = None
    #: The most that this party can be made to pay of the whole charge; None: all of it. Its own share included.
    joint_limit_fen: int | None = None
    #: An objection was admitted, or a reversal proposed: nothing is collected before it is decided.
    has_objection: bool = False
    has_reversal: bool = False

    @property
    def is_disputed(self) -> bool:
        """Whether somebody still has to decide about it."""
        return self.has_objection or self.has_reversal
