"""The do-not-contact register by its pages: record, look up, list, export, import; who may do what."""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident, Subscriber, SubscriberNumber, Ticket
from supervise.complaints.subscribers import number_ids
from supervise.donotcall.models import PermissionEvent
from supervise.parties.models import Party
from tests.factories.access import make_user, sign_in
from tests.factories.complaints import CALLED_AT, KEYRING, make_incident, make_number, make_subscriber, make_ticket
from tests.factories.donotcall import make_consent, make_refusal
from tests.factories.files import write_csv
from tests.factories.parties import give_scope, make_party, make_unit

OWN, FOREIGN, UNKNOWN = "13900001111", "13900002222", "13900003333"
HOUR = dt.timedelta(hours=1)
SAID = {
    "word": "refusal",
    "scopes": ["marketing_calls", "marketing_sms"],
    "party": "",
    "purpose": "",
    "said_at": "2026-03-05T09:30",
    "channel": "hotline",
    "source": "录音 20260305-0001",
}
HEADER = ["用户号码", "意愿", "适用范围", "表达时间", "表达方式", "来源", "责任方编码", "用途"]

Read = Callable[[type[Any]], list[Any]]


@pytest.fixture(autouse=True)
def register(app: Flask) -> None:
    """Two regions with a subscriber each, an agent, a ticket with a call, and the staff."""
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), db.writing() as session:
        unit, other = make_unit(session, name="城关分公司"), make_unit(session, name="七里河分公司")
        make_party(session, name="华信代理", code="A1")
        own, foreign = make_number(session, digits=OWN), make_number(session, digits=FOREIGN)
        make_subscriber(session, number=own, unit=unit)
        make_subscriber(session, number=foreign, unit=other)
        make_incident(session, ticket=make_ticket(session, number=own, unit=unit))
        for role in Role:
            give_scope(session, user_id=make_user(session, role=role).id, unit=unit)


@pytest.fixture
def read(app: Flask) -> Read:
    """Return every row of a table."""

    def rows(kind: type[Any]) -> list[Any]:
        with app.app_context(), db.reading() as session:
            return list(session.scalars(sa.select(kind).order_by(kind.id)))

    return rows


def arrange(app: Flask, add: Callable[[Session], object]) -> None:
    with app.app_context(), db.writing() as session:
        add(session)


def number_of(session: Session, digits: str) -> SubscriberNumber:
    return session.get_one(SubscriberNumber, number_ids(session, KEYRING, [digits])[digits])


def browser(app: Flask, role: Role) -> FlaskClient:
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        sign_in(session, client, session.scalars(sa.select(User).where(User.role == role)).one())
    return client


def own_page(app: Flask, digits: str = OWN) -> str:
    with app.app_context(), db.writing() as session:
        return f"/permissions/numbers/{number_of(session, digits).id}"


def shown(response: TestResponse) -> str:
    assert response.status_code == 200, response.text
    return " ".join(re.sub(r"<[^>]+>", " ", response.text.partition("<main")[2]).split())


def test_a_refusal_of_calls_and_messages_is_recorded_by_hand_with_its_audit_events(app: Flask, read: Read) -> None:
    clerk = browser(app, Role.CLERK)

    answer = clerk.post(f"{own_page(app)}/record", data=SAID)
    page = shown(clerk.get(answer.location))

    events = read(PermissionEvent)
    assert [(one.given, one.scope, one.party_id) for one in events] == [
        (False, "marketing_calls", None),
        (False, "marketing_sms", None),
    ]
    assert {one.said_at for one in events} == {dt.datetime(2026, 3, 5, 1, 30, tzinfo=dt.UTC)}
    trail = [one for one in read(AuditEvent) if one.action == "permission.refused"]
    assert {one.subject_id for one in trail} == {str(events[0].number_id)}
    assert len(trail) == 2
    assert "To the hotline" in page
    assert "录音 20260305-0001" in page
    assert "never changed or deleted" in page


def test_a_consent_says_to_whom_and_what_for(app: Flask, read: Read) -> None:
    consent = SAID | {"word": "consent", "scopes": ["marketing_calls"], "party": "华信代理"}
    triager = browser(app, Role.TRIAGER)

    without = triager.post(f"{own_page(app)}/record", data=consent)
    answer = triager.post(f"{own_page(app)}/record", data=consent | {"purpose": "5G 套餐升级"})
    page = shown(triager.get(answer.location))

    assert (without.status_code, "Say what the consent is for" in without.text) == (400, True)
    [event] = read(PermissionEvent)
    assert (event.given, event.purpose, event.party_id) == (True, "5G 套餐升级", read(Party)[-1].id)
    assert "Everyone who calls for the carrier No record, so no consent No record, so no consent" in page
    assert re.search(r"华信代理 Consent 2026-03-05 09:30 .*for: 5G 套餐升级", page)


def test_a_clerk_records_no_consent(app: Flask, read: Read) -> None:
    clerk = browser(app, Role.CLERK)

    form = clerk.get(f"{own_page(app)}/record")
    answer = clerk.post(f"{own_page(app)}/record", data=SAID | {"word": "consent", "purpose": "5G 套餐升级"})

    assert 'value="consent"' not in form.text
    assert answer.status_code == 400
    assert read(PermissionEvent) == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"said_at": "2099-01-01T00:00"}, "The time lies in the future"),
        ({"party": "NOBODY"}, "No party has the code or name"),
        ({"scopes": []}, "Choose calls, messages or both"),
        ({"source": " "}, "Say where it is on record"),
    ],
)
def test_what_is_wrong_stands_beside_the_field(app: Flask, read: Read, wrong: dict[str, Any], reason: str) -> None:
    answer = browser(app, Role.CLERK).post(f"{own_page(app)}/record", data=SAID | wrong)

    assert answer.status_code == 400
    assert reason in answer.text
    assert read(PermissionEvent) == []


def test_a_second_click_records_nothing_more(app: Flask, read: Read) -> None:
    clerk = browser(app, Role.CLERK)
    clerk.post(f"{own_page(app)}/record", data=SAID)

    answer = clerk.post(f"{own_page(app)}/record", data=SAID)

    assert answer.status_code == 409
    assert "This is recorded already" in answer.text
    assert len(read(PermissionEvent)) == 2


def test_a_number_that_is_nobodys_can_refuse_and_never_stands_in_an_address(app: Flask, read: Read) -> None:
    clerk = browser(app, Role.CLERK)

    before = clerk.post("/permissions/find", data={"number": UNKNOWN})
    unknown = shown(clerk.get(before.location))
    answer = clerk.post("/permissions/new", data=SAID | {"number": UNKNOWN})
    after = clerk.post("/permissions/find", data={"number": UNKNOWN})
    page = shown(clerk.get(after.location))

    assert "Nothing is recorded of this number: no record means no consent" in unknown
    assert len(read(PermissionEvent)) == 2
    assert after.location == answer.location
    assert UNKNOWN not in f"{before.location}{answer.location}{page}"
    assert "139****3333" in page


def test_a_number_of_another_region_is_as_unknown_as_one_that_is_not_there(app: Flask) -> None:
    arrange(app, lambda session: make_refusal(session, number=number_of(session, FOREIGN)))
    clerk, triager = browser(app, Role.CLERK), browser(app, Role.TRIAGER)

    foreign, unknown = (clerk.post("/permissions/find", data={"number": digits}) for digits in (FOREIGN, UNKNOWN))

    assert foreign.location == unknown.location == "/permissions/"
    assert clerk.get(own_page(app, FOREIGN)).status_code == 404
    assert clerk.post(f"{own_page(app, FOREIGN)}/record", data=SAID).status_code == 404
    assert "139****2222" not in clerk.get("/permissions/").text
    assert "139****2222" not in clerk.get("/permissions/export?format=csv").text
    assert "139****2222" in triager.get("/permissions/").text


def test_what_a_clerk_recorded_of_a_foreign_number_shows_nothing_else_of_it(app: Flask) -> None:
    arrange(app, lambda session: make_consent(session, number=number_of(session, FOREIGN)))
    clerk = browser(app, Role.CLERK)

    answer = clerk.post("/permissions/new", data=SAID | {"number": FOREIGN})
    page = shown(clerk.get(answer.location))

    assert "only what you recorded yourself is shown" in page
    assert "Consent" not in page.replace("Refusal or consent", "")
    assert "What holds now" not in page


def test_the_register_is_filtered_paged_and_exported_alike(app: Flask) -> None:
    def add(session: Session) -> None:
        party = session.scalars(sa.select(Party).where(Party.code == "A1")).one()
        for hours in range(55):
            make_refusal(session, party=party, said_at=CALLED_AT + hours * HOUR)
        make_consent(session)

    arrange(app, add)
    supervisor = browser(app, Role.SUPERVISOR)

    first = supervisor.get("/permissions/?party=A1&word=refusal&scope=marketing_calls")
    following = re.search(r'rel="next"\s+href="([^"]+)"', first.text)
    assert following is not None
    second = supervisor.get(following[1].replace("&amp;", "&"))
    book = openpyxl.load_workbook(io.BytesIO(supervisor.get("/permissions/export?word=consent").data))
    lines = supervisor.get("/permissions/export?format=csv&party=A1").text.removeprefix("\ufeff")

    assert (first.text.count("data-open"), second.text.count("data-open")) == (50, 5)
    heads, *consents = book.active.iter_rows(values_only=True)
    assert heads[:4] == ("Number", "Refusal or consent", "Covers", "Said at")
    assert [row[1] for row in consents] == ["Consent"]
    rows = list(csv.reader(lines.splitlines()))
    assert len(rows) == 56
    assert all(re.fullmatch(r"139\*{4}\d{4}", row[0]) and row[6] == "华信代理" for row in rows[1:])
    assert "No refusal or consent fits" in supervisor.get("/permissions/?party=NOBODY").text
    assert "No party has the code or name" in supervisor.get("/permissions/?party=NOBODY").text


def test_the_subscribers_page_tells_what_holds_and_what_was_said(app: Flask, read: Read) -> None:
    arrange(app, lambda session: make_refusal(session, number=number_of(session, OWN), said_at=CALLED_AT))
    clerk = browser(app, Role.CLERK)

    page = shown(clerk.get(f"/subscribers/{read(Subscriber)[0].id}"))

    said = f"{CALLED_AT.astimezone(clock.CHINA):%Y-%m-%d %H:%M}"
    assert f"Everyone who calls for the carrier Refusal {said}" in page
    assert "Through 12321 or the regulator" in page


def test_the_pages_of_ticket_and_call_tell_what_held_before_the_call(app: Flask, read: Read) -> None:
    clerk = browser(app, Role.CLERK)
    pages = [
        f"/tickets/{read(Ticket)[0].id}",
        f"/incidents/{read(Incident)[0].id}",
        f"/tickets/{read(Ticket)[0].id}/print",
    ]

    before = [shown(clerk.get(page)) for page in pages]
    arrange(app, lambda session: make_refusal(session, number=number_of(session, OWN), said_at=CALLED_AT - HOUR))
    after = [shown(clerk.get(page)) for page in pages]

    assert all("at that time no record, so no consent" in page for page in before)
    said = f"{(CALLED_AT - HOUR).astimezone(clock.CHINA):%Y-%m-%d %H:%M}"
    assert all(f"refused on {said}, before this call" in page for page in after)


def test_a_file_is_previewed_with_errors_by_row_and_taken_over_once(app: Flask, read: Read, tmp_path: Path) -> None:
    no = [OWN, "拒绝", "营销电话", "2026-03-05 09:30", "12321", "12321-77", "", ""]
    yes = [OWN, "同意", "营销短信", "2026-03-06 09:30", "app", "授权书 12", "A1", ""]
    content = write_csv(tmp_path / "in.csv", [HEADER, no, yes]).read_bytes()
    triager = browser(app, Role.TRIAGER)

    def upload() -> str:
        form = {"file": (io.BytesIO(content), "免打扰.csv")}
        return triager.post("/imports/new?kind=permissions", data=form).location

    assert "拒绝或同意" in triager.get("/imports/new?kind=permissions").text
    batch = upload()
    preview = triager.get(batch).text
    triager.post(f"{batch}/take-over")
    again = triager.get(upload()).text

    assert "Say what the consent is for" in preview
    assert OWN not in preview
    assert "139****1111" in preview
    [event] = read(PermissionEvent)
    assert (event.given, event.source) == (False, "12321-77")
    assert "There is nothing in this file to take over" in again


def test_a_clerk_brings_in_no_such_file(app: Flask) -> None:
    clerk = browser(app, Role.CLERK)

    assert clerk.get("/imports/new?kind=permissions").status_code == 403
    assert "imports/new?kind=permissions" not in clerk.get("/permissions/").text
