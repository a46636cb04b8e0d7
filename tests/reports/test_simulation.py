"""The workbook of a simulation: its contract with its readers (docs/reports.md), its sums, its cells."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy.orm import Session

from reports import simulation
from reports.simulation import build_simulation_workbook
from reports.workbook import Column
from supervise import clock
from supervise.labels import use_locale
from supervise.penalties.simulation import simulate
from tests.factories.attribution import make_proven_incident
from tests.factories.penalties import approve_all, make_charged_partner, propose

SEPTEMBER = dt.date(2026, 9, 4)


def test_the_sums_add_up_to_the_lines(session: Session, tmp_path: Path) -> None:
    charged = make_charged_partner(session)
    days = [clock.start_of_day(SEPTEMBER + dt.timedelta(days=day)) for day in (0, 1, 40)]
    incidents = [make_proven_incident(session, party=charged.party, occurred_at=day) for day in days]
    approve_all(session, *propose(session, *incidents))
    found = simulate(session, charged.rule.id, first_month="2026-09", last_month="2026-10")

    with use_locale("en"):
        build_simulation_workbook(found, {}, tmp_path / "a.xlsx", clock.now())

    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["About", "By party and month", "Lines", "Not simulated"]
    sums = list(book["By party and month"].iter_rows(min_row=2, values_only=True))
    assert [row[1] for row in sums] == ["2026-09", "2026-10", None]
    assert [row[7] for row in sums] == [400, 200, 600]
    assert sum(row[6] for row in book["Lines"].iter_rows(min_row=2, values_only=True)) == 600


@pytest.mark.parametrize("columns", [simulation.SUM_COLUMNS, simulation.LINE_COLUMNS, simulation.UNPRICED_COLUMNS])
def test_the_documentation_defines_every_column(columns: tuple[Column[Any], ...]) -> None:
    text = Path("docs/reports.md").read_text(encoding="utf-8")
    for column in columns:
        defined = rf"^\| {re.escape(column.heading)} \| {re.escape(column.meaning)} \|"
        assert re.search(defined, text, re.MULTILINE), column.heading
