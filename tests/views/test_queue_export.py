"""The queue carried away: the rows of the list and no others, masked, harmless in a spreadsheet, and on record."""

import csv
import io
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa
from flask import Flask

from reports.queue import QUEUE_COLUMNS
from supervise.access.roles import Role
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Ticket
from supervise.desk import queue_export
from supervise.views.tickets import export
from tests.factories.complaints import make_ticket
from tests.views.desk_pages import CALLER, NUMBER, Desk, open_desk

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_the_file_holds_every_row_of_the_view_with_masked_numbers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_export, "_AT_ONCE", 2)
    ids = desk.tickets(5)
    desk.write(lambda session: session.execute(sa.update(Ticket).where(Ticket.id == ids[0]).values(state="accepted")))

    answer = desk.as_(Role.TRIAGER).get("/tickets/export?format=csv&state=new", headers=ENGLISH)

    found = lines(answer.text)
    references = desk.read(sa.select(Ticket.reference).where(Ticket.state == "new").order_by(Ticket.due_on, Ticket.id))
    assert [line["Ticket"] for line in found] == references
    assert {line["Subscriber (masked)"] for line in found} == {"139****8888"}
    assert {line["Callers, three at most"] for line in found} == {CALLER}
    assert found[0]["Penalty (yuan)"] == "0.00"
    assert NUMBER not in answer.text


def test_the_workbook_holds_the_same_rows(desk: Desk) -> None:
    desk.ticket()

    answer = desk.as_(Role.AUDITOR).get("/tickets/export", headers=ENGLISH)

    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert len(rows) == 2
    assert "139****8888" in rows[1]
    assert rows[1][rows[0].index("Calls")] == 1


def test_a_branch_takes_its_own_rows_alone(desk: Desk) -> None:
    own = desk.ticket()
    desk.write(lambda session: make_ticket(session, unit=desk.unit(session, "七里河分公司")).id)

    found = lines(desk.as_(Role.CLERK).get("/tickets/export?format=csv", headers=ENGLISH).text)

    [reference] = desk.read(sa.select(Ticket.reference).where(Ticket.id == own))
    assert [line["Ticket"] for line in found] == [reference]


def test_words_that_a_spreadsheet_would_run_are_text(desk: Desk) -> None:
    ticket_id = desk.ticket(external_ref="@SUM(1)")
    claimed = sa.update(Ticket).where(Ticket.id == ticket_id).values(claimed_party="=cmd|'/c calc'!A1")
    desk.write(lambda session: session.execute(claimed))

    [line] = lines(desk.as_(Role.TRIAGER).get("/tickets/export?format=csv", headers=ENGLISH).text)

    assert line["Party as the complainant said"] == "'=cmd|'/c calc'!A1"
    assert line["Number in the channel"] == "'@SUM(1)"


def test_who_takes_how_much_is_on_record_without_what_was_searched_for(desk: Desk) -> None:
    desk.ticket()

    desk.as_(Role.TRIAGER).get("/tickets/export?format=csv&state=new&q=宽带", headers=ENGLISH)

    [event] = desk.read(sa.select(AuditEvent).where(AuditEvent.action == "tickets.exported"))
    assert event.changes == {"filters": ["q", "state"], "rows": 0, "format": "csv"}


def test_a_filter_that_means_nothing_and_a_workbook_too_large_are_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "WORKBOOK_ROWS_MAX", 1)
    desk.tickets(2)
    triager = desk.as_(Role.TRIAGER)

    assert triager.get("/tickets/export?state=x").status_code == 422
    assert triager.get("/tickets/export").status_code == 422
    assert triager.get("/tickets/export?format=csv").status_code == 200
    assert len(desk.read(sa.select(AuditEvent).where(AuditEvent.action == "tickets.exported"))) == 1


def test_every_column_is_in_the_documents() -> None:
    text = Path("docs/reports.md").read_text(encoding="utf-8")

    assert [column.heading for column in QUEUE_COLUMNS if f"| {column.heading} |" not in text] == []
