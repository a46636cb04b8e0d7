"""Signing in and out: the throttle first, then the password, then, where enrolled, the second factor."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access import passwords, throttle
from supervise.access.models import User
from supervise.access.sessions import digest, end_session, open_session
from supervise.access.usernames import fold_username
from supervise.audit.record import record_event
from supervise.errors import RefusalError
from supervise.labels import N_


class LoginRefusedError(RefusalError):
    """Wrong name, wrong password or inactive account: the words never say which."""

    status = 401
    message = N_("The user name or the password is wrong")

    def __init__(self, message: str | None = None, *, user_id: int | None = None, cause: str = "password") -> None:
        super().__init__(message)
        #: For the audit trail alone: the account that was tried, if there is one, and what failed.
        self.user_id = user_id
        self.cause = cause


@dataclass(frozen=True)
class Account:
    """What the login needs of a user whose password was right."""

    user_id: int
    username: str
    has_second_factor: bool
    #: A fresh hash where the stored one was made at another cost.
    new_hash: str | None


def authenticate(username: str, password: str, address: str) -> Account:
    """Return the account that *username* and *password* open.

    The attempt is counted and committed before the hash is computed, and no transaction is open meanwhile.

    Raises:
        TooManyAttemptsError: if the name or the address must wait; the password is not looked at.
        LoginRefusedError: for a wrong name, a wrong password and an inactive account alike.
    """
    name = fold_username(username)
    db.decide(throttle.count_attempt, name, address)
    with db.reading() as session:
        user = session.scalars(select(User).where(User.username == name)).one_or_none()
    hasher = passwords.current()
    if not hasher.matches(user.password_hash if user else None, password) or user is None:
        raise LoginRefusedError(user_id=user.id if user else None)
    if not user.active:
        raise LoginRefusedError(user_id=user.id, cause="inactive")
    new_hash = hasher.hash(password) if hasher.is_outdated(user.password_hash) else None
    return Account(user.id, user.username, user.second_factor_at is not None, new_hash)


def begin_session(session: Session, account: Account, *, old_token: str | None, address: str, agent: str | None) -> str:
    """Open the session of an authenticated *account* and return its token; *old_token*'s session ends.

    With a second factor the session is nobody's yet, and the throttle keeps counting until the code is right.
    """
    if old_token:
        end_session(session, digest(old_token))
    user = session.get_one(User, account.user_id)
    if account.new_hash:
        user.password_hash = account.new_hash
    if not account.has_second_factor:
        note_signed_in(session, user, address)
    return open_session(
        session, account.user_id, is_confirmed=not account.has_second_factor, address=address, agent=agent
    )


def note_signed_in(session: Session, user: User, address: str) -> None:
    """Write down that *user* is in, and give the attempt back to the throttle."""
    throttle.forgive(session, user.username, address)
    throttle.forget_old(session)
    user.signed_in_at = clock.now()
    record_event(session, actor_id=user.id, action="login.accepted", subject="user", subject_id=user.id)


def sign_out(session: Session, *, actor_id: int, session_key: str) -> None:
    """End the user's own session: every copy of its cookie is worthless from now on."""
    end_session(session, session_key)
    record_event(session, actor_id=actor_id, action="login.ended", subject="user", subject_id=actor_id)
