"""The whole book as Beancount text, so that software that is not ours can judge it.

Each account is one of Beancount's, each dimension a sub-account of it; branch assessments stand in a sub-tree
``Internal`` of their own. The file ends with an assertion of every balance.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from supervise.ledger.chart import AccountCode, AccountFamily, AccountType, DimensionKind
from supervise.ledger.models import Account, JournalEntry, Posting
from supervise.money import format_yuan

_BATCH = 5_000
#: Beancount knows five roots.
_ROOTS = {
    AccountType.ASSET: "Assets",
    AccountType.CLEARING: "Assets",
    AccountType.LIABILITY: "Liabilities",
    AccountType.INCOME: "Income",
    AccountType.EXPENSE: "Expenses",
    AccountType.CONTRA_EXPENSE: "Expenses",
    AccountType.OFFSET: "Equity",
}


def beancount_account(account: Account, dimension_id: int | None) -> str:
    """Return the Beancount name: ``Assets:External:1221-02:Party-17``, ``Equity:Internal:9002-01:Unit-1``."""
    family = "Internal" if account.family is AccountFamily.INTERNAL else "External"
    name = f"{_ROOTS[account.type]}:{family}:{account.code.replace('.', '-')}"
    if account.dimension_kind is DimensionKind.NONE:
        return name
    return f"{name}:{account.dimension_kind.value.capitalize()}-{dimension_id}"


def beancount_lines(session: Session) -> Iterator[str]:
    """Yield the book line by line: entries by id on their effective day, then accounts, then balances.

    Beancount sorts by day itself, so nothing is held here but one balance for each account and dimension.
    """
    accounts = {account.id: account for account in session.scalars(select(Account))}
    balances: dict[tuple[int, int | None], int] = defaultdict(int)
    days: list[dt.date] = []
    yield 'option "title" "supervise"'
    yield 'option "operating_currency" "CNY"'
    with session.execute(_postings().execution_options(yield_per=_BATCH)) as rows:
        for _entry_id, group in groupby(rows, key=_entry_id_of):
            postings = list(group)
            head = postings[0]
            days = [min([*days, head.effective_on]), max([*days, head.effective_on])]
            yield from _entry_head(head)
            for posting in postings:
                balances[posting.account_id, posting.dimension_id] += posting.amount_fen
                name = beancount_account(accounts[posting.account_id], posting.dimension_id)
                yield f"  {name}  {_yuan(posting.amount_fen)}"
    for (account_id, dimension_id), amount_fen in balances.items():
        account = accounts[account_id]
        name = beancount_account(account, dimension_id)
        yield f"{days[0]} open {name} CNY"
        yield f"  label: {_quoted(AccountCode(account.code).label)}"
        yield f"{days[1] + dt.timedelta(days=1)} balance {name}  {_exact_yuan(amount_fen)}"


def _postings() -> Select[*tuple[Any, ...]]:
    return (
        select(
            JournalEntry.id,
            JournalEntry.effective_on,
            JournalEntry.event,
            JournalEntry.idempotency_key,
            JournalEntry.period,
            JournalEntry.reverses_id,
            JournalEntry.reason,
            Posting.account_id,
            Posting.dimension_id,
            Posting.amount_fen,
        )
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .order_by(JournalEntry.id, Posting.line)
    )


def _entry_id_of(row: Row[*tuple[Any, ...]]) -> int:
    return int(row.id)


def _entry_head(head: Row[*tuple[Any, ...]]) -> Iterator[str]:
    yield f"{head.effective_on} * {_quoted(head.event)} {_quoted(head.idempotency_key)}"
    yield f"  entry: {head.id}"
    yield f"  period: {_quoted(head.period)}"
    if head.reverses_id is not None:
        yield f"  reverses: {head.reverses_id}"
    if head.reason is not None:
        yield f"  reason: {_quoted(head.reason)}"


def _yuan(amount_fen: int) -> str:
    return f"{format_yuan(amount_fen, grouped=False)} CNY"


def _exact_yuan(amount_fen: int) -> str:
    # Without a tolerance of its own, Beancount forgives a balance that is one fen off.
    return f"{format_yuan(amount_fen, grouped=False)} ~ 0.00 CNY"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
