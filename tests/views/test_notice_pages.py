"""Notices as the charged party, its neighbours and supervisors meet them."""

from functools import partial

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.penalties.models import Penalty, PenaltyState, WindowStart
from supervise.penalties.notice_models import Notice, PenaltyAcceptance
from tests.factories.attribution import make_proven_incident
from tests.factories.penalties import Charged, approve_all, make_charged_partner, make_contact, propose
from tests.views.money_pages import Scene, arranged, browser, make_scene, reread

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def notice_to(app: Flask, scene: Scene, charged: Charged) -> tuple[Notice, list[Penalty]]:
    """Two calls of the party, approved in one run."""

    def make(session: Session) -> tuple[Notice, list[Penalty]]:
        incidents = [make_proven_incident(session, party=charged.party) for _ in range(2)]
        penalties = propose(session, *incidents, actor_id=scene.people["triager"])
        approve_all(session, *penalties, actor_id=scene.people["supervisor"])
        return session.scalars(select(Notice)).one(), penalties

    return arranged(app, make)


def stored(app: Flask, notice: Notice) -> Notice:
    with app.app_context(), db.reading() as session:
        return session.get_one(Notice, notice.id)


def test_the_contact_reads_the_notice_which_delivers_it_with_all_lines(app: Flask, scene: Scene) -> None:
    notice, penalties = notice_to(app, scene, scene.partner)
    contact = browser(app, "contact")
    assert notice.reference in contact.get("/notices/").text

    page = contact.get(f"/notices/{notice.id}")

    assert "肆佰元整" in page.text
    assert all(penalty.reference in page.text for penalty in penalties)
    assert [reread(app, penalty.id).window_start for penalty in penalties] == [WindowStart.OPENED] * 2
    assert stored(app, notice).recorded_by == scene.people["contact"]


@pytest.mark.parametrize("username", ["supervisor", "finance", "sponsor"])
def test_others_of_the_carrier_read_it_without_delivering_it(app: Flask, scene: Scene, username: str) -> None:
    notice, _penalties = notice_to(app, scene, scene.partner)

    assert browser(app, username).get(f"/notices/{notice.id}").status_code == 200
    assert browser(app, username).get(f"/notices/{notice.id}/letter.pdf").data.startswith(b"%PDF")

    assert stored(app, notice).delivery is None


@pytest.mark.parametrize("username", ["rival", "stranger", "manager"])
def test_strangers_find_no_notice(app: Flask, scene: Scene, username: str) -> None:
    notice, _penalties = notice_to(app, scene, scene.partner)
    stranger = browser(app, username)

    assert notice.reference not in stranger.get("/notices/").text
    assert stranger.get(f"/notices/{notice.id}").status_code == 404
    assert stranger.get(f"/notices/{notice.id}/letter.pdf").status_code == 404


def test_one_line_is_accepted_and_the_other_objected_to(app: Flask, scene: Scene) -> None:
    notice, (first, second) = notice_to(app, scene, scene.partner)
    contact = browser(app, "contact")

    assert contact.post(f"/notices/{notice.id}/accept", data={"picked": first.id}).status_code == 303
    assert contact.post(f"/penalties/{second.id}/objection", data={"body": "号码当日已退租"}).status_code == 303
    refused = contact.post(f"/penalties/{first.id}/objection", data={"body": "号码当日已退租"})

    assert refused.status_code == 409
    page = contact.get(f"/notices/{notice.id}").text
    assert "Accepted by the party" in page
    assert "Objection: Waiting for a decision" in page
    with app.app_context(), db.reading() as session:
        assert list(session.scalars(select(PenaltyAcceptance.penalty_id))) == [first.id]


def test_a_line_of_another_notice_is_not_accepted_by_the_way(app: Flask, scene: Scene) -> None:
    notice, _penalties = notice_to(app, scene, scene.partner)

    refused = browser(app, "contact").post(f"/notices/{notice.id}/accept", data={"picked": "999999"})

    assert refused.status_code == 404
    assert stored(app, notice).delivery is None


def test_a_supervisor_records_how_the_letter_reached_a_party_without_an_account(app: Flask, scene: Scene) -> None:
    charged = arranged(app, make_charged_partner)
    notice, penalties = notice_to(app, scene, charged)
    supervisor = browser(app, "supervisor2")
    assert notice.reference in supervisor.get("/notices/?state=to_post").text
    today = clock.today().isoformat()

    unproven = supervisor.post(f"/notices/{notice.id}/delivery", data={"how": "posted", "delivered_on": today})
    assert unproven.status_code == 400
    done = supervisor.post(
        f"/notices/{notice.id}/delivery", data={"how": "posted", "delivered_on": today, "note": "EMS 1101"}
    )

    assert done.status_code == 303
    assert reread(app, penalties[0].id).window_start is WindowStart.POSTED
    assert reread(app, penalties[0].id).state is PenaltyState.APPROVED
    assert notice.reference not in supervisor.get("/notices/?state=to_post").text


def test_a_contact_who_joins_later_counts_the_notice_at_home_and_a_supervisor_lists_it(
    app: Flask, scene: Scene
) -> None:
    charged = arranged(app, make_charged_partner)
    notice, _penalties = notice_to(app, scene, charged)
    page, supervisor = f"/notices/{notice.id}", browser(app, "supervisor2")
    assert f"{page}/list" not in supervisor.get(page).text
    arranged(app, partial(make_contact, charged=charged, username="late_contact"))
    contact = browser(app, "late_contact")
    assert "undelivered=y" in contact.get("/").text
    assert notice.reference in contact.get("/notices/?undelivered=y&mine=y").text
    assert f"{page}/list" in supervisor.get("/notices/?state=to_post").text

    assert supervisor.post(f"{page}/list").status_code == 303

    assert stored(app, notice).listed_on == clock.today()
    assert notice.reference not in supervisor.get("/notices/?state=to_post").text
    assert supervisor.post(f"{page}/list").status_code == 409
