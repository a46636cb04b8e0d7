"""Evidence and verification on the page of a call, through scope alone; the thresholds that mark a number."""

import datetime as dt
import io
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.attribution.models import Finding, FindingState
from supervise.attribution.proof_models import CountedPer, IncidentAttachment, ReporterThreshold, VerificationEntry
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident
from supervise.files.models import Attachment
from supervise.parties.models import Party
from tests.factories.attribution import attribute, make_proven_incident
from tests.factories.complaints import make_number
from tests.factories.parties import give_scope, make_holder, make_party
from tests.views.desk_pages import Desk, open_desk

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)

OTHER_CALLER = "02988889999"
LETTER = "营业厅答复：应该是第三方代理给你的电话。".encode()


@pytest.fixture
def desk(app: Flask) -> Desk:
    return open_desk(app)


def decided_call(desk: Desk) -> int:
    incident_id = desk.incident_of(desk.ticket())

    def decide(session: Session) -> None:
        holder = session.scalars(sa.select(Party).where(Party.code == "HX01")).one()
        attribute(session, incident=session.get_one(Incident, incident_id), party=holder)

    desk.write(decide)
    return incident_id


def attach(desk: Desk, incident_id: int, name: str = "答复.txt", content: bytes = LETTER) -> Any:
    fields = {"file": (io.BytesIO(content), name), "evidence_kind": "letter", "source": "城关营业厅来函"}
    return desk.as_(Role.CLERK).post(f"/incidents/{incident_id}/evidence", data=fields)


def attachment_of(desk: Desk) -> int:
    [attachment_id] = desk.read(sa.select(Attachment.id))
    return int(attachment_id)


def test_evidence_is_attached_shown_and_handed_over_as_it_came(desk: Desk) -> None:
    incident_id = decided_call(desk)

    added = attach(desk, incident_id)
    page = desk.as_(Role.AUDITOR).get(f"/incidents/{incident_id}").text
    fetched = desk.as_(Role.AUDITOR).post(f"/incidents/{incident_id}/evidence/{attachment_of(desk)}")

    assert added.status_code == 303
    assert "城关营业厅来函" in page
    assert fetched.data == LETTER
    assert fetched.headers["Content-Disposition"].startswith("attachment;")
    assert fetched.headers["X-Content-Type-Options"] == "nosniff"
    assert fetched.headers["Cache-Control"] == "no-store"
    told = desk.read(sa.select(AuditEvent.action).where(AuditEvent.action.like("evidence.%")).order_by(AuditEvent.id))
    assert told == ["evidence.added", "evidence.downloaded"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("letter.pdf", LETTER, "does not fit the content"), ("run.exe", b"MZ\x90\x00\x03", "not accepted")],
)
def test_a_file_that_is_not_what_it_says_is_refused_beside_its_field(
    desk: Desk, name: str, content: bytes, words: str
) -> None:
    refused = attach(desk, decided_call(desk), name, content)

    assert refused.status_code == 400
    assert words in refused.text
    assert desk.read(sa.select(Attachment)) == []


def test_evidence_is_not_reached_through_another_call(desk: Desk) -> None:
    attach(desk, decided_call(desk))
    other = desk.incident_of(desk.ticket(called_at=clock.now() - dt.timedelta(days=1)))

    assert desk.as_(Role.TRIAGER).post(f"/incidents/{other}/evidence/{attachment_of(desk)}").status_code == 404


def test_what_was_attached_and_entered_before_a_merge_is_read_where_the_call_lives(desk: Desk) -> None:
    at = clock.now() - dt.timedelta(days=1)
    lives, merged = (desk.incident_of(desk.ticket(called_at=at + dt.timedelta(minutes=late))) for late in (0, 9))
    attach(desk, merged)
    triager = desk.as_(Role.TRIAGER)
    heard = {"verification_kind": "call_back", "outcome": "confirmed", "what": "回拨为外呼坐席"}
    assert triager.post(f"/incidents/{merged}/verifications", data=heard).status_code == 303
    one = triager.post(f"/incidents/{merged}/merge", data={"row_id": str(lives), "reason": "同一次来电"})
    assert one.status_code == 303

    page = triager.get(f"/incidents/{lives}", headers={"Accept-Language": "en"}).text

    log, evidence = (page.split(f'id="{name}"')[1].split("</section>")[0] for name in ("verifications", "evidence"))
    assert ("回拨为外呼坐席" in log, f"/incidents/{merged}" in log) == (True, True)
    assert "what proves this call is entered here" in log
    assert f"/incidents/{merged}/evidence/{attachment_of(desk)}" in evidence
    assert "/withdraw" not in evidence
    assert triager.post(f"/incidents/{merged}/evidence/{attachment_of(desk)}").data == LETTER


def test_evidence_is_withdrawn_and_held_with_a_reason(desk: Desk) -> None:
    incident_id = decided_call(desk)
    attach(desk, incident_id)
    at, triager = f"/incidents/{incident_id}/evidence/{attachment_of(desk)}", desk.as_(Role.TRIAGER)

    silent = triager.post(f"{at}/withdraw")
    done = [triager.post(f"{at}/{step}", data={"reason": "附错了工单"}).status_code for step in ("withdraw", "hold")]
    own = triager.post(f"{at}/release", data={"reason": "结案归档"})
    released = desk.as_(Role.SUPERVISOR).post(f"{at}/release", data={"reason": "结案归档"})

    assert (silent.status_code, done) == (400, [303, 303])
    assert (own.status_code, released.status_code) == (409, 303)
    assert desk.read(sa.select(IncidentAttachment.withdrawal_reason)) == ["附错了工单"]


def test_a_verification_is_entered_and_a_finding_then_rests_on_it(desk: Desk) -> None:
    incident_id, triager = decided_call(desk), desk.as_(Role.TRIAGER)
    at = f"/incidents/{incident_id}"
    finding = {"proven": "frequency", "evidence_note": "详单：一日七次", "verified_by": "logged"}
    entry = {"verification_kind": "call_back", "outcome": "confirmed", "what": "回拨：自称某代理"}

    early = triager.post(f"{at}/findings", data=finding)
    ahead = triager.post(f"{at}/verifications", data=entry | {"verified_at": "2999-01-01T10:00"})
    entered = triager.post(f"{at}/verifications", data=entry)
    page = triager.get(at).text
    found = triager.post(f"{at}/findings", data=finding)

    assert (early.status_code, ahead.status_code, entered.status_code, found.status_code) == (409, 422, 303, 303)
    assert "回拨：自称某代理" in page
    assert '<option selected value="logged">' in page
    assert len(desk.read(sa.select(VerificationEntry))) == 1


def test_the_finding_form_enters_its_verification_by_itself(desk: Desk) -> None:
    incident_id = decided_call(desk)

    desk.as_(Role.TRIAGER).post(
        f"/incidents/{incident_id}/findings", data={"proven": "frequency", "evidence_note": "录音第12秒"}
    )

    [entry] = desk.read(sa.select(VerificationEntry))
    assert (entry.kind.value, entry.what) == ("recording_review", "录音第12秒")
    assert desk.read(sa.select(Finding.state)) == [FindingState.PROVEN]


def test_a_number_with_enough_reporters_is_marked_on_its_page_its_holders_and_the_call(desk: Desk) -> None:
    def report(session: Session) -> tuple[int, int, int]:
        party, now = make_party(session), clock.now()
        holder = make_holder(session, party=party, digits=OTHER_CALLER)
        for serial in range(3):
            number = make_number(session, digits=f"1390000777{serial}")
            ticketed = make_proven_incident(
                session,
                party=party,
                number=number,
                caller_number=OTHER_CALLER,
                occurred_at=now - dt.timedelta(hours=serial),
            )
        session.add(
            ReporterThreshold(
                counted_per=CountedPer.PARTY,
                subscribers=3,
                within_days=7,
                legal_note="内部规定第3条",
                valid_from=clock.today(),
            )
        )
        return holder.number_id, ticketed.id, party.id

    number_id, incident_id, party_id = desk.write(report)
    triager = desk.as_(Role.TRIAGER)
    number, incident = triager.get(f"/numbers/{number_id}").text, triager.get(f"/incidents/{incident_id}").text

    for page in (number, incident, triager.get(f"/parties/{party_id}").text):
        assert "3 different subscribers with a confirmed incident" in page
        assert "not a finding" in page


def test_a_threshold_is_set_and_ended_by_the_administrator(desk: Desk) -> None:
    admin, today = desk.as_(Role.ADMIN), clock.today()
    fields = {"counted_per": "number", "subscribers": "5", "within_days": "60", "legal_note": "内部规定第3条"}

    zero = admin.post("/reference/reporters/new", data=fields | {"subscribers": "0", "valid_from": today.isoformat()})
    made = admin.post("/reference/reporters/new", data=fields | {"valid_from": today.isoformat()})
    [threshold] = desk.read(sa.select(ReporterThreshold).where(ReporterThreshold.subscribers == 5))
    tomorrow = (today + dt.timedelta(days=1)).isoformat()
    ended = admin.post(f"/reference/reporters/{threshold.id}/end", data={"valid_to": tomorrow})
    page = desk.as_(Role.CLERK).get("/reference/reporters/").text

    assert (zero.status_code, made.status_code, ended.status_code) == (400, 303, 303)
    assert "内部规定第3条" in page
    assert "New threshold" not in page


def test_the_charged_party_is_not_told_of_a_suspicion(desk: Desk) -> None:
    def report(session: Session) -> int:
        party, now = make_party(session), clock.now()
        holder = make_holder(session, party=party, digits=OTHER_CALLER)
        contact = session.scalars(sa.select(User.id).where(User.role == Role.PARTNER_CONTACT)).one()
        give_scope(session, user_id=contact, party=party)
        for serial in range(3):
            number, at = make_number(session, digits=f"1390000777{serial}"), now - dt.timedelta(hours=serial)
            make_proven_incident(session, party=party, number=number, caller_number=OTHER_CALLER, occurred_at=at)
        return holder.number_id

    page = desk.as_(Role.PARTNER_CONTACT).get(f"/numbers/{desk.write(report)}")

    assert page.status_code == 200
    assert "confirmed incident" not in page.text
