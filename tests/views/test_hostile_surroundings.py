"""What a stranger, a proxy or a failing machine does to a request: refused or told in a sentence, and survived."""

import re
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask, url_for
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter, Rule
from werkzeug.test import EnvironBuilder

from supervise import db
from supervise.access.models import User
from supervise.access.policy import public
from supervise.access.roles import Role
from supervise.app import create_app
from supervise.complaints.profiles import profiles_in_use
from supervise.config import Settings
from supervise.files.models import Upload
from tests.authorisation import EXPECTATIONS
from tests.factories.access import PASSWORD, make_user, sign_in
from tests.factories.parties import make_unit

ON_SQLITE = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
STATIC = {"static", "bootstrap.static"}


@pytest.fixture
def users(app: Flask) -> dict[Role, User]:
    with app.app_context(), db.writing() as session:
        return {role: make_user(session, role=role, locale="en") for role in Role}


def browser(app: Flask, user: User) -> FlaskClient:
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        sign_in(session, client, user)
    return client


def rules(app: Flask, method: str) -> list[Rule]:
    found = [
        rule for rule in app.url_map.iter_rules() if method in (rule.methods or ()) and rule.endpoint not in STATIC
    ]
    return sorted(found, key=lambda rule: rule.rule)


def address(app: Flask, rule: Rule, text: str = "x") -> str:
    """An address of *rule*: 1 for each number, *text* for each word."""
    values: dict[str, int | str] = {
        name: 1 if isinstance(rule._converters[name], IntegerConverter) else text for name in rule.arguments
    }
    with app.test_request_context():
        return url_for(rule.endpoint, **values)  # type: ignore[arg-type]


def first_admitted(endpoint: str, method: str) -> Role:
    return next(role for role in Role if EXPECTATIONS[endpoint].admits(role, method))


# Other sites


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\n/evil",
    ],
)
@ON_SQLITE
def test_no_form_leads_to_another_site(app: Flask, users: dict[Role, User], target: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    stranger = app.test_client()

    entered = stranger.post("/login", data={"username": "clerk", "password": PASSWORD, "next": target})
    chosen = stranger.post("/preferences/language", data={"locale": "en", "next": target})
    pressed = stranger.post("/preferences/keys", data={"keys": "off", "next": target})

    assert [answer.location for answer in (entered, chosen, pressed)] == ["/", "/", "/"]


@ON_SQLITE
def test_every_form_refuses_a_missing_token_and_that_of_another_session(app: Flask, users: dict[Role, User]) -> None:
    page = browser(app, users[Role.ADMIN]).get("/users/new").text
    [foreign] = set(re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', page))
    clients = {role: browser(app, user) for role, user in users.items()}
    let_in = []
    for rule in rules(app, "POST"):
        client = clients[first_admitted(rule.endpoint, "POST")]
        for data in ({}, {"csrf_token": foreign}, {"csrf_token": "x"}):
            answer = client.post(address(app, rule), data=data)
            if answer.status_code != 400 or "form has expired" not in answer.text:
                let_in.append((rule.rule, data, answer.status_code))

    assert len(rules(app, "POST")) > 100
    assert let_in == []


@ON_SQLITE
def test_a_method_cannot_be_put_on_by_a_header_or_a_field(app: Flask, users: dict[Role, User]) -> None:
    client = browser(app, users[Role.CLERK])

    by_header = client.get("/logout", headers={"X-HTTP-Method-Override": "POST", "X-HTTP-Method": "POST"})
    by_field = client.get("/logout?_method=POST")

    assert (by_header.status_code, by_field.status_code) == (405, 405)
    assert client.get("/").status_code == 200
    for method in ("TRACE", "PUT", "DELETE", "PATCH", "CONNECT"):
        assert client.open("/", method=method).status_code == 405


# Names of the server


@pytest.fixture
def named(settings: Settings) -> Iterator[FlaskClient]:
    """A stranger's browser before an application that knows its own name."""
    app = create_app(replace(settings, hosts=("supervise.example",)))
    yield app.test_client()
    app.extensions["supervise.db"].engine.dispose()
    app.extensions["supervise.jobs"].huey.storage.close()


@ON_SQLITE
@pytest.mark.parametrize(
    "host", ["evil.example", "supervise.example.evil", "supervise.example@evil.example", "", "a b"]
)
def test_a_request_for_another_name_is_refused_in_words(named: FlaskClient, host: str) -> None:
    answer = named.get("/login", headers={"Host": host, "Accept-Language": "en"})

    assert answer.status_code == 400
    assert "not known by that name" in answer.text
    assert answer.headers["X-Frame-Options"] == "DENY"


@ON_SQLITE
def test_a_request_for_our_name_is_served_on_any_port(named: FlaskClient) -> None:
    assert named.get("/login", headers={"Host": "supervise.example"}).status_code == 200
    assert named.get("/login", headers={"Host": "supervise.example:8443"}).status_code == 200


@ON_SQLITE
def test_a_forged_name_is_in_no_redirect_and_no_page(app: Flask, users: dict[Role, User]) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    client = browser(app, users[Role.CLERK])

    to_login = app.test_client().get("/tickets/", headers=forged)
    without_slash = client.get("/tickets", headers=forged)
    page = client.get("/", headers=forged)

    assert str(to_login.location).startswith("/login")
    assert without_slash.location == "/tickets/"
    assert "evil.example" not in page.text


# Odd input


@ON_SQLITE
def test_ten_thousand_fields_deep_json_and_nul_break_nothing(app: Flask, users: dict[Role, User]) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = browser(app, users[Role.ADMIN])
    many = {f"field-{number}": "x" for number in range(10_000)}

    assert client.post("/users/new", data=many).status_code == 400
    assert client.post("/users/new", data={"username": ["x"] * 10_000}).status_code == 400
    deep = "[" * 100_000 + "]" * 100_000
    assert client.post("/users/new", data=deep, content_type="application/json").status_code == 415
    assert client.post("/users/new", data="{}", content_type="application/vnd.api+json").status_code == 415
    assert client.get("/users/?q=%00").status_code == 400
    assert client.get("/%00").status_code in {400, 404}
    assert client.get("/users/", headers={"Cookie": "lang=\x01%00;;=;"}).status_code in {200, 303}


@ON_SQLITE
def test_no_address_writes_a_header_of_its_own(app: Flask, users: dict[Role, User]) -> None:
    clients = {role: browser(app, user) for role, user in users.items()}
    injected = []
    for rule in rules(app, "GET"):
        if rule.arguments:
            text = 'a"\r\nSet-Cookie: injected=1\r\n'
            answer = clients[first_admitted(rule.endpoint, "GET")].get(address(app, rule, text))
            if answer.status_code >= 500 or "injected" in str(answer.headers):
                injected.append((rule.rule, answer.status_code))

    assert injected == []


# Every page


@ON_SQLITE
def test_every_page_forbids_frames_foreign_scripts_and_keeping(app: Flask, users: dict[Role, User]) -> None:
    clients = {role: browser(app, user) for role, user in users.items()}
    wrong = []
    for rule in rules(app, "GET"):
        for client in (clients[first_admitted(rule.endpoint, "GET")], app.test_client()):
            answer = client.get(address(app, rule))
            answer.close()
            policy = answer.headers["Content-Security-Policy"]
            is_safe = (
                answer.status_code < 500
                and "frame-ancestors 'none'" in policy
                and ("default-src 'self'" in policy or "default-src 'none'" in policy)
                # A chart is an image in a sandbox; its styles stand in it.
                and ("unsafe" not in policy or "; sandbox" in policy)
                and answer.headers["X-Frame-Options"] == "DENY"
                and answer.headers["X-Content-Type-Options"] == "nosniff"
                and answer.headers["Referrer-Policy"] == "same-origin"
                and answer.headers["Cache-Control"] == "no-store"
            )
            if not is_safe:
                wrong.append((rule.rule, answer.status_code, dict(answer.headers)))

    assert wrong == []


@ON_SQLITE
def test_over_https_every_cookie_is_secure(settings: Settings) -> None:
    app = create_app(replace(settings, secure_cookies=True))
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), db.writing() as session:
        make_user(session)
    client = app.test_client()
    site = "https://supervise.example"

    answers = [
        client.get("/login?lang=en", base_url=site),
        client.post("/preferences/language", data={"locale": "en"}, base_url=site),
        client.post("/preferences/keys", data={"keys": "off"}, base_url=site),
        client.post("/login", data={"username": "clerk", "password": PASSWORD}, base_url=site),
        client.post("/logout", base_url=site),
    ]
    app.extensions["supervise.db"].engine.dispose()

    cookies = [cookie for answer in answers for cookie in answer.headers.getlist("Set-Cookie")]
    assert len(cookies) >= len(answers)
    assert [cookie for cookie in cookies if "Secure" not in cookie] == []
    assert [cookie for cookie in cookies if "HttpOnly" not in cookie] == []
    assert [cookie for cookie in cookies if "SameSite=Lax" not in cookie] == []


@ON_SQLITE
def test_a_session_that_was_foisted_on_a_browser_is_not_the_users_after_login(
    app: Flask, users: dict[Role, User]
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    attacker, victim = browser(app, users[Role.CLERK]), app.test_client()
    name = app.config["IDENTITY_COOKIE"]
    foisted = attacker.get_cookie(name)
    assert foisted is not None
    victim.set_cookie(name, foisted.value)

    victim.post("/login", data={"username": "admin", "password": PASSWORD})

    own = victim.get_cookie(name)
    assert own is not None
    assert own.value != foisted.value
    assert victim.get("/users/").status_code == 200
    assert attacker.get("/users/").status_code in {303, 401, 403}


# A database that fails


@pytest.fixture
def broken_off(app: Flask) -> Flask:
    """The application with a page during which the database's connection is cut."""

    def cut() -> str:
        with db.reading() as session:
            session.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return "never"

    app.testing = app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/cut", "cut", public(cut))
    return app


@ON_POSTGRESQL
def test_a_connection_that_is_cut_is_a_sentence_and_the_next_request_is_served(
    broken_off: Flask, users: dict[Role, User]
) -> None:
    client = browser(broken_off, users[Role.CLERK])

    cut = client.get("/cut")
    after = client.get("/")
    as_program = client.get("/cut", headers={"Accept": "application/json"})

    assert cut.status_code == 503
    assert cut.headers["Retry-After"] == "30"
    assert "The database cannot be reached at this moment" in cut.text
    assert cut.headers["X-Request-Id"] in cut.text
    assert after.status_code == 200
    assert (as_program.status_code, as_program.is_json) == (503, True)


@ON_POSTGRESQL
def test_a_restart_of_the_database_between_two_requests_is_not_noticed(app: Flask, users: dict[Role, User]) -> None:
    client = browser(app, users[Role.CLERK])
    client.get("/")
    with app.app_context(), db.reading() as session:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        session.execute(sa.text(f"{others} pg_backend_pid()"))

    app.extensions["supervise.jobs"].wake(1)

    assert client.get("/").status_code == 200


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for locks a moment only."""
    monkeypatch.setitem(db._SQLITE_PRAGMAS, "busy_timeout", 20)
    monkeypatch.setattr(db, "_PATIENCE_SECONDS", 0)


@contextmanager
def held(database_url: str, lock: str) -> Iterator[None]:
    """Hold the database as another program would: a backup, a repair, somebody's shell."""
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute(lock)
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@ON_SQLITE
@pytest.mark.usefixtures("impatient")
def test_a_lock_that_is_held_too_long_is_a_sentence_and_then_goes(
    app: Flask, users: dict[Role, User], database_url: str
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = browser(app, users[Role.CLERK])

    with held(database_url, "BEGIN IMMEDIATE"):
        read = client.get("/")
        written = client.post("/preferences/language", data={"locale": "en"})
    later = client.post("/preferences/language", data={"locale": "en"})

    assert (read.status_code, written.status_code, later.status_code) == (200, 503, 303)
    assert "please try again" in written.text
    assert written.headers["Retry-After"] == "30"


@ON_SQLITE
def test_a_wrong_statement_is_our_fault_and_no_outage(app: Flask, users: dict[Role, User]) -> None:
    def wrong() -> str:
        with db.reading() as session:
            session.execute(sa.text("SELECT nothing FROM nowhere"))
        return "never"

    app.testing = app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/wrong", "wrong", public(wrong))

    assert app.test_client().get("/wrong").status_code == 500


# A disk that is full


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond *size* bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def form_with_file(content: bytes, **fields: str) -> tuple[bytes, str]:
    """The body and the type of an upload, put together before the disk is full."""
    builder = EnvironBuilder(method="POST", data={"file": (BytesIO(content), "a.csv"), **fields})
    environ = builder.get_environ()
    builder.close()
    with environ["wsgi.input"] as body:
        return body.read(), environ["CONTENT_TYPE"]


# Werkzeug leaves the file that it could not write to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("rows", [4_000, 200_000], ids=["stored by us", "already laid aside by the web server"])
def test_an_upload_on_a_full_disk_is_a_sentence_and_leaves_nothing(
    app: Flask, users: dict[Role, User], rows: int
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    app.testing = app.config["PROPAGATE_EXCEPTIONS"] = False
    client = browser(app, users[Role.TRIAGER])
    with app.app_context(), db.writing() as session:
        fields = {"profile": str(profiles_in_use(session)[0].id), "unit_id": str(make_unit(session).id)}
    row = b"JB000001,13900001111,02558880000,2026-11-01 10:00:00\r\n"
    body, kind = form_with_file(row * rows, **fields)

    with files_of_at_most(100_000):
        full = client.post("/imports/new?kind=complaints", data=body, content_type=kind)
    roomy = client.post("/imports/new?kind=complaints", data=body, content_type=kind)

    assert (full.status_code, roomy.status_code) == (507, 303)
    assert "The disk of the server is full" in full.text
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(sa.func.count(Upload.id))) == 1
    uploads = Path(app.extensions["supervise.settings"].instance, "uploads")
    assert len(list(uploads.glob("*"))) == 1
