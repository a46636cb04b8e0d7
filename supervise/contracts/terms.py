"""What a contract says on a day about objections, deposit and settlement: the one place where other stages read it."""

import datetime as dt
from collections.abc import Collection
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.bulk import among
from supervise.complaints.models import DayType
from supervise.contracts.models import AmendmentState, Contract, ContractAmendment, SettlementOrder
from supervise.labels import N_, LabelledEnum


class SettlementMethod(LabelledEnum):
    """From what a party's debts are taken, in the order that its contract says."""

    DEPOSIT = "deposit", N_("Deposit")
    COMMISSION = "commission", N_("Commission")
    CASH = "cash", N_("Cash")


#: What an amendment can change from its day on, in the order of ``ContractTermsAt``; an end moves at once instead.
TERMS = ("deposit_required_fen", "top_up_days", "settlement_order", "appeal_days", "appeal_day_type", "deemed_days")


class ContractTermsAt(NamedTuple):
    """The terms of a contract on a day."""

    deposit_required_fen: int
    #: Working days to bring the deposit back to what is required.
    top_up_days: int
    settlement_order: tuple[SettlementMethod, ...]
    appeal_days: int
    appeal_day_type: DayType
    #: Working days after which a notice counts as delivered.
    deemed_days: int


def terms_at(session: Session, contract_ids: Collection[int], on: dt.date) -> dict[int, ContractTermsAt]:
    """Return the terms of each contract on a day, as amended by then; contracts that do not exist are left out."""
    ids = list(contract_ids)
    columns = [getattr(Contract, name) for name in TERMS]
    signed = session.execute(select(Contract.id, *columns).where(among(session, Contract.id, ids)))
    said: dict[int, tuple[Any, ...]] = {row[0]: tuple(row[1:]) for row in signed}
    amendments = select(ContractAmendment).where(
        among(session, ContractAmendment.contract_id, ids),
        ContractAmendment.state == AmendmentState.ACTIVE,
        ContractAmendment.effective_from <= on,
    )
    for amendment in session.scalars(amendments.order_by(ContractAmendment.effective_from)):
        before = said[amendment.contract_id]
        values = zip(before, (getattr(amendment, name) for name in TERMS), strict=True)
        said[amendment.contract_id] = tuple(old if new is None else new for old, new in values)
    return {contract_id: _terms(*values) for contract_id, values in said.items()}


def _terms(deposit_required_fen: int, top_up_days: int, order: SettlementOrder, *others: Any) -> ContractTermsAt:
    return ContractTermsAt(deposit_required_fen, top_up_days, methods_of(order), *others)


@cache
def methods_of(order: SettlementOrder) -> tuple[SettlementMethod, ...]:
    """Return the methods of an order of settlement, the first to be taken from first."""
    return tuple(SettlementMethod(name) for name in order.value.split("_"))
