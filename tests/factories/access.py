"""People who sign in, and the sessions and delegations they have."""

import datetime as dt

from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import Deputy, User
from supervise.access.roles import Role
from supervise.access.sessions import open_session

PASSWORD = "Blauer-Himmel-8"
#: The cheapest argon2id there is: verifying takes the cost that stands in the hash.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_PASSWORD_HASH = CHEAP.hash(PASSWORD)


def make_user(
    session: Session,
    *,
    username: str | None = None,
    display_name: str = "Wang Fang",
    role: Role = Role.CLERK,
    active: bool = True,
    locale: str = "en",
    password_is_initial: bool = False,
) -> User:
    """Make a user whose password is ``PASSWORD``; the name is the role's unless given."""
    user = User(
        username=username or role.value,
        display_name=display_name,
        role=role,
        password_hash=_PASSWORD_HASH,
        password_is_initial=password_is_initial,
        password_changed_at=clock.now(),
        active=active,
        locale=locale,
        created_at=clock.now(),
    )
    session.add(user)
    session.flush()
    return user


def make_deputy(
    session: Session,
    *,
    delegator: User,
    deputy: User,
    valid_from: dt.date | None = None,
    days: int = 7,
    limit_fen: int = 100_000,
) -> Deputy:
    """Let *deputy* decide for *delegator* from *valid_from* (today) on."""
    first = valid_from or clock.today()
    row = Deputy(
        delegator_id=delegator.id,
        deputy_id=deputy.id,
        valid_from=first,
        valid_to=first + dt.timedelta(days=days),
        limit_fen=limit_fen,
        reason="annual leave",
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def sign_in(session: Session, client: FlaskClient, user: User) -> str:
    """Open a session of *user* in *client* without the login page, and return the cookie's token; commit afterwards."""
    token = open_session(session, user.id, is_confirmed=True, address="127.0.0.1", agent="test")
    client.set_cookie(client.application.config["IDENTITY_COOKIE"], token)
    return token
