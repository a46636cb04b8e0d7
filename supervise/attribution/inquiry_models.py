"""What parties are asked about incidents, what they answer, and where answers contradict each other or the registers.

An answer is never changed: another one supersedes it, and both stay.
"""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class InquiryState(LabelledEnum):
    """Where a question stands."""

    OPEN = "open", N_("Waiting for an answer")
    ANSWERED = "answered", N_("An answer is there")
    #: Silence until the deadline; a reason among others, never a verdict.
    DEEMED = "deemed", N_("Deemed not contested")
    WITHDRAWN = "withdrawn", N_("Withdrawn")


class AnswerKind(LabelledEnum):
    """What a party says about an incident."""

    OURS = "ours", N_("Yes, ours")
    AGENT = "agent", N_("An agent of ours")
    NOT_OURS = "not_ours", N_("Not ours")
    HANDED_ON = "handed_on", N_("Number handed on")


#: With these the asked party says that the call was not its own doing.
DENIALS = (AnswerKind.NOT_OURS, AnswerKind.HANDED_ON)


class ConflictState(LabelledEnum):
    """Where contradicting answers stand."""

    OPEN = "open", N_("To be settled")
    SETTLED = "settled", N_("Settled")
    #: A later answer, or a corrected register, no longer contradicts.
    DISSOLVED = "dissolved", N_("Contradicts no more")


class InquiryTerm(Base):
    """How many working days an asked party has, in a period: what the form begins with."""

    __tablename__ = "inquiry_term"
    __table_args__ = (
        CheckConstraint("working_days > 0", name="some_days"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    working_days: Mapped[int]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class Inquiry(Base):
    """A question to one party about one incident; at most one waits for an answer at a time."""

    __tablename__ = "inquiry"
    __table_args__ = (
        Index(
            "uq_inquiry_open",
            "incident_id",
            "party_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        CheckConstraint("working_days > 0", name="some_days"),
        CheckConstraint("question <> ''", name="has_question"),
        CheckConstraint("(extended_at IS NULL) = (extended_by IS NULL)", name="extended_by_set"),
        CheckConstraint("(extended_at IS NULL) = (extension_reason IS NULL)", name="extension_has_reason"),
        CheckConstraint("(extended_at IS NULL) = (extension_days IS NULL)", name="extension_has_days"),
        CheckConstraint("extension_days > 0", name="some_more_days"),
        CheckConstraint("(state = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn_at_set"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="withdrawn_by_set"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawal_reason IS NULL)", name="withdrawal_has_reason"),
        CheckConstraint("state <> 'deemed' OR deemed_at IS NOT NULL", name="deemed_at_set"),
        Index(None, "party_id", "state", "due_on"),
        Index(None, "state", "due_on", "id"),
        Index(None, "incident_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    question: Mapped[str] = mapped_column(MaskedText)
    asked_by: Mapped[int]
    asked_at: Mapped[dt.datetime]
    working_days: Mapped[int]
    #: The last day on which an answer is in time.
    due_on: Mapped[dt.date]
    #: The calendar of a year on the way was not loaded: counted again when it is.
    due_provisional: Mapped[bool] = mapped_column(default=False)
    state: Mapped[InquiryState] = mapped_column(default=InquiryState.OPEN)
    #: Once, and not after the deadline.
    extension_days: Mapped[int | None]
    extension_reason: Mapped[str | None] = mapped_column(MaskedText)
    extended_by: Mapped[int | None]
    extended_at: Mapped[dt.datetime | None]
    #: Stays when an answer comes after all.
    deemed_at: Mapped[dt.datetime | None]
    withdrawal_reason: Mapped[str | None] = mapped_column(MaskedText)
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[dt.datetime | None]


class InquiryAnswer(Base):
    """What a party answered; immutable, the one with the highest number holds."""

    __tablename__ = "inquiry_answer"
    __table_args__ = (
        UniqueConstraint("inquiry_id", "number"),
        CheckConstraint("number > 0", name="number_from_one"),
        CheckConstraint("body <> ''", name="has_body"),
        CheckConstraint(
            "(kind IN ('agent', 'handed_on')) = (named_party_id IS NOT NULL OR named_text IS NOT NULL)",
            name="names_another",
        ),
        CheckConstraint("named_party_id IS NULL OR named_text IS NULL", name="named_once"),
        CheckConstraint("(kind = 'handed_on') = (handed_on_at IS NOT NULL)", name="handed_on_at_set"),
        Index(None, "named_party_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    inquiry_id: Mapped[int] = mapped_column(ForeignKey("inquiry.id"))
    #: 1 for the first answer to the inquiry.
    number: Mapped[int]
    kind: Mapped[AnswerKind]
    #: Who it was instead: a registered party that is tied to the asked one, or a name as it was typed.
    named_party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    named_text: Mapped[str | None] = mapped_column(MaskedText)
    handed_on_at: Mapped[dt.datetime | None]
    body: Mapped[str] = mapped_column(MaskedText)
    is_late: Mapped[bool]
    answered_by: Mapped[int]
    answered_at: Mapped[dt.datetime]


class AnswerAttachment(Base):
    """A file of the vault that came with an answer."""

    __tablename__ = "answer_attachment"
    __table_args__ = (UniqueConstraint("attachment_id"), Index(None, "answer_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("inquiry_answer.id"))
    attachment_id: Mapped[int] = mapped_column(ForeignKey("attachment.id"))


class AnswerConflict(Base):
    """Answers about an incident that contradict each other, the register or the verdict: a supervisor settles it."""

    __tablename__ = "answer_conflict"
    __table_args__ = (
        Index(
            "uq_answer_conflict_open",
            "incident_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ended_at_set"),
        CheckConstraint("(state = 'settled') = (settled_by IS NOT NULL)", name="settled_by_set"),
        CheckConstraint("(state = 'settled') = (settlement IS NOT NULL)", name="settlement_has_reason"),
        CheckConstraint("(state = 'settled') = (attribution_id IS NOT NULL)", name="settled_by_verdict"),
        Index(None, "state", "id"),
        Index(None, "incident_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    #: Ids of the answers that held when it was found, rising.
    answer_ids: Mapped[list[Any]]
    #: ``[[message id, {parameters}], ...]``: what contradicts what.
    reasons: Mapped[list[Any]]
    state: Mapped[ConflictState] = mapped_column(default=ConflictState.OPEN)
    found_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]
    settled_by: Mapped[int | None]
    settlement: Mapped[str | None] = mapped_column(MaskedText)
    #: The verdict that the supervisor decided, or let stand.
    attribution_id: Mapped[int | None] = mapped_column(ForeignKey("attribution.id"))
