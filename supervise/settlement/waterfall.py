"""The waterfall: of which source each debt is taken, in the contract's order. Pure: no database, no clock.

docs/rules.md, section "Collection" (C-1 to C-5); the worked examples are those of domain 7.9 and 7.6.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from supervise.contracts.terms import SettlementMethod
from supervise.penalties.debts import DebtKey
from supervise.settlement.models import CollectedFrom

#: What is in hand; cash is only asked for.
_SOURCE_OF = {
    SettlementMethod.DEPOSIT: CollectedFrom.DEPOSIT,
    SettlementMethod.COMMISSION: CollectedFrom.COMMISSION,
    SettlementMethod.CASH: CollectedFrom.CASH,
}


class Debt(NamedTuple):
    """What is open of a debt, in fen; debts come in the order of payment."""

    key: DebtKey
    party_id: int
    #: None: no contract stands behind it.
    contract_id: int | None
    open_fen: int
    #: The finding whose other debtors answer for it too; None: nobody else does.
    joint_finding_id: int | None = None


@dataclass
class Means:
    """What a party has to pay with, in fen; it shrinks as it is taken."""

    refund_fen: int = 0
    deposit_fen: int = 0
    #: Commission of the month, by contract.
    commission_fen: dict[int, int] = field(default_factory=dict)

    def take(self, source: CollectedFrom, contract_id: int | None, wanted_fen: int) -> int:
        """Take up to *wanted_fen* from *source* and return how much it gave."""
        if source is CollectedFrom.CASH:
            return wanted_fen
        if source is CollectedFrom.COMMISSION:
            if contract_id is None:
                return 0
            given_fen = min(wanted_fen, max(0, self.commission_fen.get(contract_id, 0)))
            self.commission_fen[contract_id] = self.commission_fen.get(contract_id, 0) - given_fen
            return given_fen
        name = f"{source.value}_fen"
        given_fen = min(wanted_fen, getattr(self, name))
        setattr(self, name, getattr(self, name) - given_fen)
        return int(given_fen)


class Payer(NamedTuple):
    """A party and what it has to pay with."""

    party_id: int
    means: Means


class JointDebtor(NamedTuple):
    """A party that answers for a whole joint charge, and how much more it can be made to pay of it."""

    party_id: int
    #: None: without limit.
    room_fen: int | None


class Take(NamedTuple):
    """So much of a debt from one source of a payer, who may be a joint debtor of it; in fen."""

    payer_id: int
    key: DebtKey
    source: CollectedFrom
    fen: int


class Shared(NamedTuple):
    """What is taken of all debts, and what nothing is left for: ``{debt: fen}``."""

    takes: Sequence[Take]
    carried: Mapping[DebtKey, int]


def share_out(
    debts: Sequence[Debt],
    orders: Mapping[int, Sequence[SettlementMethod]],
    means: Mapping[int, Means],
    joint: Mapping[int, Sequence[JointDebtor]],
) -> Shared:
    """Return from where *debts* are paid: *orders* by contract, *means* by party, *joint* debtors by finding.

    First what each party has itself, a refund due before all else; then the deposits of joint debtors; then what
    contracts ask for in cash. *means* hold what is left afterwards.
    """
    rest = {debt.key: debt.open_fen for debt in debts}
    takes = [*_own(debts, orders, means, rest), *_jointly(debts, means, joint, rest)]
    for debt in debts:
        if rest[debt.key] and SettlementMethod.CASH in _order(orders, debt):
            takes.append(Take(debt.party_id, debt.key, CollectedFrom.CASH, rest[debt.key]))
            rest[debt.key] = 0
    return Shared(takes, {key: fen for key, fen in rest.items() if fen})


def _own(
    debts: Sequence[Debt],
    orders: Mapping[int, Sequence[SettlementMethod]],
    means: Mapping[int, Means],
    rest: dict[DebtKey, int],
) -> Iterable[Take]:
    for debt in debts:
        # A contract that asks for cash before the commission leaves the commission alone.
        methods = _until_cash(_order(orders, debt))
        for source in (CollectedFrom.REFUND, *(_SOURCE_OF[method] for method in methods)):
            payer = Payer(debt.party_id, means[debt.party_id])
            yield from _taken(debt, payer, source, rest[debt.key], rest)


def _order(orders: Mapping[int, Sequence[SettlementMethod]], debt: Debt) -> Sequence[SettlementMethod]:
    # Where no contract names a deposit or a commission, nothing may be taken but what the law lets us set off.
    return (SettlementMethod.CASH,) if debt.contract_id is None else orders[debt.contract_id]


def _until_cash(order: Sequence[SettlementMethod]) -> Sequence[SettlementMethod]:
    return order[: order.index(SettlementMethod.CASH)] if SettlementMethod.CASH in order else order


def _jointly(
    debts: Sequence[Debt],
    means: Mapping[int, Means],
    joint: Mapping[int, Sequence[JointDebtor]],
    rest: dict[DebtKey, int],
) -> Iterable[Take]:
    room = {(finding_id, one.party_id): one.room_fen for finding_id, several in joint.items() for one in several}
    for debt in debts:
        if debt.joint_finding_id is None:
            continue
        for one in joint.get(debt.joint_finding_id, ()):
            if one.party_id == debt.party_id or one.party_id not in means:
                continue
            key = (debt.joint_finding_id, one.party_id)
            left_fen = room[key]
            wanted_fen = rest[debt.key] if left_fen is None else min(rest[debt.key], left_fen)
            payer = Payer(one.party_id, means[one.party_id])
            for take in _taken(debt, payer, CollectedFrom.DEPOSIT, wanted_fen, rest):
                if left_fen is not None:
                    room[key] = left_fen - take.fen
                yield take


def _taken(
    debt: Debt, payer: Payer, source: CollectedFrom, wanted_fen: int, rest: dict[DebtKey, int]
) -> Iterable[Take]:
    fen = payer.means.take(source, debt.contract_id, wanted_fen) if wanted_fen > 0 else 0
    if fen:
        rest[debt.key] -= fen
        yield Take(payer.party_id, debt.key, source, fen)
