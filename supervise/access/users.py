"""Decisions about users: by an administrator, or by the users themselves about their own account.

Whoever changes a password, a role or the standing of an account ends all of its sessions in the same transaction.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access import throttle
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.access.sessions import end_all_sessions, open_session
from supervise.access.usernames import new_username
from supervise.audit.record import changed, record_event
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import DEFAULT_LOCALE, LOCALES, N_

_DISPLAY_NAME_MAX = 60


class UsernameTakenError(ConflictError):
    """Another user has this name."""

    message = N_("There is already a user %(username)s")


class LastAdminError(ConflictError):
    """Without an active administrator nobody could ever make one."""

    message = N_("This is the last active administrator; make another one first")


class DisplayNameError(InvalidInputError):
    """The name that colleagues see is empty or too long."""

    message = N_("Enter a name of at most %(limit)d characters")


def create_user(
    session: Session,
    *,
    actor_id: int | None,
    username: str,
    display_name: str,
    role: Role,
    password_hash: str,
    locale: str = DEFAULT_LOCALE,
    password_is_initial: bool = True,
) -> User:
    """Add a user, who must replace the initial password at the first login; *actor_id* is None for a command.

    Raises:
        UsernameError: if *username* is no name.
        UsernameTakenError: if it is taken.
        DisplayNameError: if *display_name* is empty or too long.
    """
    name = new_username(username)
    if session.scalar(select(User.id).where(User.username == name)) is not None:
        raise UsernameTakenError(username=name)
    now = clock.now()
    user = User(
        username=name,
        display_name=_checked_display_name(display_name),
        role=role,
        password_hash=password_hash,
        password_is_initial=password_is_initial,
        password_changed_at=now,
        locale=_checked_locale(locale),
        created_at=now,
    )
    session.add(user)
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="user.created",
        subject="user",
        subject_id=user.id,
        changes={"role": role},
    )
    return user


def edit_user(
    session: Session,
    *,
    actor_id: int,
    user_id: int,
    version: int,
    display_name: str,
    role: Role,
    active: bool,
    locale: str,
) -> User:
    """Change a user as seen at *version*; another role or standing ends the user's sessions.

    Raises:
        NotFoundError: if there is no such user.
        ConflictError: if somebody changed the user meanwhile.
        LastAdminError: if no active administrator would remain.
    """
    # In a fixed order, before the row: two administrators who unseat each other at once must meet here.
    admins = _locked_active_admins(session)
    user = locked_user(session, user_id)
    if user.version != version:
        raise ConflictError
    if user_id in admins and not (active and role is Role.ADMIN) and len(admins) == 1:
        raise LastAdminError
    before = {"role": user.role, "active": user.active, "locale": user.locale}
    renamed = user.display_name != display_name.strip()
    user.display_name, user.role = _checked_display_name(display_name), role
    user.active, user.locale = active, _checked_locale(locale)
    user.version += 1
    changes = changed(before, {"role": role, "active": active, "locale": locale})
    if "role" in changes or "active" in changes:
        changes["sessions_ended"] = [end_all_sessions(session, user_id)]
    if renamed:
        changes["display_name"] = ["changed"]
    record_event(
        session,
        actor_id=actor_id,
        action="user.changed",
        subject="user",
        subject_id=user_id,
        changes=changes,
    )
    return user


def reset_password(session: Session, *, actor_id: int | None, user_id: int, password_hash: str) -> User:
    """Give a user an initial password, end all sessions and let the throttle forget the name.

    Raises:
        NotFoundError: if there is no such user.
    """
    user = locked_user(session, user_id)
    _replace_password(session, user, password_hash)
    user.password_is_initial = True
    throttle.forget_name(session, user.username)
    record_event(session, actor_id=actor_id, action="user.password_reset", subject="user", subject_id=user_id)
    return user


def change_own_password(session: Session, *, actor_id: int, password_hash: str, address: str, agent: str | None) -> str:
    """Take the user's new password, end all sessions, and return the token of a fresh one for this browser.

    The old password was verified before, outside the transaction.
    """
    user = locked_user(session, actor_id)
    _replace_password(session, user, password_hash)
    user.password_is_initial = False
    record_event(session, actor_id=actor_id, action="user.password_changed", subject="user", subject_id=actor_id)
    return open_session(session, actor_id, is_confirmed=True, address=address, agent=agent)


def choose_locale(session: Session, *, actor_id: int, locale: str) -> None:
    """Take the user's language."""
    user = locked_user(session, actor_id)
    before, user.locale = user.locale, _checked_locale(locale)
    if before != locale:
        record_event(
            session,
            actor_id=actor_id,
            action="user.changed",
            subject="user",
            subject_id=actor_id,
            changes={"locale": [before, locale]},
        )


def end_user_sessions(session: Session, *, actor_id: int, user_id: int) -> int:
    """Sign a user out everywhere and return how many sessions that ended.

    Raises:
        NotFoundError: if there is no such user.
    """
    locked_user(session, user_id)
    ended = end_all_sessions(session, user_id)
    record_event(
        session,
        actor_id=actor_id,
        action="user.sessions_ended",
        subject="user",
        subject_id=user_id,
        changes={"sessions": ended},
    )
    return ended


def locked_user(session: Session, user_id: int) -> User:
    """Return the user, held until the transaction ends.

    Raises:
        NotFoundError: if there is none.
    """
    user = session.get(User, user_id, with_for_update=True)
    if user is None:
        raise NotFoundError
    return user


def _replace_password(session: Session, user: User, password_hash: str) -> None:
    user.password_hash = password_hash
    user.password_changed_at = clock.now()
    user.version += 1
    end_all_sessions(session, user.id)


def _locked_active_admins(session: Session) -> set[int]:
    query = select(User.id).where(User.role == Role.ADMIN, User.active).order_by(User.id).with_for_update()
    return set(session.scalars(query))


def _checked_display_name(text: str) -> str:
    name = text.strip()
    if not 1 <= len(name) <= _DISPLAY_NAME_MAX:
        raise DisplayNameError(limit=_DISPLAY_NAME_MAX)
    return name


def _checked_locale(locale: str) -> str:
    if locale not in LOCALES:
        raise InvalidInputError
    return locale
