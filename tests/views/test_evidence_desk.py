"""Deciding on evidence by the pages: both sides shown, proven calls accepted at once, both verdicts on a conflict."""

import re

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from supervise.attribution.decide import decide_verdict, reject_override
from supervise.attribution.findings import Proof, record_findings
from supervise.attribution.models import IncidentVerdict, Verdict
from supervise.attribution.proof_models import VerificationKind
from supervise.attribution.traceback_models import TracebackHop, TracebackTask
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Ticket, TicketIncident
from supervise.jobs.models import Job
from supervise.jobs.queue import JobQueue
from tests.factories.attribution import TRIAGER, make_traceback
from tests.factories.complaints import make_incident
from tests.factories.parties import make_party
from tests.views.desk_pages import Desk, open_desk

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
HEARD = Proof("unauthorised_number", True, "录音第12秒", None, VerificationKind.RECORDING_REVIEW)  # noqa: FBT003
ANOTHER, STRANGER = TRIAGER + 1, "17199900001"
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


def work(app: Flask) -> None:
    """Do what the worker would do."""
    queue: JobQueue = app.extensions["supervise.jobs"]
    with app.app_context(), app.extensions["supervise.db"].session(writes=False) as session:
        waiting = list(session.scalars(sa.select(Job.id).order_by(Job.id)))
    for job_id in waiting:
        queue.run(job_id)


def section(page: str, name: str) -> str:
    """Return the words of the part of the page that is headed so."""
    return page.split(f'id="{name}"')[1].split("</section>", maxsplit=1)[0]


def test_the_page_of_a_call_shows_what_speaks_for_a_party_and_what_against(desk: Desk) -> None:
    ticket_id = desk.ticket()

    def claim(session: Session) -> None:
        make_party(session, name="恒通渠道")
        session.get_one(Ticket, ticket_id).claimed_party = "恒通渠道"

    desk.write(claim)

    page = desk.as_(Role.TRIAGER).get(f"/incidents/{desk.incident_of(ticket_id)}", headers=ENGLISH).text

    speaks_for = section(page, "speaks-for")
    assert "华信代理" in speaks_for
    assert "A: a record of this very call, SMS or order" in speaks_for
    assert "Call record R" in speaks_for
    assert "B: holder of the number at that moment" in speaks_for
    assert "The caller claimed to be 恒通渠道." in section(page, "speaks-against")


def test_what_records_prove_is_accepted_at_once_with_a_result_for_each_call(desk: Desk) -> None:
    incidents = [desk.incident_of(ticket_id) for ticket_id in desk.tickets(3)]
    desk.write(lambda session: make_incident(session, caller_number=STRANGER).id)
    triager = desk.as_(Role.TRIAGER)
    triager.post("/incidents/unattributed/weigh")
    work(desk.app)
    listed = triager.get("/incidents/unattributed?says=proven", headers=ENGLISH).text
    assert "Accept all 3 calls" in listed
    assert "Nothing found (1)" in listed
    # Something comes to contradict one of them: it is weighed anew, and refused.
    named = desk.write(lambda session: _another_claims(session, incidents[1]))

    ordered = triager.post("/incidents/unattributed/accept", data={"everything": "y"})
    work(desk.app)

    page = triager.get(ordered.location, headers=ENGLISH).text
    assert f"Incident {incidents[1]}" in page
    assert named in page
    decided = desk.read(sa.select(IncidentVerdict.incident_id).order_by(IncidentVerdict.incident_id))
    assert decided == [incidents[0], incidents[2]]


def _another_claims(session: Session, incident_id: int) -> str:
    """The caller of one of the calls is said to have named another party."""
    party = make_party(session, name="恒通渠道")
    told = sa.select(TicketIncident.ticket_id).where(TicketIncident.incident_id == incident_id)
    session.execute(sa.update(Ticket).where(Ticket.id.in_(told)).values(claimed_party=party.name))
    return party.name


def test_nothing_is_accepted_where_nothing_is_chosen(desk: Desk) -> None:
    refused = desk.as_(Role.TRIAGER).post("/incidents/unattributed/accept", data={"picked": "nonsense"})

    assert refused.status_code == 422


def test_a_verdict_that_changed_meanwhile_is_shown_beside_the_one_that_was_seen(desk: Desk) -> None:
    incident_id = desk.write(lambda session: make_incident(session, caller_number=STRANGER).id)
    seen = desk.write(lambda session: _decide(session, incident_id, Verdict.INSUFFICIENT, "回拨为空号", None))
    current = desk.write(lambda session: _decide(session, incident_id, Verdict.PRIVATE_DISPUTE, "债务纠纷", seen))
    typed = {"shown": str(seen), "verdict": "attributed", "party": "HX01", "reason": "话单已核对"}
    triager = desk.as_(Role.TRIAGER)

    late = triager.post(f"/incidents/{incident_id}/verdict", data=typed, headers=ENGLISH)

    assert late.status_code == 409
    saw = late.text.split("The verdict that you saw</h2>")[1].split("</section>")[0]
    now = late.text.split("The verdict in force now</h2>")[1].split("</section>")[0]
    assert ("Insufficient evidence" in saw, "回拨为空号" in saw) == (True, True)
    assert ("Private dispute" in now, "债务纠纷" in now) == (True, True)
    assert "话单已核对" in late.text
    assert 'value="HX01"' in late.text
    assert re.search(rf'name="shown"[^>]*value="{current}"', late.text)
    [told] = desk.read(sa.select(AuditEvent.changes).where(AuditEvent.action == "request.refused"))
    assert told["error"] == "VerdictChangedError"

    again = triager.post(f"/incidents/{incident_id}/verdict", data={**typed, "shown": str(current)})
    assert again.status_code == 303
    assert desk.read(sa.select(IncidentVerdict.verdict)) == [Verdict.ATTRIBUTED]


def _decide(session: Session, incident_id: int, verdict: Verdict, reason: str, shown_id: int | None) -> int:
    made = decide_verdict(session, incident_id, verdict, None, reason=reason, shown_id=shown_id, actor_id=TRIAGER)
    return made.id


def test_findings_on_a_verdict_that_changed_meanwhile_are_not_recorded_and_both_versions_are_shown(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    triager = desk.as_(Role.TRIAGER)
    triager.post(f"/incidents/{incident_id}/verdict", data={"shown": "", "verdict": "attributed", "party": "HX01"})
    [seen] = desk.read(sa.select(IncidentVerdict.attribution_id))
    shown = re.search(r'name="shown"[^>]*value="([0-9;]+)"', triager.get(f"/incidents/{incident_id}").text)
    assert shown is not None
    assert shown[1] == str(seen)
    typed = {"shown": shown[1], "proven": "frequency", "evidence_note": "一日三次", "verified_by": "recording_review"}
    desk.write(lambda session: record_findings(session, incident_id, [HEARD], actor_id=TRIAGER))

    late = triager.post(f"/incidents/{incident_id}/findings", data=typed, headers=ENGLISH)

    assert late.status_code == 409
    saw, now = (late.text.split(f"{title}</h2>")[1].split("</section>")[0] for title in ("you saw", "holds now"))
    assert ("Nothing is found yet." in saw, "录音第12秒" in saw) == (True, False)
    assert ("华信代理" in now, "录音第12秒" in now) == (True, True)
    assert "一日三次" in late.text
    [current] = re.findall(r'name="shown"[^>]*value="([0-9]+;[0-9]+:proven)"', late.text)
    assert triager.post(f"/incidents/{incident_id}/findings", data={**typed, "shown": current}).status_code == 303


def test_a_verdict_on_a_call_whose_override_came_to_wait_meanwhile_shows_it_and_keeps_the_words(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    desk.write(lambda session: _decide(session, incident_id, Verdict.PRIVATE_DISPUTE, "债务纠纷", None))
    typed = {"shown": "", "verdict": "attributed", "party": "HX01", "reason": "话单已核对"}

    late = desk.as_(Role.TRIAGER).post(f"/incidents/{incident_id}/verdict", data=typed, headers=ENGLISH)

    assert late.status_code == 409
    waits = late.text.split("What waits for a second person</h2>")[1].split("</section>")[0]
    assert ("债务纠纷" in waits, "the evidence, which led to 华信代理" in waits) == (True, True)
    assert "话单已核对" in late.text


def test_an_override_that_another_second_person_rejected_is_shown_with_what_became_of_it(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    waits = desk.write(lambda session: _decide(session, incident_id, Verdict.PRIVATE_DISPUTE, "债务纠纷", None))
    supervisor = desk.as_(Role.SUPERVISOR)
    desk.write(lambda session: reject_override(session, waits, "话单已证实", actor_id=ANOTHER).id)

    late = supervisor.post(f"/incidents/overrides/{waits}/confirm", headers=ENGLISH)

    assert late.status_code == 409
    assert "债务纠纷" in late.text.split("waiting for a second person</h2>")[1].split("</section>")[0]
    assert "Rejected by" in late.text.split("What became of it</h2>")[1].split("</section>")[0]
    assert desk.read(sa.select(IncidentVerdict.incident_id)) == []


def test_a_traceback_is_led_to_its_end_by_its_pages(desk: Desk) -> None:
    task_id = desk.write(
        lambda session: make_traceback(session, incident=make_incident(session, caller_number=STRANGER)).id
    )
    triager = desk.as_(Role.TRIAGER)
    address = f"/incidents/tracebacks/{task_id}"

    assert triager.post(f"{address}/hops", data={"asked": "关口局", "asked_on": "2026-10-01"}).status_code == 303
    [hop_id] = desk.read(sa.select(TracebackHop.id))
    answer = {"outcome": "answered", "told_on": "2026-10-02", "next_hop": "某国际运营商"}
    assert triager.post(f"{address}/hops/{hop_id}", data={**answer, "answer": ""}).status_code == 400
    assert triager.post(f"{address}/hops/{hop_id}", data={**answer, "answer": "来自境外中继"}).status_code == 303
    page = triager.get(address, headers=ENGLISH).text
    assert "It had the call from 某国际运营商." in page
    assert re.search(r'name="asked"[^>]*value="某国际运营商"', page)
    assert triager.post(f"{address}/end", data={"state": "traced", "result": "境外呼叫中心"}).status_code == 303
    assert "境外呼叫中心" in triager.get(address).text
    assert desk.read(sa.select(TracebackTask.state)) == ["traced"]
    assert STRANGER in triager.get("/incidents/tracebacks?state=closed").text
