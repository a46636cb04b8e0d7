"""The second factor: enrolled with proof, asked for at login, each code taken once."""

import datetime as dt
import re
from collections.abc import Callable, Iterator

import pyotp
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from tests.factories.access import PASSWORD

BrowserOf = Callable[[Role], FlaskClient]
START = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def code_of(key: str, time: time_machine.Traveller) -> str:
    del time  # the clock that pyotp reads is the traveller's
    return pyotp.TOTP(key).now()


@pytest.fixture
def enrolled(time: time_machine.Traveller, browser_of: BrowserOf) -> tuple[FlaskClient, str]:
    """A clerk with a second factor, and its key."""
    browser = browser_of(Role.CLERK)
    page = browser.post("/account/second-factor", data={"password": PASSWORD})
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
    assert found is not None
    key = found[1]
    answer = browser.post("/account/second-factor/confirm", data={"code": code_of(key, time)})
    assert answer.status_code == 303
    return browser, key


def give_password(client: FlaskClient) -> str:
    location = client.post("/login", data={"username": "clerk", "password": PASSWORD, "next": "/account/"}).location
    return location or ""


def give_code(client: FlaskClient, code: str) -> int:
    return client.post("/login/code", data={"code": code, "next": "/account/"}).status_code


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account/").status_code == 200


def test_the_key_is_shown_as_a_picture_that_the_policy_of_the_pages_allows(
    browser_of: BrowserOf, time: time_machine.Traveller
) -> None:
    page = browser_of(Role.CLERK).post("/account/second-factor", data={"password": PASSWORD})

    assert 'src="data:image/svg+xml;base64,' in page.text
    assert "img-src 'self' data:" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"


def test_the_key_is_stored_encrypted(app: Flask, enrolled: tuple[FlaskClient, str], users: dict[Role, User]) -> None:
    _browser, key = enrolled

    with app.app_context(), db.reading() as session:
        stored = session.get_one(User, users[Role.CLERK].id).second_factor_cipher
    assert stored is not None
    assert key.encode() not in stored


def test_setting_up_takes_the_password(browser_of: BrowserOf) -> None:
    browser = browser_of(Role.CLERK)

    answer = browser.post("/account/second-factor", data={"password": "not the password"})

    assert answer.status_code == 303
    assert "base64" not in answer.text


def test_a_wrong_first_code_does_not_switch_it_on(browser_of: BrowserOf, time: time_machine.Traveller) -> None:
    browser = browser_of(Role.CLERK)
    browser.post("/account/second-factor", data={"password": PASSWORD})

    assert browser.post("/account/second-factor/confirm", data={"code": "000000"}).status_code == 400
    assert give_password(browser) == "/account/"


def test_the_password_alone_opens_nothing(enrolled: tuple[FlaskClient, str], app: Flask) -> None:
    client = app.test_client()

    assert give_password(client) == "/login/code?next=/account/"

    assert not is_signed_in(client)
    assert client.post("/logout").status_code == 401


def test_the_right_code_opens_a_fresh_session(
    enrolled: tuple[FlaskClient, str], app: Flask, time: time_machine.Traveller
) -> None:
    client, key = app.test_client(), enrolled[1]
    time.shift(30)
    give_password(client)
    half = client.get_cookie("supervise")

    assert give_code(client, code_of(key, time)) == 303

    assert is_signed_in(client)
    assert client.get_cookie("supervise") != half


def test_the_same_code_is_never_taken_twice(
    enrolled: tuple[FlaskClient, str], app: Flask, time: time_machine.Traveller
) -> None:
    key = enrolled[1]
    time.shift(30)
    code = code_of(key, time)
    first, second = app.test_client(), app.test_client()
    give_password(first)
    give_password(second)

    assert give_code(first, code) == 303
    assert give_code(second, code) == 401
    assert not is_signed_in(second)
    time.shift(30)
    assert give_code(second, code_of(key, time)) == 303


def test_codes_of_other_moments_and_other_shapes_are_refused(
    enrolled: tuple[FlaskClient, str], app: Flask, time: time_machine.Traveller
) -> None:
    key, client = enrolled[1], app.test_client()
    time.shift(600)
    give_password(client)
    old = pyotp.TOTP(key).at(int(START.timestamp()) + 300)

    assert [give_code(client, code) for code in (old, "12345", "１２３４５６")] == [401, 401, 401]


def test_guessing_codes_is_slowed_like_guessing_passwords(
    enrolled: tuple[FlaskClient, str], app: Flask, time: time_machine.Traveller
) -> None:
    client = app.test_client()
    give_password(client)

    answers = [give_code(client, "000000") for _ in range(5)]

    assert answers == [401, 401, 401, 401, 429]


def test_a_half_open_session_ends_after_five_minutes(
    enrolled: tuple[FlaskClient, str], app: Flask, time: time_machine.Traveller
) -> None:
    client, key = app.test_client(), enrolled[1]
    time.shift(30)
    give_password(client)

    time.shift(301)

    assert client.post("/login/code", data={"code": code_of(key, time)}).location == "/login"
    assert not is_signed_in(client)


def test_an_administrator_switches_it_off_with_a_reason(
    enrolled: tuple[FlaskClient, str],
    app: Flask,
    browser_of: BrowserOf,
    users: dict[Role, User],
    time: time_machine.Traveller,
) -> None:
    admin = browser_of(Role.ADMIN)
    address = f"/users/{users[Role.CLERK].id}/second-factor/off"

    admin.post(address, data={"reason": ""})
    assert give_password(app.test_client()) == "/login/code?next=/account/"
    admin.post(address, data={"reason": "telephone lost"})

    assert give_password(app.test_client()) == "/account/"
    assert admin.post(address, data={"reason": "telephone lost"}).status_code == 409


def test_the_user_switches_it_off_with_the_password(enrolled: tuple[FlaskClient, str]) -> None:
    browser, _key = enrolled

    browser.post("/account/second-factor/off", data={"password": "wrong"})
    assert "On since" in browser.get("/account/").text
    browser.post("/account/second-factor/off", data={"password": PASSWORD})

    assert "On since" not in browser.get("/account/").text
