"""Ageing says of any past day what was open then, by when it fell due; to the fen what the ledger held that day."""

import datetime as dt
from pathlib import Path

import pytest
import time_machine
from openpyxl import load_workbook
from sqlalchemy.orm import Session

from reports.settlement import build_ageing_workbook
from supervise import clock
from supervise.errors import InvalidInputError
from supervise.labels import use_locale
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.penalties.recourse import ReceiptFacts, receive_recourse
from supervise.penalties.recoveries import void_recovery
from supervise.penalties.reversals import approve_reversal, propose_reversal
from supervise.settlement.ageing import Age, AgedParty, ageing
from supervise.settlement.bank import PaymentFacts, receive_payment
from supervise.settlement.notices import acknowledge_notice
from tests.factories.ledger import make_period
from tests.factories.penalties import Charged, make_charged_partner, make_supervisor
from tests.factories.settlement import (
    FINANCE,
    draft_run,
    make_commission,
    make_deposit,
    make_due_recourse,
    make_due_recovery,
    make_final_penalty,
    posted,
    settlement_of,
)

FIRST = dt.date(2026, 10, 5)


def on(day: int) -> time_machine.travel:
    """Noon in China so many days after the first."""
    return time_machine.travel(clock.start_of_day(FIRST + dt.timedelta(days=day)) + dt.timedelta(hours=12), tick=False)


def live_through(session: Session, charged: Charged) -> None:
    """Charged on days 0 and 20, settled on 40 and 43, paid on 50 and 55, partly lifted on 60, a recovery void on 70."""
    for month in ("2026-10", "2026-11", "2026-12"):
        make_period(session, month=month)
    with on(0):
        lifted = make_final_penalty(session, charged=charged, amount_fen=300_00)
        make_deposit(session, charged=charged, amount_fen=250_00)
    with on(20):
        recovery = make_due_recovery(session, charged=charged, paid_fen=50_00)
        claim = make_due_recourse(session, charged=charged, amount_fen=600_00)
    with on(40):
        make_commission(session, charged=charged, due_fen=80_00)
        settlement = settlement_of(session, posted(session, draft_run(session)), charged)
    with on(43):
        acknowledge_notice(session, settlement.id, actor_id=FINANCE)
    with on(50):
        receive_payment(session, PaymentFacts(charged.party.id, 190_00, "ICBC-1", clock.today()), actor_id=FINANCE)
    with on(55):
        receive_recourse(session, claim.id, ReceiptFacts(100_00, "ICBC-2", clock.today()), actor_id=FINANCE)
    with on(60):
        wish = propose_reversal(session, lifted.id, amount_fen=120_00, reason="重复", actor_id=FINANCE)
        approve_reversal(session, wish.id, actor_id=make_supervisor(session, username="judge").id)
    with on(70):
        void_recovery(session, recovery.id, "重复", actor_id=FINANCE)


def of_party(rows: list[AgedParty], charged: Charged) -> dict[Age, int]:
    found = [row for row in rows if row.party_id == charged.party.id]
    return {age: fen for age, fen in found[0].fen.items() if fen} if found else {}


def in_ledger(session: Session, charged: Charged, day: dt.date) -> int:
    accounts = (AccountCode.PENALTY_RECEIVABLE, AccountCode.COMPENSATION_RECOVERABLE, AccountCode.FINE_RECOVERABLE)
    return sum(balance_fen(session, account, charged.party.id, as_of=day) for account in accounts)


@pytest.fixture
def charged(session: Session) -> Charged:
    party = make_charged_partner(session)
    live_through(session, party)
    return party


def test_every_past_day_sums_to_the_ledger_of_that_day(session: Session, charged: Charged) -> None:
    with on(71):
        for number in (0, 19, 20, 40, 43, 50, 55, 60, 70):
            day = FIRST + dt.timedelta(days=number)
            assert sum(of_party(ageing(session, day), charged).values()) == in_ledger(session, charged, day), number


def test_what_was_taken_later_was_open_then_and_is_aged_from_the_day_it_fell_due(
    session: Session, charged: Charged
) -> None:
    with on(71):
        aged = {
            number: of_party(ageing(session, FIRST + dt.timedelta(days=number)), charged) for number in (30, 42, 51)
        }

    assert aged[30] == {Age.TO_30: 300_00 + 200_00 + 50_00 + 600_00}
    # The deposit paid 250 of the first; the commission, set off with the notice, the rest of it and 30 of the next.
    assert aged[42] == {Age.TO_90: 50_00, Age.TO_30: 200_00 + 50_00 + 600_00}
    assert aged[51] == {Age.TO_90: 200_00 + 50_00 + 600_00 - 30_00 - 190_00}


def test_the_last_past_day_says_what_today_says(session: Session, charged: Charged) -> None:
    with on(71):
        past = of_party(ageing(session, clock.today() - dt.timedelta(days=1)), charged)
        now = of_party(ageing(session), charged)

    assert past == now
    assert sum(now.values()) > 0


def test_the_workbook_is_of_the_day_that_was_asked_for(session: Session, charged: Charged, tmp_path: Path) -> None:
    day = FIRST + dt.timedelta(days=30)
    with on(71), use_locale("en"):
        made = build_ageing_workbook(ageing(session, day), day, tmp_path / "ageing.xlsx", clock.now())

    book = load_workbook(made.path)
    assert dict(book["About"].iter_rows(min_row=2, values_only=True))["As of"] == "2026-11-04"
    rows = {row[0]: row[2:] for row in book["Ageing"].iter_rows(min_row=2, values_only=True)}
    assert rows[charged.party.code] == (1150, 0, 0, 0, 1150)


def test_a_day_to_come_is_refused(session: Session, charged: Charged) -> None:
    del charged
    with on(71), pytest.raises(InvalidInputError):
        ageing(session, FIRST + dt.timedelta(days=72))
