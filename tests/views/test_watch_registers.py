"""The pages of the registers that watching stands on: capabilities, sales channels, plans, thresholds."""

import datetime as dt

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.roles import Role
from supervise.attribution.watch_models import WatchKind, WatchThreshold
from supervise.contracts.models import Plan
from supervise.parties.models import Capability, Party, PartyCapability, SalesChannel
from tests.factories.parties import make_capability, make_channel, make_party, make_unit
from tests.views.desk_pages import Desk, open_desk

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def desk(app: Flask) -> Desk:
    desk = open_desk(app)
    desk.write(lambda session: make_party(session, code="W1", name="宏鼎外呼", sponsor=make_unit(session, code="W9")))
    return desk


def test_a_capability_is_granted_shown_on_the_partys_page_corrected_and_ended(desk: Desk) -> None:
    triager, party = desk.as_(Role.TRIAGER), desk.read(sa.select(Party).where(Party.code == "W1"))[0]
    given = {"party": "W1", "capability": "sell_plan", "area": "W9", "valid_from": "2026-01-01", "source": "授权书"}

    granted = triager.post("/capabilities/new", data=given)
    twice = triager.post("/capabilities/new", data=given)
    unknown = triager.post("/capabilities/new", data=given | {"area": "099"})
    [row] = desk.read(sa.select(PartyCapability))
    change = {"valid_from": "2026-02-01", "source": "补充协议", "reason": "日期录错", "version": "1"}
    corrected = triager.post(f"/capabilities/{row.id}/correct", data=change)
    ended = triager.post(f"/capabilities/{row.id}/end", data={"on": "2026-03-01", "reason": "终止"})
    page = triager.get(f"/parties/{party.id}").text

    codes = [answer.status_code for answer in (granted, twice, unknown, corrected, ended)]
    assert codes == [303, 409, 400, 303, 303]
    assert "Nothing in the register has the code 099" in unknown.text
    for words in ("2026-02-01", "补充协议", "Capability corrected", "Capability ended"):
        assert words in page


def test_a_clerk_of_another_branch_sees_neither_capability_nor_channel(desk: Desk) -> None:
    def give(session: Session) -> None:
        party = session.scalars(sa.select(Party).where(Party.code == "W1")).one()
        make_capability(session, party=party, capability=Capability.SMS)
        make_channel(session, party=party, channel_code="QD777")

    desk.write(give)

    for address in ("/capabilities/export?format=csv", "/sales-channels/export?format=csv"):
        assert "宏鼎外呼" in desk.as_(Role.TRIAGER).get(address).text
        assert "宏鼎外呼" not in desk.as_(Role.CLERK).get(address).text


def test_a_sales_channel_is_assigned_and_its_page_tells_every_party_of_the_code(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)
    first = {"channel_code": "QD777", "name": "三里店合作厅", "kind": "hall", "party": "W1", "valid_from": "2026-01-01"}

    assigned = triager.post("/sales-channels/new", data=first)
    [row] = desk.read(sa.select(SalesChannel))
    spaced = triager.post("/sales-channels/new", data=first | {"channel_code": "QD 777"})
    ended = triager.post(f"/sales-channels/{row.id}/end", data={"on": "2026-06-01", "reason": "转让"})
    second = triager.post("/sales-channels/new", data=first | {"name": "城西合作厅", "valid_from": "2026-06-01"})
    page = triager.get(f"/sales-channels/{row.id}").text

    assert [answer.status_code for answer in (assigned, spaced, ended, second)] == [303, 400, 303, 303]
    assert "A code has no spaces" in spaced.text
    for words in ("三里店合作厅", "城西合作厅", "Sales channel ended"):
        assert words in page


def test_a_plan_is_published_by_the_administrator_and_read_by_everybody(desk: Desk) -> None:
    admin = desk.as_(Role.ADMIN)
    terms = {"code": "RW19", "name": "入网有福利", "price": "19.00", "published_from": "2026-01-01"}

    published = admin.post("/plans/new", data=terms | {"kinds": ["agent_outlet"], "channel_codes": "QD1, QD2"})
    backwards = admin.post("/plans/new", data=terms | {"published_to": "2025-01-01"})
    [plan] = desk.read(sa.select(Plan))
    corrected = admin.post(
        f"/plans/{plan.id}/correct",
        data=terms | {"price": "29", "channel_codes": "", "reason": "录错", "version": f"{plan.version}"},
    )

    assert [answer.status_code for answer in (published, backwards, corrected)] == [303, 400, 303]
    assert "The end must be after the start" in backwards.text
    page = admin.get(f"/plans/{plan.id}").text
    assert "29.00" in page
    assert "Every channel" in page
    assert "Plan corrected" in page
    assert "入网有福利" in desk.as_(Role.CLERK).get("/plans/?q=RW19").text


def test_a_supervisor_sets_and_ends_thresholds_from_today_on(desk: Desk) -> None:
    supervisor, today = desk.as_(Role.SUPERVISOR), clock.today()
    note = {"legal_note": "公司内部要求", "valid_from": f"{today}"}
    hours = {"first": "08:30", "end": "20:00"}

    zero = supervisor.post("/reference/thresholds/sms_per_port/new", data=note | {"value": "0"})
    late = supervisor.post(
        "/reference/thresholds/sms_per_port/new",
        data=note | {"value": "5", "valid_from": f"{today - dt.timedelta(days=1)}"},
    )
    made = supervisor.post("/reference/thresholds/call_hours/new", data=note | hours)
    [row] = desk.read(
        sa.select(WatchThreshold).where(WatchThreshold.kind == WatchKind.CALL_HOURS, WatchThreshold.valid_to.is_(None))
    )
    tomorrow = today + dt.timedelta(days=1)
    ended = supervisor.post(f"/reference/thresholds/{row.id}/end", data={"valid_to": f"{tomorrow}"})

    assert [answer.status_code for answer in (zero, late, made, ended)] == [400, 422, 303, 303]
    assert "A whole number above zero" in zero.text
    page = supervisor.get("/reference/thresholds/").text
    assert "08:30 to 20:00" in page
    assert "Watch threshold ended" in page
    clerk = desk.as_(Role.CLERK)
    assert "New figure" not in clerk.get("/reference/thresholds/").text
    assert "08:30 to 20:00" in clerk.get("/reference/thresholds/export?format=csv").text
