"""One walk through the desk on both databases: what a driver's types do to a template is seen only there."""

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from tests.factories.attribution import make_proven_incident
from tests.factories.compensation import make_labels, make_policy
from tests.factories.complaints import make_number, make_subscriber, make_ticket
from tests.factories.penalties import make_charged_partner
from tests.views.desk_pages import Desk, open_desk


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


def test_amounts_are_proposed_and_shown_on_every_page(desk: Desk) -> None:
    def charge(session: Session) -> int:
        charged = make_charged_partner(session)
        make_labels(session)
        make_policy(session)
        number = make_number(session)
        make_subscriber(session, number=number, unit=charged.unit)
        ticket = make_ticket(session, number=number, unit=charged.unit)
        make_proven_incident(session, party=charged.party, ticket=ticket)
        return ticket.id

    ticket_id = desk.write(charge)
    triager = desk.as_(Role.TRIAGER)

    results = triager.post("/tickets/bulk", data={"action": "amounts", "picked": str(ticket_id)})
    pages = {
        address: triager.get(address)
        for address in (
            "/",
            "/tickets/",
            "/tickets/?q=推销&state=new&undecided=&due=late",
            "/tickets/weeks.svg",
            f"/tickets/{ticket_id}",
            f"/tickets/{ticket_id}/print",
            f"/incidents/{desk.incident_of(ticket_id)}",
            "/incidents/unattributed",
            "/incidents/overrides",
            "/incidents/proposals",
        )
    }

    assert results.text.count("tone-success") == 2
    assert {address: page.status_code for address, page in pages.items() if page.status_code != 200} == {}
    assert "200.00" in pages["/tickets/"].text
    assert "30.00" in pages["/tickets/"].text
    assert "¥200.00" in pages[f"/tickets/{ticket_id}"].text
    assert "¥30.00" in pages[f"/tickets/{ticket_id}"].text


@pytest.mark.parametrize("role", Role)
def test_everybody_has_a_first_page(desk: Desk, role: Role) -> None:
    assert desk.as_(role).get("/").status_code == 200
