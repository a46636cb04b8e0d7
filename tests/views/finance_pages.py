"""What the tests of finance's pages share: a branch's approved credits and those who deal with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.compensation.batches import freeze_batch
from supervise.compensation.lists import lines_of_page
from supervise.compensation.models import Credit, CreditBatch, CreditBatchLine
from supervise.db import Base
from tests.factories.access import make_user, sign_in
from tests.factories.compensation import make_approved_credit, make_undertaking, make_victim
from tests.factories.complaints import CALLED_AT
from tests.factories.parties import give_scope, make_unit

R = TypeVar("R", bound=Base)


class Made(NamedTuple):
    """The ids of the people by user name, and of the credits."""

    users: dict[str, int]
    credit_ids: tuple[int, ...]


@dataclass
class Office:
    """The application with finance's day in it."""

    app: Flask
    users: dict[str, int]
    #: Approved, of 50 yuan each.
    credit_ids: list[int]

    def browser(self, username: str) -> FlaskClient:
        """Return a browser in which *username* is signed in."""
        client = self.app.test_client()
        with self.app.app_context(), db.writing() as session:
            sign_in(session, client, session.get_one(User, self.users[username]))
        return client

    def sent(self, credit_ids: Sequence[int] | None = None) -> int:
        """Send credits to billing; return the batch."""
        with self.app.app_context():
            return db.decide(_freeze, credit_ids or self.credit_ids, self.users["finance"])

    def row(self, kind: type[R], row_id: int | str) -> R:
        """Return a row as it is stored now."""
        with self.app.app_context(), db.reading() as session:
            return session.get_one(kind, row_id)

    def lines(self, batch_id: int) -> list[CreditBatchLine]:
        """Return the lines of a batch as they are stored now."""
        with self.app.app_context(), db.reading() as session:
            return [row.line for row in lines_of_page(session, batch_id)]


def _freeze(session: Session, credit_ids: Sequence[int], actor_id: int) -> int:
    batch: CreditBatch = freeze_batch(session, credit_ids, locale="zh_Hans", anchor="", actor_id=actor_id)
    return batch.id


def open_office(app: Flask, *, credits_granted: int = 3) -> Office:
    """Make the people, and the credits of one subscriber of a branch of which the clerk has another."""
    with app.app_context(), db.writing() as session:
        made = make_office(session, credits_granted)
    return office_of(app, made)


def make_office(session: Session, credits_granted: int = 3) -> Made:
    """Do the same in *session*; a world that many tests clone."""
    people = (
        ("clerk", Role.CLERK),
        ("supervisor", Role.SUPERVISOR),
        ("finance", Role.FINANCE),
        ("auditor", Role.AUDITOR),
    )
    users = {name: make_user(session, username=name, role=role) for name, role in people}
    victim = make_victim(session, unit=make_unit(session, name="滨江分公司", cost_centre="CC-1"))
    give_scope(session, user_id=users["clerk"].id, unit=make_unit(session, name="城西分公司"))
    make_undertaking(session, subscriber=victim)
    granted: list[Credit] = [
        make_approved_credit(session, subscriber=victim, occurred_at=CALLED_AT.replace(minute=minute))
        for minute in range(credits_granted)
    ]
    return Made({name: user.id for name, user in users.items()}, tuple(credit.id for credit in granted))


def office_of(app: Flask, made: Made) -> Office:
    """Return the office that was made in the application's database."""
    app.config["WTF_CSRF_ENABLED"] = False
    return Office(app, dict(made.users), list(made.credit_ids))


def this_month() -> str:
    """Return the month in which the office works."""
    return clock.month_of(clock.today())
