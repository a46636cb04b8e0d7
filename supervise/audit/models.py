"""Who did what, when and why: one row for each change and each refusal, never altered."""

import datetime as dt
from typing import Any

from sqlalchemy import Index
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
