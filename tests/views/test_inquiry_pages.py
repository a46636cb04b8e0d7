"""Asking from the list and from a call, answering on the own page, and settling what contradicts."""

import datetime as dt
import io

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.attribution.inquiry_models import (
    AnswerConflict,
    AnswerKind,
    ConflictState,
    Inquiry,
    InquiryAnswer,
    InquiryState,
)
from supervise.attribution.models import IncidentVerdict
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident
from supervise.files.models import Attachment
from supervise.jobs.duties import follow_inquiries
from supervise.parties.models import Party
from supervise.views.background import surroundings
from tests.factories.complaints import CALLED_AT
from tests.factories.inquiries import QUESTION, ask_and_answer, make_inquiry
from tests.factories.parties import give_scope, unit_party
from tests.views.desk_pages import CALLER, NUMBER, Desk, open_desk


@pytest.fixture
def desk(app: Flask) -> Desk:
    desk = open_desk(app)

    def give(session: Session) -> None:
        partner = session.scalars(sa.select(User).where(User.role == Role.PARTNER_CONTACT)).one()
        agent = session.scalars(sa.select(Party).where(Party.code == "HX01")).one()
        give_scope(session, user_id=partner.id, party=agent)

    desk.write(give)
    return desk


def party(session: Session, desk: Desk, code: str) -> Party:
    """The agent, or for ``branch`` the clerk's branch."""
    if code == "branch":
        return unit_party(session, desk.unit(session))
    return session.scalars(sa.select(Party).where(Party.code == code)).one()


def asked(desk: Desk, code: str, called_at: dt.datetime = CALLED_AT) -> tuple[int, int]:
    """An open inquiry about a new call; its id and the call's."""
    call_id = desk.incident_of(desk.ticket(called_at=called_at))
    inquiry_id = desk.write(
        lambda session: (
            make_inquiry(session, incident=session.get_one(Incident, call_id), party=party(session, desk, code)).id
        )
    )
    return inquiry_id, call_id


def answer_form(**values: object) -> dict[str, object]:
    return {"shown": "0", "kind": "not_ours", "body": "该号码已停用。", **values}


def test_chosen_calls_of_the_list_are_asked_about_with_the_dated_deadline(desk: Desk) -> None:
    calls = [desk.incident_of(ticket_id) for ticket_id in desk.tickets(2)]
    browser = desk.as_(Role.TRIAGER)

    form = browser.post("/inquiries/choose", data={"picked": calls}, follow_redirects=True)
    done = browser.post(
        form.request.full_path, data={"party": "HX01", "question": QUESTION, "working_days": "5"}, follow_redirects=True
    )
    again = browser.post(form.request.full_path, data={"party": "HX01", "question": QUESTION, "working_days": "5"})

    assert 'value="5"' in form.text
    assert desk.read(sa.select(Inquiry.incident_id).order_by(Inquiry.id)) == calls
    assert "/inquiries/" in done.request.path
    assert again.text.count("has not answered yet") == len(calls)


def test_a_question_without_a_party_or_with_an_unknown_one_is_refused_beside_its_field(desk: Desk) -> None:
    call_id = desk.incident_of(desk.ticket())

    refused = desk.as_(Role.TRIAGER).post(
        f"/inquiries/new?call={call_id}", data={"party": "nobody", "question": "", "working_days": "0"}
    )

    assert refused.status_code == 400
    assert desk.read(sa.select(Inquiry.id)) == []


def test_the_partner_sees_its_question_with_masked_numbers_and_answers_with_a_file(desk: Desk) -> None:
    inquiry_id, call_id = asked(desk, "HX01")
    browser = desk.as_(Role.PARTNER_CONTACT)

    home, page = browser.get("/"), browser.get(f"/inquiries/{inquiry_id}")
    browser.post(
        f"/inquiries/{inquiry_id}/answer",
        data=answer_form(files=(io.BytesIO("日期,号码\n2026-09-29,停用\n".encode()), "台账.csv")),
        content_type="multipart/form-data",
    )
    [file_id] = desk.read(sa.select(Attachment.id))
    downloaded = desk.as_(Role.TRIAGER).get(f"/inquiries/{inquiry_id}/files/{file_id}")

    assert "Questions asked of us" in home.text
    assert CALLER in page.text
    assert NUMBER not in page.text
    assert f"/incidents/{call_id}" not in page.text
    assert downloaded.data.decode() == "日期,号码\n2026-09-29,停用\n"
    assert "attachment" in downloaded.headers["Content-Disposition"]
    assert "evidence.downloaded" in desk.read(sa.select(AuditEvent.action))


def test_a_program_is_no_evidence_and_nothing_is_answered(desk: Desk) -> None:
    inquiry_id, _call = asked(desk, "HX01")

    refused = desk.as_(Role.PARTNER_CONTACT).post(
        f"/inquiries/{inquiry_id}/answer",
        data=answer_form(files=(io.BytesIO(b"MZ\x90\x00" + b"\x00" * 100), "a.pdf")),
        content_type="multipart/form-data",
    )

    assert refused.status_code == 400
    assert "该号码已停用。" in refused.text
    assert desk.read(sa.select(InquiryAnswer.id)) == []


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "agent"},
        {"kind": "handed_on", "named_text": "某通信店"},
        {"kind": "ours", "named_text": "某通信店"},
        {"kind": "ours", "handed_on_at": "2026-09-01T10:00"},
        {"kind": "ours", "body": ""},
    ],
)
def test_an_answer_that_lacks_something_says_so_and_keeps_what_was_typed(desk: Desk, values: dict[str, str]) -> None:
    inquiry_id, _call = asked(desk, "HX01")

    refused = desk.as_(Role.PARTNER_CONTACT).post(f"/inquiries/{inquiry_id}/answer", data=answer_form(**values))

    assert refused.status_code == 400
    assert "form-error" in refused.text


def test_a_branch_reads_but_does_not_answer_for_its_agent_and_a_stranger_reads_nothing(desk: Desk) -> None:
    of_agent, _call = asked(desk, "HX01")
    of_branch, _other = asked(desk, "branch", CALLED_AT + dt.timedelta(hours=1))
    branch, partner = desk.as_(Role.BRANCH_MANAGER), desk.as_(Role.PARTNER_CONTACT)

    assert branch.get(f"/inquiries/{of_agent}").status_code == 200
    assert branch.post(f"/inquiries/{of_agent}/answer", data=answer_form()).status_code == 403
    assert partner.get(f"/inquiries/{of_branch}").status_code == 404
    assert partner.post(f"/inquiries/{of_branch}/answer", data=answer_form()).status_code == 404
    assert desk.read(sa.select(InquiryAnswer.id)) == []


def test_more_time_is_given_once_and_a_withdrawn_question_says_why(desk: Desk) -> None:
    inquiry_id, _call = asked(desk, "HX01")
    browser = desk.as_(Role.TRIAGER)
    more = {"working_days": "3", "reason": "录音正在调取"}

    first = browser.post(f"/inquiries/{inquiry_id}/extend", data=more)
    second = browser.post(f"/inquiries/{inquiry_id}/extend", data=more)
    browser.post(f"/inquiries/{inquiry_id}/withdraw", data={"reason": "问错了对象"})
    page = desk.as_(Role.PARTNER_CONTACT).get(f"/inquiries/{inquiry_id}")

    assert (first.status_code, second.status_code) == (303, 409)
    assert "问错了对象" in page.text
    assert f"/inquiries/{inquiry_id}/answer" not in page.text


def test_the_duty_notes_silence_and_the_triager_finds_it_to_decide(desk: Desk, app: Flask) -> None:
    with clock.pretending(clock.now() - dt.timedelta(days=40)):
        inquiry_id, _call = asked(desk, "HX01")
    late = desk.as_(Role.PARTNER_CONTACT).get("/")

    with app.app_context():
        follow_inquiries(surroundings())
        follow_inquiries(surroundings())
    to_decide = desk.as_(Role.TRIAGER).get("/inquiries/?state=to_decide")

    assert "whose deadline has passed" in late.text
    assert desk.read(sa.select(Inquiry.state)) == [InquiryState.DEEMED]
    assert desk.read(sa.select(AuditEvent.action).where(AuditEvent.action == "inquiries.deemed")) == [
        "inquiries.deemed"
    ]
    assert f"/inquiries/{inquiry_id}" in to_decide.text
    assert desk.read(sa.select(IncidentVerdict.incident_id)) == []


def test_a_denial_against_the_register_is_settled_by_the_supervisor_beside_both_texts(desk: Desk) -> None:
    call_id = desk.incident_of(desk.ticket())
    desk.write(
        lambda session: (
            ask_and_answer(
                session,
                session.get_one(Incident, call_id),
                party(session, desk, "HX01"),
                AnswerKind.NOT_OURS,
                body="号码早已转出。",
            ).id
        )
    )
    browser = desk.as_(Role.SUPERVISOR)
    [conflict_id] = desk.read(sa.select(AnswerConflict.id))

    home, page = browser.get("/"), browser.get(f"/inquiries/conflicts/{call_id}")
    form = {"conflict": str(conflict_id), "shown": "", "verdict": "attributed", "party": "HX01", "reason": "登记无转出"}
    without_reason = browser.post(f"/inquiries/conflicts/{call_id}", data={**form, "reason": ""})
    by_triager = desk.as_(Role.TRIAGER).post(f"/inquiries/conflicts/{call_id}", data=form)
    settled = browser.post(f"/inquiries/conflicts/{call_id}", data=form)
    again = browser.post(f"/inquiries/conflicts/{call_id}", data={**form, "reason": "以登记册为准"})

    assert "Contradicting answers to settle" in home.text
    assert "号码早已转出。" in page.text
    assert "The register says that it has held" in page.text
    assert [without_reason.status_code, by_triager.status_code, settled.status_code, again.status_code] == [
        400,
        403,
        303,
        409,
    ]
    assert "Somebody else settled it while you were deciding" in again.text
    saw, now = (again.text.split(f"{title}</h2>")[1].split("</section>")[0] for title in ("you saw", "holds now"))
    assert ("denies it" in saw, "登记无转出" in saw) == (True, False)
    assert "Settled: 登记无转出" in now
    assert "以登记册为准" in again.text
    assert desk.read(sa.select(AnswerConflict.state)) == [ConflictState.SETTLED]
    assert desk.read(sa.select(IncidentVerdict.incident_id)) == [call_id]
