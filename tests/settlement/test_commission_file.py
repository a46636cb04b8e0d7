"""The commission system's statement comes in as a file: recorded once, confirming set-offs and no more."""

import datetime as dt
from pathlib import Path

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise.cipher import Keyring
from supervise.desk.consistency import discrepancies
from supervise.files.models import ImportKind
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.penalties.monthly_figures import figures_of
from supervise.settlement.commission_file import CommissionFile
from supervise.settlement.lists import commissions
from supervise.settlement.notices import acknowledge_notice
from tests.factories.import_desk import Desk
from tests.factories.penalties import Charged, make_charged_branch, make_charged_partner
from tests.factories.settlement import draft_run, make_commission, make_final_penalty, posted, settlement_of

HEADER = ("合同号", "账期", "应付酬金（元）", "已扣罚金额（元）", "净额（元）")
MONTH = "2026-10"


@pytest.fixture(autouse=True)
def _monday() -> object:
    with time_machine.travel(dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session)


@pytest.fixture
def desk(session: Session, keyring: Keyring, tmp_path: Path) -> Desk:
    return Desk(session, keyring, tmp_path, {ImportKind.COMMISSIONS: CommissionFile()})


def test_a_statement_is_recorded_and_read_by_caps_and_settlement(
    session: Session, desk: Desk, charged: Charged
) -> None:
    row = (charged.contract.number, "202610", "1,500.00", "", "1500")

    desk.bring_in(ImportKind.COMMISSIONS, [HEADER, row])
    again = desk.bring_in(ImportKind.COMMISSIONS, [HEADER, row])

    assert (again.rows_known, again.rows_new) == (1, 0)
    assert [one.statement.due_fen for one in commissions(session, MONTH)] == [1_500_00]
    assert [one.amount for one in figures_of(session, [charged.party.id], MONTH)] == [1_500_00]


def test_what_a_statement_deducts_confirms_the_set_off_once(session: Session, desk: Desk, charged: Charged) -> None:
    make_final_penalty(session, charged=charged, amount_fen=200_00)
    make_commission(session, charged=charged, due_fen=500_00)
    run = posted(session, draft_run(session))
    acknowledge_notice(session, settlement_of(session, run, charged).id, actor_id=931)
    row = (charged.contract.number, MONTH, "500", "200", "300")

    first = desk.bring_in(ImportKind.COMMISSIONS, [HEADER, row])
    desk.bring_in(ImportKind.COMMISSIONS, [HEADER, row])

    assert desk.words(first) == {2: "Recorded before: due 500.00, deducted 0.00"}
    assert balance_fen(session, AccountCode.COMMISSION_CLEARING, charged.party.id) == 0
    assert balance_fen(session, AccountCode.BILLING_CONTROL) == 200_00
    assert discrepancies(session) == []


def test_rows_that_cannot_be_stay_out_and_say_why(session: Session, desk: Desk, charged: Charged) -> None:
    number, policy = charged.contract.number, make_charged_branch(session).contract.number
    batch = desk.bring_in(
        ImportKind.COMMISSIONS,
        [
            HEADER,
            (number, MONTH, "500", "", ""),
            (number, MONTH, "600", "", ""),
            (number, "2026-09", "500", "200", ""),
            (number, "2026-08", "500", "", "499.99"),
            (number, "2026-12", "500", "", ""),
            (policy, MONTH, "500", "", ""),
            ("HT-?", MONTH, "500", "", ""),
        ],
    )

    words = desk.words(batch)
    assert (batch.rows_new, batch.rows_error) == (1, 6)
    assert words[3] == "Row 2 has this contract and month already"
    assert "only 0.00 yuan was set off" in words[4]
    assert "Due less deducted is 500.00" in words[5]
    assert "has not begun" in words[6]
    assert words[7] == "An assessment policy earns no commission"
    assert words[8] == "There is no contract HT-?"
