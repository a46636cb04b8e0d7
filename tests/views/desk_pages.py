"""Compliance staff at their screens, and the rows they work on, for the tests of their pages."""

import datetime as dt
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.complaints.models import Ticket, TicketIncident, TicketState
from supervise.complaints.search import Searchable, index_tickets
from supervise.parties.models import OrgUnit
from tests.factories.access import make_user, sign_in
from tests.factories.complaints import CALLED_AT, make_incident, make_number, make_ticket
from tests.factories.parties import give_scope, make_holder, make_party, make_unit
from tests.factories.records import record_calls

T = TypeVar("T")
NUMBER, CALLER = "13900008888", "02988880000"


class Desk:
    """Users at their screens, and the rows they work on."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def write(self, add: Callable[[Session], T]) -> T:
        with self.app.app_context(), db.writing() as session:
            return add(session)

    def read(self, query: Any) -> Any:
        with self.app.app_context(), db.reading() as session:
            return session.scalars(query).all()

    def as_(self, role: Role) -> FlaskClient:
        client = self.app.test_client()

        def enter(session: Session) -> None:
            sign_in(session, client, session.scalars(sa.select(User).where(User.role == role)).one())

        self.write(enter)
        return client

    def tickets(self, count: int, **facts: Any) -> list[int]:
        """So many new tickets, each about a call of its own minute."""
        return [self.ticket(called_at=CALLED_AT + dt.timedelta(minutes=minute), **facts) for minute in range(count)]

    def ticket(self, *, called_at: dt.datetime = CALLED_AT, **facts: Any) -> int:
        """A new ticket of the clerk's branch about one call from ``CALLER``, which the dialling platform recorded."""

        def add(session: Session) -> int:
            number = make_number(session, digits=NUMBER)
            ticket = make_ticket(session, number=number, unit=self.unit(session), **facts)
            record_calls(session, make_incident(session, ticket=ticket, caller_number=CALLER, occurred_at=called_at))
            index_tickets(session, [Searchable(ticket.id, [ticket.reference, ticket.content])])
            return ticket.id

        return self.write(add)

    def unit(self, session: Session, name: str = "城关分公司") -> OrgUnit:
        return session.scalars(sa.select(OrgUnit).where(OrgUnit.name == name)).one()

    def state_of(self, ticket_id: int) -> TicketState:
        [state] = self.read(sa.select(Ticket.state).where(Ticket.id == ticket_id))
        return TicketState(state)

    def version_of(self, ticket_id: int) -> str:
        return str(self.read(sa.select(Ticket.version).where(Ticket.id == ticket_id))[0])

    def incident_of(self, ticket_id: int) -> int:
        query = sa.select(TicketIncident.incident_id).where(TicketIncident.ticket_id == ticket_id)
        return int(self.read(query)[0])


def open_desk(app: Flask) -> Desk:
    """Two branches, a user of each role, and an agent that holds ``CALLER``."""
    app.config["WTF_CSRF_ENABLED"] = False
    desk = Desk(app)

    def office(session: Session) -> None:
        unit, _other = make_unit(session, name="城关分公司"), make_unit(session, name="七里河分公司")
        for role in Role:
            user = make_user(session, role=role)
            if role in {Role.CLERK, Role.BRANCH_MANAGER}:
                give_scope(session, user_id=user.id, unit=unit)
        make_holder(session, party=make_party(session, code="HX01", name="华信代理", sponsor=unit), digits=CALLER)

    desk.write(office)
    return desk
