"""Who is asking: the user behind a request's cookie, and the one gate that every request passes."""

import datetime as dt
from dataclasses import dataclass

from flask import Flask, Response, current_app, g, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from supervise import clock, db
from supervise.access import sessions
from supervise.access.models import Deputy, User, UserSession
from supervise.access.policy import Policy, policy_of
from supervise.access.roles import DEPUTY_PERMISSIONS, DEPUTY_ROLES, ROLE_PERMISSIONS, Permission, Role
from supervise.errors import NotPermittedError, RefusalError
from supervise.labels import N_


class NotSignedInError(RefusalError):
    """Nobody is signed in; a browser that only looks is sent to the login page instead."""

    status = 401
    message = N_("Please sign in")


class PasswordChangeNeededError(NotPermittedError):
    """The password was given by somebody else and must be replaced first."""

    message = N_("Please choose a password of your own first")


@dataclass(frozen=True)
class CurrentUser:
    """The signed-in user as of this request."""

    id: int
    username: str
    display_name: str
    role: Role
    locale: str
    #: The role's, and a deputy's while a delegation runs.
    permissions: frozenset[Permission]
    #: The largest amount that may be decided as a deputy today; None for who is no deputy.
    deputy_limit_fen: int | None
    password_is_initial: bool
    #: False between the password and the second factor.
    is_confirmed: bool
    #: The key of the session's row.
    session_key: str

    def can(self, *permissions: Permission) -> bool:
        """Say whether the user has any of *permissions*."""
        return not self.permissions.isdisjoint(permissions)


def signed_in_user() -> CurrentUser | None:
    """Return the user of this request, or None for a stranger."""
    user = _session_user()
    return user if user is not None and user.is_confirmed else None


def current_user() -> CurrentUser:
    """Return the user of this request.

    Raises:
        NotSignedInError: for a stranger; a view that declared a permission never sees it.
    """
    user = signed_in_user()
    if user is None:
        raise NotSignedInError
    return user


def half_signed_in_user() -> CurrentUser | None:
    """Return the user who gave the password and still owes the second factor."""
    user = _session_user()
    return user if user is not None and not user.is_confirmed else None


def _session_user() -> CurrentUser | None:
    if "session_user" not in g:
        token = request.cookies.get(current_app.config["IDENTITY_COOKIE"])
        g.session_user = _load(sessions.digest(token)) if token else None
    user: CurrentUser | None = g.session_user
    return user


def _load(key: str) -> CurrentUser | None:
    now = clock.now()
    with db.reading() as session:
        row = session.execute(
            select(User, UserSession)
            .join(UserSession, UserSession.user_id == User.id)
            .where(
                UserSession.token_sha256 == key,
                UserSession.expires_at > now,
                UserSession.last_seen_at > now - sessions.IDLE_MAX,
                User.active,
            )
        ).one_or_none()
        if row is None:
            return None
        user, user_session = row
        limit_fen = deputy_limit_fen(session, user.id) if user.role in DEPUTY_ROLES else None
    if now - user_session.last_seen_at > sessions.SEEN_EVERY:
        db.decide_if_free(sessions.mark_seen, key)
    return CurrentUser(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        role=user.role,
        locale=user.locale,
        permissions=ROLE_PERMISSIONS[user.role] | (DEPUTY_PERMISSIONS if limit_fen is not None else frozenset()),
        deputy_limit_fen=None if user.role is Role.SUPERVISOR else limit_fen,
        password_is_initial=user.password_is_initial,
        is_confirmed=user_session.is_confirmed,
        session_key=key,
    )


def deputy_limit_fen(session: Session, user_id: int, on: dt.date | None = None) -> int | None:
    """Return up to which amount *user_id* may decide as a deputy *on* a day (today), or None if not at all.

    Only the delegation of a supervisor who is still one counts.
    """
    day = on or clock.today()
    delegator = aliased(User)
    limit_fen: int | None = session.scalar(
        select(func.max(Deputy.limit_fen))
        .join(delegator, delegator.id == Deputy.delegator_id)
        .where(
            Deputy.deputy_id == user_id,
            Deputy.valid_from <= day,
            Deputy.valid_to > day,
            Deputy.revoked_at.is_(None),
            delegator.active,
            delegator.role == Role.SUPERVISOR,
        )
    )
    return limit_fen


def enforce() -> None:
    """Refuse a request whose endpoint has no policy, or whose user does not meet it (before each request).

    Raises:
        NotSignedInError: for a stranger.
        PasswordChangeNeededError: before the first own password.
        NotPermittedError: if the role lacks the permission, or nobody declared a policy.
    """
    if request.endpoint is None:
        return  # no such page: the router's 404 says so
    policy = policy_of(current_app, request.endpoint)
    if policy is None:
        current_app.logger.error("endpoint %s has no policy", request.endpoint)
        raise NotPermittedError
    if not policy.is_public:
        _admit(current_user(), policy)


def _admit(user: CurrentUser, policy: Policy) -> None:
    if user.password_is_initial and not policy.before_password_change:
        raise PasswordChangeNeededError
    if policy.permissions and not user.can(*policy.permissions):
        raise NotPermittedError


def set_identity(response: Response, token: str) -> None:
    """Hand the browser its session's *token*; the row decides how long it is good for."""
    response.set_cookie(
        current_app.config["IDENTITY_COOKIE"],
        token,
        httponly=True,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        samesite="Lax",
        path="/",
    )


def clear_identity(response: Response) -> None:
    """Take the session's token back from the browser."""
    response.delete_cookie(
        current_app.config["IDENTITY_COOKIE"],
        httponly=True,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        samesite="Lax",
        path="/",
    )


def init_app(app: Flask, *, secure: bool) -> None:
    """Name the cookie and put the gate before every request; call it before CSRF protection is set up."""
    app.config["IDENTITY_COOKIE"] = "__Host-supervise" if secure else "supervise"
    app.before_request(enforce)
