"""What the tests of the money pages share: people, charged parties, and a browser for each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.access.sessions import open_session
from supervise.penalties.models import Penalty
from tests.factories.access import make_user, sign_in
from tests.factories.attribution import make_proven_incident
from tests.factories.parties import give_scope, make_party, make_unit
from tests.factories.penalties import Charged, make_charged_branch, make_charged_partner, propose

T = TypeVar("T")


@dataclass
class Visitor:
    """Somebody at the browser."""

    app: Flask
    page: Page
    live_url: str

    def sign_in(self, username: str) -> None:
        """Become *username*."""
        with self.app.app_context(), db.writing() as session:
            user = session.scalars(select(User).where(User.username == username)).one()
            token = open_session(session, user.id, is_confirmed=True, address=None, agent=None)
        cookie = {"name": self.app.config["IDENTITY_COOKIE"], "value": token, "url": self.live_url}
        self.page.context.add_cookies([cookie])  # type: ignore[list-item]  # a plain dict is what it takes

    def goto(self, address: str) -> None:
        """Open a page of the application."""
        self.page.goto(f"{self.live_url}{address}")


class Scene(NamedTuple):
    """A branch and a partner that it sponsors, both chargeable; ids of people by user name."""

    branch: Charged
    partner: Charged
    people: dict[str, int]


def make_scene(session: Session) -> Scene:
    """People of each side, and strangers of each side."""
    branch, partner = make_charged_branch(session), make_charged_partner(session)
    people = {
        name: make_user(session, username=name, display_name=name, role=role)
        for name, role in (
            ("triager", Role.TRIAGER),
            ("supervisor", Role.SUPERVISOR),
            ("supervisor2", Role.SUPERVISOR),
            ("manager", Role.BRANCH_MANAGER),
            ("sponsor", Role.BRANCH_MANAGER),
            ("stranger", Role.BRANCH_MANAGER),
            ("contact", Role.PARTNER_CONTACT),
            ("rival", Role.PARTNER_CONTACT),
            ("finance", Role.FINANCE),
        )
    }
    give_scope(session, user_id=people["manager"].id, unit=branch.unit)
    give_scope(session, user_id=people["sponsor"].id, unit=partner.unit)
    give_scope(session, user_id=people["stranger"].id, unit=make_unit(session, name="七里河分公司"))
    give_scope(session, user_id=people["contact"].id, party=partner.party)
    give_scope(session, user_id=people["rival"].id, party=make_party(session, name="联达外呼"))
    return Scene(branch, partner, {name: user.id for name, user in people.items()})


def arranged(app: Flask, make: Callable[[Session], T]) -> T:
    """Commit what *make* adds and return what it returned."""
    with app.app_context(), db.writing() as session:
        return make(session)


def browser(app: Flask, username: str) -> FlaskClient:
    """Return a browser in which *username* is signed in."""
    client = app.test_client()
    with app.app_context(), db.writing() as session:
        sign_in(session, client, session.scalars(select(User).where(User.username == username)).one())
    return client


def proposed(session: Session, charged: Charged, maker_id: int, **incident: Any) -> Penalty:
    """A proposal of *maker_id* against the charged party."""
    [penalty] = propose(session, make_proven_incident(session, party=charged.party, **incident), actor_id=maker_id)
    return penalty


def reread(app: Flask, penalty_id: int) -> Penalty:
    """Return the penalty as it is stored now."""
    with app.app_context(), db.reading() as session:
        return session.get_one(Penalty, penalty_id)
