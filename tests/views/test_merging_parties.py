"""The pages of a merger while money is open: proposed by a triager, seen with its amounts, decided by a supervisor."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.parties.models import Party
from tests.factories.access import make_user, sign_in
from tests.factories.parties import make_party
from tests.factories.penalties import make_approved_penalty, make_charged_partner

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def party_id(app: Flask) -> int:
    """A partner with an approved penalty of 200 yuan, the entry that it is the same as, and two colleagues."""
    with app.app_context(), db.writing() as session:
        charged = make_charged_partner(session)
        make_approved_penalty(session, charged=charged)
        make_party(session, code="STAYS", name="恒通渠道（新）")
        for role in (Role.TRIAGER, Role.SUPERVISOR):
            make_user(session, username=f"{role.value}-2", role=role)
        return charged.party.id


def browser(app: Flask, role: Role) -> FlaskClient:
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        sign_in(session, client, session.scalars(select(User).where(User.username == f"{role.value}-2")).one())
    return client


def merged_into(app: Flask, party_id: int) -> int | None:
    with app.app_context(), db.reading() as session:
        return session.get_one(Party, party_id).merged_into_id


def propose(app: Flask, party_id: int) -> str:
    form = {"into": "STAYS", "reason": "工商登记为同一家公司"}
    response = browser(app, Role.TRIAGER).post(f"/parties/{party_id}/merge", data=form)
    assert response.status_code == 303, response.text
    return str(response.location)


def test_open_money_lets_a_merger_wait_for_a_supervisor_who_sees_it(app: Flask, party_id: int) -> None:
    page = propose(app, party_id)
    waits = merged_into(app, party_id)
    supervisor = browser(app, Role.SUPERVISOR)

    shown = supervisor.get(page).text
    listed = supervisor.get("/approvals/second-person").text
    approved = supervisor.post(f"{page}/approve", follow_redirects=True)

    assert waits is None
    assert "200.00" in shown
    assert page in listed
    assert "恒通渠道（新）" in approved.text
    assert "200.00" in approved.text
    assert merged_into(app, party_id) is not None


def test_a_triager_does_not_approve_and_a_rejection_needs_a_reason(app: Flask, party_id: int) -> None:
    page = propose(app, party_id)

    assert browser(app, Role.TRIAGER).post(f"{page}/approve").status_code == 403
    supervisor = browser(app, Role.SUPERVISOR)
    assert supervisor.post(f"{page}/reject", data={"note": ""}).status_code == 422
    assert "不是同一家" in supervisor.post(f"{page}/reject", data={"note": "不是同一家"}, follow_redirects=True).text
    assert merged_into(app, party_id) is None
