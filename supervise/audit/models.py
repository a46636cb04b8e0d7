"""Who did what, when and why: one row for each change and each refusal, never altered."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText


class AuditEvent(Base):
    """One thing that somebody did or was refused.

    Append-only: triggers of migration 0001 refuse UPDATE, DELETE, TRUNCATE and a taken id, on both engines.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        Index(None, "subject", "subject_id", "id"),
        Index(None, "actor_id", "id"),
        Index(None, "action", "id"),
        Index(None, "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime]
    #: The acting user; NULL for a job, a command or a stranger at the login page.
    actor_id: Mapped[int | None]
    #: What happened: ``party.created``, ``login.refused``.
    action: Mapped[str]
    #: The kind of row it happened to, and its id as text.
    subject: Mapped[str]
    subject_id: Mapped[str | None]
    #: Ids and business facts only, never a subscriber's number, name or text.
    changes: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None] = mapped_column(MaskedText)
    #: Where the request came from; NULL outside a request.
    address: Mapped[str | None]
    #: Ties the event to the log lines of its request.
    request_id: Mapped[str | None]


class AuditSeal(Base):
    """A link of the trail's hash chain: an HMAC over the exact bytes of ``content``, which name the link before."""

    __tablename__ = "audit_seal"
    __table_args__ = (CheckConstraint("id > 0", name="id_positive"),)

    #: 1, 2, 3: no gaps (trigger).
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: The ``mac`` of the seal before, 64 zeros for the first; unique, so that the chain cannot fork.
    previous_mac: Mapped[str] = mapped_column(unique=True)
    sealed_at: Mapped[dt.datetime]
    #: ``audit.seal.seal_content``.
    content: Mapped[bytes]
    #: HMAC-SHA256 of ``content`` under the seal key, 64 hex digits.
    mac: Mapped[str] = mapped_column(unique=True)


class AuditSealEvent(Base):
    """Which seal holds an event, and the digest of the event's bytes at that moment."""

    __tablename__ = "audit_seal_event"
    __table_args__ = ({"sqlite_strict": True},)

    event_id: Mapped[int] = mapped_column(ForeignKey("audit_event.id"), primary_key=True, autoincrement=False)
    seal_id: Mapped[int] = mapped_column(ForeignKey("audit_seal.id"), index=True)
    #: SHA-256 of ``audit.seal.event_content``, 32 bytes.
    sha256: Mapped[bytes]
