"""Sessions are rows: opened at login, gone at logout, all gone when the user's password, role or scope changes."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import UserSession
from supervise.audit.record import record_event

#: A desk that nobody sat at for so long is signed out; a shift is never longer than the second.
IDLE_MAX = dt.timedelta(minutes=60)
LIFETIME = dt.timedelta(hours=12)
#: Between the password and the second factor.
UNCONFIRMED_LIFETIME = dt.timedelta(minutes=5)
#: How exact ``last_seen_at`` is.
SEEN_EVERY = dt.timedelta(minutes=1)
_TOKEN_BYTES = 32
_AGENT_MAX = 200


def digest(token: str) -> str:
    """Return what is stored of a cookie's *token*."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(session: Session, user_id: int, *, is_confirmed: bool, address: str | None, agent: str | None) -> str:
    """Open a session for *user_id* and return the token for the cookie; expired rows are swept on the way."""
    now = clock.now()
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    session.execute(delete(UserSession).where(UserSession.expires_at <= now))
    session.add(
        UserSession(
            token_sha256=digest(token),
            user_id=user_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + (LIFETIME if is_confirmed else UNCONFIRMED_LIFETIME),
            is_confirmed=is_confirmed,
            address=address,
            agent=agent[:_AGENT_MAX] if agent else None,
        )
    )
    return token


def end_session(session: Session, token_sha256: str) -> None:
    """End one session; a second end is no error."""
    session.execute(delete(UserSession).where(UserSession.token_sha256 == token_sha256))


def end_all_sessions(session: Session, user_id: int) -> int:
    """End every session of *user_id*, wherever it is open, and return how many there were.

    Every decision that changes a user's password, role, scope or standing calls this in its own transaction.
    """
    ended = session.scalars(
        delete(UserSession).where(UserSession.user_id == user_id).returning(UserSession.token_sha256)
    )
    return len(ended.all())


def mark_seen(session: Session, token_sha256: str) -> None:
    """Note that the session is in use now."""
    query = update(UserSession).where(UserSession.token_sha256 == token_sha256)
    session.execute(query.values(last_seen_at=clock.now()))


def open_sessions(session: Session, user_id: int) -> Sequence[UserSession]:
    """Return the sessions of *user_id* that are in force, the latest used first."""
    now = clock.now()
    return session.scalars(
        select(UserSession)
        .where(
            UserSession.user_id == user_id,
            UserSession.is_confirmed,
            UserSession.expires_at > now,
            UserSession.last_seen_at > now - IDLE_MAX,
        )
        .order_by(UserSession.last_seen_at.desc(), UserSession.token_sha256)
    ).all()


def end_other_sessions(session: Session, *, actor_id: int, session_key: str) -> None:
    """End every session of the user *actor_id* but the one at hand."""
    ended = session.scalars(
        delete(UserSession)
        .where(UserSession.user_id == actor_id, UserSession.token_sha256 != session_key)
        .returning(UserSession.token_sha256)
    ).all()
    record_event(
        session,
        actor_id=actor_id,
        action="user.sessions_ended",
        subject="user",
        subject_id=actor_id,
        changes={"sessions": len(ended)},
    )
