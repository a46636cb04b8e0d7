import datetime as dt
import threading

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.cipher import Keyring
from supervise.db import Database
from supervise.ledger.chart import AccountCode
from supervise.ledger.errors import NoOpenPeriodError, PeriodStateError
from supervise.ledger.models import JournalEntry, PeriodState
from supervise.ledger.periods import close_period, open_period, periods, soft_close_period, take_back_soft_close
from supervise.ledger.post import post
from supervise.ledger.queries import balance_fen
from supervise.ledger.verify import verify
from tests.factories.ledger import make_draft, make_period

#: Noon in China.
NOVEMBER_20 = dt.datetime(2026, 11, 20, 4, tzinfo=dt.UTC)
DECEMBER_1 = dt.datetime(2026, 11, 30, 16, tzinfo=dt.UTC)


@time_machine.travel(NOVEMBER_20, tick=False)
def test_a_period_opens_and_says_who_opened_it(session: Session) -> None:
    period = open_period(session, "2026-11", actor_id=7)

    assert (period.state, period.opened_by, period.opened_at) == (PeriodState.OPEN, 7, NOVEMBER_20)
    assert session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)).all()[-1] == "period.opened"
    assert [one.month for one in periods(session)] == ["2026-11"]


@time_machine.travel(NOVEMBER_20, tick=False)
def test_only_months_to_come_soon_are_opened_and_only_once(session: Session) -> None:
    open_period(session, "2026-11", actor_id=7)
    open_period(session, "2026-12", actor_id=7)

    for month in ("2026-11", "2027-01"):
        with pytest.raises(PeriodStateError):
            open_period(session, month, actor_id=7)
    with pytest.raises(ValueError, match="does not match"):
        open_period(session, "November", actor_id=7)


def test_a_closed_month_is_sealed_and_takes_no_more(session: Session, keyring: Keyring) -> None:
    with time_machine.travel(NOVEMBER_20, tick=False):
        open_period(session, "2026-11", actor_id=7)
        post(session, [make_draft(effective_on=dt.date(2026, 11, 20))])
    with time_machine.travel(DECEMBER_1, tick=False):
        period = close_period(session, "2026-11", actor_id=8, keyring=keyring)

        assert (period.state, period.closed_by, period.closed_at) == (PeriodState.CLOSED, 8, DECEMBER_1)
        report = verify(session, keyring)
        assert (report.holds, report.unsealed, report.entries) == (True, 0, 1)
        with pytest.raises(NoOpenPeriodError):
            post(session, [make_draft(key="late:1", effective_on=dt.date(2026, 11, 20))])
        with pytest.raises(PeriodStateError):
            close_period(session, "2026-11", actor_id=8, keyring=keyring)
        with pytest.raises(PeriodStateError):
            open_period(session, "2026-11", actor_id=8)
        with pytest.raises(PeriodStateError):
            open_period(session, "2026-10", actor_id=8)


@time_machine.travel(NOVEMBER_20, tick=False)
@pytest.mark.parametrize("month", ["2026-11", "2026-08", "2026-10"])
def test_a_month_that_runs_or_follows_an_open_one_or_never_opened_is_not_closed(
    session: Session, keyring: Keyring, month: str
) -> None:
    for opened in ("2026-09", "2026-10", "2026-11"):
        make_period(session, month=opened)

    with pytest.raises(PeriodStateError):
        close_period(session, month, actor_id=8, keyring=keyring)


def test_the_totals_of_a_closed_month_never_change(session: Session, keyring: Keyring) -> None:
    with time_machine.travel(NOVEMBER_20, tick=False):
        open_period(session, "2026-11", actor_id=7)
        open_period(session, "2026-12", actor_id=7)
        post(session, [make_draft(amount_fen=20000)])
    with time_machine.travel(DECEMBER_1, tick=False):
        close_period(session, "2026-11", actor_id=8, keyring=keyring)
        post(session, [make_draft(key="late:1", amount_fen=500, effective_on=dt.date(2026, 11, 20))])

        assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, as_of=dt.date(2026, 11, 30)) == 20000
        assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, as_of=dt.date(2026, 12, 1)) == 20500


def test_a_held_month_takes_nothing_and_its_facts_go_to_the_open_month_with_their_day(
    session: Session, keyring: Keyring
) -> None:
    make_period(session, month="2026-11")
    make_period(session, month="2026-12")
    day = dt.date(2026, 11, 20)
    with time_machine.travel(DECEMBER_1, tick=False):
        held = soft_close_period(session, "2026-11", actor_id=8)
        assert (held.state, held.closed_at) == (PeriodState.SOFT_CLOSED, None)
        post(session, [make_draft(key="held:1", effective_on=day)])
        take_back_soft_close(session, "2026-11", actor_id=9)
        post(session, [make_draft(key="open:1", effective_on=day)])
        soft_close_period(session, "2026-11", actor_id=8)
        closed = close_period(session, "2026-11", actor_id=8, keyring=keyring)

    booked = session.execute(sa.select(JournalEntry.idempotency_key, JournalEntry.period, JournalEntry.effective_on))
    assert sorted(tuple(row) for row in booked) == [("held:1", "2026-12", day), ("open:1", "2026-11", day)]
    assert closed.state is PeriodState.CLOSED
    assert session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)).all()[-4:] == [
        "period.soft_closed",
        "period.soft_close_taken_back",
        "period.soft_closed",
        "period.closed",
    ]


@time_machine.travel(DECEMBER_1, tick=False)
def test_a_month_that_runs_is_closed_or_never_opened_is_not_held(session: Session, keyring: Keyring) -> None:
    for month in ("2026-10", "2026-12"):
        make_period(session, month=month)
    close_period(session, "2026-10", actor_id=8, keyring=keyring)

    for month in ("2026-10", "2026-11", "2026-12"):
        with pytest.raises(PeriodStateError):
            soft_close_period(session, month, actor_id=8)
        with pytest.raises(PeriodStateError):
            take_back_soft_close(session, month, actor_id=8)


@time_machine.travel(DECEMBER_1, tick=False)
def test_a_held_month_is_closed_before_the_next_one(session: Session, keyring: Keyring) -> None:
    for month in ("2026-10", "2026-11"):
        make_period(session, month=month)
    soft_close_period(session, "2026-10", actor_id=8)

    with pytest.raises(PeriodStateError):
        close_period(session, "2026-11", actor_id=8, keyring=keyring)


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_an_entry_under_way_is_waited_for_when_its_month_is_held_and_the_next_goes_on(
    database: Database, engine_name: str
) -> None:
    with database.session(writes=True) as session:
        make_period(session, month="2026-11")
        make_period(session, month="2026-12")
    day = dt.date(2026, 11, 20)
    started, held = threading.Event(), threading.Event()

    def hold() -> None:
        with database.session(writes=True) as session:
            started.set()
            soft_close_period(session, "2026-11", actor_id=8)
        held.set()

    with time_machine.travel(DECEMBER_1, tick=True):
        with database.session(writes=True) as session:
            post(session, [make_draft(key="early:1", effective_on=day)])
            holding = threading.Thread(target=hold)
            holding.start()
            started.wait()
            holding.join(0.3)
            assert not held.is_set()
        holding.join()
        with database.session(writes=True) as session:
            post(session, [make_draft(key="late:1", effective_on=day)])
    with database.session(writes=False) as session:
        booked = dict(iter(session.execute(sa.select(JournalEntry.idempotency_key, JournalEntry.period))))
    assert booked == {"early:1": "2026-11", "late:1": "2026-12"}


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_an_entry_under_way_is_waited_for_or_refused_when_its_month_closes(
    database: Database, engine_name: str, keyring: Keyring, isolation: str
) -> None:
    with time_machine.travel(NOVEMBER_20, tick=False), database.session(writes=True) as session:
        make_period(session, month="2026-11")
    started = threading.Event()
    closed: list[str] = []

    def close() -> None:
        with database.session(writes=True) as session:
            started.set()
            closed.append(close_period(session, "2026-11", actor_id=8, keyring=keyring).month)

    engine = database.engine.execution_options(isolation_level=isolation)
    with time_machine.travel(DECEMBER_1, tick=True):
        with engine.connect() as early, engine.connect() as late:
            late.execute(sa.text("SELECT 1 FROM period"))
            draft = make_draft(effective_on=dt.date(2026, 11, 20))
            with Session(early) as session:
                post(session, [draft])
                closing = threading.Thread(target=close)
                closing.start()
                started.wait()
                closing.join(0.3)
                assert closed == []
                session.commit()
            closing.join()
            assert closed == ["2026-11"]
            # This one has read, before the closing if its isolation lets it, that the month is open.
            with Session(late) as session, pytest.raises((DBAPIError, NoOpenPeriodError)):
                post(session, [make_draft(key="late:1", effective_on=dt.date(2026, 11, 20))])
        with database.session(writes=False) as session:
            assert session.scalars(sa.select(JournalEntry.idempotency_key)).all() == [draft.key]
            assert verify(session, keyring).holds
