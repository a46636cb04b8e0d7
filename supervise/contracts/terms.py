"""What a contract says on a day about objections, deposit and settlement: the one place where other stages read it."""

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.bulk import among
from supervise.complaints.models import DayType
from supervise.contracts.models import Contract
from supervise.labels import N_, LabelledEnum


class SettlementMethod(LabelledEnum):
    """From what a party's debts are taken, in the order that its contract says."""

    DEPOSIT = "deposit", N_("Deposit")
    COMMISSION = "commission", N_("Commission")
    CASH = "cash", N_("Cash")


#: What holds where a contract says nothing else: the usual clause (domain P6).
STANDARD_ORDER = (SettlementMethod.DEPOSIT, SettlementMethod.COMMISSION, SettlementMethod.CASH)
TOP_UP_DAYS = 10


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
    """Return the terms of each contract on a day; contracts that do not exist are left out."""
    del on  # no contract is amended yet
    rows = session.scalars(select(Contract).where(among(session, Contract.id, list(contract_ids))))
    return {
        one.id: ContractTermsAt(0, TOP_UP_DAYS, STANDARD_ORDER, one.appeal_days, one.appeal_day_type, one.deemed_days)
        for one in rows
    }
