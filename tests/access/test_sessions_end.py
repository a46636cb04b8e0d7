"""Whatever changes what a user may do ends all of their sessions, in the same transaction."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.parties.scope import change_scope
from tests.factories.access import PASSWORD
from tests.factories.parties import make_unit

BrowserOf = Callable[[Role], FlaskClient]
NEW_PASSWORD = "Roter-Regen-2026"


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account/").status_code == 200


def edited(user: User, **changes: str) -> dict[str, str]:
    form = {
        "display_name": user.display_name,
        "role": user.role.value,
        "locale": user.locale,
        "active": "1",
        "version": str(user.version),
    }
    return {name: value for name, value in {**form, **changes}.items() if value}


def test_a_new_password_ends_every_session_but_the_browser_at_hand(
    browser_of: BrowserOf, users: dict[Role, User]
) -> None:
    here, elsewhere = browser_of(Role.CLERK), browser_of(Role.CLERK)
    before = here.get_cookie("supervise")

    answer = here.post("/account/password", data={"old": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD})

    assert answer.status_code == 303
    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)
    assert here.get_cookie("supervise") != before
    assert here.post("/login", data={"username": "clerk", "password": PASSWORD}).status_code == 401
    assert here.post("/login", data={"username": "clerk", "password": NEW_PASSWORD}).status_code == 303


@pytest.mark.parametrize("changes", [{"role": "finance"}, {"active": ""}])
def test_another_role_or_standing_ends_every_session(
    browser_of: BrowserOf, users: dict[Role, User], changes: dict[str, str]
) -> None:
    clerk, admin = browser_of(Role.CLERK), browser_of(Role.ADMIN)
    user = users[Role.CLERK]

    assert admin.post(f"/users/{user.id}", data=edited(user, **changes)).status_code == 303

    assert not is_signed_in(clerk)
    assert is_signed_in(admin)


def test_another_name_or_language_ends_nothing(browser_of: BrowserOf, users: dict[Role, User]) -> None:
    clerk, admin = browser_of(Role.CLERK), browser_of(Role.ADMIN)
    user = users[Role.CLERK]

    admin.post(f"/users/{user.id}", data=edited(user, display_name="Wang Fang-Li", locale="zh_Hans"))

    assert is_signed_in(clerk)


def test_an_inactive_user_is_signed_out_and_cannot_sign_in(browser_of: BrowserOf, users: dict[Role, User]) -> None:
    admin, user = browser_of(Role.ADMIN), users[Role.CLERK]

    admin.post(f"/users/{user.id}", data=edited(user, active=""))

    stranger = admin.application.test_client()
    assert stranger.post("/login", data={"username": "clerk", "password": PASSWORD}).status_code == 401


def test_another_scope_ends_every_session(app: Flask, browser_of: BrowserOf, users: dict[Role, User]) -> None:
    manager = browser_of(Role.BRANCH_MANAGER)
    with app.app_context(), db.writing() as session:
        unit = make_unit(session)
        change_scope(
            session,
            users[Role.BRANCH_MANAGER].id,
            unit_ids=[unit.id],
            party_ids=[],
            reason="moved",
            actor_id=users[Role.ADMIN].id,
        )

    assert not is_signed_in(manager)


def test_an_administrator_gives_a_scope_by_codes(app: Flask, browser_of: BrowserOf, users: dict[Role, User]) -> None:
    with app.app_context(), db.writing() as session:
        make_unit(session, code="XA01", name="城关分公司")
    manager, admin = browser_of(Role.BRANCH_MANAGER), browser_of(Role.ADMIN)
    address = f"/users/{users[Role.BRANCH_MANAGER].id}/scope"

    refused = admin.post(address, data={"codes": "XA01 XA99", "reason": "new manager"})
    given = admin.post(address, data={"codes": "XA01", "reason": "new manager"})

    assert refused.status_code == 400
    assert "XA99" in refused.text
    assert given.status_code == 303
    assert "城关分公司" in admin.get(address).text
    assert not is_signed_in(manager)


def test_an_administrator_signs_a_user_out_everywhere(browser_of: BrowserOf, users: dict[Role, User]) -> None:
    first, second, admin = browser_of(Role.CLERK), browser_of(Role.CLERK), browser_of(Role.ADMIN)

    admin.post(f"/users/{users[Role.CLERK].id}/sessions/end")

    assert not is_signed_in(first)
    assert not is_signed_in(second)


def test_a_user_signs_out_everywhere_else(browser_of: BrowserOf) -> None:
    here, elsewhere = browser_of(Role.CLERK), browser_of(Role.CLERK)

    here.post("/account/sessions/end-others")

    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)


def test_a_reset_password_ends_every_session_and_must_be_replaced(
    browser_of: BrowserOf, users: dict[Role, User]
) -> None:
    clerk, admin = browser_of(Role.CLERK), browser_of(Role.ADMIN)

    page = admin.post(f"/users/{users[Role.CLERK].id}/password").text
    initial = page.split('id="initial-password">')[1].split("<")[0]

    assert not is_signed_in(clerk)
    assert clerk.post("/login", data={"username": "clerk", "password": initial}).status_code == 303
    assert clerk.get("/account/").location == "/account/password"
    assert clerk.post("/account/sessions/end-others").status_code == 403
    data = {"old": initial, "new": NEW_PASSWORD, "again": NEW_PASSWORD}
    assert clerk.post("/account/password", data=data).status_code == 303
    assert is_signed_in(clerk)
