"""Many rows by the pages: left to the worker above a limit, found again, told row by row, nobody else's business."""

import csv
import datetime as dt
import io
import re

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from supervise.compensation.models import CreditBatch
from supervise.complaints.models import Ticket, TicketState
from supervise.desk.models import BulkAction, BulkRun
from supervise.jobs.models import Job
from supervise.jobs.queue import JobQueue
from supervise.penalties.models import Penalty, PenaltyState
from supervise.views.approvals import decisions
from supervise.views.credits import sending
from supervise.views.tickets import bulk
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import CALLED_AT, make_ticket
from tests.factories.penalties import make_charged_partner
from tests.views.desk_pages import CALLER, Desk, open_desk
from tests.views.finance_pages import Office, open_office
from tests.views.money_pages import arranged, browser, make_scene, proposed

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def desk(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(bulk, "ROWS_MAX", 1)
    return open_desk(app)


def work(app: Flask) -> None:
    """Do what the worker would do."""
    queue: JobQueue = app.extensions["supervise.jobs"]
    with app.app_context(), app.extensions["supervise.db"].session(writes=False) as session:
        waiting = list(session.scalars(sa.select(Job.id).order_by(Job.id)))
    for job_id in waiting:
        queue.run(job_id)


def results(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))[1:]


def prove(desk: Desk, ticket_ids: list[int]) -> None:
    """Give each ticket a second call, with a proven offence of a partner."""

    def add(session: Session) -> None:
        charged = make_charged_partner(session)
        for hour, ticket_id in enumerate(ticket_ids):
            at, ticket = CALLED_AT + dt.timedelta(hours=hour), session.get_one(Ticket, ticket_id)
            make_proven_incident(session, party=charged.party, ticket=ticket, occurred_at=at)

    desk.write(add)


def counted(page: str) -> dict[str, tuple[int, int]]:
    """Return how often the page says that each part was done, and refused."""
    card = page[page.index('id="tallies"') :].split("</table>", maxsplit=1)[0]
    rows = [re.sub(r"<[^>]+>", "\n", row).split("\n") for row in card.split("<tr>")[2:]]
    cells = [[text.strip() for text in row if text.strip()] for row in rows]
    return {what: (int(done), int(refused)) for what, done, refused in cells}


def test_a_whole_view_is_left_to_the_worker_and_told_row_by_row(desk: Desk) -> None:
    ids = desk.tickets(3)
    desk.write(lambda session: session.execute(sa.update(Ticket).where(Ticket.id == ids[1]).values(state="accepted")))
    clerk = desk.as_(Role.CLERK)

    ordered = clerk.post("/tickets/bulk?channel=hotline", data={"action": "accept", "everything": "y"})
    again = clerk.post("/tickets/bulk?channel=hotline", data={"action": "accept", "everything": "y"})
    under_way = clerk.get(ordered.location, headers=ENGLISH).text
    work(desk.app)
    done = clerk.get(ordered.location, headers=ENGLISH).text

    assert (ordered.status_code, again.location) == (303, ordered.location)
    assert "data-progress" in under_way
    assert "data-progress" not in done
    assert {desk.state_of(ticket_id) for ticket_id in ids} == {TicketState.ACCEPTED}
    [run] = desk.read(sa.select(BulkRun))
    assert (run.action, run.rows_done, run.rows_refused) == (BulkAction.ACCEPT, 3, 1)
    assert "Accept the tickets" in clerk.get("/bulk-runs/", headers=ENGLISH).text
    lines = results(clerk.get(f"{ordered.location}/results.csv", headers=ENGLISH).text)
    assert [line[4] for line in lines] == ["Done", "Refused", "Done"]


def test_findings_of_a_whole_view_are_asked_for_once_and_recorded_by_the_worker(desk: Desk) -> None:
    ids = desk.tickets(2)
    triager = desk.as_(Role.TRIAGER)
    for ticket_id in ids:
        triager.post("/tickets/bulk", data={"action": "suggestions", "picked": str(ticket_id)})

    asked = triager.post("/tickets/bulk?state=new", data={"action": "findings", "everything": "y"})
    evidence = {"everything": "y", "offences": ["frequency"], "evidence_note": "通话详单"}
    refused = triager.post("/tickets/bulk/findings?state=new", data={**evidence, "offences": []})
    ordered = triager.post("/tickets/bulk/findings?state=new", data=evidence)
    work(desk.app)

    assert 'name="everything"' in asked.text
    assert "state=new" in asked.text
    assert refused.status_code == 400
    assert ordered.status_code == 303
    lines = results(triager.get(f"{ordered.location}/results.csv", headers=ENGLISH).text)
    assert [(line[2], line[3], line[4]) for line in lines] == [(CALLER, "Findings recorded", "Done")] * 2


def test_amounts_are_counted_penalties_and_credits_by_themselves(desk: Desk) -> None:
    ids = desk.tickets(3)
    prove(desk, ids[:2])
    triager = desk.as_(Role.TRIAGER)

    ordered = triager.post("/tickets/bulk?state=new", data={"action": "amounts", "everything": "y"})
    work(desk.app)
    page = triager.get(ordered.location, headers=ENGLISH).text

    # The proven calls cost their party something; the calls without a verdict nobody anything; none was promised.
    assert counted(page) == {"Penalty proposed": (2, 3), "Credit proposed": (0, 5)}
    assert len(desk.read(sa.select(Penalty))) == 2


def test_what_is_done_at_once_is_counted_in_the_same_way(desk: Desk) -> None:
    ids = desk.tickets(1)
    prove(desk, ids)
    triager = desk.as_(Role.TRIAGER)

    amounts = triager.post("/tickets/bulk", data={"action": "amounts", "picked": [str(ids[0])]}, headers=ENGLISH)
    accepted = desk.as_(Role.CLERK).post(
        "/tickets/bulk", data={"action": "accept", "picked": [str(ids[0])]}, headers=ENGLISH
    )

    assert counted(amounts.text) == {"Penalty proposed": (1, 1), "Credit proposed": (0, 2)}
    assert counted(accepted.text) == {"Accept the tickets": (1, 0)}


def test_a_run_of_somebody_else_is_not_there(desk: Desk) -> None:
    desk.tickets(2)
    ordered = desk.as_(Role.CLERK).post("/tickets/bulk?state=new", data={"action": "accept", "everything": "y"})
    stranger = desk.as_(Role.TRIAGER)

    assert stranger.get(ordered.location).status_code == 404
    assert stranger.get(f"{ordered.location}/results.csv").status_code == 404
    assert stranger.post(f"{ordered.location}/rest").status_code == 404


def test_a_clerks_whole_view_ends_at_the_branch(desk: Desk) -> None:
    desk.tickets(2)
    foreign = desk.write(lambda session: make_ticket(session, unit=desk.unit(session, "七里河分公司")).id)

    desk.as_(Role.CLERK).post("/tickets/bulk?state=new", data={"action": "accept", "everything": "y"})
    work(desk.app)

    [run] = desk.read(sa.select(BulkRun))
    assert run.rows_total == 2
    assert desk.state_of(foreign) is TicketState.NEW


def test_more_rows_than_a_run_takes_are_refused_in_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervise.jobs.runs.ROWS_MAX", 1)
    monkeypatch.setattr(bulk, "RUN_ROWS_MAX", 1)
    desk.tickets(3)

    answer = desk.as_(Role.CLERK).post(
        "/tickets/bulk?state=new", data={"action": "accept", "everything": "y"}, headers=ENGLISH
    )

    assert answer.status_code == 422
    assert "narrow the view" in answer.text
    assert desk.read(sa.select(BulkRun)) == []


# Approvals


@pytest.mark.parametrize("rows_max", [1, 1_000])
def test_all_that_waits_is_approved_as_the_sums_said(
    app: Flask, monkeypatch: pytest.MonkeyPatch, rows_max: int
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    monkeypatch.setattr(decisions, "ROWS_MAX", rows_max)
    scene = arranged(app, make_scene)
    waiting = arranged(
        app,
        lambda session: [
            proposed(session, scene.partner, scene.people["triager"], occurred_at=CALLED_AT.replace(minute=minute))
            for minute in range(3)
        ],
    )
    client = browser(app, "supervisor")
    total = sum(penalty.amount_fen for penalty in waiting)

    stale = client.post("/approvals/penalties/all", data={"rows": "2", "total_fen": str(total)})
    answer = client.post("/approvals/penalties/all", data={"rows": "3", "total_fen": str(total)})
    work(app)

    assert stale.status_code == 409
    assert answer.status_code == (303 if rows_max == 1 else 200)
    with app.app_context(), app.extensions["supervise.db"].session(writes=False) as session:
        assert set(session.scalars(sa.select(Penalty.state))) == {PenaltyState.APPROVED}
    again = client.post("/approvals/penalties/all", data={"rows": "0", "total_fen": "0"})
    assert again.status_code == 422


def test_the_page_offers_to_approve_all_with_the_sums_it_shows(app: Flask) -> None:
    scene = arranged(app, make_scene)
    arranged(app, lambda session: proposed(session, scene.partner, scene.people["triager"]))

    page = browser(app, "supervisor").get("/approvals/", headers=ENGLISH).text

    assert '<input type="hidden" name="rows" value="1">' in page
    assert '<input type="hidden" name="total_fen" value="20000">' in page


# Credits


def test_a_large_batch_is_frozen_by_the_worker_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LINES_IN_REQUEST", 2)
    office: Office = open_office(app)
    client = office.browser("finance")

    ordered = client.post("/credits/to-send", data={"action": "all"})
    again = client.post("/credits/to-send", data={"action": "all"})
    under_way = client.get(ordered.location, headers=ENGLISH).text
    work(app)
    finished = client.get(ordered.location)

    assert again.location == ordered.location
    assert "data-progress" in under_way
    assert finished.location == "/credit-batches/1"
    assert office.row(CreditBatch, 1).lines_total == 3
    assert "PCPC" in client.get(finished.location, headers=ENGLISH).text


def test_a_batch_that_cannot_be_frozen_says_why(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LINES_IN_REQUEST", 2)
    office: Office = open_office(app)
    client = office.browser("finance")

    ordered = client.post("/credits/to-send", data={"action": "all"})
    office.sent(office.credit_ids[:1])
    work(app)

    page = client.get(ordered.location, headers=ENGLISH).text
    assert "1 of the chosen credits are not waiting to be sent any more" in page
    assert len(office.lines(1)) == 1
