"""Users, their sessions, the counters that slow guessing down, and deputies."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from supervise.access.roles import Role
from supervise.db import Base, MaskedText


class User(Base):
    """A person who signs in; never deleted, only made inactive, because audit events name the id."""

    __tablename__ = "app_user"
    __table_args__ = (
        CheckConstraint("username = lower(username)", name="username_folded"),
        CheckConstraint("locale IN ('zh_Hans', 'en')", name="known_locale"),
        CheckConstraint("second_factor_at IS NULL OR second_factor_cipher IS NOT NULL", name="second_factor_has_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Folded (NFKC, case) before it is stored: ``Wang`` and ``wang`` are one user.
    username: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    role: Mapped[Role]
    #: argon2id with its parameters.
    password_hash: Mapped[str]
    #: True until the user has replaced a password that somebody else has seen.
    password_is_initial: Mapped[bool] = mapped_column(default=True)
    password_changed_at: Mapped[dt.datetime]
    active: Mapped[bool] = mapped_column(default=True)
    locale: Mapped[str] = mapped_column(default="zh_Hans")
    #: The TOTP key, encrypted as ``app_user.second_factor_cipher`` bound to the user's id; in use since the moment.
    second_factor_cipher: Mapped[bytes | None]
    second_factor_at: Mapped[dt.datetime | None]
    #: The last 30-second step whose code was taken; the same code is never taken twice.
    second_factor_step: Mapped[int | None]
    created_at: Mapped[dt.datetime]
    signed_in_at: Mapped[dt.datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class UserSession(Base):
    """A signed-in browser. The row is the session: when it goes, every copy of the cookie is worthless."""

    __tablename__ = "user_session"
    __table_args__ = (CheckConstraint("expires_at > created_at", name="expires_after_creation"),)

    #: SHA-256 of the cookie's 256-bit token, 64 hex digits; the token itself is stored nowhere.
    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    created_at: Mapped[dt.datetime]
    #: Written at most once a minute.
    last_seen_at: Mapped[dt.datetime]
    #: The absolute end; idling ends it earlier.
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)
    #: False between the password and the second factor: such a session is nobody yet.
    is_confirmed: Mapped[bool]
    address: Mapped[str | None]
    agent: Mapped[str | None]


class LoginThrottle(Base):
    """How often an account name or an address has failed of late, and until when it must wait."""

    __tablename__ = "login_throttle"
    __table_args__ = (CheckConstraint("failures >= 0", name="failures_not_negative"),)

    #: ``name:<SHA-256 of the folded name>`` or ``address:<address>``; a name may be a password typed in the wrong box.
    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[dt.datetime] = mapped_column(index=True)
    blocked_until: Mapped[dt.datetime]


class Deputy(Base):
    """A supervisor who is away lets a colleague decide, on some days and up to an amount; four eyes stay four."""

    __tablename__ = "deputy"
    __table_args__ = (
        CheckConstraint("deputy_id <> delegator_id", name="two_people"),
        CheckConstraint("valid_to > valid_from", name="period_order"),
        CheckConstraint("limit_fen > 0", name="limit_positive"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_by_set"),
        Index(None, "deputy_id", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    delegator_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    deputy_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    valid_from: Mapped[dt.date]
    #: The day after the last.
    valid_to: Mapped[dt.date]
    #: The largest single amount that the deputy may decide on.
    limit_fen: Mapped[int]
    reason: Mapped[str] = mapped_column(MaskedText)
    created_at: Mapped[dt.datetime]
    revoked_at: Mapped[dt.datetime | None]
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
