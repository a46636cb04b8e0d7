"""Refusals and consents: dated facts, never changed; the latest wins, and no record means no consent."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class PermissionScope(LabelledEnum):
    """What a refusal or consent is about; service messages are in no scope (F74)."""

    MARKETING_CALLS = "marketing_calls", N_("Marketing calls")
    MARKETING_SMS = "marketing_sms", N_("Marketing SMS")


class PermissionWord(LabelledEnum):
    """What the subscriber said."""

    REFUSAL = "refusal", N_("Refusal")
    CONSENT = "consent", N_("Consent")


class SaidBy(LabelledEnum):
    """The way by which the subscriber said it."""

    CALL = "call", N_("During the call")
    REPORT = "report", N_("With a complaint")
    REGULATOR = "12321", N_("Through 12321 or the regulator")
    HOTLINE = "hotline", N_("To the hotline")
    SMS_REPLY = "sms_reply", N_("By SMS reply")
    HALL = "hall", N_("In a business hall")
    APP = "app", N_("In the app or online")
    PAPER = "paper", N_("On paper")

    @classmethod
    def words_for(cls, channel: str) -> str:
        """Return the words of a stored channel; one that a source wrote in words of its own stays as it is."""
        return next((member.label for member in cls if member.value == channel), channel)


class PermissionEvent(Base):
    """A subscriber said no (refusal) or yes (consent): when, how, to whom, for what."""

    __tablename__ = "permission_event"
    __table_args__ = (
        CheckConstraint("NOT given OR purpose IS NOT NULL", name="consent_has_purpose"),
        Index(None, "number_id", "scope", "said_at"),
        # The register's pages: the newest first, of all parties or of one.
        Index(None, "said_at", "id"),
        Index(None, "party_id", "said_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number_id: Mapped[int] = mapped_column(ForeignKey("subscriber_number.id"))
    scope: Mapped[PermissionScope]
    #: False: a refusal. True: a consent.
    given: Mapped[bool]
    #: Whom it was said to; NULL: the carrier and everyone who calls for it.
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    #: What a consent is for; a delivery number is no marketing consent (domain E27).
    purpose: Mapped[str | None] = mapped_column(MaskedText)
    #: A value of ``SaidBy``, or the words of the source.
    channel: Mapped[str] = mapped_column(MaskedText)
    #: Where it is on record: the ticket's reference, a form, a list, a recording.
    source: Mapped[str] = mapped_column(MaskedText)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    said_at: Mapped[dt.datetime]
    recorded_by: Mapped[int]
    recorded_at: Mapped[dt.datetime]

    @property
    def word(self) -> PermissionWord:
        """Refusal or consent."""
        return PermissionWord.CONSENT if self.given else PermissionWord.REFUSAL

    @property
    def way(self) -> str:
        """How it was said, in the current locale."""
        return SaidBy.words_for(self.channel)
