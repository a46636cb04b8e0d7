"""The pages of tickets and calls, as compliance staff see them; no screen."""

import dataclasses
import re

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.attribution.models import Attribution, AttributionState, Finding, IncidentVerdict
from supervise.attribution.weighing import weigh
from supervise.attribution.weighing_run import keep_suggestions, suggestion_rows
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident, IncidentFlag, IncidentKind, Ticket, TicketState
from supervise.complaints.receive import receive_tickets
from supervise.complaints.search import Searchable, index_tickets
from supervise.desk.models import SavedView, TicketReply
from supervise.penalties.models import Penalty
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import (
    KEYRING,
    link_ticket,
    make_incident,
    make_number,
    make_ticket,
    reported_call,
    reported_ticket,
)
from tests.factories.desk import make_override, make_second_look
from tests.factories.parties import make_party
from tests.factories.penalties import make_charged_partner
from tests.views.desk_pages import CALLER, NUMBER, Desk, open_desk

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


# The queue


def test_the_queue_shows_figures_and_rows_and_each_role_its_actions(desk: Desk) -> None:
    desk.ticket()

    triager, clerk, auditor = (
        desk.as_(role).get("/tickets/").text for role in (Role.TRIAGER, Role.CLERK, Role.AUDITOR)
    )

    assert "139****8888" in triager
    assert "Waiting for an answer" in triager
    assert 'value="suggestions"' in triager
    assert 'value="accept"' in clerk
    assert 'value="suggestions"' not in clerk
    assert 'name="action"' not in auditor
    assert NUMBER not in triager


def test_filters_stand_in_the_address_and_are_carried_on(desk: Desk) -> None:
    ticket_id = desk.ticket(content="推销流量套餐")
    [reference] = desk.read(sa.select(Ticket.reference).where(Ticket.id == ticket_id))
    client = desk.as_(Role.TRIAGER)

    found = client.get("/tickets/?q=套餐&state=new&state=accepted&channel=hotline&party=&undecided=y").text
    missed = client.get("/tickets/?q=宽带").text

    assert reference in found
    assert found.count(" checked") == 4
    assert "No ticket fits" in missed
    assert reference not in missed


def test_filters_that_were_left_empty_narrow_nothing(desk: Desk) -> None:
    ticket_id = desk.ticket()
    [reference] = desk.read(sa.select(Ticket.reference).where(Ticket.id == ticket_id))

    assert reference in desk.as_(Role.TRIAGER).get("/tickets/?q=&state=&channel=&due=&unit=&since=&party=").text


@pytest.mark.parametrize(
    "query", ["state=x", "channel=x", "due=x", "unit=77", "since=x", "since=2026-02-01&last=2026-01-01", "party=Nobody"]
)
def test_a_filter_that_means_nothing_is_refused_beside_its_field(desk: Desk, query: str) -> None:
    response = desk.as_(Role.TRIAGER).get(f"/tickets/?{query}")

    assert response.status_code == 400
    assert "The filters cannot be understood" in response.text


@pytest.mark.parametrize("place", ["x", "2026-01-01", "2026-01-01.x", "2026-13-01.1", f"2026-01-01.{'9' * 19}"])
def test_a_place_that_is_none_is_refused(desk: Desk, place: str) -> None:
    assert desk.as_(Role.TRIAGER).get(f"/tickets/?after={place}").status_code == 422


def test_a_view_is_kept_without_foreign_words_and_forgotten_by_its_owner_alone(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    clerk.post("/tickets/views", data={"name": "超时", "query": "due=late&next=https://x&state=new", "shared": "y"})
    [view] = desk.read(sa.select(SavedView))

    assert view.query == "due=late&state=new"
    assert "超时" in desk.as_(Role.AUDITOR).get("/tickets/").text
    assert desk.as_(Role.AUDITOR).post(f"/tickets/views/{view.id}/delete").status_code == 404
    assert clerk.post(f"/tickets/views/{view.id}/delete").status_code == 303
    assert desk.read(sa.select(SavedView)) == []


def test_the_chart_is_a_drawing_of_its_own(desk: Desk) -> None:
    desk.write(lambda session: make_ticket(session, unit=desk.unit(session), received_at=clock.now()).id)

    response = desk.as_(Role.CLERK).get("/tickets/weeks.svg")

    assert response.mimetype == "image/svg+xml"
    assert "script" not in response.text


# Bulk


def test_bulk_acceptance_gives_each_row_its_result(desk: Desk) -> None:
    known = desk.ticket()
    unknown = desk.write(lambda session: make_ticket(session).id)

    page = desk.as_(Role.TRIAGER).post(
        "/tickets/bulk", data={"action": "suggestions", "picked": [str(known), str(unknown)]}
    )

    assert page.status_code == 200
    assert "Suggestion accepted" in page.text
    assert "The ticket names no call or message yet" in page.text
    assert len(desk.read(sa.select(IncidentVerdict))) == 1


def test_the_whole_view_is_meant_by_its_filters(desk: Desk) -> None:
    wanted = desk.ticket()
    other = desk.write(lambda session: make_ticket(session, unit=desk.unit(session), state=TicketState.REPLIED).id)

    desk.as_(Role.CLERK).post("/tickets/bulk?state=new", data={"action": "accept", "everything": "y"})

    assert (desk.state_of(wanted), desk.state_of(other)) == (TicketState.ACCEPTED, TicketState.REPLIED)


def test_only_what_is_done_at_once_is_confirmed_for_the_whole_view(desk: Desk) -> None:
    desk.ticket()

    page = desk.as_(Role.TRIAGER).get("/tickets/").text

    whole = page[page.index('id="whole-view"') :].split("</form>")[0]
    confirmed = {value: "data-confirm" in rest for value, rest in re.findall(r'value="(\w+)"([^>]*)>', whole)}
    assert confirmed["suggestions"]
    assert confirmed["amounts"]
    assert not confirmed["findings"]


@pytest.mark.parametrize("path", ["/tickets/bulk", "/tickets/bulk/findings"])
def test_the_way_back_from_a_bulk_action_leads_to_the_view_it_began_in(desk: Desk, path: str) -> None:
    back = desk.as_(Role.TRIAGER).get(f"{path}?state=new&party=P-1")

    assert (back.status_code, back.location) == (303, "/tickets/?state=new&party=P-1")


def test_findings_for_many_take_a_page_of_their_own(desk: Desk) -> None:
    ticket_id = desk.ticket()
    triager = desk.as_(Role.TRIAGER)
    triager.post("/tickets/bulk", data={"action": "suggestions", "picked": str(ticket_id)})

    asked = triager.post("/tickets/bulk", data={"action": "findings", "picked": str(ticket_id)})
    refused = triager.post("/tickets/bulk/findings", data={"picked": str(ticket_id), "offences": ["frequency"]})
    done = triager.post(
        "/tickets/bulk/findings",
        data={"picked": str(ticket_id), "offences": ["frequency"], "evidence_note": "录音复核"},
    )

    assert "for the calls of 1 ticket" in asked.text
    assert (refused.status_code, done.status_code) == (400, 200)
    assert "Findings recorded" in done.text


@pytest.mark.parametrize(
    ("role", "data", "status"),
    [
        (Role.CLERK, {"action": "suggestions", "picked": "1"}, 403),
        (Role.CLERK, {"action": "findings", "picked": "1"}, 403),
        (Role.CLERK, {"action": "delete", "picked": "1"}, 422),
        (Role.CLERK, {"action": "accept"}, 422),
        (Role.CLERK, {"action": "accept", "picked": "x"}, 422),
        (Role.CLERK, {"action": "accept", "everything": "y"}, 422),
    ],
)
def test_bulk_refuses_what_is_not_ones_own_and_what_names_nothing(
    desk: Desk, role: Role, data: dict[str, str], status: int
) -> None:
    assert desk.as_(role).post("/tickets/bulk", data=data).status_code == status


def test_a_clerks_bulk_action_does_not_reach_another_branch(desk: Desk) -> None:
    foreign = desk.write(lambda session: make_ticket(session, unit=desk.unit(session, "七里河分公司")).id)

    page = desk.as_(Role.CLERK).post("/tickets/bulk", data={"action": "accept", "picked": str(foreign)}).text

    assert "There is no such page or record" in page
    assert desk.state_of(foreign) is TicketState.NEW


# The page of a ticket


def test_the_page_tells_two_tickets_one_call(desk: Desk) -> None:
    first = desk.ticket()

    def report_again(session: Session) -> str:
        ticket = make_ticket(session, unit=desk.unit(session), external_ref="W-77")
        link_ticket(session, ticket=ticket, incident=session.get_one(Incident, desk_incident))
        return ticket.reference

    desk_incident = desk.incident_of(first)
    reference = desk.write(report_again)

    page = desk.as_(Role.CLERK).get(f"/tickets/{first}").text

    assert "2 tickets report this one call" in page
    assert reference in page
    assert "W-77" in page


def test_a_ticket_goes_from_acceptance_to_its_end(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk, triager = desk.as_(Role.CLERK), desk.as_(Role.TRIAGER)

    def step(name: str, client: FlaskClient = clerk, **fields: str) -> int:
        data = {"version": desk.version_of(ticket_id), **fields}
        return client.post(f"/tickets/{ticket_id}/{name}", data=data).status_code

    assert step("accept") == 303
    assert step("investigate") == 303
    assert step("reply", body="已核实", resolution_code="apologised") == 303
    assert step("close") == 409  # no verdict yet
    triager.post("/tickets/bulk", data={"action": "suggestions", "picked": str(ticket_id)})
    assert step("close") == 303
    assert desk.state_of(ticket_id) is TicketState.CLOSED
    assert step("reopen") == 400  # without a reason
    assert step("reopen", reason="用户再次来电") == 303
    assert step("withdraw", reason="用户撤回") == 303
    assert desk.state_of(ticket_id) is TicketState.WITHDRAWN


def test_a_lost_race_is_told_and_changes_nothing(desk: Desk) -> None:
    ticket_id = desk.ticket()
    seen = desk.version_of(ticket_id)
    clerk = desk.as_(Role.CLERK)
    clerk.post(f"/tickets/{ticket_id}/accept", data={"version": seen})

    late = clerk.post(f"/tickets/{ticket_id}/refuse", data={"version": seen, "reason": "已过时效"})

    assert late.status_code == 409
    assert "As things stand, this cannot be done" in late.text
    assert desk.state_of(ticket_id) is TicketState.ACCEPTED


def test_a_reply_begins_with_a_template_and_says_what_does_not_count(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)
    [template_id] = desk.read(sa.text("SELECT id FROM reply_template WHERE code = 'acknowledge'"))
    [reference] = desk.read(sa.select(Ticket.reference))

    page = clerk.get(f"/tickets/{ticket_id}?template={template_id}").text
    clerk.post(
        f"/tickets/{ticket_id}/reply",
        data={
            "version": desk.version_of(ticket_id),
            "body": "请安装拦截软件 13900001111",
            "resolution_code": "deflected_app",
            "template_id": str(template_id),
        },
    )
    after = clerk.get(f"/tickets/{ticket_id}").text

    assert f"编号{reference}" in page
    assert "Pointed to an app (not solved)" in page
    assert "does not count as solved" in after
    [reply] = desk.read(sa.select(TicketReply))
    assert (reply.body, reply.template_id) == ("请安装拦截软件 139****1111", template_id)


def test_what_was_typed_stays_when_a_form_is_refused(desk: Desk) -> None:
    ticket_id = desk.ticket()

    response = desk.as_(Role.CLERK).post(
        f"/tickets/{ticket_id}/reply", data={"version": "1", "body": "打了很多字", "resolution_code": ""}
    )

    assert response.status_code == 400
    assert "打了很多字" in response.text
    assert "Choose a code" in response.text
    assert desk.read(sa.select(TicketReply)) == []


def test_a_transfer_names_the_body(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)

    assert clerk.post(f"/tickets/{ticket_id}/transfer", data={"version": "1", "reason": "非本网"}).status_code == 400
    assert (
        clerk.post(
            f"/tickets/{ticket_id}/transfer", data={"version": "1", "reason": "非本网号码", "to_whom": "某移动公司"}
        ).status_code
        == 303
    )
    assert "某移动公司: 非本网号码" in clerk.get(f"/tickets/{ticket_id}").text


@pytest.mark.parametrize(
    ("role", "shown", "hidden"),
    [
        (Role.CLERK, ["/accept", "/reply", "/number"], ["#decide"]),
        (Role.TRIAGER, ["/accept", "#decide", "suggestions"], []),
        (Role.SUPERVISOR, ["/number"], ["/accept", "/reply", "#decide"]),
        (Role.AUDITOR, ["/number"], ["/accept", "/reply", "#decide"]),
    ],
)
def test_only_what_is_allowed_is_offered(desk: Desk, role: Role, shown: list[str], hidden: list[str]) -> None:
    ticket_id = desk.ticket()

    page = desk.as_(role).get(f"/tickets/{ticket_id}").text

    assert [words for words in shown if words not in page] == []
    assert [words for words in hidden if words in page] == []


def test_the_full_number_is_shown_once_for_a_reason_and_recorded(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)

    refused = clerk.post(f"/tickets/{ticket_id}/number", data={"reason": " "})
    shown = clerk.post(f"/tickets/{ticket_id}/number", data={"reason": "回访用户核实"})
    after = clerk.get(f"/tickets/{ticket_id}")

    assert (refused.status_code, shown.status_code) == (400, 200)
    assert NUMBER in shown.text
    assert "no-store" in shown.headers["Cache-Control"]
    assert NUMBER not in refused.text + after.text
    [event] = desk.read(sa.select(AuditEvent).where(AuditEvent.action == "subscriber_number.revealed"))
    assert event.reason == "回访用户核实"
    assert "The full number was shown" in after.text


def original_ticket(desk: Desk) -> Ticket:
    """A ticket whose complainant gave a name, and a second number in the text and in the SMS."""

    def add(session: Session) -> int:
        call = reported_call(kind=IncidentKind.SMS, caller_number="10655550001", sms_text="详询13655556666，回TD退订")
        report = reported_ticket(call, content="另一号码13655556666也被打", unit_id=desk.unit(session).id)
        report = dataclasses.replace(report, complainant="王芳")
        [received] = receive_tickets(session, KEYRING, [report], actor_id=1)
        return received.ticket_id

    [ticket] = desk.read(sa.select(Ticket).where(Ticket.id == desk.write(add)))
    assert isinstance(ticket, Ticket)
    return ticket


@pytest.mark.parametrize(
    ("what", "hidden"), [("complainant", "王芳"), ("words", "13655556666"), ("message", "13655556666")]
)
def test_name_and_originals_are_shown_once_for_a_reason_and_recorded(desk: Desk, what: str, hidden: str) -> None:
    ticket_id = original_ticket(desk).id
    page = f"/incidents/{desk.incident_of(ticket_id)}" if what == "message" else f"/tickets/{ticket_id}"
    clerk = desk.as_(Role.CLERK)

    before = clerk.get(page).text
    refused = clerk.post(f"{page}/{what}", data={"reason": "a"})
    shown = clerk.post(f"{page}/{what}", data={"reason": "回访核对"})
    after = clerk.get(page).text

    assert f'action="{page}/{what}"' in before
    assert hidden not in before + refused.text + after
    assert (refused.status_code, shown.status_code) == (400, 200)
    assert hidden in shown.text
    assert "Shown this once" in shown.text
    [event] = desk.read(sa.select(AuditEvent).where(AuditEvent.action == "original.revealed"))
    assert (event.changes, event.reason) == ({"what": what}, "回访核对")
    assert "was shown" in after or "were shown" in after


def test_names_and_originals_of_another_branch_are_not_there(desk: Desk) -> None:
    ticket = original_ticket(desk)
    desk.write(lambda session: session.get_one(Ticket, ticket.id).__setattr__("unit_id", None))
    incident_id = desk.incident_of(ticket.id)
    clerk = desk.as_(Role.CLERK)

    for address in (
        f"/tickets/{ticket.id}/complainant",
        f"/tickets/{ticket.id}/words",
        f"/incidents/{incident_id}/message",
    ):
        assert clerk.post(address, data={"reason": "回访核对"}).status_code == 404


def test_what_is_not_hidden_is_not_offered(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)

    page = clerk.get(f"/tickets/{ticket_id}").text

    assert f"/tickets/{ticket_id}/number" in page
    assert f"/tickets/{ticket_id}/words" not in page
    assert f"/tickets/{ticket_id}/complainant" not in page
    assert clerk.post(f"/tickets/{ticket_id}/words", data={"reason": "回访核对"}).status_code == 404


def test_an_anonymous_ticket_has_no_number_to_show(desk: Desk) -> None:
    ticket_id = desk.write(lambda session: make_ticket(session, unit=desk.unit(session)).id)
    clerk = desk.as_(Role.CLERK)

    assert clerk.post(f"/tickets/{ticket_id}/number", data={"reason": "回访用户"}).status_code == 404
    assert "nobody can be credited" in clerk.get(f"/tickets/{ticket_id}").text


def test_amounts_stand_with_their_explanation_in_words(desk: Desk) -> None:
    def charge(session: Session) -> int:
        charged = make_charged_partner(session)
        ticket = make_ticket(session, number=make_number(session))
        make_proven_incident(session, party=charged.party, ticket=ticket)
        return ticket.id

    ticket_id = desk.write(charge)
    triager = desk.as_(Role.TRIAGER)
    results = triager.post("/tickets/bulk", data={"action": "amounts", "picked": str(ticket_id)}).text

    page = triager.get(f"/tickets/{ticket_id}").text

    assert "Penalty proposed" in results
    assert "sets 200.00 yuan for each offence" in page
    assert "¥200.00" in page


def test_a_call_is_added_to_a_ticket_that_names_none(desk: Desk) -> None:
    ticket_id = desk.write(
        lambda session: make_ticket(session, unit=desk.unit(session), number=make_number(session)).id
    )
    desk.write(lambda session: index_tickets(session, [Searchable(ticket_id, ["x"])]))
    clerk = desk.as_(Role.CLERK)
    address = f"/tickets/{ticket_id}/calls"
    fields = {"version": "1", "kind": "call", "occurred_at": "2026-09-29T10:00", "answered": "y", "seconds": "12"}

    wrong = clerk.post(address, data={**fields, "caller_number": "1380013800"})
    future = clerk.post(address, data={**fields, "occurred_at": "2091-01-01T10:00"})
    done = clerk.post(address, data={**fields, "caller_number": "029-88880000", "day_only": "y"})

    assert (clerk.get(address).status_code, wrong.status_code, future.status_code, done.status_code) == (
        200,
        400,
        400,
        303,
    )
    [incident] = desk.read(sa.select(Incident))
    assert (incident.caller_number, incident.precision.value, incident.seconds) == ("02988880000", "day", 12)


def test_the_paper_has_the_story_and_places_to_sign(desk: Desk) -> None:
    page = desk.as_(Role.AUDITOR).get(f"/tickets/{desk.ticket()}/print").text

    assert "Signatures" in page
    assert "139****8888" in page


# Calls


def test_a_verdict_by_the_suggestion_is_in_force_and_against_it_waits(desk: Desk) -> None:
    desk.write(lambda session: make_party(session, code="LD01", name="联达外呼").id)
    first = desk.incident_of(desk.ticket())
    triager, supervisor = desk.as_(Role.TRIAGER), desk.as_(Role.SUPERVISOR)
    against = {"verdict": "attributed", "party": "LD01", "shown": ""}

    page = triager.get(f"/incidents/{first}").text
    no_reason = triager.post(f"/incidents/{first}/verdict", data=against)
    waits = triager.post(f"/incidents/{first}/verdict", data={**against, "reason": "分公司书面说明"})
    [attribution] = desk.read(sa.select(Attribution))

    assert 'value="HX01"' in page
    assert (no_reason.status_code, waits.status_code) == (400, 303)
    assert attribution.state is AttributionState.WAITING
    assert desk.as_(Role.TRIAGER).post(f"/incidents/overrides/{attribution.id}/confirm").status_code == 403
    assert "分公司书面说明" in supervisor.get("/incidents/overrides").text
    assert supervisor.post(f"/incidents/overrides/{attribution.id}/confirm").status_code == 303
    assert len(desk.read(sa.select(IncidentVerdict))) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"verdict": "attributed", "party": ""}, "Choose the party that answers"),
        ({"verdict": "spoofed", "party": "HX01"}, "This verdict names no party"),
        ({"verdict": "attributed", "party": "无名公司"}, "No party has the code or name"),
        ({"verdict": "x", "party": "HX01"}, "Not a valid choice"),
        ({"party": "HX01"}, "Choose a verdict"),
    ],
)
def test_a_verdict_that_does_not_make_sense_is_refused_beside_its_field(
    desk: Desk, fields: dict[str, str], words: str
) -> None:
    incident_id = desk.incident_of(desk.ticket())

    response = desk.as_(Role.TRIAGER).post(f"/incidents/{incident_id}/verdict", data={"shown": "", **fields})

    assert response.status_code == 400
    assert words in response.text
    assert desk.read(sa.select(Attribution)) == []


def test_a_second_verdict_on_the_same_page_is_a_lost_race(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    triager = desk.as_(Role.TRIAGER)
    fields = {"verdict": "attributed", "party": "HX01", "shown": ""}

    assert triager.post(f"/incidents/{incident_id}/verdict", data=fields).status_code == 303
    assert triager.post(f"/incidents/{incident_id}/verdict", data=fields).status_code == 409


def test_several_findings_are_recorded_with_one_note(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    triager = desk.as_(Role.TRIAGER)
    triager.post(f"/incidents/{incident_id}/verdict", data={"verdict": "attributed", "party": "HX01", "shown": ""})
    fields = {
        "proven": ["frequency", "after_refusal"],
        "check-after_refusal-earlier_refusal": "y",
        "not_proven": ["misleading_free"],
        "evidence_note": "录音复核",
    }

    both = triager.post(f"/incidents/{incident_id}/findings", data={**fields, "not_proven": ["frequency"]})
    none = triager.post(f"/incidents/{incident_id}/findings", data={"evidence_note": "录音复核"})
    codes = set(desk.read(sa.text("SELECT code FROM offence_type")))
    fields["not_proven"] = [min(codes - {"frequency", "after_refusal"})]
    done = triager.post(f"/incidents/{incident_id}/findings", data=fields)
    page = triager.get(f"/incidents/{incident_id}").text

    assert (both.status_code, none.status_code, done.status_code) == (400, 400, 303)
    assert page.count("录音复核") >= 3
    assert f"/incidents/{incident_id}/amounts" in page


def test_the_checklist_of_a_ticked_offence_is_asked_for_beside_its_items(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    triager = desk.as_(Role.TRIAGER)
    triager.post(f"/incidents/{incident_id}/verdict", data={"verdict": "attributed", "party": "HX01", "shown": ""})
    fields = {"proven": ["concealment"], "evidence_note": "录音复核", "check-concealment-price": "no"}
    address = f"/incidents/{incident_id}/findings"

    incomplete = triager.post(address, data=fields)
    rest = {f"check-concealment-{item}": "yes" for item in ("applicable_scene", "validity", "limits")}
    all_told = triager.post(address, data={**fields, **rest, "check-concealment-price": "yes"})
    done = triager.post(address, data={**fields, **rest})
    page = triager.get(f"/incidents/{incident_id}").text

    assert (incomplete.status_code, all_told.status_code, done.status_code) == (400, 400, 303)
    assert incomplete.text.count('id="check-concealment-validity-error"') == 1
    assert 'id="check-concealment-price-error"' not in incomplete.text
    assert "Everything was told, so nothing was concealed" in all_told.text
    assert desk.read(sa.select(Finding.checklist)) == [
        {"price": False, "applicable_scene": True, "validity": True, "limits": True}
    ]
    assert "Price: not told" in page


def test_a_call_after_refusal_takes_its_proof_and_shows_what_is_on_record(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    triager = desk.as_(Role.TRIAGER)
    triager.post(f"/incidents/{incident_id}/verdict", data={"verdict": "attributed", "party": "HX01", "shown": ""})
    fields = {"proven": ["after_refusal"], "evidence_note": "录音复核"}

    form = triager.get(f"/incidents/{incident_id}").text
    without = triager.post(f"/incidents/{incident_id}/findings", data=fields)

    assert without.status_code == 400
    assert "Without this the offence is not proven" in without.text
    assert desk.read(sa.select(Finding)) == []
    assert "On record before this call or message" in form
    box = re.search(r'<input[^>]*name="check-after_refusal-earlier_refusal"[^>]*>', form)
    assert box is not None
    assert "checked" not in box[0]


def test_answers_of_an_offence_that_is_not_ticked_are_nothing(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    triager = desk.as_(Role.TRIAGER)
    triager.post(f"/incidents/{incident_id}/verdict", data={"verdict": "attributed", "party": "HX01", "shown": ""})
    fields = {"proven": ["frequency"], "evidence_note": "录音复核", "check-concealment-price": "no"}

    done = triager.post(f"/incidents/{incident_id}/findings", data=fields)

    assert done.status_code == 303
    assert [(one.offence_code, one.checklist) for one in desk.read(sa.select(Finding))] == [("frequency", None)]


def test_what_cannot_be_priced_says_why(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    triager = desk.as_(Role.TRIAGER)

    page = triager.post(f"/incidents/{incident_id}/amounts", follow_redirects=True).text

    assert "Penalty proposed: no." in page
    assert "No offence is proven for this incident yet" in page
    assert desk.read(sa.select(Penalty)) == []


def test_tickets_are_linked_and_parted_and_calls_merged_or_kept_apart(desk: Desk) -> None:
    first = desk.ticket()
    incident_id = desk.incident_of(first)

    def more(session: Session) -> tuple[str, int, int]:
        ticket = session.get_one(Ticket, first)
        number = session.get_one(Incident, incident_id).number_id
        other = make_ticket(session, unit=desk.unit(session))
        other.number_id = number
        twin = make_incident(session, ticket=other, caller_number=CALLER, occurred_at=ticket.received_at)
        twin.flags = [IncidentFlag.PROBABLE_DUPLICATE.value]
        return other.reference, other.id, twin.id

    reference, other_id, twin_id = desk.write(more)
    clerk = desk.as_(Role.CLERK)

    missing = clerk.post(f"/incidents/{incident_id}/link", data={"reference": "TS-0", "reason": "同一来电"})
    linked = clerk.post(f"/incidents/{incident_id}/link", data={"reference": reference, "reason": "同一来电"})
    parted = clerk.post(f"/incidents/{incident_id}/unlink", data={"row_id": str(other_id), "reason": "不是同一来电"})
    apart = clerk.post(f"/incidents/{twin_id}/keep-apart", data={"reason": "两次来电"})
    merged = clerk.post(f"/incidents/{twin_id}/merge", data={"row_id": str(incident_id), "reason": "同一来电"})

    assert (missing.status_code, linked.status_code, parted.status_code) == (400, 303, 303)
    assert (apart.status_code, merged.status_code) == (303, 303)
    assert "recognised as another one" in clerk.get(f"/incidents/{twin_id}").text


def test_waiting_calls_are_listed_with_what_the_registers_say(desk: Desk) -> None:
    incident_id = desk.incident_of(desk.ticket())
    desk.write(lambda session: keep_suggestions(session, suggestion_rows(weigh(session, [incident_id]).outcomes)))

    page = desk.as_(Role.TRIAGER).get("/incidents/unattributed").text

    assert f"/incidents/{incident_id}" in page
    assert "华信代理" in page
    assert desk.as_(Role.TRIAGER).get("/incidents/unattributed?after=x").status_code == 422


def test_an_override_is_rejected_with_a_reason_and_never_by_its_maker(desk: Desk) -> None:
    override = desk.write(make_override)
    supervisor = desk.as_(Role.SUPERVISOR)
    own = desk.write(
        lambda session: make_override(
            session, actor_id=session.scalars(sa.select(User.id).where(User.role == Role.SUPERVISOR)).one()
        )
    )

    assert supervisor.post(f"/incidents/overrides/{override.id}/reject", data={"reason": ""}).status_code == 400
    assert supervisor.post(f"/incidents/overrides/{own.id}/confirm").status_code == 409
    assert supervisor.post(f"/incidents/overrides/{override.id}/reject", data={"reason": "证据不足"}).status_code == 303
    assert [row.state for row in desk.read(sa.select(Attribution).where(Attribution.id == override.id))] == [
        AttributionState.REJECTED
    ]


def test_a_second_look_is_dismissed_with_a_reason(desk: Desk) -> None:
    proposal = desk.write(make_second_look)
    triager = desk.as_(Role.TRIAGER)

    assert "Decide anew" in triager.get("/incidents/proposals").text
    assert triager.post(f"/incidents/proposals/{proposal.id}/dismiss", data={"reason": ""}).status_code == 400
    assert triager.post(f"/incidents/proposals/{proposal.id}/dismiss", data={"reason": "原定责无误"}).status_code == 303
    assert "Nothing to look at again" in triager.get("/incidents/proposals").text


# Home, and the side bar


@pytest.mark.parametrize("role", Role)
def test_everybody_has_a_first_page(desk: Desk, role: Role) -> None:
    desk.ticket()

    response = desk.as_(role).get("/")

    assert response.status_code == 200
    assert "What waits for you" in response.text


def test_the_first_page_of_a_branch_tells_nothing_of_tickets(desk: Desk) -> None:
    desk.ticket()

    page = desk.as_(Role.BRANCH_MANAGER).get("/").text

    assert "Nothing waits for you" in page
    assert "/tickets/" not in page


def test_the_side_bar_counts_and_counts_anew_after_ones_own_work(desk: Desk) -> None:
    ticket_id = desk.ticket()
    clerk = desk.as_(Role.CLERK)

    before = clerk.get("/").text
    clerk.post(f"/tickets/{ticket_id}/refuse", data={"version": "1", "reason": "已过时效"})
    after = clerk.get("/").text

    assert re.search(r'class="count"[^>]*>1<', before)
    assert not re.search(r'class="count"[^>]*>1<', after)
