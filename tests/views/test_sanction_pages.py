"""Sanctions and cards on pages: two people, the charged side sees what was decided, other systems get their list."""

import datetime as dt
from typing import NamedTuple

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.parties.models import Party
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionState
from tests.factories.access import make_user, sign_in
from tests.factories.parties import give_scope, make_holder, make_number, make_party, make_unit
from tests.factories.points import make_sanction

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _noon() -> object:
    """The day of a test goes on when China's day ends while it runs."""
    with time_machine.travel(clock.start_of_day(clock.today()) + dt.timedelta(hours=12)) as traveller:
        yield traveller


class Desk(NamedTuple):
    """The application with two agents, of which the contact speaks for the first."""

    app: Flask
    party_id: int
    other_id: int

    def as_(self, role: Role) -> FlaskClient:
        client = self.app.test_client()
        with self.app.app_context(), db.writing() as session:
            sign_in(session, client, session.scalars(select(User).where(User.role == role)).one())
        return client

    def only(self) -> Sanction:
        with self.app.app_context(), db.reading() as session:
            return session.scalars(select(Sanction)).one()

    def impose(self, party_id: int, **given: object) -> int:
        with self.app.app_context(), db.writing() as session:
            return make_sanction(session, party=session.get_one(Party, party_id), from_on=clock.today(), **given).id  # type: ignore[arg-type]


def tomorrow() -> dt.date:
    return clock.today() + dt.timedelta(days=1)


@pytest.fixture
def desk(app: Flask) -> Desk:
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), db.writing() as session:
        unit = make_unit(session)
        ours, theirs = make_party(session, name="华信代理", sponsor=unit), make_party(session, name="联达外呼")
        partner = make_user(session, role=Role.PARTNER_CONTACT)
        give_scope(session, user_id=partner.id, party=ours)
        make_user(session, role=Role.TRIAGER)
        make_user(session, role=Role.SUPERVISOR)
        return Desk(app, ours.id, theirs.id)


def test_a_triager_proposes_and_a_supervisor_approves(desk: Desk) -> None:
    with desk.app.app_context(), db.reading() as session:
        code = session.get_one(Party, desk.party_id).code
    form = {"kind": "outbound_suspension", "party": code, "from_on": f"{tomorrow()}", "reason": "多次违规外呼"}
    assert desk.as_(Role.TRIAGER).post("/sanctions/new", data=form).status_code == 303
    row = desk.only()
    assert desk.as_(Role.TRIAGER).post(f"/sanctions/{row.id}/approve").status_code == 403

    answer = desk.as_(Role.SUPERVISOR).post(f"/sanctions/{row.id}/approve", data={"note": "同意"})

    assert answer.status_code == 303
    assert desk.only().state is SanctionState.APPROVED
    assert desk.as_(Role.SUPERVISOR).post(f"/sanctions/{row.id}/approve").status_code == 409


def test_a_form_for_today_or_without_its_party_is_refused_in_words(desk: Desk) -> None:
    form = {"kind": "warning", "from_on": f"{tomorrow()}", "reason": "警告一次"}

    assert desk.as_(Role.TRIAGER).post("/sanctions/new", data=form).status_code == 400
    unknown = form | {"party": "NOBODY"}
    assert "NOBODY" in desk.as_(Role.TRIAGER).post("/sanctions/new", data=unknown).get_data(as_text=True)


def test_the_charged_side_sees_its_own_decided_sanctions_and_no_proposal(desk: Desk) -> None:
    own = desk.impose(desk.party_id)
    proposed = desk.impose(desk.party_id, kind=SanctionKind.DOWNGRADE, state=SanctionState.PROPOSED)
    foreign = desk.impose(desk.other_id)
    partner = desk.as_(Role.PARTNER_CONTACT)

    assert [partner.get(f"/sanctions/{one}").status_code for one in (own, proposed, foreign)] == [200, 404, 404]
    found = partner.get("/sanctions/in-force.json").get_json()
    assert [one["sanction_id"] for one in found["suspensions"]] == [own]
    page = partner.get(f"/parties/{desk.party_id}").get_data(as_text=True)
    assert "Outbound calls suspended" in page
    assert "Downgrade" not in page


def test_other_systems_read_suspensions_shutdowns_and_restored_numbers(desk: Desk) -> None:
    today = clock.today()
    yesterday = today - dt.timedelta(days=1)
    with desk.app.app_context(), db.writing() as session:
        party = session.get_one(Party, desk.party_id)
        shut, over = (make_number(session, digits=f"0288888000{n}") for n in (1, 2))
        make_holder(session, party=party, number=shut)
        kind = SanctionKind.NUMBER_SHUTDOWN
        make_sanction(session, party=party, kind=kind, number_id=shut.id, from_on=yesterday)
        make_sanction(session, party=None, kind=kind, number_id=over.id, from_on=yesterday, until_on=today)
        make_sanction(session, party=party, from_on=yesterday, until_on=today)

    found = desk.as_(Role.TRIAGER).get("/sanctions/in-force.json").get_json()

    assert found["suspensions"] == []
    assert [one["number"] for one in found["number_shutdowns"]] == ["02888880001"]
    assert [(one["number"], one["until"]) for one in found["restored_numbers"]] == [("02888880002", f"{today}")]
    listed = desk.as_(Role.TRIAGER).get("/sanctions/export?format=csv&stage=in_force").get_data(as_text=True)
    assert "02888880001" in listed
    assert "02888880002" not in listed


def test_a_contact_reads_the_own_card_and_nobody_elses(desk: Desk) -> None:
    partner = desk.as_(Role.PARTNER_CONTACT)

    assert partner.get(f"/scorecards/{desk.party_id}").status_code == 200
    assert partner.get(f"/scorecards/{desk.other_id}").status_code == 404
    assert desk.as_(Role.SUPERVISOR).get(f"/scorecards/{desk.party_id}?month=2026-13").status_code == 404
