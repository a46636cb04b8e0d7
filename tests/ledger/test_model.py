"""Whatever is done to the ledger, in whatever order, it agrees with a model of a page of plain Python."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from supervise.cipher import Keyring
from supervise.db import Database
from supervise.errors import RefusalError
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.errors import KeyReusedError, NoOpenPeriodError, PeriodStateError, ReversalError
from supervise.ledger.periods import close_period, open_period
from supervise.ledger.post import post
from supervise.ledger.queries import account_statement, balance_fen, entry_by_id, out_of_balance_fen, trial_balance
from supervise.ledger.reverse import ReversalDraft, reverse
from supervise.ledger.seal import Anchor, seal_closed_entries
from supervise.ledger.verify import verify
from tests.databases import clone_sqlite, opened
from tests.factories.ledger import make_draft

ACCOUNTS = (
    AccountCode.PENALTY_CONTESTABLE,
    AccountCode.PENALTY_RECEIVABLE,
    AccountCode.PENALTY_INCOME,
    AccountCode.DEPOSITS_HELD,
)
START = dt.date(2026, 9, 10)


@dataclass
class Fact:
    """What the model remembers of an entry."""

    request: tuple[Any, ...]
    lines: dict[tuple[AccountCode, int], int]
    period: str
    is_reversal: bool = False
    taken_fen: int = 0


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

    def balance(self, account: AccountCode, dimension: int | None = None, until: str = "9999-12") -> int:
        return sum(
            amount_fen
            for fact in self.facts.values()
            if fact.period <= until
            for place, amount_fen in fact.lines.items()
            if place[0] is account and dimension in (None, place[1])
        )


def _months_later(day: dt.date, months: int) -> dt.date:
    number = day.year * 12 + day.month - 1 + months
    return dt.date(number // 12, number % 12 + 1, 1)


class LedgerMachine(RuleBasedStateMachine):
    """Random decisions, each in a transaction of its own, as a page would run it."""

    fresh_database: Callable[[], AbstractContextManager[Database]]
    keyring: Keyring

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.ids: dict[str, int] = {}
        self.anchors: list[Anchor] = []
        self.closed_totals: dict[str, int] = {}
        self.traveller = time_machine.travel(START, tick=False)
        self.coordinates = self.traveller.start()
        self.opening = type(self).fresh_database()
        self.database = self.opening.__enter__()

    def teardown(self) -> None:
        self.opening.__exit__(None, None, None)
        self.traveller.stop()

    @initialize()
    def open_first(self) -> None:
        self._expect(lambda session: open_period(session, "2026-09", actor_id=1), None)
        self.model.months["2026-09"] = True

    def _expect(self, decision: Callable[[Session], Any], refusal: type[RefusalError] | None) -> Any:
        """Run *decision*, which must end as the model says."""
        if refusal is None:
            with self.database.session(writes=True) as session:
                return decision(session)
        with pytest.raises(refusal), self.database.session(writes=True) as session:
            decision(session)
        return None

    @rule(days=st.integers(1, 25))
    def days_pass(self, days: int) -> None:
        self.model.today += dt.timedelta(days=days)
        self.coordinates.move_to(self.model.today)

    @rule(ahead=st.integers(-1, 2))
    def open_month(self, ahead: int) -> None:
        month, next_month = (f"{_months_later(self.model.today, n):%Y-%m}" for n in (ahead, 1))
        closed = max((m for m, is_open in self.model.months.items() if not is_open), default="")
        refused = month in self.model.months or month < closed or month > next_month
        self._expect(lambda session: open_period(session, month, actor_id=1), PeriodStateError if refused else None)
        if not refused:
            self.model.months[month] = True

    @rule(place=st.integers(0, 3))
    def close_month(self, place: int) -> None:
        months = sorted(self.model.months)
        month = months[place % len(months)]
        earlier_open = any(self.model.months[m] for m in months if m < month)
        refused = not self.model.months[month] or month >= self.model.month or earlier_open
        self._expect(
            lambda session: close_period(session, month, actor_id=2, keyring=self.keyring),
            PeriodStateError if refused else None,
        )
        if not refused:
            self.model.months[month] = False

    @rule(
        key=st.integers(1, 6),
        days_ago=st.integers(0, 40),
        debit=st.sampled_from(ACCOUNTS),
        credit=st.sampled_from(ACCOUNTS),
        amount=st.tuples(st.integers(1, 2), st.integers(1, 500)),
    )
    def post_entry(
        self, key: int, days_ago: int, debit: AccountCode, credit: AccountCode, amount: tuple[int, int]
    ) -> None:
        dimension, amount_fen = amount
        # The credit stands on another dimension, so that the two lines never fall together.
        name, day = f"entry:{key}", self.model.today - dt.timedelta(days=days_ago)
        lines = {(debit, dimension): amount_fen, (credit, dimension + 10): -amount_fen}
        self._post(make_draft(key=name, effective_on=day, lines=[(*place, fen) for place, fen in lines.items()]), lines)

    @precondition(lambda self: self.model.facts)
    @rule(place=st.integers(0, 50))
    def post_again(self, place: int) -> None:
        name = sorted(self.model.facts)[place % len(self.model.facts)]
        fact = self.model.facts[name]
        if not fact.is_reversal:
            day = fact.request[0]
            lines = [(*each, fen) for each, fen in fact.lines.items()]
            self._post(make_draft(key=name, effective_on=day, lines=lines), fact.lines)

    def _post(self, draft: EntryDraft, lines: dict[tuple[AccountCode, int], int]) -> None:
        request, period = (draft.effective_on, tuple(lines.items())), self.model.period_of(draft.effective_on)
        known = self.model.facts.get(draft.key)
        refusal: type[RefusalError] | None = None
        if known is not None:
            refusal = None if known.request == request else KeyReusedError
        elif period is None:
            refusal = NoOpenPeriodError
        ids = self._expect(lambda session: post(session, [draft]), refusal)
        if refusal is None:
            assert ids == [self.ids.setdefault(draft.key, ids[0])]
            self.model.facts.setdefault(draft.key, Fact(request, dict(lines), period or ""))

    @precondition(lambda self: self.model.facts)
    @rule(place=st.integers(0, 50), key=st.integers(1, 5), amount_fen=st.none() | st.integers(1, 500))
    def reverse_entry(self, place: int, key: int, amount_fen: int | None) -> None:
        target = sorted(self.model.facts)[place % len(self.model.facts)]
        self._reverse(target, f"reversal:{key}", self.model.today, amount_fen)

    @precondition(lambda self: any(fact.is_reversal for fact in self.model.facts.values()))
    @rule(place=st.integers(0, 50))
    def reverse_again(self, place: int) -> None:
        names = sorted(name for name, fact in self.model.facts.items() if fact.is_reversal)
        name = names[place % len(names)]
        day, target, amount_fen, _part_fen = self.model.facts[name].request
        self._reverse(target, name, day, amount_fen)

    def _reverse(self, target: str, name: str, day: dt.date, amount_fen: int | None) -> None:
        fact = self.model.facts[target]
        request, known = (day, target, amount_fen), self.model.facts.get(name)
        total_fen = sum(fen for fen in fact.lines.values() if fen > 0)
        part_fen = total_fen - fact.taken_fen if amount_fen is None else amount_fen
        period, refusal = self.model.period_of(day), self._reversal_refusal(fact, known, request, part_fen, total_fen)
        if refusal is None and known is None and period is None:
            refusal = NoOpenPeriodError
        draft = ReversalDraft(
            entry_id=self.ids[target],
            key=name,
            event="entry.reversed",
            effective_on=day,
            reason="x",
            amount_fen=amount_fen,
        )
        ids = self._expect(lambda session: reverse(session, [draft]), refusal)
        if refusal is None and known is None:
            self.ids[name] = ids[0]
            signs = {each: -1 if fen > 0 else 1 for each, fen in fact.lines.items()}
            lines = {each: sign * part_fen for each, sign in signs.items()}
            fact.taken_fen += part_fen
            self.model.facts[name] = Fact((*request, part_fen), lines, period or "", is_reversal=True)
        elif refusal is None:
            assert ids == [self.ids[name]]

    def _reversal_refusal(
        self, fact: Fact, known: Fact | None, request: tuple[Any, ...], part_fen: int, total_fen: int
    ) -> type[RefusalError] | None:
        if fact.is_reversal:
            return ReversalError
        if known is None:
            return ReversalError if not 0 < part_fen <= total_fen - fact.taken_fen else None
        day, target, _amount, posted_fen = known.request
        if target != request[1] or day != request[0]:
            # Which of the two it is depends on what was left: a refusal either way.
            return RefusalError
        if request[2] is None:
            return None if known.request[2] is None or self._was_rest(known) else KeyReusedError
        return None if posted_fen == request[2] else RefusalError

    def _was_rest(self, known: Fact) -> bool:
        """Say whether a part that was named was at that moment all that was left: then it says the same."""
        entry = self.ids[known.request[1]]
        mine = next(name for name, fact in self.model.facts.items() if fact is known)
        with self.database.session(writes=False) as session:
            earlier = [one for one in entry_by_id(session, entry).reversal_ids if one < self.ids[mine]]
        names = {entry_id: name for name, entry_id in self.ids.items()}
        before_fen = sum(self.model.facts[names[one]].request[3] for one in earlier)
        total_fen = sum(fen for fen in self.model.facts[known.request[1]].lines.values() if fen > 0)
        return bool(before_fen + known.request[3] == total_fen)

    @rule()
    def seal(self) -> None:
        self.anchors += self._expect(lambda session: seal_closed_entries(session, self.keyring), None)

    @invariant()
    def ledger_agrees_with_the_model(self) -> None:
        with self.database.session(writes=False) as session:
            assert out_of_balance_fen(session) == 0
            totals = {row.account: row for row in trial_balance(session, self.model.today)}
            assert sum(row.balance_fen for row in totals.values()) == 0
            for account in ACCOUNTS:
                assert balance_fen(session, account) == self.model.balance(account)
                for dimension in (1, 2, 11, 12):
                    assert balance_fen(session, account, dimension) == self.model.balance(account, dimension)
            statement = account_statement(session, ACCOUNTS[0], limit=1000)
            assert sum(row.amount_fen for row in statement.rows) == self.model.balance(ACCOUNTS[0])

    @invariant()
    def closed_months_keep_their_totals(self) -> None:
        with self.database.session(writes=False) as session:
            for month, is_open in self.model.months.items():
                last = _months_later(dt.date.fromisoformat(f"{month}-01"), 1) - dt.timedelta(days=1)
                if is_open or last > self.model.today:
                    continue
                total_fen = balance_fen(session, ACCOUNTS[0], as_of=last)
                assert total_fen == self.closed_totals.setdefault(month, total_fen)
                assert total_fen == self.model.balance(ACCOUNTS[0], until=month)

    @invariant()
    def everything_verifies(self) -> None:
        with self.database.session(writes=False) as session:
            report = verify(session, self.keyring, self.anchors)
        assert report.fault is None
        assert report.entries == len(self.model.facts)


def play(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path, *, examples: int, steps: int) -> None:
    @contextmanager
    def fresh_database() -> Iterator[Database]:
        if engine_name == "sqlite":
            with opened(clone_sqlite(tmp_path)) as database:
                yield database
            return
        server = request.getfixturevalue("postgres")
        name = server.create(server.template())
        with opened(server.url(name)) as database:
            yield database
        server.drop(name)

    surroundings = {
        "fresh_database": staticmethod(fresh_database),
        "keyring": request.getfixturevalue("keyring"),
    }
    run_state_machine_as_test(
        type("Machine", (LedgerMachine,), surroundings),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_the_ledger_agrees_with_its_model(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    play(engine_name, request, tmp_path, examples=6, steps=25)


@pytest.mark.soak
def test_the_ledger_agrees_with_its_model_for_long(
    engine_name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    play(engine_name, request, tmp_path, examples=300, steps=60)
