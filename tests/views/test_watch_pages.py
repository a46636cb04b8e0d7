"""From what watching found down to the records, in one's own scope, and on to incidents."""

import csv
import datetime as dt
from typing import NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.models import WatchDay, WatchedIncident, WatchFindingDay
from supervise.attribution.watching.queries import FindingFilters, Span, findings_by_day
from supervise.cipher import Keyring
from supervise.evidence.models import RecordKind
from supervise.jobs.watching import watch_records
from supervise.parties.scope import Scope
from supervise.views.background import surroundings
from tests.factories.access import make_user, sign_in
from tests.factories.complaints import make_number
from tests.factories.parties import give_scope, make_holder, make_party, make_unit
from tests.factories.records import write_records

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
KNOWN, UNKNOWN = "13912345678", "13900009999"


class Desk(NamedTuple):
    """The application after a night with two calls of one agent and one of another."""

    app: Flask
    at: dt.datetime

    def as_(self, role: Role) -> FlaskClient:
        client = self.app.test_client()
        with self.app.app_context(), db.writing() as session:
            sign_in(session, client, session.scalars(select(User).where(User.role == role)).one())
        return client

    def finding(self, records: int) -> int:
        """The line of calls outside the hours with so many records."""
        with self.app.app_context(), db.reading() as session:
            of_night = WatchFindingDay.kind == Irregularity.OUTSIDE_HOURS
            query = select(WatchFindingDay.id).where(of_night, WatchFindingDay.records == records)
            return session.scalars(query).one()

    def opened(self) -> int:
        with self.app.app_context(), db.reading() as session:
            return session.scalars(select(func.count()).select_from(WatchedIncident)).one()


@pytest.fixture
def desk(app: Flask, keyring: Keyring) -> Desk:
    app.config["WTF_CSRF_ENABLED"] = False
    night = clock.start_of_day(clock.today()) - dt.timedelta(hours=2)
    with app.app_context():
        with db.writing() as session:
            unit, other_unit = make_unit(session), make_unit(session)
            ours = make_party(session, name="华信代理", sponsor=unit)
            theirs = make_party(session, name="联达外呼", sponsor=other_unit)
            make_holder(session, party=ours, digits="02988880001")
            make_holder(session, party=theirs, digits="02988880002")
            manager, partner = (make_user(session, role=role) for role in (Role.BRANCH_MANAGER, Role.PARTNER_CONTACT))
            give_scope(session, user_id=manager.id, unit=unit)
            give_scope(session, user_id=partner.id, party=theirs)
            make_user(session, role=Role.TRIAGER)
            make_number(session, digits=KNOWN)
            rows = [
                {"record_id": f"R{n}", "caller": caller, "subscriber": subscriber, "started_at": night}
                for n, (caller, subscriber) in enumerate(
                    [("02988880001", KNOWN), ("02988880001", UNKNOWN), ("02988880002", KNOWN)]
                )
            ]
            write_records(session, keyring, RecordKind.CALLS, rows)
        watch_records(surroundings())
        watch_records(surroundings())
    return Desk(app, night)


@pytest.mark.parametrize("role", [Role.BRANCH_MANAGER, Role.PARTNER_CONTACT])
def test_whom_a_suspicion_is_about_is_not_told_of_it(desk: Desk, role: Role) -> None:
    browser = desk.as_(role)

    pages = ["/watch/", "/watch/outside_hours", f"/watch/records/{desk.finding(2)}", "/watch/outside_hours/export"]

    assert [browser.get(page).status_code for page in pages] == [403] * len(pages)
    assert "/watch/" not in browser.get("/").text


def test_what_was_found_is_read_within_a_scope(desk: Desk) -> None:
    with desk.app.app_context(), db.reading() as session:
        manager = session.scalars(select(User).where(User.role == Role.BRANCH_MANAGER)).one()
        night = clock.china_day(desk.at)
        filters = FindingFilters(Span(night, night))
        lines = findings_by_day(session, Scope.of(session, manager), Irregularity.OUTSIDE_HOURS, filters)

    assert [line.party and line.party.name for line in lines] == ["华信代理"]


def test_the_overview_counts_each_kind_and_the_page_of_a_kind_says_on_what_it_stands(desk: Desk) -> None:
    browser = desk.as_(Role.TRIAGER)

    overview, page = browser.get("/watch/").text, browser.get("/watch/outside_hours?q=华信").text
    drawing = browser.get("/watch/outside_hours/by-day.svg")

    assert "/watch/outside_hours" in overview
    assert "信管〔2020〕81号" in page
    assert "华信代理" in page
    assert "联达外呼" not in page
    assert drawing.mimetype == "image/svg+xml"


def test_the_records_show_no_number_and_those_nobody_knows_a_pseudonym(desk: Desk, keyring: Keyring) -> None:
    address = f"/watch/records/{desk.finding(2)}"

    seen = desk.as_(Role.TRIAGER).get(address).text
    lines = list(csv.reader(desk.as_(Role.TRIAGER).get(f"{address}/export?format=csv").text.splitlines()))

    assert "139****5678" in seen
    assert f"#{keyring.blind_index(UNKNOWN)[:8]}" in seen
    assert KNOWN not in seen
    assert [line[2] for line in lines[1:]] == ["R0", "R1"]


def test_chosen_records_become_incidents_once_and_their_page_opens_without_a_ticket(desk: Desk) -> None:
    browser, address = desk.as_(Role.TRIAGER), f"/watch/records/{desk.finding(2)}"

    nothing = browser.post(f"{address}/open", data={"action": "chosen"})
    first = browser.post(f"{address}/open", data={"action": "chosen", "picked": ["crm|R1", "crm|R2"]})
    second = browser.post(f"{address}/open", data={"action": "all"})
    again = browser.post(f"{address}/open", data={"action": "all"})

    assert nothing.status_code == 422
    assert [page.status_code for page in (first, second, again)] == [200, 200, 200]
    # R2 is not of this party: a chosen row outside the line opens nothing.
    assert desk.opened() == 2
    incident = browser.get("/incidents/1")
    assert incident.status_code == 200
    assert "R1" in incident.text
    assert "02988880001" in browser.get("/incidents/unattributed").text


def test_an_address_that_names_no_kind_or_no_place_is_refused(desk: Desk) -> None:
    browser = desk.as_(Role.TRIAGER)

    assert browser.get("/watch/moon_phase").status_code == 404
    assert browser.get("/watch/outside_hours?after=yesterday&after_id=1").status_code == 422
    assert browser.get(f"/watch/records/{desk.finding(2)}?after=2026").status_code == 422


def test_orders_open_no_incident_and_their_page_says_why(desk: Desk) -> None:
    of_orders = {"kind": Irregularity.ORDER_STEP_MISSING, "on_day": clock.china_day(desk.at)}
    with desk.app.app_context(), db.writing() as session:
        session.add(WatchDay(**of_orders, partitions=0, newest_partition_id=0, computed_at=clock.now()))
        session.flush()
        line = WatchFindingDay(**of_orders, records=1, subscribers=1, is_suspected=True)
        session.add(line)
        session.flush()
        address = f"/watch/records/{line.id}"

    why = "No incident is opened from an order"
    english = {"Accept-Language": "en"}

    assert why in desk.as_(Role.TRIAGER).get(address, headers=english).text
    assert why not in desk.as_(Role.TRIAGER).get(f"/watch/records/{desk.finding(2)}", headers=english).text
