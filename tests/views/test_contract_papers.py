"""Paper of contracts on pages: clauses checked in one form, scans kept, given out with a trace, withdrawn."""

import io
import re

import pytest
from flask import Flask
from sqlalchemy import select

from supervise import db
from supervise.audit.models import AuditEvent
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def test_clauses_are_checked_in_one_form_and_the_missing_ones_stand_out(app: Flask, scene: Scene) -> None:
    address = f"/contracts/{scene.partner.contract.id}"
    triager = browser(app, "triager")
    found = {
        "clauses-0-code": "consent",
        "clauses-0-found": "present",
        "clauses-0-reference": "§3(1)",
        "clauses-1-code": "training",
        "clauses-1-found": "missing",
        "clauses-1-reference": "",
    }

    before = triager.get(address).text
    nowhere = triager.post(f"{address}/clauses", data=found | {"clauses-0-reference": ""})
    kept = triager.post(f"{address}/clauses", data=found)
    after = browser(app, "supervisor").get(address).text

    assert before.count("not looked at") == 10
    assert nowhere.status_code == 400
    assert 'id="clauses-0-reference-error"' in nowhere.text
    assert kept.status_code == 303
    assert after.count("not looked at") == 8
    assert "§3(1)" in after
    assert "1 clause is missing on paper" in after
    assert "1 clause missing" in triager.get("/contracts/").text


def test_a_scan_is_kept_given_out_with_a_trace_and_withdrawn(app: Flask, scene: Scene) -> None:
    address = f"/contracts/{scene.partner.contract.id}"
    triager, supervisor = browser(app, "triager"), browser(app, "supervisor")
    scan = {"kind": "contract", "file": (io.BytesIO("外呼合作协议".encode()), "协议.txt")}
    program = {"kind": "contract", "file": (io.BytesIO(b"MZ\x90\x00"), "协议.pdf")}

    refused = triager.post(f"{address}/papers/new", data=program)
    triager.post(f"{address}/papers/new", data=scan)
    paper = re.search(r"/contracts/papers/\d+", supervisor.get(address).text)[0]  # type: ignore[index]
    given = supervisor.get(paper)
    triager.post(f"{paper}/withdraw", data={"reason": "属于另一份合同"})
    page = supervisor.get(address).text

    assert refused.status_code == 400
    assert 'id="file-error"' in refused.text
    assert given.data.decode() == "外呼合作协议"
    assert "Withdrawn: 属于另一份合同" in page
    with app.app_context(), db.reading() as session:
        events = session.scalars(select(AuditEvent.action).where(AuditEvent.action.startswith("contract.paper")))
        assert set(events) == {"contract.paper_added", "contract.paper_downloaded", "contract.paper_withdrawn"}
