"""The pages of recoveries and of the figures that clauses read."""

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.complaints.models import Incident
from supervise.penalties.figure_models import PartyMonthFigure
from supervise.penalties.recovery_models import Recovery, RecoveryState
from tests.factories.penalties import Charged, approve_all, make_charged_partner
from tests.factories.recoveries import pay
from tests.views.money_pages import Scene, arranged, browser, make_scene, proposed

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def paid_call(app: Flask, scene: Scene) -> tuple[Charged, int]:
    def make(session: Session) -> tuple[Charged, int]:
        rule = {"basis": "per_offence", "amount_fen": 20000, "recovery_bp": 5000}
        charged = make_charged_partner(session, parameters=rule)
        penalty = proposed(session, charged, scene.people["triager"])
        approve_all(session, penalty, actor_id=scene.people["supervisor"])
        pay(session, session.get_one(Incident, penalty.incident_id), 5000)
        return charged, penalty.incident_id

    return arranged(app, make)


def test_a_paid_credit_is_recovered_by_two_people_on_one_page(app: Flask, scene: Scene) -> None:
    _charged, incident_id = paid_call(app, scene)
    triager, supervisor = browser(app, "triager"), browser(app, "supervisor")

    assert f"PC-{incident_id}" in triager.get("/recoveries/").text
    triager.post("/recoveries/propose", data={"picked": incident_id})
    with app.app_context(), db.reading() as session:
        waiting = session.scalars(select(Recovery)).one()
    assert waiting.content_sha256 in supervisor.get("/recoveries/").text
    shown = {"picked": waiting.id, f"shown-{waiting.id}": waiting.content_sha256}
    supervisor.post("/recoveries/approve", data=shown)

    with app.app_context(), db.reading() as session:
        approved = session.scalars(select(Recovery)).one()
    assert (approved.state, approved.amount_fen) == (RecoveryState.APPROVED, 2500)
    assert "25.00" in supervisor.get("/recoveries/").text


def test_a_figure_is_recorded_and_corrected(app: Flask, scene: Scene) -> None:
    charged, _incident_id = paid_call(app, scene)
    triager = browser(app, "triager")
    month = clock.month_of(clock.today())
    typed = {"kind": "commission", "code": charged.contract.number, "month": month, "source": "结算单"}

    for amount in ("12,345.67", "12,000"):
        assert triager.post("/month-figures/", data=typed | {"amount": amount}).status_code == 303
    page = triager.get("/month-figures/").text

    assert "12,000.00" in page
    assert "12,345.67" not in page
    with app.app_context(), db.reading() as session:
        assert len(session.scalars(select(PartyMonthFigure)).all()) == 2


@pytest.mark.parametrize(
    ("change", "status"), [({"amount": "viel"}, 400), ({"month": "2026-13"}, 400), ({"code": "HT-0"}, 422)]
)
def test_a_figure_that_cannot_be_read_is_refused(app: Flask, scene: Scene, change: dict[str, str], status: int) -> None:
    typed = {"kind": "commission", "code": "HT-0", "month": "2026-09", "amount": "1", "source": "结算单"}

    assert browser(app, "triager").post("/month-figures/", data=typed | change).status_code == status
