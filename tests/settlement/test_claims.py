"""Recoveries of credits and recourse for fines are collected beside penalties: once, in order, never beyond what is due."""

import datetime as dt
from dataclasses import replace

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.contracts.rules import RecoveryBase
from supervise.desk.consistency import Discrepancy, discrepancies
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import JournalEntry
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.admission import admit_late
from supervise.penalties.objections import file_objection
from supervise.penalties.recourse import ReceiptFacts, receive_recourse, reverse_recourse
from supervise.penalties.recoveries import void_recovery
from supervise.penalties.recovery_queries import recovery_totals
from supervise.settlement.bank import PaymentFacts, ReferenceKnownError, receive_for_claim, receive_payment
from supervise.settlement.commissions import BelowSetOffError
from supervise.settlement.models import CollectedFrom, FellOut, LeftOut, SettlementLine
from supervise.settlement.notices import acknowledge_notice
from supervise.settlement.posting import post_next
from supervise.settlement.queries import lines_of_settlement, totals_by_debt
from tests.factories.penalties import Charged, make_charged_partner, make_supervisor
from tests.factories.settlement import (
    FINANCE,
    approved,
    draft_run,
    make_commission,
    make_deposit,
    make_due_recourse,
    make_due_recovery,
    make_final_penalty,
    posted,
    settlement_of,
)

CONTACT = 931


@pytest.fixture(autouse=True)
def _monday() -> object:
    with time_machine.travel(dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session)


def owed(session: Session, charged: Charged) -> tuple[int, int, int]:
    """What the ledger holds against the party: penalties, recoveries, recourse."""
    accounts = (AccountCode.PENALTY_RECEIVABLE, AccountCode.COMPENSATION_RECOVERABLE, AccountCode.FINE_RECOVERABLE)
    penalty_fen, recovery_fen, recourse_fen = (balance_fen(session, one, charged.party.id) for one in accounts)
    return penalty_fen, recovery_fen, recourse_fen


def faults(session: Session) -> list[Discrepancy]:
    """What does not hold, but for the credits: these were never in a batch."""
    return [one for one in discrepancies(session) if one.table != "credit"]


def keys_of(session: Session) -> list[str]:
    query = sa.select(JournalEntry.idempotency_key).where(JournalEntry.idempotency_key.like("settlement:%"))
    return sorted(key.partition(":")[2].partition(":")[2] for key in session.scalars(query))


def test_domain_7_8_a_fine_of_200_and_a_credit_of_50_take_250_by_the_waterfall(
    session: Session, charged: Charged
) -> None:
    recovery = make_due_recovery(session, charged=charged, paid_fen=50_00)
    make_deposit(session, charged=charged, amount_fen=210_00)
    make_commission(session, charged=charged, due_fen=30_00)

    run = posted(session, draft_run(session))

    settlement = settlement_of(session, run, charged)
    assert (settlement.owed_fen, settlement.deposit_fen, settlement.commission_fen, settlement.cash_fen) == (
        250_00,
        210_00,
        30_00,
        10_00,
    )
    acknowledge_notice(session, settlement.id, actor_id=CONTACT)
    assert owed(session, charged) == (0, 10_00, 0)
    assert keys_of(session) == ["commission", "deposit"]
    receive_payment(session, PaymentFacts(charged.party.id, 10_00, "ICBC-1", clock.today()), actor_id=FINANCE)
    session.refresh(recovery)
    assert (owed(session, charged), recovery.settled_fen, recovery.open_fen) == ((0, 0, 0), 50_00, 0)
    assert balance_fen(session, AccountCode.REFUND_DUE, charged.party.id) == 0
    assert faults(session) == []


def test_every_kind_of_debt_is_one_line_and_one_entry_for_each_source(session: Session, charged: Charged) -> None:
    make_due_recovery(session, charged=charged)
    line = make_due_recourse(session, charged=charged, amount_fen=600_00)
    make_deposit(session, charged=charged, amount_fen=1_000_00)

    run = posted(session, draft_run(session))
    post_next(session, run.id)

    rows = lines_of_settlement(session, settlement_of(session, run, charged).id)
    assert [(row.line.debt.kind.value, row.line.collected_fen) for row in rows] == [
        ("penalty", 200_00),
        ("recovery", 50_00),
        ("recourse", 600_00),
    ]
    assert [total.collected_fen for total in totals_by_debt(session, run.id)] == [200_00, 50_00, 600_00]
    session.refresh(line)
    assert (line.received_fen, owed(session, charged), keys_of(session)) == (600_00, (0, 0, 0), ["deposit"])
    assert faults(session) == []


def test_without_a_contract_a_claim_takes_no_deposit_and_is_asked_for_in_cash(
    session: Session, charged: Charged
) -> None:
    before_any = dt.date(2019, 5, 6)
    line = make_due_recourse(session, charged=charged, amount_fen=600_00, decided_on=before_any)
    assert line.contract_id is None
    make_deposit(session, charged=charged, amount_fen=1_000_00)

    settlement = settlement_of(session, draft_run(session), charged)

    assert (settlement.deposit_fen, settlement.cash_fen) == (0, 600_00)


def test_a_recovery_that_falls_with_a_disputed_fine_is_left_out_and_any_other_is_not(
    session: Session, charged: Charged
) -> None:
    for base in (RecoveryBase.FINDING, RecoveryBase.CALL_PROVEN):
        recovery = make_due_recovery(session, charged=charged, base=base)
        penalty_id = sa.text("SELECT id FROM penalty WHERE finding_id = :id")
        found = session.execute(penalty_id, {"id": recovery.finding_id}).scalar_one()
        objection = file_objection(session, found, "号码当日已停用", Scope.everything(), actor_id=CONTACT)
        admit_late(
            session,
            objection.id,
            admitted=True,
            reason="有新证据",
            actor_id=make_supervisor(session, username="judge").id,
        )
    make_deposit(session, charged=charged, amount_fen=1_000_00)

    draft_run(session)

    recoveries = sa.select(SettlementLine).where(SettlementLine.recovery_id.is_not(None)).order_by(SettlementLine.id)
    [paid, left] = sorted(session.scalars(recoveries), key=lambda line: line.left_out is not None)
    assert (paid.source, left.left_out) == (CollectedFrom.DEPOSIT, LeftOut.OBJECTION)


def test_a_claim_taken_back_meanwhile_falls_out(session: Session, charged: Charged) -> None:
    recovery = make_due_recovery(session, charged=charged)
    line = make_due_recourse(session, charged=charged, amount_fen=600_00)
    make_deposit(session, charged=charged, amount_fen=1_000_00)
    run = draft_run(session)
    approved(session, run)
    void_recovery(session, recovery.id, "重复入账", actor_id=FINANCE)
    receive_recourse(session, line.id, ReceiptFacts(400_00, "ICBC-9", clock.today()), actor_id=FINANCE)

    post_next(session, run.id)

    rows = lines_of_settlement(session, settlement_of(session, run, charged).id)
    assert [(row.line.collected_fen, row.line.fell_out) for row in rows] == [
        (200_00, None),
        (0, FellOut.LIFTED),
        (200_00, FellOut.LIFTED),
    ]
    assert (owed(session, charged), faults(session)) == ((0, 0, 0), [])


def test_what_was_collected_of_a_claim_taken_back_later_is_owed_back(session: Session, charged: Charged) -> None:
    recovery = make_due_recovery(session, charged=charged)
    line = make_due_recourse(session, charged=charged, amount_fen=600_00)
    make_deposit(session, charged=charged, amount_fen=1_000_00)
    posted(session, draft_run(session))

    void_recovery(session, recovery.id, "重复入账", actor_id=FINANCE)
    reverse_recourse(session, line.id, "罚款已撤销", actor_id=make_supervisor(session, username="judge").id)

    assert owed(session, charged) == (0, 0, 0)
    assert balance_fen(session, AccountCode.REFUND_DUE, charged.party.id) == -650_00
    assert faults(session) == []


def test_a_bank_reference_is_one_payment_for_claims_and_for_everything_else(session: Session, charged: Charged) -> None:
    line = make_due_recourse(session, charged=charged, amount_fen=600_00)
    paid = ReceiptFacts(100_00, "ICBC-1", clock.today())
    receive_for_claim(session, line.id, paid, actor_id=FINANCE)

    with pytest.raises(ReferenceKnownError):
        receive_payment(session, PaymentFacts(charged.party.id, 1_00, " ICBC-1 ", clock.today()), actor_id=FINANCE)
    receive_payment(session, PaymentFacts(charged.party.id, 1_00, "ICBC-2", clock.today()), actor_id=FINANCE)
    with pytest.raises(ReferenceKnownError):
        receive_for_claim(session, line.id, replace(paid, bank_reference="ICBC-2"), actor_id=FINANCE)


def test_a_commission_is_never_recorded_below_what_a_claim_was_set_off_against(
    session: Session, charged: Charged
) -> None:
    make_due_recovery(session, charged=charged, paid_fen=50_00)
    make_deposit(session, charged=charged, amount_fen=200_00)
    make_commission(session, charged=charged, due_fen=80_00)
    posted(session, draft_run(session))

    with pytest.raises(BelowSetOffError):
        make_commission(session, charged=charged, due_fen=49_99)
    assert make_commission(session, charged=charged, due_fen=50_00).due_fen == 50_00


def test_unrecovered_compensation_is_what_was_paid_less_what_came_back(session: Session, charged: Charged) -> None:
    assert recovery_totals(session).rate_percent is None
    first = make_due_recovery(session, charged=charged, paid_fen=50_00)
    make_due_recovery(session, charged=charged, paid_fen=30_00)
    make_deposit(session, charged=charged, amount_fen=450_00)
    posted(session, draft_run(session))

    totals = recovery_totals(session)

    assert (totals.paid_fen, totals.claimed_fen, totals.collected_fen) == (80_00, 80_00, 50_00)
    assert (totals.unrecovered_fen, totals.rate_percent) == (30_00, 62)
    void_recovery(session, first.id, "重复", actor_id=FINANCE)
    assert recovery_totals(session).unrecovered_fen == 80_00


@pytest.mark.parametrize("change", ["settled_fen = amount_fen + 1", "settled_fen = -1"])
def test_no_more_than_the_recovery_is_ever_collected(session: Session, charged: Charged, change: str) -> None:
    make_due_recovery(session, charged=charged)

    with pytest.raises(IntegrityError):
        session.execute(sa.text(f"UPDATE recovery SET {change}"))


def test_a_line_names_one_debt_and_keeps_it(session: Session, charged: Charged) -> None:
    make_due_recovery(session, charged=charged)
    make_final_penalty(session, charged=charged)
    make_deposit(session, charged=charged, amount_fen=1_000_00)
    posted(session, draft_run(session))

    for change in ("recovery_id = NULL", "recourse_id = 1", "penalty_id = 1"):
        line = f"UPDATE settlement_line SET {change} WHERE recovery_id IS NOT NULL"
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(sa.text(line))
