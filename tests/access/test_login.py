"""Signing in and out: what the cookie is worth, and when it is worth nothing."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from supervise import clock, db
from supervise.access.models import User, UserSession
from supervise.access.passwords import Passwords
from supervise.access.roles import Role
from supervise.access.sessions import IDLE_MAX, LIFETIME
from supervise.app import create_app
from supervise.audit.models import AuditEvent
from supervise.config import Settings
from supervise.views.session import safe_next
from tests.factories.access import PASSWORD, make_user

BrowserOf = Callable[[Role], FlaskClient]
COOKIE = "supervise"


def log_in(client: FlaskClient, username: str = "clerk", password: str = PASSWORD) -> int:
    return client.post("/login", data={"username": username, "password": password}).status_code


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account/").status_code == 200


def token_of(client: FlaskClient) -> str:
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    return cookie.value


def copy_of(client: FlaskClient) -> FlaskClient:
    thief = client.application.test_client()
    thief.set_cookie(COOKIE, token_of(client))
    return thief


def events(app: Flask, action: str) -> list[AuditEvent]:
    with app.app_context(), db.reading() as session:
        return list(session.scalars(sa.select(AuditEvent).where(AuditEvent.action == action)))


def test_name_and_password_open_a_session(app: Flask, client: FlaskClient, users: dict[Role, User]) -> None:
    assert log_in(client) == 303

    assert is_signed_in(client)
    (event,) = events(app, "login.accepted")
    assert event.actor_id == users[Role.CLERK].id
    assert event.address == "127.0.0.1"


@pytest.mark.parametrize("username", ["CLERK", " Clerk ", "ｃｌｅｒｋ"])
def test_the_name_may_be_typed_in_any_case_or_width(
    client: FlaskClient, users: dict[Role, User], username: str
) -> None:
    assert log_in(client, username) == 303


def test_wrong_password_unknown_name_and_inactive_account_get_the_same_answer(
    app: Flask, client: FlaskClient, users: dict[Role, User]
) -> None:
    with app.app_context(), db.writing() as session:
        make_user(session, username="gone", active=False)

    def refusal(username: str, password: str) -> tuple[int, str]:
        answer = client.post("/login?lang=en", data={"username": username, "password": password})
        # The form's token says in which second it was signed.
        text = re.sub(r'(name="csrf_token"[^>]*value=)"[^"]*"', r"\1", answer.text.replace(username, "NAME"))
        return answer.status_code, text

    wrong = refusal("clerk", "not the password")

    assert wrong[0] == 401
    assert "The user name or the password is wrong" in wrong[1]
    assert refusal("nobody", "not the password") == wrong
    assert refusal("gone", PASSWORD) == wrong
    assert not is_signed_in(client)


def test_a_failed_login_is_recorded_without_what_was_typed(
    app: Flask, client: FlaskClient, users: dict[Role, User]
) -> None:
    log_in(client, "clerk", "hunter2-hunter2")
    log_in(client, "my-password-in-the-wrong-box", "x")

    known, unknown = events(app, "login.refused")
    assert (known.subject_id, known.changes) == (str(users[Role.CLERK].id), {"cause": "password"})
    assert unknown.subject_id is None
    assert "wrong-box" not in repr(unknown.changes) + repr(unknown.reason)


def test_the_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(
    client: FlaskClient, users: dict[Role, User]
) -> None:
    answer = client.post("/login", data={"username": "clerk", "password": PASSWORD})

    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{COOKIE}=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_over_https_the_cookie_is_secure_and_bound_to_this_host(settings: Settings) -> None:
    app = create_app(replace(settings, secure_cookies=True))
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), db.writing() as session:
        make_user(session)

    answer = app.test_client().post(
        "/login", data={"username": "clerk", "password": PASSWORD}, base_url="https://supervise.example"
    )

    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("__Host-supervise=")]
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "max-age=63072000" in answer.headers["Strict-Transport-Security"]
    app.extensions["supervise.db"].engine.dispose()


def test_the_database_holds_no_token_that_a_thief_could_use(
    app: Flask, client: FlaskClient, users: dict[Role, User]
) -> None:
    log_in(client)

    with app.app_context(), db.reading() as session:
        (stored,) = session.scalars(sa.select(UserSession.token_sha256))
    thief = app.test_client()
    thief.set_cookie(COOKIE, stored)
    assert len(token_of(client)) == 43
    assert stored != token_of(client)
    assert not is_signed_in(thief)


def test_a_copied_cookie_is_worthless_after_logout(client: FlaskClient, users: dict[Role, User]) -> None:
    log_in(client)
    thief = copy_of(client)
    assert is_signed_in(thief)

    assert client.post("/logout").status_code == 303

    assert not is_signed_in(thief)
    assert client.get_cookie(COOKIE) is None


def test_a_token_that_was_there_before_the_login_is_not_used_after_it(
    client: FlaskClient, users: dict[Role, User]
) -> None:
    client.set_cookie(COOKIE, "planted-by-somebody-else")
    log_in(client)
    first = copy_of(client)

    log_in(client)

    assert token_of(client) != "planted-by-somebody-else"
    assert token_of(client) != token_of(first)
    assert not is_signed_in(first)


def test_an_idle_session_ends_and_so_does_a_busy_one_after_a_shift(
    client: FlaskClient, users: dict[Role, User]
) -> None:
    start = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=False) as time:
        log_in(client)
        used_until = start + LIFETIME - dt.timedelta(minutes=1)
        while clock.now() < used_until:
            time.shift(IDLE_MAX - dt.timedelta(minutes=1))
            if clock.now() < used_until:
                assert is_signed_in(client)
        time.move_to(start + LIFETIME)
        assert not is_signed_in(client)

        log_in(client)
        time.shift(IDLE_MAX + dt.timedelta(minutes=1))
        assert not is_signed_in(client)


def test_being_seen_is_written_at_most_once_a_minute(app: Flask, client: FlaskClient, users: dict[Role, User]) -> None:
    def seen_at() -> dt.datetime:
        with app.app_context(), db.reading() as session:
            return session.scalars(sa.select(UserSession.last_seen_at)).one()

    with time_machine.travel(dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC), tick=False) as time:
        log_in(client)
        opened = seen_at()
        time.shift(30)
        is_signed_in(client)
        assert seen_at() == opened
        time.shift(31)
        is_signed_in(client)
        assert seen_at() == opened + dt.timedelta(seconds=61)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_a_page_does_not_wait_for_a_long_write_to_note_that_it_was_seen(
    app: Flask, client: FlaskClient, users: dict[Role, User]
) -> None:
    with time_machine.travel(dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC), tick=False) as time:
        log_in(client)
        time.shift(120)
        with app.app_context(), db.writing() as session:
            session.execute(sa.text("SELECT 1"))  # an import that holds the one write lock

            assert is_signed_in(client)


def test_the_password_is_not_looked_at_while_the_name_must_wait(
    app: Flask, client: FlaskClient, users: dict[Role, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    looked_at = Passwords.matches

    def counting(self: Passwords, password_hash: str | None, password: str) -> bool:
        hashed.append(password)
        return looked_at(self, password_hash, password)

    monkeypatch.setattr(Passwords, "matches", counting)
    with time_machine.travel(dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC), tick=False) as time:
        assert [log_in(client, "clerk", "wrong") for _ in range(5)] == [401] * 5

        answer = client.post("/login?lang=en", data={"username": "clerk", "password": PASSWORD})

        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "2"
        assert "please wait 2 seconds" in answer.text
        assert hashed == ["wrong"] * 5
        time.shift(2)
        assert log_in(client) == 303


def test_after_login_the_user_comes_to_the_page_that_was_asked_for(
    client: FlaskClient, users: dict[Role, User]
) -> None:
    asked = client.get("/users/?q=li")
    assert asked.location == "/login?next=/users/?q%3Dli"

    answer = client.post("/login", data={"username": "admin", "password": PASSWORD, "next": "/users/?q=li"})

    assert answer.location == "/users/?q=li"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "/\t/evil", "", None],
)
def test_no_login_leads_to_another_site(app: Flask, target: str | None) -> None:
    with app.test_request_context():
        assert safe_next(target) in {"/", "/account/"}


def test_a_stranger_who_sends_something_gets_401_and_no_redirect(
    app: Flask, client: FlaskClient, users: dict[Role, User]
) -> None:
    assert client.post("/users/new").status_code == 401
    assert client.get("/account/", headers={"Accept": "application/json"}).status_code == 401

    assert [event.changes["status"] for event in events(app, "request.refused") if event.changes] == [401, 401]
