"""A clerk records an objection and a mediation on the page of a ticket; the queue finds both."""

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.roles import Role
from supervise.compensation.giving_up import give_up_undertaking
from supervise.compensation.models import Undertaking
from supervise.complaints.dispute_models import Mediation
from supervise.complaints.models import SubscriberNumber, Ticket, TicketState
from tests.factories.complaints import make_subscriber
from tests.views.desk_pages import Desk, open_desk

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


def send(desk: Desk, client: FlaskClient, ticket_id: int, what: str, **fields: str) -> int:
    form = {"version": desk.version_of(ticket_id), **fields}
    return client.post(f"/tickets/{ticket_id}/{what}", data=form).status_code


def answered(desk: Desk, client: FlaskClient) -> int:
    ticket_id = desk.ticket()
    assert send(desk, client, ticket_id, "reply", body="已核实处理", resolution_code="redressed") == 303
    return ticket_id


def hold_its_number(session: Session, ticket_id: int) -> None:
    number_id = session.get_one(Ticket, ticket_id).number_id
    make_subscriber(session, number=session.get_one(SubscriberNumber, number_id))


def a_minute() -> str:
    return clock.now().astimezone(clock.CHINA).strftime("%Y-%m-%dT%H:%M")


def test_a_recorded_objection_stands_on_the_page_and_in_its_view_of_the_queue(desk: Desk) -> None:
    client = desk.as_(Role.CLERK)
    ticket_id = answered(desk, client)
    [reference] = desk.read(sa.select(Ticket.reference).where(Ticket.id == ticket_id))
    assert reference not in client.get("/tickets/?dispute=objected").text

    fields = {"objection_channel": "12345", "objected_at": a_minute(), "objection_reason": "不认可处理结果"}
    status = send(desk, client, ticket_id, "objection", **fields)

    page = client.get(f"/tickets/{ticket_id}").text
    assert status == 303
    assert desk.read(sa.select(Ticket.state).where(Ticket.id == ticket_id)) == [TicketState.INVESTIGATING]
    assert "Objection 1" in page
    assert "不认可处理结果" in page
    assert reference in client.get("/tickets/?dispute=objected").text
    assert "Subscribers&#39; objections to answer" in client.get("/").text


def test_an_objection_without_words_is_refused_on_the_page(desk: Desk) -> None:
    client = desk.as_(Role.CLERK)
    ticket_id = answered(desk, client)

    fields = {"objection_channel": "12345", "objected_at": a_minute(), "objection_reason": ""}
    form = {"version": desk.version_of(ticket_id), **fields}
    response = client.post(f"/tickets/{ticket_id}/objection", data=form)

    assert response.status_code == 400
    assert "Write the objection" in response.text


def test_a_mediation_ends_with_an_amount_that_becomes_a_draft(desk: Desk) -> None:
    client = desk.as_(Role.TRIAGER)
    ticket_id = answered(desk, client)
    today = clock.today().isoformat()
    opened = {"mediator": "12315", "case_number": "调〔2026〕1号", "opened_on": today, "mediated_until": ""}
    assert send(desk, client, ticket_id, "mediation", **opened) == 303
    assert send(desk, client, ticket_id, "mediation/events", told_on=today, told="双方到场调解") == 303
    ending = {"ended_how": "agreed", "ended_on": today, "outcome": "一次性补偿话费", "agreed_fen": "300.00"}
    assert send(desk, client, ticket_id, "mediation/end", **ending) == 303
    assert "Draft the undertaking of the agreed amount" in client.get(f"/tickets/{ticket_id}").text

    desk.write(lambda session: hold_its_number(session, ticket_id))

    assert send(desk, client, ticket_id, "mediation/promise") == 303

    assert desk.read(sa.select(Undertaking.lump_fen).where(Undertaking.ticket_id == ticket_id)) == [300_00]
    assert "Undertaking drafted" in client.get(f"/tickets/{ticket_id}").text


def test_a_draft_that_was_turned_down_is_drafted_anew_with_one_click(desk: Desk) -> None:
    client = desk.as_(Role.TRIAGER)
    ticket_id = answered(desk, client)
    desk.write(lambda session: hold_its_number(session, ticket_id))
    today = clock.today().isoformat()
    opened = {"mediator": "12315", "case_number": "调〔2026〕1号", "opened_on": today, "mediated_until": ""}
    send(desk, client, ticket_id, "mediation", **opened)
    ending = {"ended_how": "agreed", "ended_on": today, "outcome": "一次性补偿话费", "agreed_fen": "300.00"}
    send(desk, client, ticket_id, "mediation/end", **ending)
    send(desk, client, ticket_id, "mediation/promise")
    [mediation_id] = desk.read(sa.select(Mediation.id))
    beside_a_draft = send(desk, client, ticket_id, "mediation/promise/anew", mediation_id=str(mediation_id))
    of_no_number = send(desk, client, ticket_id, "mediation/promise/anew", mediation_id="x")
    desk.write(lambda session: give_up_undertaking(session, 1, "条款与调解书不一致", actor_id=99))
    page, clerks = client.get(f"/tickets/{ticket_id}").text, desk.as_(Role.CLERK).get(f"/tickets/{ticket_id}").text

    done = send(desk, client, ticket_id, "mediation/promise/anew", mediation_id=str(mediation_id))

    assert (beside_a_draft, of_no_number, done) == (409, 400, 303)
    assert "Draft it anew" in page
    assert "条款与调解书不一致" in page
    assert "Draft it anew" not in clerks
    assert "not promised yet" in clerks
    assert desk.read(sa.select(Undertaking.lump_fen).where(Undertaking.given_up_at.is_(None))) == [300_00]
    after = client.get(f"/tickets/{ticket_id}").text
    assert "Draft it anew" not in after
    assert "Undertaking drafted" in after


def test_who_drafts_no_promises_is_not_offered_one(desk: Desk) -> None:
    client = desk.as_(Role.CLERK)
    ticket_id = answered(desk, client)

    assert "mediation/promise" not in client.get(f"/tickets/{ticket_id}").text
    assert send(desk, client, ticket_id, "mediation/promise") == 403
