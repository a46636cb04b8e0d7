"""Refusals and consents: dated facts, never changed; the latest wins, and no record means no consent."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base
from supervise.labels import N_, LabelledEnum


class PermissionScope(LabelledEnum):
    """What a refusal or consent is about; service messages are in no scope (F74)."""

    MARKETING_CALLS = "marketing_calls", N_("Marketing calls")
    MARKETING_SMS = "marketing_sms", N_("Marketing SMS")


class PermissionEvent(Base):
    """A subscriber said no (refusal) or yes (consent): when, how, to whom, for what."""

    __tablename__ = "permission_event"
    __table_args__ = (
        CheckConstraint("NOT given OR purpose IS NOT NULL", name="consent_has_purpose"),
        Index(None, "number_id", "scope", "said_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number_id: Mapped[int] = mapped_column(ForeignKey("subscriber_number.id"))
    scope: Mapped[PermissionScope]
    #: False: a refusal. True: a consent.
    given: Mapped[bool]
    #: Whom it was said to; NULL: the carrier and everyone who calls for it.
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    #: What a consent is for; a delivery number is no marketing consent (domain E27).
    purpose: Mapped[str | None]
    #: By phone to the caller, SMS reply, ticket, hall, app.
    channel: Mapped[str]
    source: Mapped[str]
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    said_at: Mapped[dt.datetime]
    recorded_by: Mapped[int]
    recorded_at: Mapped[dt.datetime]
