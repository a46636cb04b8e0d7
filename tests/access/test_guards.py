"""What stands around every request: forgery, headers, damaged input, refusals and breakdowns."""

import io
import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask, abort
from flask.testing import FlaskClient

from supervise import db
from supervise.access.models import User
from supervise.access.policy import public, require, signed_in
from supervise.access.roles import Permission, Role
from supervise.audit.models import AuditEvent
from supervise.errors import AlreadyDecidedError, NotFoundError
from tests.factories.access import PASSWORD, make_user

BrowserOf = Callable[[Role], FlaskClient]


def refusals(app: Flask) -> list[AuditEvent]:
    with app.app_context(), db.reading() as session:
        query = sa.select(AuditEvent).where(AuditEvent.action == "request.refused").order_by(AuditEvent.id)
        return list(session.scalars(query))


# Default deny


def test_an_endpoint_without_a_policy_is_refused_to_everybody(app: Flask, browser_of: BrowserOf) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")

    for role in Role:
        answer = browser_of(role).get("/forgotten")
        assert answer.status_code == 403
        assert "secret" not in answer.text
    assert app.test_client().get("/forgotten").status_code == 403


def test_a_view_has_one_policy_and_a_requirement_names_a_permission() -> None:
    with pytest.raises(ValueError, match="two policies"):
        signed_in(require(Permission.READ_AUDIT)(lambda: None))
    with pytest.raises(ValueError, match="name a permission"):
        require()


def test_any_of_the_permissions_is_enough(app: Flask, browser_of: BrowserOf) -> None:
    view = require(Permission.READ_AUDIT, Permission.MANAGE_USERS)(lambda: "shown")
    app.add_url_rule("/either", "either", view)

    answers = {role: browser_of(role).get("/either").status_code for role in Role}

    assert {role for role, status in answers.items() if status == 200} == {Role.AUDITOR, Role.ADMIN}
    assert set(answers.values()) == {200, 403}


# Forgery


def test_a_form_without_its_token_is_refused_and_changes_nothing(
    app: Flask, browser_of: BrowserOf, users: dict[Role, User]
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    browser = browser_of(Role.CLERK)

    answer = browser.post("/logout")

    assert answer.status_code == 400
    assert browser.get("/account/").status_code == 200


def test_a_form_with_its_token_is_taken_and_the_token_dies_with_the_login(app: Flask, users: dict[Role, User]) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    client = app.test_client()

    def token() -> str:
        return client.get("/login").text.split('name="csrf_token" value="')[1].split('"')[0]

    form = {"username": "clerk", "password": PASSWORD, "csrf_token": token()}
    assert client.post("/login", data=form).status_code == 303
    assert client.post("/logout", data={"csrf_token": form["csrf_token"]}).status_code == 400


# Headers


def test_pages_are_never_kept_and_static_files_long(client: FlaskClient) -> None:
    page, static = client.get("/login"), client.get("/static/app.css")

    assert page.headers["Cache-Control"] == "no-store"
    assert "max-age=31536000" in static.headers["Cache-Control"]
    for answer in (page, static):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
    static.close()


def test_every_answer_has_a_number_and_its_audit_event_the_same(app: Flask, browser_of: BrowserOf) -> None:
    answer = browser_of(Role.CLERK).get("/audit/")

    (event,) = refusals(app)
    assert answer.status_code == 403
    assert event.request_id == answer.headers["X-Request-Id"]


# Input that no database stores


@pytest.mark.parametrize(
    "path",
    ["/users/100000000000000000000", "/users/9223372036854775808", "/users/١٢", "/users/１", "/users/-1", "/users/1_0"],
)
def test_an_id_that_no_database_holds_is_no_page(browser_of: BrowserOf, path: str) -> None:
    assert browser_of(Role.ADMIN).get(path).status_code == 404


def test_the_largest_id_is_looked_for_and_not_found(app: Flask, browser_of: BrowserOf) -> None:
    assert browser_of(Role.ADMIN).get("/users/9223372036854775807").status_code == 404

    assert [event.changes for event in refusals(app)] == [
        {"error": "NotFoundError", "method": "GET", "status": 404, "user_id": 9223372036854775807}
    ]


@pytest.mark.parametrize("query", ["q=%00", "role=%00", "after=%00", "x%00=1", "q=%ED%A0%80"])
def test_a_query_with_damaged_text_is_refused_or_harmless(browser_of: BrowserOf, query: str) -> None:
    answer = browser_of(Role.ADMIN).get(f"/users/?{query}")

    assert answer.status_code == (400 if "%00" in query else 200)


@pytest.mark.parametrize("before", ["100000000000000000000", "x", "-5", ""])
def test_a_page_mark_that_no_database_holds_is_no_breakdown(browser_of: BrowserOf, before: str) -> None:
    assert browser_of(Role.AUDITOR).get(f"/audit/?before={before}").status_code in {200, 422}


@pytest.mark.parametrize("field", ["username", "display_name", "role"])
def test_a_form_with_nul_is_refused(browser_of: BrowserOf, field: str) -> None:
    form = {"username": "li.wei", "display_name": "Li Wei", "role": "clerk", "locale": "en", field: "a\x00b"}

    assert browser_of(Role.ADMIN).post("/users/new", data=form).status_code == 400


def test_a_lone_surrogate_is_refused(browser_of: BrowserOf) -> None:
    form = b"username=li.wei&display_name=%ED%A0%80&role=clerk&locale=en"
    answer = browser_of(Role.ADMIN).post("/users/new", data=form, content_type="application/x-www-form-urlencoded")

    assert answer.status_code in {200, 400}  # Werkzeug reads it as U+FFFD, which is storable


def test_a_form_of_too_many_parts_or_too_many_bytes_is_refused(browser_of: BrowserOf) -> None:
    browser = browser_of(Role.ADMIN)

    long = b"display_name=" + b"x" * 2_100_000
    answer = browser.post("/users/new", data=long, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413
    parts = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 5_001 + b"--x--\r\n"
    answer = browser.post("/users/new", data=parts, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 413


def test_a_strangers_upload_is_refused_before_it_is_read(client: FlaskClient) -> None:
    body = io.BytesIO(b"x" * 1_000)

    answer = client.post("/users/new", input_stream=body, content_type="multipart/form-data; boundary=x")

    assert answer.status_code == 401
    assert body.tell() == 0


def test_a_stranger_cannot_fill_the_memory_at_the_login(client: FlaskClient) -> None:
    assert client.post("/login", data={"username": "x" * 70_000, "password": "x"}).status_code == 413


# What goes wrong, and how it is said


@pytest.mark.parametrize(
    ("error", "status", "is_recorded"),
    [
        (NotFoundError(), 404, True),
        (AlreadyDecidedError(), 409, True),
        (ValueError("nothing to do with us"), 500, False),
    ],
)
def test_a_refusal_is_shown_and_recorded_after_the_rollback(
    app: Flask, browser_of: BrowserOf, error: Exception, status: int, *, is_recorded: bool
) -> None:
    app.testing = app.config["PROPAGATE_EXCEPTIONS"] = False

    def half_done() -> str:
        with db.writing() as session:
            make_user(session, username="half-done")
            raise error

    app.add_url_rule("/half-done", "half_done", signed_in(half_done))

    answer = browser_of(Role.CLERK).get("/half-done")

    assert answer.status_code == status
    assert "nothing to do with us" not in answer.text
    assert [event.subject_id for event in refusals(app)] == (["half_done"] if is_recorded else [])
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(User.id).where(User.username == "half-done")) is None


def test_a_taken_key_is_a_conflict_and_not_a_breakdown(
    app: Flask, browser_of: BrowserOf, users: dict[Role, User]
) -> None:
    def twice() -> str:
        with db.writing() as session:
            make_user(session, username="clerk")
        return "done"

    app.add_url_rule("/twice", "twice", signed_in(twice))

    assert browser_of(Role.ADMIN).get("/twice").status_code == 409
    assert [event.changes["error"] for event in refusals(app) if event.changes] == ["TakenError"]


def test_a_breakdown_shows_a_page_of_its_own_and_logs_no_words(
    app: Flask, browser_of: BrowserOf, capsys: pytest.CaptureFixture[str]
) -> None:
    app.testing = app.config["PROPAGATE_EXCEPTIONS"] = False

    def broken() -> str:
        raise ZeroDivisionError("13800138000 wrote this")

    app.add_url_rule("/broken", "broken", signed_in(broken))

    answer = browser_of(Role.CLERK).get("/broken")

    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] in answer.text
    assert "13800138000" not in answer.text


def test_the_refusal_stands_even_when_it_cannot_be_recorded(app: Flask, browser_of: BrowserOf) -> None:
    browser = browser_of(Role.CLERK)
    with app.app_context(), db.writing() as session:
        session.execute(sa.text("ALTER TABLE audit_event RENAME TO elsewhere"))

    assert browser.get("/audit/").status_code == 403


def test_a_page_that_does_not_exist_is_not_worth_an_event(app: Flask, browser_of: BrowserOf) -> None:
    assert browser_of(Role.CLERK).get("/wp-login.php").status_code == 404

    assert refusals(app) == []


def test_a_wrong_method_says_which_are_right(browser_of: BrowserOf) -> None:
    answer = browser_of(Role.CLERK).get("/logout")

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_program_gets_its_refusal_as_json(browser_of: BrowserOf) -> None:
    answer = browser_of(Role.CLERK).get("/audit/", headers={"Accept": "application/json"})

    assert answer.status_code == 403
    assert json.loads(answer.data) == {"error": "Your role does not allow this"}


def test_a_library_that_aborts_is_shown_in_the_users_words(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/aborts", "aborts", public(lambda: abort(413)))

    answer = client.get("/aborts?lang=en")

    assert answer.status_code == 413
    assert "too large" in answer.text


# Language


@pytest.mark.parametrize(
    ("accepts", "language"),
    [
        (None, "zh-Hans"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr,de;q=0.8", "zh-Hans"),
        ("fr,en;q=0.8", "en"),
    ],
)
def test_chinese_is_spoken_unless_the_browser_asks_for_english(
    client: FlaskClient, accepts: str | None, language: str
) -> None:
    page = client.get("/login", headers={"Accept-Language": accepts} if accepts else {})

    assert f'<html lang="{language}">' in page.text


def test_what_was_chosen_stays_and_the_profile_comes_first(
    app: Flask, client: FlaskClient, users: dict[Role, User]
) -> None:
    client.post("/preferences/language", data={"locale": "en", "next": "/login"})
    assert '<html lang="en">' in client.get("/login").text
    with app.app_context(), db.writing() as session:
        make_user(session, username="chinese", locale="zh_Hans")

    client.post("/login", data={"username": "chinese", "password": PASSWORD})
    assert '<html lang="zh-Hans">' in client.get("/account/").text
    client.post("/preferences/language", data={"locale": "en", "next": "/account/"})
    assert '<html lang="en">' in client.get("/account/").text


def test_health_says_whether_the_schema_is_this_versions(app: Flask, client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"ready": True}
    with app.app_context(), db.writing() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))

    answer = client.get("/healthz")

    assert (answer.status_code, answer.get_json()) == (503, {"ready": False})
