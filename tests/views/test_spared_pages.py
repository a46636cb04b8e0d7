"""Sparing a call on its page: off one list, on the other, and back."""

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import link_ticket, make_ticket
from tests.factories.penalties import make_charged_partner
from tests.views.desk_pages import Desk, open_desk


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


def test_a_call_is_spared_with_a_reason_and_brought_back(desk: Desk) -> None:
    def proven(session: Session) -> int:
        charged = make_charged_partner(session)
        incident = make_proven_incident(session, party=charged.party)
        link_ticket(session, ticket=make_ticket(session, unit=charged.unit), incident=incident)
        return incident.id

    incident_id = desk.write(proven)
    page, triager = f"/incidents/{incident_id}", desk.as_(Role.TRIAGER)
    assert f'href="{page}/spare"' in triager.get(page).text

    wordless = triager.post(f"{page}/spare", data={"because": "put_right", "reason": ""})
    done = triager.post(f"{page}/spare", data={"because": "put_right", "reason": "当日已整改"})

    assert (wordless.status_code, done.status_code) == (400, 303)
    spared = triager.get(page).text
    assert "当日已整改" in spared
    assert f'href="{page}/spare"' not in spared
    assert page not in triager.get("/incidents/unpriced").text
    assert "当日已整改" in desk.as_(Role.SUPERVISOR).get("/incidents/spared").text
    assert triager.post(f"{page}/spare", data={"because": "other", "reason": "再来一次"}).status_code == 409

    back = desk.as_(Role.SUPERVISOR).post(f"{page}/bring-back", data={"reason": "整改未落实"})

    assert back.status_code == 303
    assert page in triager.get("/incidents/unpriced").text
    assert "整改未落实" in triager.get(page).text
