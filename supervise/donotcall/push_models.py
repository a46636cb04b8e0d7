"""Pushes: which refusals were handed to whom, and when that counts as delivered."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText


class Push(Base):
    """A batch of refusals that entered the register since the batch before; never rewritten."""

    __tablename__ = "push"
    __table_args__ = (CheckConstraint("grace_days > 0", name="some_grace"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    made_at: Mapped[dt.datetime]
    #: NULL: the daily duty.
    made_by: Mapped[int | None]
    #: Working days after which a silent recipient counts as told.
    grace_days: Mapped[int]


class PushEntry(Base):
    """A refusal is in one batch, for all recipients of it; batch and recipients are never multiplied."""

    __tablename__ = "push_entry"

    event_id: Mapped[int] = mapped_column(ForeignKey("permission_event.id"), primary_key=True, autoincrement=False)
    push_id: Mapped[int] = mapped_column(ForeignKey("push.id"), index=True)


class PushDelivery(Base):
    """A batch for one recipient; what was acknowledged stays so."""

    __tablename__ = "push_delivery"
    __table_args__ = (
        CheckConstraint("deemed_at > sent_at", name="grace_after_sending"),
        CheckConstraint("(downloaded_at IS NULL) = (downloaded_by IS NULL)", name="download_complete"),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="acknowledgement_complete"),
        CheckConstraint("(acknowledged_at IS NULL) = (told IS NULL)", name="told_somebody"),
        CheckConstraint("acknowledged_at >= sent_at", name="acknowledged_after_sending"),
        CheckConstraint("reminders >= 0", name="reminders_not_negative"),
        UniqueConstraint("push_id", "party_id"),
        Index(None, "party_id", "push_id"),
        Index(None, "deemed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    push_id: Mapped[int] = mapped_column(ForeignKey("push.id"))
    #: A partner, or the party of a branch.
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    sent_at: Mapped[dt.datetime]
    #: From this moment on it counts as delivered, whether somebody acknowledged it or not.
    deemed_at: Mapped[dt.datetime]
    #: The first time somebody of the recipient fetched the file.
    downloaded_at: Mapped[dt.datetime | None]
    downloaded_by: Mapped[int | None]
    acknowledged_at: Mapped[dt.datetime | None]
    acknowledged_by: Mapped[int | None]
    #: Who was told to block the numbers, or where they were blocked.
    told: Mapped[str | None] = mapped_column(MaskedText)
    reminders: Mapped[int] = mapped_column(default=0)
    reminded_on: Mapped[dt.date | None]
