"""Compliance files on pages: entered with a scan, given out again, struck out, listed."""

import io
import re

import pytest
from flask import Flask

from supervise import clock
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


def test_an_entry_is_kept_with_its_scan_and_struck_out_with_a_reason(app: Flask, scene: Scene) -> None:
    triager, auditor = browser(app, "triager"), browser(app, "supervisor")
    address = f"/compliance-files/{scene.partner.party.id}"
    entry = {"kind": "first_knew", "happened_on": clock.today().isoformat(), "body": "省管局转来 12 件投诉"}
    scan = {"files": (io.BytesIO("转办函".encode()), "转办函.txt")}

    added = triager.post(address, data=entry | scan)
    page = auditor.get(address).text
    file = re.search(r"/compliance-files/entries/\d+/file", page)[0]  # type: ignore[index]
    given = auditor.get(file)
    without_reason = triager.post(file.replace("/file", "/strike"), data={"reason": ""}, follow_redirects=True).text
    triager.post(file.replace("/file", "/strike"), data={"reason": "另一家代理"})
    after = auditor.get(address).text

    assert added.status_code == 303
    assert "The carrier knew of breaches from" in page
    assert given.data.decode() == "转办函"
    assert "Give a reason" in without_reason
    assert "<del>省管局转来 12 件投诉</del>" in after
    assert "The carrier knew of breaches from" not in after


def test_a_day_to_come_is_refused_beside_its_field(app: Flask, scene: Scene) -> None:
    address = f"/compliance-files/{scene.partner.party.id}"
    page = browser(app, "triager").post(address, data={"kind": "training", "happened_on": "2999-01-01", "body": "培训"})

    assert page.status_code == 400
    assert "What has not happened yet is not entered" in page.text
