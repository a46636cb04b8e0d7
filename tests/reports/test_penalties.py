"""The monthly penalty workbook adds up to the ledger, and its columns are the contract with finance."""

import datetime as dt
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy.orm import Session

from reports import party_statement, penalties
from reports.penalties import CONTROL_COLUMNS, DETAIL_COLUMNS, build_penalty_workbook
from reports.workbook import Column
from supervise import clock
from supervise.labels import translate, use_locale
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.penalties.booked import AccountControl, booked_month
from supervise.penalties.statement import StatementKind
from tests.databases import PROJECT
from tests.factories.complaints import CALLED_AT
from tests.factories.penalties import make_approved_penalty, make_charged_branch, make_charged_partner
from tests.reports.statement_story import live_through

HEADINGS = [
    "Penalty number", "Responsible party", "Kind", "Branch", "Contract number", "Rule version", "Offence type",
    "Incident time", "Month of the call", "Gross (yuan)", "Cut by caps (yuan)", "Charged (yuan)", "Lifted since (yuan)",
    "Penalty state", "Result of the objection", "Settled by", "Settlement period", "Related tickets",
]  # fmt: skip


def this_month() -> str:
    return clock.month_of(clock.today())


def book_of(session: Session, folder: Path) -> openpyxl.Workbook:
    with use_locale("en"):
        made = build_penalty_workbook(
            session, this_month(), {"after_refusal": "After refusal"}, folder / "p.xlsx", clock.now()
        )
    return openpyxl.load_workbook(made.path)


def test_the_workbook_adds_up_to_the_ledger(session: Session, tmp_path: Path) -> None:
    live_through(session, make_charged_partner(session))
    live_through(session, make_charged_branch(session))

    book = book_of(session, tmp_path)

    detail = list(book["Penalties charged"].iter_rows(values_only=True))
    assert list(detail[0]) == HEADINGS
    charged = [row for row in detail[1:] if row[2] == "Contract damages"]
    assert sum(row[11] for row in charged) == 600
    assert sum(row[12] for row in charged) == 280
    control = list(book["Control"].iter_rows(min_row=2, values_only=True))
    assert [row[-1] for row in control] == ["yes"] * 4
    receivable = next(row for row in control if row[0].startswith(AccountCode.PENALTY_RECEIVABLE.value))
    assert receivable[5] * 100 == balance_fen(session, AccountCode.PENALTY_RECEIVABLE) == 320_00


def test_the_month_is_that_of_the_books_and_the_calls_month_is_a_column(session: Session, tmp_path: Path) -> None:
    penalty = make_approved_penalty(session, charged=make_charged_partner(session))

    [row] = book_of(session, tmp_path)["Penalties charged"].iter_rows(min_row=2, values_only=True)

    assert row[0] == penalty.reference
    assert row[7] == "2026-09-29 10:00"
    assert row[8] == "2026-09"
    assert this_month() != "2026-09"


def test_what_a_cap_took_away_wholly_is_listed_though_nothing_was_posted(session: Session) -> None:
    rule = {"basis": "per_offence", "amount_fen": 200_00, "caps": [{"per": "month", "limit_fen": 200_00}]}
    charged = make_charged_partner(session, parameters=rule)
    make_approved_penalty(session, charged=charged)
    capped = make_approved_penalty(session, charged=charged, occurred_at=CALLED_AT + dt.timedelta(hours=2))

    month = booked_month(session, this_month())

    assert capped.amount_fen == 0
    assert capped.reference in {row.penalty.reference for row in month.charged}
    assert all(control.is_equal for control in month.controls)


def test_changes_tell_what_happened_to_earlier_penalties(session: Session) -> None:
    live_through(session, make_charged_partner(session))

    kinds = [change.kind for change in booked_month(session, this_month()).changes]

    assert sorted(kinds) == sorted(
        [StatementKind.LIFTED, StatementKind.LIFTED, StatementKind.FINAL, StatementKind.FINAL, StatementKind.REVERSED]
    )


def test_a_control_that_does_not_add_up_says_so() -> None:
    control = AccountControl(AccountCode.PENALTY_RECEIVABLE, 0, 200_00, 0, 199_99)

    assert not control.is_equal
    with use_locale("en"):
        assert CONTROL_COLUMNS[-1].value(control) == "NO"


@pytest.mark.parametrize(
    "columns",
    [DETAIL_COLUMNS, penalties.CHANGE_COLUMNS, CONTROL_COLUMNS, party_statement.LINE_COLUMNS],
    ids=["penalties", "changes", "control", "statement"],
)
def test_docs_explain_every_column_as_the_page_does(columns: tuple[Column[object], ...]) -> None:
    documented = (PROJECT / "docs" / "reports.md").read_text(encoding="utf-8")

    with use_locale("en"):
        lines = [f"| {translate(column.heading)} | {translate(column.meaning)} |" for column in columns]

    assert [line for line in lines if line not in documented] == []
    assert all(column.meaning for column in columns)
