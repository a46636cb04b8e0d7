"""The page of the checklists: everybody who reads reference data sees it, the administrator keeps it."""

import datetime as dt

import pytest
import sqlalchemy as sa
from flask import Flask

from supervise import clock
from supervise.access.roles import Role
from supervise.attribution.models import EvidenceItem
from tests.views.desk_pages import Desk, open_desk

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)

FIELDS = {
    "offence_code": "frequency",
    "code": "call_records",
    "kind": "proof",
    "name_zh": "有通话详单",
    "name_en": "There are call records",
}


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


def test_the_items_stand_beside_their_offence_types(desk: Desk) -> None:
    clerk, admin = (desk.as_(role).get("/reference/checklists/").text for role in (Role.CLERK, Role.ADMIN))

    assert "Concealment of price, term or limits" in clerk
    assert "Limits and conditions" in clerk
    assert "New checklist item" not in clerk
    assert "New checklist item" in admin


def test_an_item_is_added_and_ended_from_today_on_at_the_earliest(desk: Desk) -> None:
    admin, today = desk.as_(Role.ADMIN), clock.today()
    tomorrow, yesterday = (today + dt.timedelta(days=days) for days in (1, -1))

    late = admin.post("/reference/checklists/new", data=FIELDS | {"valid_from": yesterday.isoformat()})
    added = admin.post("/reference/checklists/new", data=FIELDS | {"valid_from": today.isoformat()})
    twice = admin.post("/reference/checklists/new", data=FIELDS | {"valid_from": today.isoformat()})
    [item] = desk.read(sa.select(EvidenceItem).where(EvidenceItem.code == "call_records"))
    ended = admin.post(f"/reference/checklists/{item.id}/end", data={"valid_to": tomorrow.isoformat()})
    page = admin.get("/reference/checklists/").text

    assert (late.status_code, added.status_code, twice.status_code, ended.status_code) == (422, 303, 409, 303)
    assert "There are call records" in page
    assert tomorrow.isoformat() in page
    assert "Checklist item added" in page


def test_what_is_missing_is_said_beside_its_field(desk: Desk) -> None:
    refused = desk.as_(Role.ADMIN).post("/reference/checklists/new", data=FIELDS | {"code": "With Blanks"})

    assert refused.status_code == 400
    assert "Small letters" in refused.text
    assert "Enter the first day" in refused.text


def test_only_the_administrator_changes_them(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)

    assert triager.get("/reference/checklists/new").status_code == 403
    assert triager.post("/reference/checklists/1/end", data={"valid_to": "2099-01-01"}).status_code == 403
