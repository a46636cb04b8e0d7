"""The auditor's page and its export: filters in the address, pages by key, cells that no spreadsheet runs."""

import csv
import datetime as dt
import io

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supervise import clock, db
from supervise.access.roles import Role
from supervise.audit.queries import PAGE
from supervise.audit.record import record_event
from tests.factories.access import make_user, sign_in


@pytest.fixture
def auditor(app: Flask, client: FlaskClient) -> FlaskClient:
    with app.app_context(), db.writing() as session:
        sign_in(session, client, make_user(session, role=Role.AUDITOR))
        supervisor = make_user(session, role=Role.SUPERVISOR, display_name="Zhao Min")
        for number in range(1, PAGE + 3):
            record_event(
                session, actor_id=supervisor.id, action="penalty.approved", subject="penalty", subject_id=number
            )
        record_event(session, actor_id=None, action="job.done", subject="job", subject_id=1, reason="=1+1")
    return client


def rows_of(page: str) -> int:
    return page.count('<tr id="event-')


def exported(auditor: FlaskClient, query: str = "") -> list[list[str]]:
    return list(csv.reader(io.StringIO(auditor.get(f"/audit/export.csv{query}").get_data().decode("utf-8-sig"))))


def test_the_page_shows_the_newest_first_and_the_rest_on_the_next(auditor: FlaskClient) -> None:
    first = auditor.get("/audit/?actor=SUPERVISOR")
    following = first.text.split('rel="next"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")

    second = auditor.get(following)

    assert rows_of(first.text) == PAGE
    assert "actor=SUPERVISOR" in following
    assert rows_of(second.text) == 2
    assert 'rel="next"' not in second.text


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("?action=job", 1),
        ("?action=penalty.approved&subject=penalty&subject_id=7", 1),
        ("?actor=nobody-of-that-name", 0),
        ("?subject_id=<script>", 0),
        ("?last=2020-01-01", 0),
        ("?since=not-a-date&action=job", 1),
    ],
)
def test_filters_in_the_address_narrow_the_page_and_the_export_alike(
    auditor: FlaskClient, query: str, rows: int
) -> None:
    assert rows_of(auditor.get(f"/audit/{query}").text) == rows
    assert len(exported(auditor, query)) == rows + 1


def test_the_last_day_of_the_filter_is_included(auditor: FlaskClient) -> None:
    today = clock.today()

    assert rows_of(auditor.get(f"/audit/?action=job&since={today}&last={today}").text) == 1
    assert rows_of(auditor.get(f"/audit/?action=job&last={today - dt.timedelta(days=1)}").text) == 0


def test_the_export_is_whole_and_harmless(auditor: FlaskClient) -> None:
    rows = exported(auditor)

    assert rows[0][:3] == ["id", "at", "actor_id"]
    assert len(rows) == 1 + PAGE + 2 + 1
    assert rows[-1][3:8] == ["job.done", "job", "1", "", "'=1+1"]
