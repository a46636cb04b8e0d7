"""How old debts are: today by what is open of each, on a day in the past by what the ledger's entries said then.

docs/rules.md, C-12: both are the ledger's balances of 1221.02 to 1221.04, split by the day on which each debt fell due.
"""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import among
from supervise.errors import InvalidInputError
from supervise.labels import N_, LabelledEnum
from supervise.ledger.movements import FactAmount, amounts_by_fact
from supervise.penalties.collecting import open_debts
from supervise.penalties.debts import RECEIVABLE, DebtKey, key_of
from supervise.penalties.statement import claims_of_receipts, debt_of_key
from supervise.settlement.lists import party_names
from supervise.settlement.models import ReceiptLine, SettlementLine

_SETTLEMENT_KEY = re.compile(r"settlement:([0-9]+):([a-z]+)", re.ASCII)
_RECEIPT_KEY = re.compile(r"receipt:([0-9]+)", re.ASCII)


class Age(LabelledEnum):
    """How long a debt has been due and open."""

    TO_30 = "to_30", N_("0-30 days")
    TO_90 = "to_90", N_("31-90 days")
    TO_180 = "to_180", N_("91-180 days")
    OVER = "over", N_("Over 180 days")


_LIMITS = ((30, Age.TO_30), (90, Age.TO_90), (180, Age.TO_180))


def age_of(days: int) -> Age:
    """Return the class of a debt that has been due for so many days."""
    return next((age for most, age in _LIMITS if days <= most), Age.OVER)


class AgedParty(NamedTuple):
    """What a party owes by age, in fen."""

    party_id: int
    code: str
    name: str
    fen: dict[Age, int]

    @property
    def total_fen(self) -> int:
        """All of it."""
        return sum(self.fen.values())


class _Aged(NamedTuple):
    party_id: int
    since: dt.date
    fen: int


def ageing(session: Session, on: dt.date | None = None) -> list[AgedParty]:
    """Return what each party owed by age at the end of a day, today if none is named; the largest debt first.

    Raises:
        InvalidInputError: if the day lies in the future.
    """
    today = clock.today()
    day = on or today
    if day > today:
        raise InvalidInputError(N_("The day lies in the future"))
    sums: dict[int, dict[Age, int]] = defaultdict(lambda: dict.fromkeys(Age, 0))
    for debt in _open_now(session) if day == today else _open_then(session, day):
        sums[debt.party_id][age_of((day - debt.since).days)] += debt.fen
    names = party_names(session)
    rows = [AgedParty(party_id, *names[party_id], fen) for party_id, fen in sums.items() if any(fen.values())]
    return sorted(rows, key=lambda row: (-row.total_fen, row.party_id))


def _open_now(session: Session) -> Iterator[_Aged]:
    for debt in open_debts(session, until=clock.now()):
        yield _Aged(debt.party_id, clock.china_day(debt.due_at), debt.open_fen)


def _open_then(session: Session, day: dt.date) -> Iterator[_Aged]:
    """Yield what each debt had left by *day*: what it was charged with, less what entries of that time took off it."""
    facts = amounts_by_fact(session, list(RECEIVABLE.values()), day)
    by_receipt = claims_of_receipts(session, {fact.origin_key for fact in facts})
    charged: dict[DebtKey, _Aged] = {}
    left: dict[DebtKey, int] = defaultdict(int)
    shared = []
    for fact in facts:
        key = debt_of_key(fact.origin_key) or by_receipt.get(fact.origin_key)
        if key is None:
            shared.append(fact)
            continue
        # In the order of posting: the first is the charge.
        charged.setdefault(key, _Aged(fact.dimension_id or 0, fact.since, 0))
        left[key] += fact.amount_fen
    for key, fen in _collected(session, shared):
        left[key] -= fen
    for key, debt in charged.items():
        if left[key]:
            yield debt._replace(fen=left[key])


def _collected(session: Session, facts: Collection[FactAmount]) -> Iterator[tuple[DebtKey, int]]:
    """Yield what the settlements and payments among *facts* took of each debt, in fen."""
    settled = {(int(match[1]), match[2]) for one in facts if (match := _SETTLEMENT_KEY.fullmatch(one.origin_key))}
    paid = {int(match[1]) for one in facts if (match := _RECEIPT_KEY.fullmatch(one.origin_key))}
    lines = select(
        SettlementLine.settlement_id,
        SettlementLine.source,
        SettlementLine.penalty_id,
        SettlementLine.recovery_id,
        SettlementLine.recourse_id,
        SettlementLine.collected_fen,
    ).where(
        among(session, SettlementLine.settlement_id, sorted({settlement_id for settlement_id, _source in settled})),
        SettlementLine.collected_fen > 0,
    )
    for settlement_id, source, *named, fen in session.execute(lines):
        if (settlement_id, source) in settled:
            yield key_of(*named), int(fen or 0)
    receipts = select(
        ReceiptLine.penalty_id, ReceiptLine.recovery_id, ReceiptLine.recourse_id, ReceiptLine.amount_fen
    ).where(among(session, ReceiptLine.bank_movement_id, sorted(paid)))
    for *named, fen in session.execute(receipts):
        yield key_of(*named), fen
