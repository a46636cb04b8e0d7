"""Before a month closes: what must be settled, what must at least have been seen."""

import datetime as dt
from contextlib import AbstractContextManager, nullcontext

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.compensation.batches import LineOutcome, freeze_batch, mark_lines
from supervise.compensation.lists import lines_of_page
from supervise.compensation.models import Credit, CreditBatch, CreditState
from supervise.desk.month_end import NotReadyError, NotSeenError, checklist, close_month
from supervise.ledger.chart import AccountCode
from supervise.ledger.errors import NoOpenPeriodError, PeriodStateError
from supervise.ledger.models import PeriodState
from supervise.ledger.periods import open_period
from supervise.ledger.queries import trial_balance
from supervise.ledger.verify import verify
from tests.factories.compensation import make_approved_credit, make_undertaking, make_victim
from tests.factories.ledger import make_entry, make_period

FINANCE = 21


@pytest.fixture
def month(session: Session) -> str:
    """This month, open; earlier ones do not exist."""
    return make_period(session).month


def afterwards(month: str) -> AbstractContextManager[None]:
    """Let it be the second day of the coming month."""
    return clock.pretending(clock.start_of_day(clock.month_bounds(month)[1]) + dt.timedelta(days=1, hours=2))


@pytest.fixture
def credit(session: Session) -> Credit:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    return make_approved_credit(session, subscriber=victim)


def send(session: Session, credit: Credit) -> CreditBatch:
    return freeze_batch(session, [credit.id], locale="zh_Hans", anchor="", actor_id=FINANCE)


def answer(session: Session, batch: CreditBatch) -> None:
    [row] = lines_of_page(session, batch.id)
    mark_lines(session, batch.id, [LineOutcome(row.line.id, None)], actor_id=FINANCE)


def test_a_settled_month_closes_without_a_word_and_is_sealed(
    session: Session, month: str, credit: Credit, keyring: Keyring
) -> None:
    answer(session, send(session, credit))

    with afterwards(month):
        period = close_month(session, month, seen=False, keyring=keyring, actor_id=FINANCE)

    assert (period.state, period.closed_by) == (PeriodState.CLOSED, FINANCE)
    report = verify(session, keyring)
    assert (report.holds, report.unsealed) == (True, 0)


def test_lines_without_an_answer_must_have_been_seen(
    session: Session, month: str, credit: Credit, keyring: Keyring
) -> None:
    batch = send(session, credit)
    points = checklist(session, month)
    [row] = points.batches
    assert (row.batch.id, row.lines, row.amount_fen, row.clearing_fen) == (batch.id, 1, 50_00, -50_00)
    assert row.is_explained
    assert not points.is_blocked

    with afterwards(month):
        with pytest.raises(NotSeenError):
            close_month(session, month, seen=False, keyring=keyring, actor_id=FINANCE)
        close_month(session, month, seen=True, keyring=keyring, actor_id=FINANCE)

    assert checklist(session, month).batches[0].lines == 1


def test_what_billing_answers_later_leaves_the_closed_month_as_it_was(
    session: Session, month: str, credit: Credit, keyring: Keyring
) -> None:
    batch = send(session, credit)
    last_day = clock.month_bounds(month)[1] - dt.timedelta(days=1)
    with afterwards(month):
        close_month(session, month, seen=True, keyring=keyring, actor_id=FINANCE)
        before = trial_balance(session, last_day)
        with pytest.raises(NoOpenPeriodError), session.begin_nested():
            answer(session, batch)
        open_period(session, clock.next_month(month), actor_id=FINANCE)

        answer(session, batch)

        assert trial_balance(session, last_day) == before
        assert {row.account: row.balance_fen for row in before}[AccountCode.BILLING_CLEARING] == -50_00


def test_an_approved_credit_without_an_entry_keeps_the_month_open(
    session: Session, month: str, credit: Credit, keyring: Keyring
) -> None:
    # No decision makes such a row, and nothing deletes one: it stands for damage, and goes with its savepoint.
    damage = session.begin_nested()
    session.add(_copy(credit))
    session.flush()

    assert checklist(session, month).unposted == ["PC-UNPOSTED"]
    with afterwards(month), pytest.raises(NotReadyError):
        close_month(session, month, seen=True, keyring=keyring, actor_id=FINANCE)

    damage.rollback()


def _copy(credit: Credit) -> Credit:
    values = {column.key: getattr(credit, column.key) for column in Credit.__table__.columns if column.key != "id"}
    # Returned, so that the incident still has one live credit; that it was once approved nothing takes back.
    return Credit(**values | {"reference": "PC-UNPOSTED", "state": CreditState.RETURNED})


@pytest.mark.parametrize(
    ("debit", "other", "blocked"),
    [
        (AccountCode.COMMISSION_CLEARING, AccountCode.PENALTY_RECEIVABLE, True),
        (AccountCode.REFUND_DUE, AccountCode.PENALTY_RECEIVABLE, False),
    ],
)
def test_a_clearing_account_that_nothing_explains_keeps_the_month_open(
    session: Session, month: str, keyring: Keyring, debit: AccountCode, other: AccountCode, *, blocked: bool
) -> None:
    make_entry(session, debit=debit, credit=other)

    assert checklist(session, month).is_blocked is blocked
    with afterwards(month), pytest.raises(NotReadyError) if blocked else nullcontext():
        close_month(session, month, seen=True, keyring=keyring, actor_id=FINANCE)


def test_a_month_that_is_not_over_stays_open(session: Session, month: str, keyring: Keyring) -> None:
    with pytest.raises(PeriodStateError):
        close_month(session, month, seen=True, keyring=keyring, actor_id=FINANCE)
