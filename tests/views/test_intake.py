"""The pages of intake, as a browser without a screen sees them."""

import datetime as dt
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.audit.models import AuditEvent
from supervise.complaints.models import (
    CalendarYear,
    Channel,
    DeadlineRule,
    DemandLine,
    ImportProfile,
    Incident,
    IncidentKind,
    OffenceType,
    Precision,
    Subscriber,
    Ticket,
)
from supervise.complaints.subscribers import HeldAt, holders_at
from supervise.donotcall.models import PermissionEvent
from supervise.files.models import BatchState, ImportBatch
from supervise.jobs.models import Job
from tests.conftest import Accessibility
from tests.factories.access import make_user, sign_in
from tests.factories.complaints import make_number, make_subscriber
from tests.factories.parties import give_scope, make_unit

Arrange = Callable[[Callable[[Session], Any]], None]

HEADER = "转办编号,转办日期,举报人号码,被举报号码,来电时间,举报描述"
ROW = "ZB001,2026-09-30,13900002222,02081234567,2026-09-29 10:00,推销5G套餐"

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def arrange(app: Flask) -> Arrange:
    """Commit what a function adds."""

    def commit(add: Callable[[Session], Any]) -> None:
        with app.app_context(), db.writing() as session:
            add(session)

    return commit


def office(session: Session) -> None:
    """Two branches, and a user of each role that matters here."""
    own, _other = make_unit(session, name="南昌分公司", code="0791"), make_unit(session, name="九江分公司", code="0792")
    for role in (Role.CLERK, Role.TRIAGER, Role.ADMIN, Role.AUDITOR):
        user = make_user(session, role=role)
        if role is Role.CLERK:
            give_scope(session, user_id=user.id, unit=own)


@pytest.fixture
def desk(app: Flask, arrange: Arrange) -> "Desk":
    arrange(office)
    return Desk(app)


class Desk:
    """Users at their screens."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def as_(self, role: Role) -> FlaskClient:
        client = self.app.test_client()
        with self.app.app_context(), db.writing() as session:
            sign_in(session, client, session.scalars(sa.select(User).where(User.role == role)).one())
        return client

    def all(self, model: Any) -> Any:
        with self.app.app_context(), db.reading() as session:
            return session.scalars(sa.select(model).order_by(*sa.inspect(model).primary_key)).all()

    def unit_id(self, code: str) -> str:
        with self.app.app_context(), db.reading() as session:
            return str(session.scalar(sa.text("SELECT id FROM org_unit WHERE code = :code").bindparams(code=code)))

    def complaint(self, **changes: str) -> dict[str, str]:
        return {
            "nonce": "a" * 32,
            "channel": "hotline",
            "received_at": "2026-09-30T09:00",
            "unit_id": self.unit_id("0791"),
            "number": "139 0000 2222",
            "content": "总是推销,我的号码13900002222",
            "calls-0-kind": "call",
            "calls-0-caller_number": "020-81234567",
            "calls-0-occurred_at": "2026-09-29T10:00",
            "calls-0-caller_kind": "human",
            "demands-0-head": "per_call",
            **changes,
        }


def upload(client: FlaskClient, text: str, *, kind: str = "complaints", **fields: str) -> str:
    """Upload a CSV file and return where it led."""
    file = (BytesIO(text.encode("gb18030")), "九月.csv")
    response = client.post(f"/imports/new?kind={kind}", data={"file": file, **fields})
    assert response.status_code == 303, response.text
    return str(response.location)


def profile_id(desk: Desk, code: str) -> str:
    return str(next(one.id for one in desk.all(ImportProfile) if one.code == code))


# The form


def test_a_clerk_takes_a_complaint_in_with_calls_claims_and_refusal(desk: Desk) -> None:
    second = {
        "calls-1-kind": "sms",
        "calls-1-caller_number": "1069012345",
        "calls-1-occurred_at": "2026-09-28T00:00",
        "calls-1-only_day": "y",
        "calls-1-caller_kind": "unknown",
        "calls-1-sms_text": "【某店】大促 回复T退订",
        "calls-1-opt_out_sent": "y",
    }
    claim = {"demands-0-units": "8", "demands-0-unit_fen": "100", "refused": "y", "claimed_calls": "8"}

    response = desk.as_(Role.CLERK).post("/intake/new", data=desk.complaint(**second, **claim))

    [ticket] = desk.all(Ticket)
    assert (response.status_code, response.location) == (303, f"/tickets/{ticket.id}")
    assert (ticket.content, ticket.claimed_calls) == ("总是推销,我的号码139****2222", 8)
    call, sms = sorted(desk.all(Incident), key=lambda incident: incident.kind)
    assert (call.caller_number, call.precision) == ("02081234567", Precision.MINUTE)
    assert (sms.kind, sms.precision, sms.opt_out_sent) == (IncidentKind.SMS, Precision.DAY, True)
    [line] = desk.all(DemandLine)
    assert (line.units, line.unit_fen, line.granted_fen) == (8, 10_000, None)
    assert len(desk.all(PermissionEvent)) == 2


@pytest.mark.parametrize(
    ("sms", "has_opted_out"),
    [({"opt_out_sent": "y"}, True), ({}, None), ({"sms_text": "【某店】大促 回复T退订"}, False)],
    ids=["said so", "nothing said", "said so of a text only"],
)
def test_an_sms_that_was_deleted_keeps_whether_the_subscriber_opted_out(
    desk: Desk, sms: dict[str, str], has_opted_out: object
) -> None:
    second = {"kind": "sms", "occurred_at": "2026-09-28T10:00", "caller_kind": "unknown", **sms}

    desk.as_(Role.CLERK).post(
        "/intake/new", data=desk.complaint(**{f"calls-1-{name}": value for name, value in second.items()})
    )

    assert {one.kind: one.opt_out_sent for one in desk.all(Incident)} == {
        IncidentKind.CALL: None,
        IncidentKind.SMS: has_opted_out,
    }


def test_the_same_form_sent_twice_is_one_ticket(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)

    first, again = (clerk.post("/intake/new", data=desk.complaint()) for _ in range(2))

    assert first.location == again.location
    assert len(desk.all(Ticket)) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number": "1390000"}, "1390000"),
        ({"calls-0-caller_number": "2081234567"}, "lost its leading zero"),
        ({"calls-0-occurred_at": ""}, "Enter the time, or count the call"),
        ({"calls-0-occurred_at": "2999-01-01T00:00"}, "The time lies in the future"),
        ({"content": ""}, "Write down what was complained about"),
        ({"number": "", "refused": "y"}, "a refusal belongs to a number"),
        ({"demands-0-unit_fen": "12.345"}, "Enter an amount in yuan"),
        ({"demands-0-units": "1", "demands-0-unit_fen": "-5"}, "The amount cannot be negative"),
    ],
)
def test_what_is_wrong_is_said_and_the_draft_stays(desk: Desk, change: dict[str, str], words: str) -> None:
    response = desk.as_(Role.CLERK).post("/intake/new", data=desk.complaint(claimed_party="自称移动", **change))

    assert response.status_code == 400
    assert words in response.text
    assert "自称移动" in response.text
    assert desk.all(Ticket) == []


def test_a_refusal_of_the_registers_keeps_the_draft_too(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    clerk.post("/intake/new", data=desk.complaint(external_ref="ZB9"))

    response = clerk.post("/intake/new", data=desk.complaint(external_ref="ZB9", nonce="b" * 32))

    assert response.status_code == 400
    assert "ZB9 was received before" in response.text
    assert "总是推销" in response.text


def test_a_clerk_cannot_take_in_for_another_region(desk: Desk) -> None:
    response = desk.as_(Role.CLERK).post("/intake/new", data=desk.complaint(unit_id=desk.unit_id("0792")))

    assert response.status_code == 400
    assert desk.all(Ticket) == []


def test_an_auditor_takes_nothing_in(desk: Desk) -> None:
    assert desk.as_(Role.AUDITOR).get("/intake/new").status_code == 403


# Files


def test_a_file_is_uploaded_looked_at_and_taken_over(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)

    where = upload(clerk, f"{HEADER}\n{ROW}\n", profile=profile_id(desk, "12321"), unit_id=desk.unit_id("0791"))
    seen = clerk.get(where)
    taken = clerk.post(f"{where}/take-over")

    assert "139****2222" in seen.text
    assert "13900002222" not in seen.text
    assert taken.status_code == 303
    [batch] = desk.all(ImportBatch)
    [ticket] = desk.all(Ticket)
    assert (batch.state, batch.rows_new) == (BatchState.COMMITTED, 1)
    page = clerk.get(where).text
    assert f"/tickets/{ticket.id}" in page
    assert len(re.findall(r"[0-9a-f]{64}", page)) == 1


def test_the_same_file_again_says_so_and_offers_nothing(desk: Desk) -> None:
    clerk, text = desk.as_(Role.CLERK), f"{HEADER}\n{ROW}\n"
    fields = {"profile": profile_id(desk, "12321"), "unit_id": desk.unit_id("0791")}
    first = upload(clerk, text, **fields)
    clerk.post(f"{first}/take-over")

    again = clerk.get(upload(clerk, text, **fields)).text

    assert "The same file was taken over before" in again
    assert "There is nothing in this file to take over" in again
    assert "/take-over" not in again


def test_rows_with_errors_are_given_back_with_the_reason(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    wrong = ROW.replace("02081234567", "1.38E+10")
    where = upload(clerk, f"{HEADER}\n{wrong}\n", profile=profile_id(desk, "12321"), unit_id=desk.unit_id("0791"))

    response = clerk.get(f"{where}/errors.csv")

    assert response.headers["Content-Disposition"].startswith("attachment")
    text = response.get_data(as_text=True)
    assert "被举报号码: A spreadsheet has rounded this number" in text
    assert "1.38E+10" in text


def test_the_preview_and_the_error_file_say_what_was_read_in_words(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    row = f"{ROW},短信,是,机器人"
    where = upload(
        clerk,
        f"{HEADER},类型,是否拒绝,是否机器人\n{row}\n{row}\n",
        profile=profile_id(desk, "12321"),
        unit_id=desk.unit_id("0791"),
    )

    page, errors = clerk.get(where).text, clerk.get(f"{where}/errors.csv").text

    assert all(words in page for words in ("SMS", "Robot", "Yes"))
    assert "True" not in page
    assert "Yes" in errors
    assert "True" not in errors


def test_an_import_without_errors_gives_a_file_of_headings_alone(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    where = upload(clerk, f"{HEADER}\n{ROW}\n", profile=profile_id(desk, "12321"), unit_id=desk.unit_id("0791"))

    assert clerk.get(f"{where}/errors.csv").text.count("\n") == 1


def test_a_file_that_is_none_is_refused_in_words(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)

    page = clerk.get(upload(clerk, "姓名,备注\na,b\n", profile=profile_id(desk, "12321"))).text

    assert "these columns are missing: 被举报号码, 来电时间" in page
    assert "/take-over" not in page


def test_a_discarded_import_wrote_nothing_and_is_not_taken_over(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    where = upload(clerk, f"{HEADER}\n{ROW}\n", profile=profile_id(desk, "12321"), unit_id=desk.unit_id("0791"))

    discarded, late = clerk.post(f"{where}/discard"), clerk.post(f"{where}/take-over")

    assert (discarded.status_code, late.status_code) == (303, 409)
    assert desk.all(Ticket) == []


def test_an_unknown_file_is_mapped_and_the_mapping_kept_as_a_profile(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)
    where = upload(triager, "From,Created,Violation\n5205269536,07/07/2021 00:01,07/06/2021 15:25\n", profile="map")
    assert where.endswith("/mapping")
    assert "5205269536" in triager.get(where).text

    mapped = triager.post(
        where,
        data={
            "name": "FTC",
            "channel": "12321",
            "plan": "other",
            "date_format": "%m/%d/%Y %H:%M",
            "columns-caller_number": "From",
            "columns-received_at": "Created",
            "columns-occurred_at": "Violation",
        },
    )
    triager.post(f"{mapped.location}/take-over")

    [incident] = desk.all(Incident)
    assert incident.caller_number == "5205269536"
    assert incident.occurred_at == dt.datetime(2021, 7, 6, 7, 25, tzinfo=dt.UTC)
    assert "FTC" in triager.get("/imports/new").text


def test_a_colleagues_profile_is_not_replaced_by_its_name(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)
    [known] = [profile for profile in desk.all(ImportProfile) if profile.code == "12321"]
    where = upload(triager, "From\n5205269536\n", profile="map")

    response = triager.post(
        where, data={"name": known.name, "channel": "12321", "plan": "other", "columns-caller_number": "From"}
    )

    assert response.status_code == 400
    assert "A profile of this name, made by somebody else, is in use" in response.text


def test_rows_with_errors_are_asked_about_before_the_others_are_taken_over(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    broken = ROW.replace("ZB001", "ZB002").replace("13900002222", "1.39E+10")

    where = upload(
        clerk, f"{HEADER}\n{ROW}\n{broken}\n", profile=profile_id(desk, "12321"), unit_id=desk.unit_id("0791")
    )

    assert "1 row with errors stays out. Take over the others?" in clerk.get(where).text


def test_one_column_cannot_mean_two_things(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)
    where = upload(triager, "From,Text\n5205269536,x\n", profile="map")
    fields = {"name": "x", "channel": "12321", "plan": "other"}

    response = triager.post(where, data={**fields, "columns-caller_number": "From", "columns-content": "From"})

    assert response.status_code == 400
    assert "is given two meanings" in response.text


def test_many_rows_are_read_by_a_job_with_progress(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)
    rows = "\n".join(ROW.replace("ZB001", f"ZB{number}") for number in range(5_001))

    page = triager.get(upload(triager, f"{HEADER}\n{rows}\n", profile=profile_id(desk, "12321"))).text

    [job] = desk.all(Job)
    assert (job.kind, job.arguments) == ("imports.preview", {"batch_id": desk.all(ImportBatch)[0].id})
    assert f'data-progress="/jobs/{job.id}"' in page
    assert "/take-over" not in page


def test_a_clerk_sees_own_imports_only_and_no_register_files(desk: Desk) -> None:
    where = upload(desk.as_(Role.TRIAGER), f"{HEADER}\n{ROW}\n", profile=profile_id(desk, "12321"))
    clerk = desk.as_(Role.CLERK)

    assert clerk.get(where).status_code == 404
    assert clerk.post(f"{where}/take-over").status_code == 404
    assert "九月.csv" not in clerk.get("/imports/").text
    assert clerk.get("/imports/new?kind=subscribers").status_code == 403


def test_profiles_show_their_headings_and_retire(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)
    where = f"/imports/profiles/{profile_id(desk, '12345')}"

    assert "办理时限" in clerk.get(where).text
    assert clerk.post(f"{where}/retire").status_code == 303
    assert "12345工单" not in clerk.get("/imports/new").text
    assert clerk.post(f"{where}/retire").status_code == 409


# Subscribers


def test_subscribers_come_in_by_file_and_are_found_by_their_full_number(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)
    text = "手机号码,账户号,归属机构编码,启用时间\n13900002222,A0001,0791,2024-01-01\n"

    where = upload(triager, text, kind="subscribers")
    triager.post(f"{where}/take-over")
    found = triager.post("/subscribers/", data={"number": "139-0000-2222"})
    page = triager.get(found.location).text

    assert "13900002222" not in found.location
    assert ("A0001" in page, "139****2222" in page, "13900002222" in page) == (True, True, False)


def test_a_subscriber_is_registered_and_ended_by_hand(desk: Desk, app: Flask) -> None:
    triager = desk.as_(Role.TRIAGER)
    fields = {"number": "13900002222", "account_ref": "A1", "held_from": "2024-01-01T00:00", "source": "billing"}

    made = triager.post("/subscribers/new", data=fields)
    again = triager.post("/subscribers/new", data={**fields, "account_ref": "A2"})
    ended = triager.post(f"{made.location}/end", data={"held_to": "2025-01-01T00:00", "version": "1"})

    assert (made.status_code, again.status_code, ended.status_code) == (303, 409, 303)
    with app.app_context(), db.reading() as session:
        number_id = session.scalars(sa.select(Subscriber.number_id)).one()
        at = clock.from_china(dt.datetime.fromisoformat("2025-01-01T00:00"))
        at_end, before = HeldAt(number_id, at), HeldAt(number_id, at - dt.timedelta(seconds=1))
        assert holders_at(session, [at_end, before]).keys() == {before}


def test_a_full_number_is_shown_once_for_a_reason(desk: Desk, arrange: Arrange) -> None:
    arrange(lambda session: make_subscriber(session, digits="13900002222"))
    triager = desk.as_(Role.TRIAGER)
    [row] = desk.all(Subscriber)

    without = triager.post(f"/subscribers/{row.id}/number", data={"reason": ""})
    shown = triager.post(f"/subscribers/{row.id}/number", data={"reason": "回访"})

    assert without.status_code == 303
    assert "13900002222" in triager.post(f"/subscribers/{row.id}/number", data={"reason": "回访用户"}).text
    assert shown.status_code in {200, 303}
    assert "13900002222" not in triager.get(f"/subscribers/{row.id}").text
    reasons = [event.reason for event in desk.all(AuditEvent) if event.action == "subscriber_number.revealed"]
    assert reasons == ["回访用户"]


def test_a_clerk_does_not_see_a_subscriber_of_another_region(desk: Desk, arrange: Arrange) -> None:
    def add(session: Session) -> None:
        other = session.scalar(sa.text("SELECT id FROM org_unit WHERE code = '0792'"))
        number = make_number(session, digits="13900002222")
        session.add(
            Subscriber(
                number_id=number.id,
                account_ref="ACCOUNT-ELSEWHERE",
                unit_id=other,
                held_from=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
                source="test",
            )
        )

    arrange(add)
    clerk = desk.as_(Role.CLERK)
    [row] = desk.all(Subscriber)

    assert clerk.get(f"/subscribers/{row.id}").status_code == 404
    assert clerk.post(f"/subscribers/{row.id}/number", data={"reason": "回访用户"}).status_code == 404
    assert (
        "ACCOUNT-ELSEWHERE" not in clerk.get(clerk.post("/subscribers/", data={"number": "13900002222"}).location).text
    )


# Reference data


def test_the_administrator_sets_a_deadline_from_a_day_on(desk: Desk) -> None:
    admin, day = desk.as_(Role.ADMIN), clock.today() + dt.timedelta(days=7)
    fields = {"channel": "12345", "unit_id": "", "days": "3", "day_type": "working", "source": "条例修订"}

    made = admin.post("/reference/deadlines/new", data={**fields, "valid_from": day.isoformat()})
    late = admin.post("/reference/deadlines/new", data={**fields, "valid_from": "2026-01-01"})

    assert (made.status_code, late.status_code) == (303, 422)
    rules = [rule for rule in desk.all(DeadlineRule) if rule.channel is Channel.MAYOR_12345]
    assert [(rule.days, rule.valid_to) for rule in rules] == [(5, day), (3, None)]
    assert "条例修订" in desk.as_(Role.CLERK).get("/reference/").text


def test_a_missing_year_is_announced_and_cannot_be_loaded_before_it_is_known(desk: Desk) -> None:
    admin = desk.as_(Role.ADMIN)

    page = admin.get("/reference/calendar").text
    told = admin.post("/reference/calendar/2027/load", follow_redirects=True)

    assert "The calendar of 2027 is not loaded." in page
    assert "The holidays of 2027 are not known yet" in told.text
    assert "The calendar of 2027 is loaded" not in told.text
    assert 2027 not in [row.year for row in desk.all(CalendarYear)]
    assert admin.post("/reference/calendar/2026/load").status_code == 303


def test_a_day_is_set_by_hand(desk: Desk) -> None:
    admin = desk.as_(Role.ADMIN)

    response = admin.post("/reference/calendar/day", data={"day": "2026-11-24", "note": "台风停工"})

    assert response.location == "/reference/calendar?year=2026"
    assert "台风停工" in admin.get(response.location).text


def test_offence_types_are_added_and_retired_never_deleted(desk: Desk) -> None:
    admin, day = desk.as_(Role.ADMIN), clock.today() + dt.timedelta(days=1)
    fields = {
        "code": "robot_calls",
        "family": "method",
        "name_zh": "机器人呼叫",
        "name_en": "Robot calls",
        "legal_basis": "内部规定第一条",
        "valid_from": "2026-01-01",
    }

    added = admin.post("/reference/offences/new", data=fields)
    twice = admin.post("/reference/offences/new", data=fields)
    row = next(one for one in desk.all(OffenceType) if one.code == "robot_calls")
    retired = admin.post(f"/reference/offences/{row.id}/retire", data={"valid_to": day.isoformat()})

    assert (added.status_code, twice.status_code, retired.status_code) == (303, 409, 303)
    assert next(one for one in desk.all(OffenceType) if one.id == row.id).valid_to == day


@pytest.mark.parametrize("address", ["/reference/deadlines/new", "/reference/calendar/day", "/reference/offences/new"])
def test_only_the_administrator_edits_reference_data(desk: Desk, address: str) -> None:
    assert desk.as_(Role.TRIAGER).get(address).status_code == 403


# The browser


@pytest.mark.browser
def test_the_pages_of_intake_keep_wcag(desk: Desk, live_url: str, page: Page, axe: Accessibility) -> None:
    triager = desk.as_(Role.TRIAGER)
    batch = upload(triager, f"{HEADER}\n{ROW}\n", profile=profile_id(desk, "12321"))
    mapper = upload(triager, "From,Text\n5205269536,x\n", profile="map")
    sign_in_browser(desk, page, live_url)

    addresses = ["/intake/new", "/imports/", "/imports/new", batch, mapper, "/imports/profiles", "/subscribers/"]
    addresses += ["/subscribers/new", "/reference/", "/reference/calendar", "/reference/offences"]
    for address in addresses:
        page.goto(live_url + address)
        assert axe.violations(page) == [], address


@pytest.mark.browser
def test_calls_are_added_and_taken_away_in_the_browser(desk: Desk, live_url: str, page: Page) -> None:
    sign_in_browser(desk, page, live_url)
    page.goto(f"{live_url}/intake/new")

    page.get_by_role("button", name="Add a call or SMS").click()
    page.locator("#calls-1-caller_number").fill("02081234567")
    page.locator("#calls-1-occurred_at").fill("2026-09-29T10:00:00")
    page.locator("#content").fill("推销")
    page.get_by_role("button", name="Take it in").click()

    page.wait_for_url("**/tickets/*")
    assert len(desk.all(Incident)) == 1


def sign_in_browser(desk: Desk, page: Page, live_url: str) -> None:
    client = desk.as_(Role.TRIAGER)
    page.set_extra_http_headers({"Accept-Language": "en"})
    cookie = client.get_cookie(desk.app.config["IDENTITY_COOKIE"])
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_url}])
