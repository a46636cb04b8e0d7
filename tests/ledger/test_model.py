"""Whatever is done to the ledger, in whatever order, it agrees with a model of a page of plain Python."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
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
from supervise.ledger.errors import (
    FutureDateError,
    KeyReusedError,
    NoOpenPeriodError,
    PeriodStateError,
    ReversalError,
)
from supervise.ledger.periods import close_period, open_period
from supervise.ledger.post import post
from supervise.ledger.queries import account_statement, balance_fen, entry_by_id, trial_balance
from supervise.ledger.reverse import ReversalDraft, reverse
from supervise.ledger.seal import seal_closed_entries
from supervise.ledger.verify import verify
from supervise.sealing import Anchor
from tests.databases import clone_sqlite, fast_folder, opened
from tests.factories.ledger import make_draft, out_of_balance_fen
from tests.ledger.model import ACCOUNTS, OTHERWISE, START, Fact, Model, make_reversal, noted, part_fen, troubles


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
        # A database that does not open must not leave the clock of every later test behind.
        with noted(), ExitStack() as stack:
            self.database = stack.enter_context(type(self).fresh_database())
            self.coordinates = stack.enter_context(time_machine.travel(START, tick=False))
            self.surroundings = stack.pop_all()

    def teardown(self) -> None:
        with noted():
            self.surroundings.close()

    @initialize()
    def open_first(self) -> None:
        self._expect(lambda session: open_period(session, "2026-09", actor_id=1), None)
        self.model.months["2026-09"] = True

    def _expect(self, decision: Callable[[Session], Any], refusal: type[RefusalError] | None) -> Any:
        """Run *decision*, which must end as the model says."""
        if refusal is None:
            with noted(), self.database.session(writes=True) as session:
                return decision(session)
        with noted(), pytest.raises(refusal), self.database.session(writes=True) as session:
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
        days_ago=st.integers(-1, 40),
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

    @precondition(lambda self: self._posted())
    @rule(place=st.integers(0, 50))
    def post_again(self, place: int) -> None:
        name, draft = self._posted()[place % len(self._posted())]
        self._post(draft, self.model.facts[name].lines)

    @precondition(lambda self: self._posted())
    @rule(place=st.integers(0, 50), otherwise=st.sampled_from(sorted(OTHERWISE)), at_once=st.booleans())
    def take_a_key_for_another_fact(self, place: int, otherwise: str, *, at_once: bool) -> None:
        _name, draft = self._posted()[place % len(self._posted())]
        other = replace(draft, **OTHERWISE[otherwise](draft))
        # At once: nobody posted this key yet, and both say it in one batch.
        batch = [replace(each, key="batch:1") for each in (draft, other)] if at_once else [other]
        self._expect(lambda session: post(session, batch), KeyReusedError)

    def _posted(self) -> list[tuple[str, EntryDraft]]:
        facts = sorted(self.model.facts.items(), key=lambda item: item[0])
        return [(name, fact.draft) for name, fact in facts if isinstance(fact.draft, EntryDraft)]

    def _post(self, draft: EntryDraft, lines: dict[tuple[AccountCode, int], int]) -> None:
        period, known = self.model.period_of(draft.effective_on), self.model.facts.get(draft.key)
        refusal: type[RefusalError] | None = None
        if draft.effective_on > self.model.today:
            refusal = FutureDateError
        elif known is not None:
            refusal = None if known.draft == draft else KeyReusedError
        elif period is None:
            refusal = NoOpenPeriodError
        ids = self._expect(lambda session: post(session, [draft]), refusal)
        if refusal is None:
            assert ids == [self.ids.setdefault(draft.key, ids[0])]
            self.model.facts.setdefault(draft.key, Fact(draft, dict(lines), period or ""))
            self._says_what_was_drafted(draft.key)

    def _says_what_was_drafted(self, name: str) -> None:
        fact = self.model.facts[name]
        draft = fact.draft
        with self.database.session(writes=False) as session:
            entry = entry_by_id(session, self.ids[name])
        head = entry.head
        assert (head.idempotency_key, head.event, head.effective_on) == (name, draft.event, draft.effective_on)
        assert (head.actor_id, head.approver_id, head.reason) == (draft.actor_id, draft.approver_id, draft.reason)
        assert (head.period, f"{head.recorded_at:%Y-%m-%d}" <= str(self.model.today)) == (fact.period, True)
        assert head.reverses_id == (draft.entry_id if isinstance(draft, ReversalDraft) else None)
        assert sorted(entry.lines) == sorted((*place, fen) for place, fen in fact.lines.items())

    @precondition(lambda self: self.model.facts)
    @rule(
        place=st.integers(0, 50),
        key=st.integers(1, 5),
        amount_fen=st.none() | st.integers(1, 500),
        days_ago=st.integers(-1, 40),
    )
    def reverse_entry(self, place: int, key: int, amount_fen: int | None, days_ago: int) -> None:
        target = sorted(self.model.facts)[place % len(self.model.facts)]
        day = self.model.today - dt.timedelta(days=days_ago)
        self._reverse(target, make_reversal(self.ids[target], f"reversal:{key}", day, amount_fen))

    @precondition(lambda self: self._reversals())
    @rule(place=st.integers(0, 50), otherwise=st.sampled_from(("", "event", "actor", "approver", "reason")))
    def reverse_again(self, place: int, otherwise: str) -> None:
        _name, draft = self._reversals()[place % len(self._reversals())]
        if not otherwise:
            self._reverse(self._name_of(draft.entry_id), draft)
            return
        other = replace(draft, **OTHERWISE[otherwise](self._posted()[0][1]))
        self._expect(lambda session: reverse(session, [other]), KeyReusedError)

    def _reversals(self) -> list[tuple[str, ReversalDraft]]:
        facts = sorted(self.model.facts.items(), key=lambda item: item[0])
        return [(name, fact.draft) for name, fact in facts if isinstance(fact.draft, ReversalDraft)]

    def _name_of(self, entry_id: int) -> str:
        return next(name for name, known_id in self.ids.items() if known_id == entry_id)

    def _reverse(self, target: str, draft: ReversalDraft) -> None:
        fact, known = self.model.facts[target], self.model.facts.get(draft.key)
        left_fen = part_fen(fact) - fact.taken_fen
        taken_fen = left_fen if draft.amount_fen is None else draft.amount_fen
        period = self.model.period_of(draft.effective_on)
        refusal = self._reversal_refusal(fact, known, draft, is_left=0 < taken_fen <= left_fen)
        if refusal is None and draft.effective_on > self.model.today:
            refusal = FutureDateError
        elif refusal is None and known is None and period is None:
            refusal = NoOpenPeriodError
        ids = self._expect(lambda session: reverse(session, [draft]), refusal)
        if refusal is None and known is None:
            self.ids[draft.key] = ids[0]
            signs = {each: -1 if fen > 0 else 1 for each, fen in fact.lines.items()}
            lines = {each: sign * taken_fen for each, sign in signs.items()}
            fact.taken_fen += taken_fen
            self.model.facts[draft.key] = Fact(draft, lines, period or "")
            self._says_what_was_drafted(draft.key)
        elif refusal is None:
            assert ids == [self.ids[draft.key]]

    def _reversal_refusal(
        self, fact: Fact, known: Fact | None, draft: ReversalDraft, *, is_left: bool
    ) -> type[RefusalError] | None:
        if fact.is_reversal:
            return ReversalError
        if known is None:
            return None if is_left else ReversalError
        before = known.draft
        assert isinstance(before, ReversalDraft)
        if (before.entry_id, before.effective_on) != (draft.entry_id, draft.effective_on):
            # Which of the two it is depends on what was left: a refusal either way.
            return RefusalError
        if draft.amount_fen is None:
            return None if before.amount_fen is None or self._was_rest(before) else KeyReusedError
        return None if part_fen(known) == draft.amount_fen else RefusalError

    def _was_rest(self, draft: ReversalDraft) -> bool:
        """Say whether a part that was named was at that moment all that was left: then it says the same."""
        with self.database.session(writes=False) as session:
            reversal_ids = list(entry_by_id(session, draft.entry_id).reversal_ids)
        names = [self._name_of(entry_id) for entry_id in reversal_ids]
        taken_fen = sum(part_fen(self.model.facts[name]) for name in names[: names.index(draft.key) + 1])
        return taken_fen == part_fen(self.model.facts[self._name_of(draft.entry_id)])

    @rule()
    def seal(self) -> None:
        self.anchors += self._expect(lambda session: seal_closed_entries(session, self.keyring), None)

    @invariant()
    def ledger_agrees_with_the_model(self) -> None:
        with self.database.session(writes=False) as session:
            assert out_of_balance_fen(session) == 0
            for account in ACCOUNTS:
                assert balance_fen(session, account) == self.model.balance(account)
                for dimension in (1, 2, 11, 12):
                    assert balance_fen(session, account, dimension) == self.model.balance(account, dimension)
            statement = account_statement(session, ACCOUNTS[0], limit=1000)
            assert sum(row.amount_fen for row in statement.rows) == self.model.balance(ACCOUNTS[0])

    @invariant()
    def the_days_agree_with_the_model(self) -> None:
        """As of the days on which the newest facts took effect, and of the days beside them; tomorrow is not told."""
        newest = [fact.draft.effective_on for fact in self.model.facts.values()][-2:]
        around = {day + dt.timedelta(days=n) for day in newest for n in (-1, 0, 1)}
        days = sorted(day for day in {*around, self.model.today} if day <= self.model.today)
        with self.database.session(writes=False) as session:
            for day in days:
                totals = {row.account: row.balance_fen for row in trial_balance(session, day)}
                assert sum(totals.values()) == 0
                assert [totals[each] for each in ACCOUNTS] == [self.model.balance(each, as_of=day) for each in ACCOUNTS]
                account, dimension = ACCOUNTS[day.day % len(ACCOUNTS)], 1 + day.day % 2
                expected = self.model.balance(account, dimension, as_of=day)
                assert balance_fen(session, account, dimension, as_of=day) == expected
            with pytest.raises(FutureDateError):
                trial_balance(session, self.model.today + dt.timedelta(days=1))

    @invariant()
    def closed_months_keep_their_totals(self) -> None:
        with self.database.session(writes=False) as session:
            for month, is_open in self.model.months.items():
                last = _months_later(dt.date.fromisoformat(f"{month}-01"), 1) - dt.timedelta(days=1)
                if is_open or last > self.model.today:
                    continue
                total_fen = balance_fen(session, ACCOUNTS[0], as_of=last)
                assert total_fen == self.closed_totals.setdefault(month, total_fen)
                assert total_fen == self.model.balance(ACCOUNTS[0], as_of=last)

    @invariant()
    def everything_verifies(self) -> None:
        with self.database.session(writes=False) as session:
            report = verify(session, self.keyring, self.anchors)
        assert report.fault is None
        assert report.entries == len(self.model.facts)


def play(engine_name: str, request: pytest.FixtureRequest, *, examples: int, steps: int) -> None:
    @contextmanager
    def fresh_database() -> Iterator[Database]:
        if engine_name == "sqlite":
            with fast_folder() as folder, opened(clone_sqlite(folder)) as database:
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
    troubles.clear()
    try:
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
    except Flaky as flaky:
        # A run that ends early where another went on is called a flaky strategy, whatever ended it.
        flaky.add_note("\n".join(["What went wrong first:", *troubles[:1]]))
        raise


def test_the_ledger_agrees_with_its_model(engine_name: str, request: pytest.FixtureRequest) -> None:
    play(engine_name, request, examples=6, steps=25)


@pytest.mark.soak
def test_the_ledger_agrees_with_its_model_for_long(engine_name: str, request: pytest.FixtureRequest) -> None:
    play(engine_name, request, examples=300, steps=60)
