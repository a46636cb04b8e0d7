"""The application that the tests of a worker share: no test finds what another has left in it."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask, current_app

from supervise import db
from supervise.access.models import User
from supervise.access.policy import public
from supervise.config import Settings
from supervise.views.remembering import remembered
from tests import application
from tests.application import EQUIPPED, opened_application
from tests.databases import clone_sqlite
from tests.factories.access import make_user

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def no_application_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's own application is not what is tried out here."""
    monkeypatch.setattr(application, "_wired", {})


@pytest.fixture
def next_settings(settings: Settings, tmp_path: Path) -> Settings:
    """What the test after this one would say."""
    instance = tmp_path / "next"
    instance.mkdir()
    return replace(settings, database_url=clone_sqlite(tmp_path), instance=instance)


def test_the_next_test_gets_the_same_application_on_its_own_database(
    settings: Settings, next_settings: Settings
) -> None:
    with opened_application(settings) as app, app.app_context(), db.writing() as session:
        make_user(session)
    with opened_application(next_settings) as again, again.app_context(), db.reading() as session:
        assert again is app
        assert session.query(User).count() == 0
        assert again.extensions["supervise.settings"] is next_settings


def test_all_that_a_new_application_is_equipped_with_is_of_the_next_test(
    settings: Settings, next_settings: Settings
) -> None:
    with opened_application(settings) as app:
        first = {name: app.extensions[name] for name in EQUIPPED}
    with opened_application(next_settings) as app:
        assert [name for name in EQUIPPED if app.extensions[name] is first[name]] == []


def test_what_a_test_has_set_or_remembered_is_gone(settings: Settings, next_settings: Settings) -> None:
    with opened_application(settings) as app, app.app_context():
        app.testing = app.config["WTF_CSRF_ENABLED"] = False
        app.config["OF_ONE_TEST"] = current_app.extensions["of_one_test"] = True
        assert remembered("count", 60, lambda: 1) == 1
    with opened_application(next_settings) as again, again.app_context():
        assert again is app
        assert again.testing
        assert "OF_ONE_TEST" not in again.config
        assert again.config["WTF_CSRF_ENABLED"]
        assert "of_one_test" not in again.extensions
        assert remembered("count", 60, lambda: 2) == 2


def test_pages_and_answers_leave_the_wiring_as_it_was(settings: Settings, next_settings: Settings) -> None:
    with opened_application(settings) as app:
        assert app.test_client().get("/login").status_code == 200
        assert app.test_client().get("/no-such-page").status_code == 404
    with opened_application(next_settings) as again:
        assert again is app


def add_page(app: Flask) -> None:
    app.add_url_rule("/extra", "extra", public(lambda: "extra"))


def replace_page(app: Flask) -> None:
    app.view_functions["session.login"] = public(lambda: "replaced")


def add_hook(app: Flask) -> None:
    app.before_request(lambda: "hooked")


def add_error_handler(app: Flask) -> None:
    app.register_error_handler(404, lambda _error: "handled")


def add_filter(app: Flask) -> None:
    app.jinja_env.filters["extra"] = str


def add_global(app: Flask) -> None:
    app.jinja_env.globals["extra"] = 1


def add_command(app: Flask) -> None:
    app.cli.command("extra")(lambda: None)


def wrap_wsgi(app: Flask) -> None:
    app.wsgi_app = lambda _environ, _start: [b"wrapped"]  # type: ignore[assignment,method-assign]


def exempt_from_csrf(app: Flask) -> None:
    app.extensions["csrf"].exempt("supervise.views.session.login")


@pytest.mark.parametrize(
    "change",
    [
        add_page,
        replace_page,
        add_hook,
        add_error_handler,
        add_filter,
        add_global,
        add_command,
        wrap_wsgi,
        exempt_from_csrf,
    ],
)
def test_an_application_that_a_test_has_rewired_is_not_used_again(
    settings: Settings, next_settings: Settings, change: object
) -> None:
    with opened_application(settings) as app:
        app.test_client().get("/login")
    with opened_application(settings) as app:
        change(app)  # type: ignore[operator]
    with opened_application(next_settings) as again:
        assert again is not app
        assert again.test_client().get("/login").status_code == 200


def test_settings_that_decide_about_the_wiring_get_an_application_of_their_own(
    settings: Settings, next_settings: Settings
) -> None:
    with opened_application(settings) as app, opened_application(replace(next_settings, secure_cookies=True)) as secure:
        assert secure is not app
        assert secure.config["SESSION_COOKIE_SECURE"]
