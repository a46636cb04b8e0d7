import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.errors import (
    FutureDateError,
    InvalidEntryError,
    KeyReusedError,
    NoOpenPeriodError,
    ReversalError,
)
from supervise.ledger.models import Account, JournalEntry, Period, PeriodState, Posting
from supervise.ledger.post import post
from supervise.ledger.queries import balance_fen, entry_by_id
from supervise.ledger.rows import EntryRow, PostingRow, insert_rows
from supervise.money import FEN_MAX
from tests.factories.ledger import PARTY, make_draft, make_entry, make_period, out_of_balance_fen

RECEIVABLE, DEFERRED = AccountCode.PENALTY_CONTESTABLE, AccountCode.PENALTY_DEFERRED
BRANCH, BRANCH_OFFSET = AccountCode.ASSESSMENT_CONTESTABLE, AccountCode.ASSESSMENT_OFFSET_CONTESTABLE


def entries(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(JournalEntry)) or 0


def test_posting_moves_both_accounts(session: Session) -> None:
    make_period(session)

    (entry_id,) = post(session, [make_draft(amount_fen=20000)])

    assert balance_fen(session, RECEIVABLE, PARTY) == 20000
    assert balance_fen(session, DEFERRED, PARTY) == -20000
    assert out_of_balance_fen(session) == 0
    assert [line.amount_fen for line in entry_by_id(session, entry_id).lines] == [20000, -20000]


def test_an_entry_keeps_who_when_and_why(session: Session) -> None:
    make_period(session, month="2026-11")
    draft = make_draft(effective_on=dt.date(2026, 11, 3), actor_id=4, approver_id=5, reason="投诉属实")
    with time_machine.travel(dt.datetime(2026, 11, 3, 4, 5, 6, 789, tzinfo=dt.UTC), tick=False):
        (entry_id,) = post(session, [draft])

    head = entry_by_id(session, entry_id).head

    assert (head.actor_id, head.approver_id, head.reason) == (4, 5, "投诉属实")
    assert (head.effective_on, head.period) == (dt.date(2026, 11, 3), "2026-11")
    assert head.recorded_at == dt.datetime(2026, 11, 3, 4, 5, 6, 789, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "reason", ['said "no", twice', "C:\\\\new", "{a,b}", "NULL", "第一行\n第二行", "😀'", "%s %(x)s :y ?", '\\"']
)
def test_a_reason_is_kept_to_the_letter_whatever_it_looks_like(session: Session, reason: str) -> None:
    make_period(session)

    entry_id, other_id = post(session, [make_draft(reason=reason), make_draft(key='a:"\\{1},NULL', reason=None)])

    assert entry_by_id(session, entry_id).head.reason == reason
    other = entry_by_id(session, other_id).head
    assert (other.idempotency_key, other.reason) == ('a:"\\{1},NULL', None)
    assert post(session, [make_draft(key='a:"\\{1},NULL', reason=None)]) == [other_id]


def test_ten_thousand_entries_come_back_in_the_order_of_their_drafts(session: Session) -> None:
    make_period(session)
    drafts = [make_draft(key=f"penalty:approved:{10_000 - n}", amount_fen=n + 1) for n in range(10_000)]

    ids = post(session, drafts)

    first, last = session.get_one(JournalEntry, ids[0]), session.get_one(JournalEntry, ids[-1])
    assert (first.idempotency_key, last.idempotency_key) == ("penalty:approved:10000", "penalty:approved:1")
    assert balance_fen(session, RECEIVABLE) == 50_005_000
    assert len(set(ids)) == 10_000


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_an_entry_that_a_rival_took_leaves_no_posting_and_the_transaction_goes_on(
    session: Session, engine_name: str
) -> None:
    make_period(session)
    draft = make_draft()
    (taken,) = post(session, [draft])
    entry = EntryRow(
        id=taken + 1,
        lines=2,
        idempotency_key=draft.key,
        content_sha256="0" * 64,
        event=draft.event,
        effective_on=draft.effective_on,
        period=clock.month_of(draft.effective_on),
        recorded_at=clock.now(),
        actor_id=1,
        approver_id=None,
        reverses_id=None,
        reversal_no=None,
        reason=None,
    )
    postings = [PostingRow(taken + 1, line, 2, line + 3, PARTY, fen) for line, fen in ((1, 100), (2, -100))]

    with pytest.raises(IntegrityError):
        insert_rows(session.connection(), postings, [entry])

    assert session.scalar(sa.select(sa.func.count()).select_from(Posting)) == 2
    assert post(session, [make_draft(key="penalty:approved:2")]) != [taken]


def test_posting_nothing_is_nothing(session: Session) -> None:
    assert post(session, []) == []


def test_the_same_fact_twice_is_one_entry(session: Session) -> None:
    entry_id = make_entry(session)

    again = post(session, [make_draft(), make_draft(key="penalty:approved:2"), make_draft()])

    assert again[0] == again[2] == entry_id
    assert entries(session) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"amount_fen": 20001},
        {"dimension_id": PARTY + 1},
        {"event": "penalty.final"},
        {"credit": AccountCode.PENALTY_INCOME},
        {"actor_id": 2},
        {"approver_id": 2},
        {"reason": "a reason"},
        {"effective_on": dt.date(2026, 1, 1)},
    ],
)
def test_the_same_key_with_other_content_is_refused(session: Session, change: dict[str, object]) -> None:
    make_entry(session)

    with pytest.raises(KeyReusedError):
        make_entry(session, **change)
    with pytest.raises(KeyReusedError):
        post(session, [make_draft(key="new:1"), make_draft(key="new:1", amount_fen=1)])

    assert entries(session) == 1


@pytest.mark.parametrize(
    "lines",
    [
        [(RECEIVABLE, PARTY, 200), (DEFERRED, PARTY, -199)],
        [(RECEIVABLE, PARTY, 200)],
        [(RECEIVABLE, PARTY, 0), (DEFERRED, PARTY, 0)],
        [(RECEIVABLE, PARTY, 0.5), (DEFERRED, PARTY, -0.5)],
        [(RECEIVABLE, PARTY, 200.0), (DEFERRED, PARTY, -200.0)],
        [(RECEIVABLE, PARTY, True), (DEFERRED, PARTY, -1)],
        [(RECEIVABLE, PARTY, "200"), (DEFERRED, PARTY, "-200")],
        [(RECEIVABLE, PARTY, FEN_MAX + 1), (DEFERRED, PARTY, -FEN_MAX - 1)],
        [(RECEIVABLE, PARTY, 200), (BRANCH_OFFSET, PARTY, -200)],
        [(RECEIVABLE, None, 200), (DEFERRED, PARTY, -200)],
        [(AccountCode.BANK, PARTY, 200), (DEFERRED, PARTY, -200)],
        [(RECEIVABLE, "17", 200), (DEFERRED, PARTY, -200)],
    ],
)
def test_lines_that_no_ledger_takes_are_refused(session: Session, lines: list[tuple[AccountCode, int, int]]) -> None:
    make_period(session)

    with pytest.raises(InvalidEntryError):
        post(session, [make_draft(key="penalty:approved:2"), make_draft(lines=lines)])

    assert entries(session) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"key": ""},
        {"key": "with space"},
        {"key": "违约金"},
        {"key": "k" * 201},
        {"event": "Penalty approved"},
        {"approver_id": 1, "actor_id": 1},
        {"reason": "nul\x00"},
        {"reason": "\ud800"},
        {"reason": " "},
        {"reason": "x" * 501},
        {"reverses_id": 1},
        {"effective_on": dt.datetime(2026, 11, 1, tzinfo=dt.UTC)},
    ],
)
def test_a_malformed_draft_is_refused(session: Session, change: dict[str, object]) -> None:
    with pytest.raises(InvalidEntryError):
        make_entry(session, **change)


def test_a_fact_of_tomorrow_is_refused(session: Session) -> None:
    make_period(session)

    with pytest.raises(FutureDateError):
        post(session, [make_draft(effective_on=clock.today() + dt.timedelta(days=1))])


def test_a_branch_assessment_stands_in_its_own_family(session: Session) -> None:
    make_entry(session, lines=[(BRANCH, 3, 20000), (BRANCH_OFFSET, 1, -20000)])

    assert balance_fen(session, BRANCH, 3) == 20000
    assert balance_fen(session, BRANCH) + balance_fen(session, BRANCH_OFFSET) == 0


@time_machine.travel(dt.datetime(2026, 11, 20, 4, tzinfo=dt.UTC), tick=False)
def test_a_late_fact_is_booked_in_the_current_period_with_its_own_day(session: Session) -> None:
    make_period(session, month="2026-09").state = PeriodState.CLOSED
    session.get_one(Period, "2026-09").closed_at = clock.now()
    make_period(session, month="2026-10")
    make_period(session, month="2026-11")

    late, own = post(
        session,
        [make_draft(effective_on=dt.date(2026, 9, 30)), make_draft(key="b:1", effective_on=dt.date(2026, 10, 31))],
    )

    assert session.get_one(JournalEntry, late).period == "2026-11"
    assert session.get_one(JournalEntry, late).effective_on == dt.date(2026, 9, 30)
    assert session.get_one(JournalEntry, own).period == "2026-10"


@time_machine.travel(dt.datetime(2026, 11, 20, 4, tzinfo=dt.UTC), tick=False)
@pytest.mark.parametrize("open_months", [[], ["2026-10"], ["2026-12"]])
def test_without_an_open_period_for_the_day_nothing_is_posted(session: Session, open_months: list[str]) -> None:
    for month in open_months:
        make_period(session, month=month)

    with pytest.raises(NoOpenPeriodError):
        post(session, [make_draft(effective_on=dt.date(2026, 11, 20))])


@time_machine.travel(dt.datetime(2026, 10, 31, 16, tzinfo=dt.UTC), tick=False)
def test_midnight_in_china_is_already_the_next_month(session: Session) -> None:
    make_period(session, month="2026-11")

    (entry_id,) = post(session, [make_draft(effective_on=dt.date(2026, 11, 1))])

    assert session.get_one(JournalEntry, entry_id).period == "2026-11"


def test_every_code_has_its_account_and_every_account_its_code(session: Session) -> None:
    codes = session.scalars(sa.select(Account.code)).all()

    assert sorted(codes) == sorted(AccountCode)


def test_the_postings_of_an_entry_never_outlive_a_failed_batch(session: Session) -> None:
    make_period(session)
    drafts: list[EntryDraft] = [make_draft(), make_draft(key="b:1", reverses_id=999, reason="no such entry")]

    with pytest.raises(ReversalError):
        post(session, drafts)

    assert session.scalar(sa.select(sa.func.count()).select_from(Posting)) == 0
