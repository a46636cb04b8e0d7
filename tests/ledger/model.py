"""The ledger as a page of plain Python, which the real one must agree with."""

import datetime as dt
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.reverse import ReversalDraft

ACCOUNTS = (
    AccountCode.PENALTY_CONTESTABLE,
    AccountCode.PENALTY_RECEIVABLE,
    AccountCode.PENALTY_INCOME,
    AccountCode.DEPOSITS_HELD,
)
START = dt.date(2026, 9, 10)
#: What a second draft with a known key may say otherwise; each alone makes it another fact.
OTHERWISE: dict[str, Callable[[EntryDraft], dict[str, Any]]] = {
    "event": lambda _draft: {"event": "entry.other"},
    "day before": lambda draft: {"effective_on": draft.effective_on - dt.timedelta(days=1)},
    "actor": lambda _draft: {"actor_id": 7},
    "approver": lambda _draft: {"approver_id": 8},
    "reason": lambda _draft: {"reason": "other"},
    "one fen": lambda draft: {"lines": [(*place, fen + (1 if fen > 0 else -1)) for *place, fen in draft.lines]},
    "dimension": lambda draft: {"lines": [(code, (place or 0) + 1, fen) for code, place, fen in draft.lines]},
    "turned round": lambda draft: {"lines": [(*place, -fen) for *place, fen in draft.lines]},
}
#: What went wrong in a run; a failure that does not come again is else reported without its cause.
troubles: list[str] = []


@dataclass
class Fact:
    """What the model remembers of an entry."""

    draft: EntryDraft | ReversalDraft
    lines: dict[tuple[AccountCode, int], int]
    period: str
    taken_fen: int = 0

    @property
    def is_reversal(self) -> bool:
        return isinstance(self.draft, ReversalDraft)


@dataclass
class Model:
    """The ledger as a dictionary of facts and a dictionary of months (True: open)."""

    facts: dict[str, Fact] = field(default_factory=dict)
    months: dict[str, bool] = field(default_factory=dict)
    today: dt.date = START

    @property
    def month(self) -> str:
        return f"{self.today:%Y-%m}"

    def period_of(self, day: dt.date) -> str | None:
        month = f"{day:%Y-%m}"
        if self.months.get(month):
            return month
        return max((m for m, is_open in self.months.items() if is_open and month < m <= self.month), default=None)

    def balance(self, account: AccountCode, dimension: int | None = None, as_of: dt.date | None = None) -> int:
        return sum(
            amount_fen
            for fact in self.facts.values()
            if as_of is None or (fact.period, fact.draft.effective_on) <= (f"{as_of:%Y-%m}", as_of)
            for place, amount_fen in fact.lines.items()
            if place[0] is account and dimension in (None, place[1])
        )


@contextmanager
def noted() -> Iterator[None]:
    """Remember what goes wrong inside the block."""
    try:
        yield
    except Exception as error:
        troubles.append("".join(traceback.format_exception(error)))
        raise


def make_reversal(entry_id: int, key: str, day: dt.date, amount_fen: int | None) -> ReversalDraft:
    return ReversalDraft(
        entry_id=entry_id, key=key, event="entry.reversed", effective_on=day, reason="x", amount_fen=amount_fen
    )


def part_fen(fact: Fact) -> int:
    return sum(fen for fen in fact.lines.values() if fen > 0)
