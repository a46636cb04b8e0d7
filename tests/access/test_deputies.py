"""A deputy decides for a supervisor on some days, up to an amount, and never further."""

import datetime as dt
from collections.abc import Callable

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.deputies import (
    DeputyError,
    OverDeputyLimitError,
    delegate,
    require_authority,
    revoke_delegation,
)
from supervise.access.identity import current_user, deputy_limit_fen
from supervise.access.models import User
from supervise.access.roles import Permission, Role
from supervise.errors import AlreadyDecidedError, NotFoundError, NotPermittedError
from tests.factories.access import make_deputy, make_user

BrowserOf = Callable[[Role], FlaskClient]
MONDAY = dt.date(2026, 11, 23)
SATURDAY = dt.date(2026, 11, 28)
NOON = dt.datetime(2026, 11, 23, 4, 0, tzinfo=dt.UTC)


def appoint(session: Session, supervisor: User, deputy: User, **changes: object) -> int:
    terms: dict[str, object] = {
        "valid_from": MONDAY,
        "valid_to": SATURDAY,
        "limit_fen": 100_000,
        "reason": "annual leave",
        **changes,
    }
    return delegate(session, actor_id=supervisor.id, deputy_id=deputy.id, **terms).id  # type: ignore[arg-type]


@pytest.fixture
def people(session: Session) -> tuple[User, User]:
    return make_user(session, role=Role.SUPERVISOR), make_user(session, role=Role.TRIAGER)


@pytest.mark.parametrize(
    ("day", "limit_fen"),
    [
        (dt.date(2026, 11, 22), None),
        (MONDAY, 100_000),
        (dt.date(2026, 11, 27), 100_000),
        (SATURDAY, None),
    ],
)
def test_the_delegation_holds_from_the_first_day_to_the_last(
    session: Session, people: tuple[User, User], day: dt.date, limit_fen: int | None
) -> None:
    supervisor, deputy = people
    with time_machine.travel(NOON, tick=False):
        appoint(session, supervisor, deputy)

    assert deputy_limit_fen(session, deputy.id, day) == limit_fen


def test_a_deputy_decides_up_to_the_limit_and_not_above(session: Session, people: tuple[User, User]) -> None:
    supervisor, deputy = people
    with time_machine.travel(NOON, tick=False):
        appoint(session, supervisor, deputy)

        require_authority(session, user_id=deputy.id, amount_fen=100_000)
        with pytest.raises(OverDeputyLimitError) as refusal:
            require_authority(session, user_id=deputy.id, amount_fen=100_001)

    assert refusal.value.parameters == {"limit": "1,000.00"}


def test_a_supervisor_has_no_limit_and_others_have_no_authority(session: Session, people: tuple[User, User]) -> None:
    supervisor, triager = people

    require_authority(session, user_id=supervisor.id, amount_fen=10**9)
    with pytest.raises(NotPermittedError):
        require_authority(session, user_id=triager.id, amount_fen=1)


def test_a_revoked_delegation_ends_at_once(session: Session, people: tuple[User, User]) -> None:
    supervisor, deputy = people
    with time_machine.travel(NOON, tick=False):
        delegation_id = appoint(session, supervisor, deputy)

        revoke_delegation(session, actor_id=supervisor.id, delegation_id=delegation_id)

        assert deputy_limit_fen(session, deputy.id) is None
        with pytest.raises(AlreadyDecidedError):
            revoke_delegation(session, actor_id=supervisor.id, delegation_id=delegation_id)


def test_nobody_revokes_another_supervisors_delegation(session: Session, people: tuple[User, User]) -> None:
    supervisor, deputy = people
    other = make_user(session, username="other", role=Role.SUPERVISOR)
    with time_machine.travel(NOON, tick=False):
        delegation_id = appoint(session, supervisor, deputy)

    with pytest.raises(NotFoundError):
        revoke_delegation(session, actor_id=other.id, delegation_id=delegation_id)


def test_the_delegation_of_somebody_who_is_no_supervisor_any_more_counts_for_nothing(
    session: Session, people: tuple[User, User]
) -> None:
    supervisor, deputy = people
    with time_machine.travel(NOON, tick=False):
        appoint(session, supervisor, deputy)
        supervisor.role = Role.FINANCE
        session.flush()

        assert deputy_limit_fen(session, deputy.id) is None


@pytest.mark.parametrize("role", [Role.CLERK, Role.BRANCH_MANAGER, Role.PARTNER_CONTACT, Role.FINANCE, Role.ADMIN])
def test_only_compliance_staff_who_see_all_rows_can_stand_in(session: Session, role: Role) -> None:
    supervisor, stranger = make_user(session, role=Role.SUPERVISOR), make_user(session, role=role)

    with pytest.raises(DeputyError), time_machine.travel(NOON, tick=False):
        appoint(session, supervisor, stranger)


@pytest.mark.parametrize(
    "changes",
    [
        {"valid_to": MONDAY},
        {"valid_from": dt.date(2026, 11, 1), "valid_to": dt.date(2026, 11, 23)},
        {"valid_to": dt.date(2027, 11, 23)},
        {"limit_fen": 0},
        {"reason": "  "},
    ],
)
def test_impossible_terms_are_refused(session: Session, people: tuple[User, User], changes: dict[str, object]) -> None:
    with pytest.raises(DeputyError), time_machine.travel(NOON, tick=False):
        appoint(session, people[0], people[1], **changes)


def test_nobody_is_their_own_deputy_by_the_decision_and_by_the_table(
    session: Session, people: tuple[User, User]
) -> None:
    supervisor, _deputy = people
    with pytest.raises(DeputyError):
        appoint(session, supervisor, supervisor)

    with pytest.raises(IntegrityError, match="two_people"), session.begin_nested():
        make_deputy(session, delegator=supervisor, deputy=supervisor)


def test_a_deputy_gets_the_supervisors_permissions_for_the_days_and_cannot_delegate(
    app: Flask, users: dict[Role, User], browser_of: BrowserOf
) -> None:
    browser = browser_of(Role.TRIAGER)
    with app.app_context(), db.writing() as session:
        make_deputy(
            session, delegator=users[Role.SUPERVISOR], deputy=users[Role.TRIAGER], valid_from=clock.today(), days=1
        )

    with browser:
        browser.get("/account/")
        me = current_user()

    assert me.can(Permission.APPROVE_MONEY)
    assert me.can(Permission.TRIAGE)
    assert me.deputy_limit_fen == 100_000
    assert not me.can(Permission.DELEGATE)
    assert browser.get("/deputies/").status_code == 403


def test_without_a_delegation_a_triager_approves_nothing(users: dict[Role, User], browser_of: BrowserOf) -> None:
    with browser_of(Role.TRIAGER) as browser:
        browser.get("/account/")

        assert not current_user().can(Permission.APPROVE_MONEY)


def test_a_supervisor_appoints_and_revokes_on_the_page(users: dict[Role, User], browser_of: BrowserOf) -> None:
    browser = browser_of(Role.SUPERVISOR)
    today = clock.today().isoformat()
    form = {
        "deputy_id": str(users[Role.TRIAGER].id),
        "first_on": today,
        "last_on": today,
        "limit_fen": "1,000.50",
        "reason": "training",
    }

    assert browser.post("/deputies/", data={**form, "limit_fen": "lots"}).status_code == 400
    assert browser.post("/deputies/", data=form).status_code == 303

    page = browser.get("/deputies/").text
    assert "1,000.50" in page
    assert "In force" in page
    revoke = page.split('action="/deputies/')[1].split('"')[0]
    assert browser.post(f"/deputies/{revoke}").status_code == 303
    assert "Revoked" in browser.get("/deputies/").text
