"""Penalties as the charged party, its neighbours and supervisors meet them."""

import datetime as dt
import io
import re
from functools import partial

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.contracts.amendments import activate_amendment
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import Objection, ObjectionState, Penalty, PenaltyState, ReversalRequest, WindowStart
from tests.factories.complaints import CALLED_AT
from tests.factories.contracts import make_amendment
from tests.factories.parties import give_scope
from tests.factories.penalties import Charged, approve_all
from tests.views.money_pages import Scene, arranged, browser, make_scene, proposed, reread

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def charge(app: Flask, scene: Scene, charged: Charged, days: int = 0) -> Penalty:
    def make(session: Session) -> Penalty:
        penalty = proposed(session, charged, scene.people["triager"], occurred_at=CALLED_AT + dt.timedelta(days=days))
        [result] = approve_all(session, penalty, actor_id=scene.people["supervisor"])
        assert result.refusal is None
        return penalty

    return arranged(app, make)


def objections(app: Flask, penalty: Penalty) -> list[Objection]:
    with app.app_context(), db.reading() as session:
        return list(session.scalars(select(Objection).where(Objection.penalty_id == penalty.id)))


def test_the_charged_partys_first_look_starts_the_window_once(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    contact = browser(app, "contact")

    page = contact.get(f"/penalties/{penalty.id}")
    seen = reread(app, penalty.id)
    contact.get(f"/penalties/{penalty.id}")

    assert page.status_code == 200
    assert seen.window_start is WindowStart.OPENED
    assert str(seen.objection_until_on) in page.text
    assert reread(app, penalty.id).version == seen.version


@pytest.mark.parametrize("username", ["supervisor", "triager", "finance", "sponsor"])
def test_the_look_of_anybody_else_starts_nothing(app: Flask, scene: Scene, username: str) -> None:
    penalty = charge(app, scene, scene.partner)

    assert browser(app, username).get(f"/penalties/{penalty.id}").status_code == 200

    assert reread(app, penalty.id).window_start is None


def test_a_prefetch_and_a_head_request_are_no_look(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    contact = browser(app, "contact")

    contact.head(f"/penalties/{penalty.id}")
    contact.get(f"/penalties/{penalty.id}", headers={"Sec-Purpose": "prefetch"})

    assert reread(app, penalty.id).window_start is None


def test_the_page_masks_the_subscriber_and_names_no_staff_to_the_party(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)

    theirs = browser(app, "contact").get(f"/penalties/{penalty.id}").text
    ours = browser(app, "supervisor2").get(f"/penalties/{penalty.id}").text

    assert "Contract damages" in theirs
    assert "回访录音：用户已明确拒绝" in theirs
    assert ">triager" not in theirs
    assert "triager" in ours


@pytest.mark.parametrize("username", ["stranger", "rival"])
def test_a_stranger_finds_nothing_by_list_id_search_count_or_statement(app: Flask, scene: Scene, username: str) -> None:
    damages, assessment = charge(app, scene, scene.partner), charge(app, scene, scene.branch)
    client = browser(app, username)

    pages = [client.get(address).text for address in ("/penalties/", f"/penalties/?q={damages.reference}")]
    addresses = [
        f"/penalties/{damages.id}",
        f"/penalties/{assessment.id}",
        f"/statements/{scene.partner.party.id}",
        f"/statements/{scene.partner.party.id}/workbook",
        f"/statements/{scene.branch.party.id}",
    ]

    assert all(f"/penalties/{row.id}" not in page for row in (damages, assessment) for page in pages)
    assert "Nothing has been charged to you yet" in pages[0]
    assert "No penalty fits" in pages[1]
    assert [client.get(address).status_code for address in addresses] == [404] * len(addresses)


def test_a_proposal_is_not_shown_to_the_party_before_it_is_approved(app: Flask, scene: Scene) -> None:
    penalty = arranged(app, lambda session: proposed(session, scene.partner, scene.people["triager"]))
    contact = browser(app, "contact")

    assert contact.get(f"/penalties/{penalty.id}").status_code == 404
    assert penalty.reference not in contact.get("/penalties/").text


def test_many_are_acknowledged_at_once_with_a_result_for_each(app: Flask, scene: Scene) -> None:
    own, sponsored = charge(app, scene, scene.branch), charge(app, scene, scene.partner)

    def give(session: Session) -> None:
        # One manager for both branches: the partner's damages are in sight, but not theirs to acknowledge.
        give_scope(session, user_id=scene.people["manager"], unit=scene.partner.unit)

    arranged(app, give)
    page = browser(app, "manager").post("/penalties/acknowledge", data={"picked": [own.id, sponsored.id, 987_654]}).text

    assert "only the charged party itself acknowledges or objects" in page
    assert "There is no such page or record" in page
    assert reread(app, own.id).window_start is WindowStart.ACKNOWLEDGED
    assert reread(app, sponsored.id).window_start is None


def test_a_row_that_cannot_be_chosen_says_why(app: Flask, scene: Scene) -> None:
    charge(app, scene, scene.branch)
    charge(app, scene, scene.partner)
    arranged(app, lambda session: give_scope(session, user_id=scene.people["manager"], unit=scene.partner.unit))
    known = charge(app, scene, scene.branch, days=1)
    manager = browser(app, "manager")
    manager.get(f"/penalties/{known.id}")
    manager.post("/penalties/acknowledge", data={"picked": [known.id]})

    page = manager.get("/penalties/").text

    for why in (
        "Only the charged party itself acknowledges this penalty",
        "The charged party has acknowledged this penalty already",
    ):
        assert page.count(f'title="{why}"') == 1
        assert page.count(f'<span class="visually-hidden">{why}</span>') == 1
    assert page.count(" disabled>") == 2


def test_an_empty_list_blames_filters_only_where_there_are_some(app: Flask, scene: Scene) -> None:
    supervisor = browser(app, "supervisor")

    bare, filtered = (supervisor.get(f"/penalties/{query}").text for query in ("", "?state=final"))

    assert "There is no penalty yet" in bare
    assert "Change the filters." not in bare
    assert "Change the filters." in filtered


def test_an_acknowledged_penalty_is_not_offered_again(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    contact = browser(app, "contact")
    contact.get(f"/penalties/{penalty.id}")

    before = contact.get("/penalties/").text
    answer = contact.post("/penalties/acknowledge", data={"picked": [penalty.id]})

    assert answer.status_code == 303
    assert f'name="picked" value="{penalty.id}"' in " ".join(before.split())
    assert 'name="picked"' not in contact.get("/penalties/").text


def test_an_objection_is_filed_withdrawn_and_filed_by_a_supervisor(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    contact = browser(app, "contact")

    empty = contact.post(f"/penalties/{penalty.id}/objection", data={"body": " "})
    filed = contact.post(f"/penalties/{penalty.id}/objection", data={"body": "号码当日已停用"})
    contact.post(f"/penalties/objections/{objections(app, penalty)[0].id}/withdraw")
    again = browser(app, "supervisor2").post(f"/penalties/{penalty.id}/objection", data={"body": "来函附后"})

    assert (empty.status_code, filed.status_code, again.status_code) == (400, 303, 303)
    first, second = objections(app, penalty)
    assert first.state is ObjectionState.WITHDRAWN
    assert second.filed_for_party


def test_who_only_sponsors_the_party_cannot_object_for_it(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    sponsor = browser(app, "sponsor")

    page = sponsor.get(f"/penalties/{penalty.id}").text
    answer = sponsor.post(f"/penalties/{penalty.id}/objection", data={"body": "号码当日已停用"})

    assert "File the objection" not in page
    assert answer.status_code == 403
    assert objections(app, penalty) == []


def test_an_objection_is_decided_by_a_supervisor_who_did_not_approve(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    browser(app, "contact").post(f"/penalties/{penalty.id}/objection", data={"body": "号码当日已停用"})
    [objection] = objections(app, penalty)
    address = f"/penalties/objections/{objection.id}/decision"
    approver, other = browser(app, "supervisor"), browser(app, "supervisor2")
    reduce = {"decision": "reduced", "reduced_fen": "50", "note": "部分成立"}

    own = approver.get(f"/penalties/{penalty.id}").text
    refused = approver.post(address, data=reduce)
    incomplete = other.post(address, data={"decision": "reduced", "note": "部分成立"})
    decided = other.post(address, data=reduce)

    assert "You approved this penalty: somebody else decides on the objection" in own
    assert (refused.status_code, incomplete.status_code, decided.status_code) == (403, 400, 303)
    assert reread(app, penalty.id).lifted_fen == 50_00
    with app.app_context(), db.reading() as session:
        assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE) == 150_00


def test_a_final_penalty_is_reversed_by_two_people(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    arranged(app, lambda session: _make_final(session, penalty.id))
    finance, supervisor = browser(app, "finance"), browser(app, "supervisor")

    proposal = finance.post(f"/penalties/{penalty.id}/reversal", data={"amount_fen": "", "reason": "重复计扣"})
    with app.app_context(), db.reading() as session:
        request_id = session.scalars(select(ReversalRequest.id)).one()
    listed = supervisor.get("/approvals/second-person").text
    alone = finance.post(f"/approvals/reversals/{request_id}", data={"action": "approve"})
    approved = supervisor.post(f"/approvals/reversals/{request_id}", data={"action": "approve"})

    assert (proposal.status_code, alone.status_code, approved.status_code) == (303, 403, 303)
    assert penalty.reference in listed
    assert reread(app, penalty.id).state is PenaltyState.REVERSED
    with app.app_context(), db.reading() as session:
        assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE) == 0


def test_more_than_is_left_is_refused_beside_the_amount_and_the_reason_stays(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    arranged(app, lambda session: _make_final(session, penalty.id))

    refused = browser(app, "finance").post(
        f"/penalties/{penalty.id}/reversal", data={"amount_fen": "999999", "reason": "重复计扣"}
    )

    assert refused.status_code == 422
    assert "yuan can be reversed" in refused.text
    assert "重复计扣" in refused.text
    with app.app_context(), db.reading() as session:
        assert session.scalars(select(ReversalRequest.id)).all() == []


def _make_final(session: Session, penalty_id: int) -> None:
    penalty = session.get_one(Penalty, penalty_id)
    penalty.window_start, penalty.window_started_at = WindowStart.DEEMED, clock.now()
    penalty.objection_until_on = clock.today() - dt.timedelta(days=1)
    session.flush()
    assert finalise_due(session, clock.today()) == [penalty_id]


def test_the_filters_narrow_and_nonsense_in_the_address_does_not_break(app: Flask, scene: Scene) -> None:
    damages, assessment = charge(app, scene, scene.partner), charge(app, scene, scene.branch)
    client = browser(app, "supervisor2")

    internal = client.get("/penalties/?family=internal").text
    by_party = client.get(f"/penalties/?party={scene.partner.party.id}&month=2026-09&offence=after_refusal").text
    nonsense = client.get("/penalties/?party=x&month=2026-99&state=?&after=-1&unit=999999")

    assert assessment.reference in internal
    assert damages.reference not in internal
    assert damages.reference in by_party
    assert assessment.reference not in by_party
    assert nonsense.status_code == 200


def test_a_call_of_years_ago_is_found_by_its_month(app: Flask, scene: Scene) -> None:
    old, recent = charge(app, scene, scene.partner, days=-5 * 365), charge(app, scene, scene.branch)
    month = clock.month_of(old.occurred_on)

    page = browser(app, "supervisor2").get(f"/penalties/?month={month}").text

    assert f'<option selected value="{month}">' in page
    assert old.reference in page
    assert recent.reference not in page


def test_the_sums_by_month_count_what_the_reader_may_see(app: Flask, scene: Scene) -> None:
    charge(app, scene, scene.partner)
    charge(app, scene, scene.branch)

    own = browser(app, "contact").get("/penalties/").text
    all_of_them = browser(app, "supervisor2").get("/penalties/").text
    drawing = browser(app, "contact").get("/penalties/by-month.svg")

    assert ">200.00<" in own
    assert ">400.00<" in all_of_them
    assert ">400.00<" not in own
    assert drawing.mimetype == "image/svg+xml"
    assert drawing.headers["Cache-Control"] == "no-store"


# Files, questions, late objections, and two contacts at once


def test_an_objection_with_a_file_is_asked_about_and_answered(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    contact, judge = browser(app, "contact"), browser(app, "supervisor2")
    proof = {"body": "号码当日已退租", "files": (io.BytesIO("退租单\n".encode()), "退租单.txt")}
    assert contact.post(f"/penalties/{penalty.id}/objection", data=proof).status_code == 303
    [objection] = objections(app, penalty)

    assert (
        judge.post(f"/penalties/objections/{objection.id}/question", data={"question": "哪天退租?"}).status_code == 303
    )
    asked = contact.get(f"/penalties/{penalty.id}")
    contact.post(f"/penalties/objections/{objection.id}/addition", data={"addition": "九月二十日"})

    assert "哪天退租?" in asked.text
    page = judge.get(f"/penalties/{penalty.id}")
    assert "九月二十日" in page.text
    [link] = set(re.findall(rf"/penalties/objections/{objection.id}/files/\d+", page.text))
    assert judge.get(link).data.decode() == "退租单\n"
    assert browser(app, "rival").get(link).status_code == 404


def test_a_file_that_is_not_what_its_name_says_is_refused_and_the_words_stay(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)

    sent = {"body": "号码当日已退租", "files": (io.BytesIO(b"MZ\x90\x00"), "退租单.pdf")}
    refused = browser(app, "contact").post(f"/penalties/{penalty.id}/objection", data=sent)

    assert refused.status_code == 422
    assert "号码当日已退租" in refused.text
    assert objections(app, penalty) == []


def test_the_second_contact_is_told_and_its_words_wait_to_be_added(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    contact = browser(app, "contact")
    contact.post(f"/penalties/{penalty.id}/objection", data={"body": "号码当日已退租"})

    second = contact.post(f"/penalties/{penalty.id}/objection", data={"body": "通话时间也有误"})

    assert second.status_code == 409
    assert "通话时间也有误" in second.text
    assert "A colleague objected meanwhile" in second.text
    assert len(objections(app, penalty)) == 1


def test_a_late_objection_is_admitted_by_a_supervisor_and_then_decided(app: Flask, scene: Scene) -> None:
    penalty = charge(app, scene, scene.partner)
    contact, judge = browser(app, "contact"), browser(app, "supervisor2")
    contact.get(f"/penalties/{penalty.id}")

    def end_window(session: Session) -> None:
        session.get_one(Penalty, penalty.id).objection_until_on = clock.today() - dt.timedelta(days=1)
        session.flush()
        assert finalise_due(session, clock.today()) == [penalty.id]

    arranged(app, end_window)
    contact.post(f"/penalties/{penalty.id}/objection", data={"body": "邮件系统故障,现提出异议"})
    [late] = objections(app, penalty)
    assert late.state is ObjectionState.LATE

    early = judge.post(f"/penalties/objections/{late.id}/decision", data={"decision": "upheld", "note": "成立"})
    judge.post(f"/penalties/objections/{late.id}/admission", data={"admission": "admit", "reason": "故障属实"})
    judge.post(f"/penalties/objections/{late.id}/decision", data={"decision": "upheld", "note": "成立"})

    assert early.status_code == 409
    assert reread(app, penalty.id).state is PenaltyState.REVERSED
    assert "故障属实" in contact.get(f"/penalties/{penalty.id}").text


def test_the_days_to_object_are_those_of_the_amendment_that_was_in_force_at_the_issue(app: Flask, scene: Scene) -> None:
    def amend(session: Session, days: int) -> None:
        contract = session.merge(scene.partner.contract)
        amendment = make_amendment(session, contract=contract, appeal_days=days, effective_from=clock.today())
        activate_amendment(session, amendment.id, actor_id=scene.people["supervisor"])

    arranged(app, partial(amend, days=8))
    penalty = charge(app, scene, scene.partner)
    with time_machine.travel(clock.now() + dt.timedelta(days=1), tick=True):
        # What changes after the issue changes nothing of what was told.
        arranged(app, partial(amend, days=20))
        page = browser(app, "contact").get(f"/penalties/{penalty.id}", headers={"Accept-Language": "en"}).text
        notice = browser(app, "contact").get("/notices/", headers={"Accept-Language": "en"}).text

    until_on = reread(app, penalty.id).objection_until_on
    assert until_on is not None
    assert "8 working days" in page
    assert f"{until_on}" in page
    assert "20 working days" not in page + notice
