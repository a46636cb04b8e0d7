"""The pages about records: platforms, uploads, coverage, expiring evidence, legal holds, retention, clocks."""

import datetime as dt
import io

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.roles import Role
from supervise.cipher import Keyring
from supervise.evidence.models import HoldRequest, LegalHold, RecordImport, RecordKind, RecordPartition, RecordSource
from supervise.jobs.evidence import import_records
from supervise.views.background import surroundings
from tests.factories.complaints import make_incident
from tests.factories.parties import make_carrier
from tests.factories.records import write_records
from tests.views.desk_pages import Desk, open_desk

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)

PLATFORM = {"code": "dial-1", "name": "省外呼平台", "kind": "calls", "carrier": "CU", "valid_from": "2026-10-01"}


@pytest.fixture
def desk(app: Flask) -> Desk:
    desk = open_desk(app)
    desk.write(lambda session: make_carrier(session, code="CU"))
    return desk


def test_a_platform_is_entered_named_and_ended_and_a_code_is_used_once(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)

    entered = triager.post("/records/platforms/new", data=PLATFORM)
    twice = triager.post("/records/platforms/new", data=PLATFORM)
    spaced = triager.post("/records/platforms/new", data=PLATFORM | {"code": "dial 1"})
    [source] = desk.read(sa.select(RecordSource).where(RecordSource.code == "dial-1"))
    address = f"/records/platforms/{source.id}"
    renamed = triager.post(f"{address}/name", data={"name": "外呼一号", "version": "1"})
    stale = triager.post(f"{address}/name", data={"name": "外呼二号", "version": "1"})
    ended = triager.post(f"{address}/end", data={"valid_to": "2026-11-01", "version": "2"})
    page = triager.get("/records/platforms").text

    assert [answer.status_code for answer in (entered, twice, spaced)] == [303, 409, 400]
    assert [answer.status_code for answer in (renamed, stale, ended)] == [303, 409, 303]
    for words in ("外呼一号", "Platform renamed", "Platform ended"):
        assert words in page


def test_an_uploaded_file_is_read_by_the_worker_and_its_refused_rows_come_back_as_a_file(desk: Desk) -> None:
    triager = desk.as_(Role.TRIAGER)
    triager.post("/records/platforms/new", data=PLATFORM)
    lines = [
        "话单号,主叫号码,被叫号码,开始时间",
        "A1,10086,13900008888,2026-10-05 10:00:00",
        "A2,10086,,2026-10-05 10:01:00",
    ]
    upload = {"kind": "calls", "platform": "dial-1", "covers_from": "2026-10-05", "covers_last": "2026-10-06"}

    def send(**changes: str) -> int:
        file = (io.BytesIO("\n".join(lines).encode()), "话单.csv")
        return triager.post("/records/imports/new", data=upload | changes | {"file": file}).status_code

    assert send(covers_last="2026-10-04") == 400
    assert send(kind="orders") == 400
    assert send(refused_accepted="1") == 400
    assert desk.read(sa.select(RecordImport)) == []
    assert send() == 303
    [batch] = desk.read(sa.select(RecordImport))
    waiting = triager.get(f"/records/imports/{batch.id}").text
    with desk.app.app_context():
        import_records(surroundings(), lambda _done, _total: None, None, import_id=batch.id)
    page = triager.get(f"/records/imports/{batch.id}").text
    refused = triager.get(f"/records/imports/{batch.id}/refused.csv").text
    coverage = triager.get("/records/coverage?month=2026-10").text

    assert f'data-progress="/jobs/{batch.job_id}"' in waiting
    assert "话单.csv" in page
    assert "No rows that day" in page
    assert "This cell must not be empty" in refused
    assert "29 days are missing." in coverage
    assert "2026-10-07 – 2026-10-31" in coverage


def test_a_clerk_sees_coverage_but_imports_nothing_and_a_branch_sees_neither(desk: Desk) -> None:
    clerk = desk.as_(Role.CLERK)

    assert "No platform of this kind was in service" in clerk.get("/records/coverage?kind=quality&month=2019-01").text
    assert clerk.get("/records/imports/new").status_code == 403
    assert clerk.get("/records/coverage?month=2026-13").status_code == 422
    assert desk.as_(Role.BRANCH_MANAGER).get("/records/coverage").status_code == 403


def test_expiring_recordings_are_asked_for_in_bulk_and_answered_on_the_calls_page(desk: Desk) -> None:
    called = clock.start_of_day(clock.today() - dt.timedelta(days=27))

    def call(session: Session) -> list[int]:
        callers = ("13800001100", "13800001101")
        return [make_incident(session, occurred_at=called, caller_number=caller).id for caller in callers]

    first, second = desk.write(call)
    triager = desk.as_(Role.TRIAGER)
    asked = {"picked": [f"{first}", f"{second}"], "asked_of": "省外呼平台"}

    before = triager.get("/records/expiring").text
    nobody = triager.post("/records/expiring/ask", data=asked | {"asked_of": " "})
    done = triager.post("/records/expiring/ask", data=asked).text
    again = triager.post("/records/expiring/ask", data=asked).text
    [hold] = desk.read(sa.select(HoldRequest).where(HoldRequest.incident_id == first))
    answered = triager.post(f"/incidents/holds/{hold.id}/answer", data={"state": "kept", "answer": "已封存"})
    page = triager.get(f"/incidents/{first}").text
    rest = triager.get("/records/expiring/export?format=csv").text

    assert before.count("3 days left") == 2
    assert nobody.status_code == 422
    assert done.count("The request is entered") == 2
    assert again.count("Somebody asked for it already: 省外呼平台") == 2
    assert answered.status_code == 303
    assert "已封存" in page
    assert "Must be kept through" in rest
    assert "13800001100" not in rest
    assert "13800001101" in rest


def test_records_are_dropped_by_a_supervisor_unless_a_legal_hold_keeps_them(desk: Desk, keyring: Keyring) -> None:
    def record(session: Session) -> None:
        at = clock.start_of_day(dt.date(2021, 3, 4))
        row = {"caller": "10086", "subscriber": "13900008888", "started_at": at}
        write_records(session, keyring, RecordKind.CALLS, [row], platform="old")

    desk.write(record)
    triager, supervisor = desk.as_(Role.TRIAGER), desk.as_(Role.SUPERVISOR)
    hold = {"kind": "calls", "from_day": "2021-03-01", "to_day": "2021-04-01", "reason": "法院调证"}
    drop = "/records/retention/calls/2021-03/drop"

    assert triager.post("/records/holds/new", data=hold).status_code == 303
    [held] = desk.read(sa.select(LegalHold))
    kept = supervisor.post(drop, data={"reason": "保存期满"})
    own = triager.post(f"/records/holds/{held.id}/release", data={"reason": "案件已结"})
    released = supervisor.post(f"/records/holds/{held.id}/release", data={"reason": "案件已结"})
    page = supervisor.get("/records/retention").text
    refused = triager.post(drop, data={"reason": "保存期满"})
    dropped = supervisor.post(drop, data={"reason": "保存期满"})

    assert [answer.status_code for answer in (kept, own, released, refused, dropped)] == [409, 409, 303, 403, 303]
    assert "on legal hold; nothing was dropped" in kept.text
    assert "法院调证" in page
    [part] = desk.read(sa.select(RecordPartition).where(RecordPartition.on_day == dt.date(2021, 3, 4)))
    assert (part.drop_reason, bool(part.sha256)) == ("保存期满", True)
    assert "Records dropped" in supervisor.get("/records/retention").text


def test_a_supervisor_sets_clocks_and_retention_from_today_on(desk: Desk) -> None:
    supervisor, today = desk.as_(Role.SUPERVISOR), clock.today()
    given = {"legal_basis": "公司内部要求", "valid_from": f"{today}", "keep_months": "0", "keep_days": "0"}
    clocks, retentions = (
        "/reference/evidence-clocks/clocks/recording/new",
        "/reference/evidence-clocks/retentions/calls/new",
    )

    nothing = supervisor.post(clocks, data=given)
    set_ = supervisor.post(clocks, data=given | {"keep_days": "90"})
    again = supervisor.post(clocks, data=given | {"keep_days": "60"})
    late = supervisor.post(retentions, data=given | {"keep_months": "60", "valid_from": "2026-01-01"})
    kept = supervisor.post(retentions, data=given | {"keep_months": "60"})
    page = desk.as_(Role.CLERK).get("/reference/evidence-clocks/").text

    assert [answer.status_code for answer in (nothing, set_, again, late, kept)] == [422, 303, 409, 422, 303]
    assert "90 days" in page
    assert "60 months" in page
    assert "New period" not in page


def test_the_list_of_calls_to_attribute_marks_those_whose_recording_ends_soon(desk: Desk) -> None:
    def call(session: Session) -> None:
        for days_ago in (27, 3):
            at = clock.start_of_day(clock.today() - dt.timedelta(days=days_ago))
            make_incident(session, occurred_at=at, caller_number=f"138000011{days_ago:02d}")

    desk.write(call)

    page = desk.as_(Role.TRIAGER).get("/incidents/unattributed").text

    assert page.count("days left") == 1
    assert "3 days left" in page
