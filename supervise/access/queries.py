"""Named reads of users and deputies."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.access.models import Deputy, User, UserSession
from supervise.access.roles import DEPUTY_ROLES, Role
from supervise.access.usernames import fold_username
from supervise.errors import NotFoundError
from supervise.labels import N_, LabelledEnum


class UserFilters(NamedTuple):
    """What the list of users is narrowed by; the empty one takes all."""

    text: str = ""
    role: Role | None = None
    active: bool | None = None
    #: Only those whose password somebody else gave them.
    initial_password: bool = False


class DelegationState(LabelledEnum):
    """Where a delegation stands today; derived, never stored."""

    COMING = "coming", N_("Not yet begun")
    RUNNING = "running", N_("In force")
    OVER = "over", N_("Ended")
    REVOKED = "revoked", N_("Revoked")


class DeputyRow(NamedTuple):
    """A delegation with the names of both people."""

    deputy: Deputy
    delegator_name: str
    deputy_name: str

    @property
    def last_on(self) -> dt.date:
        """The last day, as people say it."""
        return self.deputy.valid_to - dt.timedelta(days=1)

    @property
    def state(self) -> DelegationState:
        """Where the delegation stands today."""
        if self.deputy.revoked_at is not None:
            return DelegationState.REVOKED
        if clock.today() < self.deputy.valid_from:
            return DelegationState.COMING
        return DelegationState.RUNNING if clock.today() < self.deputy.valid_to else DelegationState.OVER

    def can_be_revoked_by(self, user_id: int) -> bool:
        """Say whether *user_id* may still end it early."""
        return self.deputy.delegator_id == user_id and self.state in {DelegationState.COMING, DelegationState.RUNNING}


def user_of(session: Session, user_id: int) -> User:
    """Return the user.

    Raises:
        NotFoundError: if there is none.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError
    return user


def display_names(session: Session, user_ids: Collection[int | None]) -> dict[int, str]:
    """Return the display name of each known id, for pages that say who did something."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    if not wanted:
        return {}
    query = select(User.id, User.display_name).where(User.id.in_(wanted))
    return {row.id: row.display_name for row in session.execute(query)}


def users_by_name(session: Session, filters: UserFilters, *, after: str = "", limit: int = 50) -> Sequence[User]:
    """Return up to *limit* users whose name comes after *after*, by user name; *filters* narrow them."""
    query = select(User).order_by(User.username).limit(limit)
    if after:
        query = query.where(User.username > after)
    if filters.text:
        text = filters.text.strip()
        query = query.where(
            or_(
                User.username.contains(text.lower(), autoescape=True),
                func.lower(User.display_name).contains(text.lower(), autoescape=True),
            )
        )
    if filters.role is not None:
        query = query.where(User.role == filters.role)
    if filters.active is not None:
        query = query.where(User.active.is_(filters.active))
    if filters.initial_password:
        query = query.where(User.active, User.password_is_initial)
    return session.scalars(query).all()


def last_seen(session: Session, user_ids: Collection[int]) -> dict[int, dt.datetime]:
    """Return when each of the users was last seen in a session that is still open."""
    query = (
        select(UserSession.user_id, func.max(UserSession.last_seen_at).label("at"))
        .where(UserSession.user_id.in_(user_ids), UserSession.expires_at > clock.now())
        .group_by(UserSession.user_id)
    )
    return {row.user_id: row.at for row in session.execute(query)}


def possible_deputies(session: Session, delegator_id: int) -> Sequence[User]:
    """Return who may stand in for *delegator_id*, by display name."""
    return session.scalars(
        select(User)
        .where(User.active, User.role.in_(DEPUTY_ROLES), User.id != delegator_id)
        .order_by(User.display_name, User.id)
    ).all()


def delegations(session: Session, user_id: int, *, limit: int = 100) -> Sequence[DeputyRow]:
    """Return the delegations that *user_id* gave or received, the newest period first."""
    delegator, deputy = aliased(User), aliased(User)
    rows = session.execute(
        select(Deputy, delegator.display_name, deputy.display_name)
        .join(delegator, delegator.id == Deputy.delegator_id)
        .join(deputy, deputy.id == Deputy.deputy_id)
        .where(or_(Deputy.delegator_id == user_id, Deputy.deputy_id == user_id))
        .order_by(Deputy.valid_from.desc(), Deputy.id.desc())
        .limit(limit)
    )
    return [DeputyRow(*row) for row in rows]


def user_id_of(session: Session, username: str) -> int | None:
    """Return the id of the user called *username*, or None if there is none."""
    return session.scalar(select(User.id).where(User.username == fold_username(username)))
