"""The approver's pages: what waits with its reasons, decided once, by somebody else, with a result for every row."""

import datetime as dt
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.compensation.models import Credit, CreditState
from supervise.complaints.models import Incident
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.penalties.authority import set_authority_limit
from supervise.penalties.models import Penalty, PenaltyState
from tests.factories.access import make_deputy
from tests.factories.attribution import make_evidence
from tests.factories.compensation import make_credit, make_undertaking, make_victim
from tests.factories.complaints import CALLED_AT
from tests.factories.penalties import make_charged_partner
from tests.views.money_pages import Scene, arranged, browser, make_scene, proposed, reread

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
TIERED = {
    "basis": "per_offence",
    "amount_fen": 200_00,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [
            {"from_count": 1, "amount_fen": 200_00},
            {"from_count": 2, "amount_fen": 300_00},
            {"from_count": 3, "amount_fen": 500_00},
        ],
    },
}


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def waiting(app: Flask, scene: Scene, count: int = 2, maker: str = "triager") -> list[Penalty]:
    def make(session: Session) -> list[Penalty]:
        return [
            proposed(session, scene.partner, scene.people[maker], occurred_at=CALLED_AT + dt.timedelta(days=day))
            for day in range(count)
        ]

    return arranged(app, make)


def picked(penalty: Penalty) -> str:
    return f"{penalty.id}:{penalty.content_sha256}"


def decide(client: FlaskClient, *values: str, action: str = "approve", **fields: str) -> tuple[int, str]:
    response = client.post("/approvals/penalties", data={"picked": list(values), "action": action, **fields})
    return response.status_code, response.text


def test_a_stale_line_falls_out_in_words_and_the_others_are_posted(app: Flask, scene: Scene) -> None:
    first, second = waiting(app, scene)

    status, page = decide(browser(app, "supervisor"), picked(first), f"{second.id}:{'0' * 64}")

    assert status == 200
    assert "Approved and posted" in page
    assert f"{second.reference} changed since it was shown" in page
    assert reread(app, first.id).state is PenaltyState.APPROVED
    assert reread(app, second.id).state is PenaltyState.PROPOSED
    with app.app_context(), db.reading() as session:
        assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE) == 200_00


def test_two_approvers_post_once(app: Flask, scene: Scene) -> None:
    [penalty] = waiting(app, scene, 1)
    decide(browser(app, "supervisor"), picked(penalty))

    _status, page = decide(browser(app, "supervisor2"), picked(penalty))

    assert "This has already been decided" in page
    with app.app_context(), db.reading() as session:
        assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE) == 200_00


def test_a_deputy_sees_a_sentence_instead_of_a_box_for_the_own_proposal(app: Flask, scene: Scene) -> None:
    def delegate(session: Session) -> None:
        people = {name: session.get_one(User, user_id) for name, user_id in scene.people.items()}
        make_deputy(session, delegator=people["supervisor"], deputy=people["triager"])

    arranged(app, delegate)
    [penalty] = waiting(app, scene, 1)
    deputy = browser(app, "triager")

    page = deputy.get("/approvals/").text
    detail = deputy.get(f"/penalties/{penalty.id}").text
    _status, result = decide(deputy, picked(penalty))

    assert "You proposed this: a second person decides" in page
    assert 'name="picked"' not in page
    assert 'name="picked"' not in detail
    assert "A second person must do this" in result
    assert reread(app, penalty.id).state is PenaltyState.PROPOSED


def test_a_deputy_cannot_go_beyond_the_limit(app: Flask, scene: Scene) -> None:
    def delegate(session: Session) -> None:
        people = {name: session.get_one(User, user_id) for name, user_id in scene.people.items()}
        make_deputy(session, delegator=people["supervisor"], deputy=people["triager"], limit_fen=100_00)

    arranged(app, delegate)
    [penalty] = waiting(app, scene, 1, maker="supervisor2")
    deputy = browser(app, "triager")

    page = deputy.get("/approvals/").text
    _status, result = decide(deputy, picked(penalty))

    assert "Above your limit as a deputy" in page
    assert "you may decide on at most 100.00 yuan" in result
    assert reread(app, penalty.id).state is PenaltyState.PROPOSED


def test_exceptions_stand_first_with_the_reason(app: Flask, scene: Scene) -> None:
    [plain] = waiting(app, scene, 1)

    def tiered(session: Session) -> list[Penalty]:
        charged = make_charged_partner(session, parameters=TIERED)
        made = [
            proposed(session, charged, scene.people["triager"], occurred_at=CALLED_AT + dt.timedelta(days=10 + day))
            for day in range(3)
        ]
        for penalty in (plain, *made):
            make_evidence(session, incident=session.get_one(Incident, penalty.incident_id))
        return made

    third = arranged(app, tiered)[-1]

    page = browser(app, "supervisor").get("/approvals/").text

    rows = page[page.index('id="waiting"') :]
    assert rows.index(third.reference) == min(rows.index(ref) for ref in set(_references(rows)))
    assert rows.count("Third tier or higher") == 1
    assert rows.count("To look at twice") == 1


def _references(page: str) -> list[str]:
    return [f"KF{piece[:13]}" for piece in page.split("KF")[1:]]


def test_returning_needs_a_reason_and_tells_it(app: Flask, scene: Scene) -> None:
    [penalty] = waiting(app, scene, 1)
    supervisor = browser(app, "supervisor")

    without, _page = decide(supervisor, picked(penalty), action="return")
    with_reason, _page = decide(supervisor, picked(penalty), action="return", reason="录音缺失")

    assert (without, with_reason) == (422, 200)
    assert reread(app, penalty.id).return_reason == "录音缺失"


@pytest.mark.parametrize(
    ("reason", "words"), [(" ", "Say why it is returned"), ("长" * 501, "A reason has at most 500 characters")]
)
def test_a_return_that_is_refused_keeps_the_rows_chosen_and_the_words_typed(
    app: Flask, scene: Scene, reason: str, words: str
) -> None:
    chosen, other = waiting(app, scene)

    status, page = decide(browser(app, "supervisor"), picked(chosen), action="return", reason=reason)

    boxes = {
        box[0]: "checked" in box[1] for box in re.findall(r'name="picked"\s+value="(\d+):[^>]*?"(\s+[^>]*)>', page)
    }
    assert status == 422
    assert boxes == {str(chosen.id): True, str(other.id): False}
    assert re.search(rf'id="return-reason-error"[^>]*>.*?{words}', page, re.DOTALL)
    assert f'value="{reason.strip()}"' in page
    assert reread(app, chosen.id).state is PenaltyState.PROPOSED


def test_a_refused_return_stays_in_the_view_it_was_made_in(app: Flask, scene: Scene) -> None:
    maker = scene.people["triager"]
    mine, other = arranged(
        app, lambda session: [proposed(session, charged, maker) for charged in (scene.partner, scene.branch)]
    )
    supervisor = browser(app, "supervisor")
    address = f"/approvals/penalties?party={mine.party_id}"

    shown = supervisor.get(f"/approvals/?party={mine.party_id}").text
    refused = supervisor.post(address, data={"picked": [picked(mine)], "action": "return"})

    assert f'action="{address}"' in shown
    assert refused.status_code == 422
    assert mine.reference in refused.text
    assert other.reference not in refused.text


@pytest.mark.parametrize("value", ["1", "1:xyz", "x:" + "0" * 64, "1:" + "0" * 63 + "G"])
def test_a_choice_that_our_pages_do_not_make_is_refused(app: Flask, scene: Scene, value: str) -> None:
    assert decide(browser(app, "supervisor"), value)[0] == 422


def test_credits_are_approved_by_somebody_else_and_returned_with_a_reason(app: Flask, scene: Scene) -> None:
    def owed(session: Session) -> list[Credit]:
        subscriber = make_victim(session)
        make_undertaking(session, subscriber=subscriber)
        return [
            make_credit(
                session,
                subscriber=subscriber,
                occurred_at=CALLED_AT + dt.timedelta(days=day),
                maker=scene.people["triager"],
            )
            for day in range(2)
        ]

    first, second = arranged(app, owed)
    supervisor = browser(app, "supervisor")
    page = supervisor.get("/approvals/credits").text

    values = {"picked": [f"{first.id}:{first.content_sha256}"], "action": "approve"}
    approved = supervisor.post("/approvals/credits", data=values)
    chosen = f"{second.id}:{second.content_sha256}"
    without = supervisor.post("/approvals/credits", data={"picked": [chosen], "action": "return"})
    values = {"picked": [f"{second.id}:{second.content_sha256}"], "action": "return", "reason": "用户不是本人"}
    returned = supervisor.post("/approvals/credits", data=values)

    assert first.reference in page
    assert (approved.status_code, without.status_code, returned.status_code) == (200, 422, 200)
    assert re.search(rf'value="{chosen}"[^>]* checked>', without.text)
    assert "Say why it is returned" in without.text
    with app.app_context(), db.reading() as session:
        states = [session.get_one(Credit, one.id).state for one in (first, second)]
        assert states == [CreditState.APPROVED, CreditState.RETURNED]
        assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE) == -50_00


def test_the_sums_end_in_what_all_parties_together_would_owe(app: Flask, scene: Scene) -> None:
    maker = scene.people["triager"]
    arranged(app, lambda session: [proposed(session, charged, maker) for charged in (scene.partner, scene.branch)])

    page = browser(app, "supervisor").get("/approvals/").text

    foot = re.search(r"<tfoot>(.*?)</tfoot>", page, re.DOTALL)
    assert foot is not None
    assert re.findall(r"<strong>\s*(?:<[^>]+>)?\s*([\d.]+)", foot[1]) == ["2", "0.00", "400.00", "0.00"]


def test_lines_stand_by_party_and_the_exceptions_on_top_say_why(app: Flask, scene: Scene) -> None:
    def limit(session: Session) -> None:
        set_authority_limit(
            session, role=Role.SUPERVISOR, limit_fen=150_00, reason="授权规定", valid_from=clock.today(), actor_id=1
        )

    [penalty] = waiting(app, scene, 1)
    arranged(app, limit)
    first, second = browser(app, "supervisor"), browser(app, "supervisor2")

    page = first.get("/approvals/").text
    assert "To look at twice" in page
    assert "Above your limit: two approve" in page
    assert "Neither record, register nor file behind it" in page
    _status, kept = decide(first, picked(penalty))
    assert "Your approval is kept; above 150.00 yuan another approver decides as well" in kept
    assert "Approved once: you are the second" in second.get("/approvals/").text
    _status, done = decide(second, picked(penalty))
    assert "Approved and posted" in done


def test_a_penalty_is_waived_on_its_page_by_two_people(app: Flask, scene: Scene) -> None:
    [penalty] = waiting(app, scene, 1)
    decide(browser(app, "supervisor"), picked(penalty))
    first, second = browser(app, "supervisor"), browser(app, "supervisor2")
    address = f"/penalties/{penalty.id}/waivers"

    too_much = first.post(address, data={"amount_fen": "200.01", "because": "over_loss", "reason": "损失仅五十元"})
    first.post(address, data={"amount_fen": "150", "because": "over_loss", "reason": "损失仅五十元"})

    assert too_much.status_code == 422
    assert "At most 200.00 yuan can be taken off" in too_much.text
    assert "You proposed this: a second person decides" in first.get(address).text
    assert address in second.get("/approvals/second-person").text
    [waiver_id] = re.findall(r"/penalties/waivers/([0-9]+)/decision", second.get(address).text)
    second.post(f"/penalties/waivers/{waiver_id}/decision", data={"action": "approve"})
    assert reread(app, penalty.id).open_fen == 50_00
