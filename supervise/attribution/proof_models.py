"""What findings rest on: the evidence of an incident, its verification log, and when a number is suspected."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class AttachmentKind(LabelledEnum):
    """What a piece of evidence shows."""

    RECORDING = "recording", N_("Recording of the call")
    SCREENSHOT = "screenshot", N_("Screenshot")
    LETTER = "letter", N_("Letter or answer")
    SMS_LOG = "sms_log", N_("SMS log")
    OTHER = "other", N_("Other evidence")


class VerificationKind(LabelledEnum):
    """How a report was verified (domain A21, B7, B17)."""

    CALL_BACK = "call_back", N_("Call-back")
    RECORDING_REVIEW = "recording_review", N_("Recording review")
    MONITORING = "monitoring", N_("Test call or monitoring")
    RECORD_CHECK = "record_check", N_("Check of the records")


class VerificationOutcome(LabelledEnum):
    """What the verification came to."""

    CONFIRMED = "confirmed", N_("Confirmed")
    NOT_CONFIRMED = "not_confirmed", N_("Not confirmed")
    NOT_REACHED = "not_reached", N_("Not reached")


class CountedPer(LabelledEnum):
    """Whose reporters are counted together."""

    NUMBER = "number", N_("Calling number")
    PARTY = "party", N_("Responsible party")


class IncidentAttachment(Base):
    """A piece of evidence of an incident; withdrawn with a reason, never deleted (triggers refuse it)."""

    __tablename__ = "incident_attachment"
    __table_args__ = (
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="withdrawn_by_set"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawal_reason IS NULL)", name="withdrawal_has_reason"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    attachment_id: Mapped[int] = mapped_column(ForeignKey("attachment.id"), unique=True)
    kind: Mapped[AttachmentKind]
    added_by: Mapped[int]
    added_at: Mapped[dt.datetime]
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[dt.datetime | None]
    withdrawal_reason: Mapped[str | None] = mapped_column(MaskedText)


class VerificationEntry(Base):
    """How a reported call was verified and what it came to (F39); append-only, triggers refuse update and delete.

    A trigger also refuses a proven finding of an incident that no entry confirms.
    """

    __tablename__ = "verification_entry"
    __table_args__ = (
        CheckConstraint("what <> ''", name="says_what"),
        CheckConstraint("verified_at <= entered_at", name="not_ahead"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    kind: Mapped[VerificationKind]
    outcome: Mapped[VerificationOutcome]
    #: What was heard, seen or read.
    what: Mapped[str] = mapped_column(MaskedText)
    verified_at: Mapped[dt.datetime]
    #: Who did it, in words; NULL: who entered it.
    verified_by: Mapped[str | None] = mapped_column(MaskedText)
    entered_at: Mapped[dt.datetime]
    entered_by: Mapped[int]
    #: The recording or the letter that it is about.
    attachment_id: Mapped[int | None] = mapped_column(ForeignKey("attachment.id"), index=True)


class ReporterThreshold(Base):
    """From how many reporters on a number or party is suspected: distinct subscribers, confirmed only (F46, B12)."""

    __tablename__ = "reporter_threshold"
    __table_args__ = (
        CheckConstraint("subscribers > 0", name="subscribers_positive"),
        CheckConstraint("within_days > 0", name="days_positive"),
        CheckConstraint("legal_note <> ''", name="has_note"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("counted_per", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    counted_per: Mapped[CountedPer]
    #: So many different subscribers with a confirmed incident ...
    subscribers: Mapped[int]
    #: ... within so many days up to today.
    within_days: Mapped[int]
    legal_note: Mapped[str]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
