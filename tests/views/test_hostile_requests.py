import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supervise import db
from supervise.access.roles import Role
from tests.factories.access import make_user, sign_in
from tests.factories.complaints import make_ticket

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


def signed_in(app: Flask, client: FlaskClient, role: Role) -> int:
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), db.writing() as session:
        user = make_user(session, role=role)
        sign_in(session, client, user)
        return user.id


@pytest.mark.parametrize(
    "target", ["//[", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example"]
)
def test_no_address_given_along_leads_to_another_site(app: Flask, client: FlaskClient, target: str) -> None:
    signed_in(app, client, Role.CLERK)

    response = client.get("/login", query_string={"next": target})

    assert (response.status_code, response.location) == (303, "/")


def test_a_version_of_thousands_of_digits_is_one_that_nobody_has(app: Flask, client: FlaskClient) -> None:
    user_id = signed_in(app, client, Role.ADMIN)
    form = {"display_name": "Wang", "role": "admin", "locale": "en", "active": "y", "version": "9" * 5000}

    assert client.post(f"/users/{user_id}", data=form).status_code == 409


def test_a_view_without_a_name_is_refused_in_words(app: Flask, client: FlaskClient) -> None:
    signed_in(app, client, Role.CLERK)

    response = client.post("/tickets/views", data={"query": "state=new"}, follow_redirects=True)

    assert "Enter a name" in response.text


@pytest.mark.parametrize("name", ["endpoint", "_anchor", "_external", "_method", "_scheme"])
def test_a_filter_that_no_page_has_changes_no_link(app: Flask, client: FlaskClient, name: str) -> None:
    signed_in(app, client, Role.TRIAGER)
    with app.app_context(), db.writing() as session:
        make_ticket(session)

    page = client.get("/tickets/", query_string={name: "javascript", "state": "new"})

    assert page.status_code == 200
    assert 'action="/tickets/bulk?state=new"' in page.text
    assert not re.search(r'(?:href|action)="[^"]*javascript', page.text)
