"""The workbook of a run adds up to the fen: parties, lines, ledger; and what stays inside the carrier sums to zero."""

from pathlib import Path

from openpyxl import load_workbook
from sqlalchemy.orm import Session

from reports.settlement import build_settlement_workbook
from supervise import clock
from supervise.labels import use_locale
from tests.factories.penalties import make_charged_branch, make_charged_partner
from tests.factories.settlement import draft_run, make_commission, make_deposit, make_final_penalty, posted


def test_the_workbook_adds_up_to_the_ledger(session: Session, tmp_path: Path) -> None:
    make_charged_branch(session)
    for deposit_fen in (150_00, 33):
        charged = make_charged_partner(session)
        make_final_penalty(session, charged=charged, amount_fen=200_00)
        make_deposit(session, charged=charged, amount_fen=deposit_fen)
        make_commission(session, charged=charged, due_fen=20_00)
    run = posted(session, draft_run(session))

    with use_locale("en"):
        made = build_settlement_workbook(session, run, tmp_path / "run.xlsx", clock.now())

    book = load_workbook(made.path)
    assert book.sheetnames == ["About", "Parties", "Settlement lines", "Internal assessments", "Control"]
    control = {row[0]: row[1:] for row in book["Control"].iter_rows(min_row=2, values_only=True)}
    assert control["Deposit"] == (150.33, 150.33, 150.33, 150.33, "yes")
    # The set-offs wait for their notices: nothing collected, nothing in the ledger.
    assert control["Commission"] == (40.0, 40.0, 0, 0, "yes")
    parties = list(book["Parties"].iter_rows(min_row=2, values_only=True))
    assert sum(row[3] for row in parties) == 400.0
    assert sum(row[5] + row[6] + row[7] for row in parties) == 400.0
    assert {row[4] for row in book["Internal assessments"].iter_rows(min_row=2, values_only=True)} <= {0, ""}
