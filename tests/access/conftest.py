"""The application with one user of each role, and browsers for them; on SQLite and on PostgreSQL."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from tests.factories.access import make_user, sign_in


@pytest.fixture
def app(app: Flask) -> Flask:
    """The application; forms need no token here, tests/access/test_guards.py proves that else they do."""
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.fixture
def users(app: Flask) -> dict[Role, User]:
    """One user of each role, called like the role."""
    with app.app_context(), db.writing() as session:
        return {role: make_user(session, role=role) for role in Role}


@pytest.fixture
def browser_of(app: Flask, users: dict[Role, User]) -> Callable[[Role], FlaskClient]:
    """Return a browser in which the user of a role is signed in."""

    def browser(role: Role) -> FlaskClient:
        client = app.test_client()
        with app.app_context(), db.writing() as session:
            sign_in(session, client, users[role])
        return client

    return browser
