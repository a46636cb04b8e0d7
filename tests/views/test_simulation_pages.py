"""A rule version simulated over past months: sums, lines that differ, the drawing, the workbook; and who may look."""

import pytest
from flask import Flask

from supervise import clock
from tests.factories.penalties import make_approved_penalty
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def scene(app: Flask) -> Scene:
    scene = arranged(app, make_scene)
    arranged(app, lambda session: make_approved_penalty(session, charged=scene.partner).id)
    return scene


def address(scene: Scene, *, first: str = "2026-01") -> str:
    month = clock.month_of(clock.today())
    return f"/contracts/rules/{scene.partner.rule.id}/simulation?first={first}&last={month}"


def test_it_asks_for_months_before_it_simulates(app: Flask, scene: Scene) -> None:
    page = browser(app, "supervisor").get(address(scene).partition("?")[0])

    assert page.status_code == 200
    assert "Nothing is simulated yet" in page.text


def test_the_version_in_force_comes_out_as_it_was_charged(app: Flask, scene: Scene) -> None:
    page = browser(app, "supervisor").get(address(scene))

    assert page.text.count("200.00") >= 2
    assert "as it was charged" in page.text


def test_the_drawing_and_the_workbook_are_handed_over(app: Flask, scene: Scene) -> None:
    client = browser(app, "triager")

    assert client.get(address(scene).replace("simulation?", "simulation.svg?")).mimetype == "image/svg+xml"
    assert client.get(address(scene).replace("simulation?", "simulation/workbook?")).data[:2] == b"PK"


@pytest.mark.parametrize(("first", "status"), [("2999-01", 400), ("2020-01", 422), ("soon", 400)])
def test_months_that_cannot_be_are_refused_in_words(app: Flask, scene: Scene, first: str, status: int) -> None:
    page = browser(app, "supervisor").get(address(scene, first=first))

    assert page.status_code == status
    assert "tone-danger" in page.text or "form-error" in page.text


@pytest.mark.parametrize("username", ["contact", "manager", "finance"])
def test_who_reads_no_contracts_sees_none_of_it(app: Flask, scene: Scene, username: str) -> None:
    assert browser(app, username).get(address(scene)).status_code == 403
