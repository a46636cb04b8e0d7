"""What keeps an answered ticket from rest: the subscriber's objection to a reply, and mediation (domain F85)."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.complaints.models import Channel
from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class TicketObjectionState(LabelledEnum):
    """Where the objection of a subscriber stands."""

    OPEN = "open", N_("To be answered")
    ANSWERED = "answered", N_("Answered again")
    WITHDRAWN = "withdrawn", N_("Taken back")


class Mediator(LabelledEnum):
    """Who mediates between the subscriber and the carrier."""

    COMMUNICATIONS = "communications", N_("Communications administration")
    CONSUMER_12315 = "12315", N_("Market supervision (12315)")
    MAYOR_12345 = "12345", N_("Government hotline (12345)")
    ASSOCIATION = "association", N_("Consumers' association")


class MediationState(LabelledEnum):
    """How a mediation ended, if it did."""

    OPEN = "open", N_("In mediation")
    AGREED = "agreed", N_("Settled by agreement")
    FAILED = "failed", N_("Ended without agreement")
    WITHDRAWN = "withdrawn", N_("Request taken back")


class MediationTerm(Base):
    """How many working days a mediator has, in a period; a mediator without a row has no term but its letter's."""

    __tablename__ = "mediation_term"
    __table_args__ = (
        CheckConstraint("working_days > 0", name="some_days"),
        CheckConstraint("source <> ''", name="has_source"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("mediator", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mediator: Mapped[Mediator]
    working_days: Mapped[int]
    #: What says so: a rule, an agreement.
    source: Mapped[str] = mapped_column(MaskedText)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class TicketObjection(Base):
    """A subscriber does not accept the reply: the ticket is open again, with a deadline of its own."""

    __tablename__ = "ticket_objection"
    __table_args__ = (
        UniqueConstraint("ticket_id", "number"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint(
            "(state = 'open') = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL)", name="end_complete"
        ),
        CheckConstraint("(state = 'withdrawn') = (end_reason IS NOT NULL)", name="withdrawal_says_why"),
        Index(
            "uq_ticket_objection_open",
            "ticket_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    #: 1 for the first objection to this ticket; from 2 on a supervisor looks at it too.
    number: Mapped[int]
    #: Through which channel it came; its deadline is that channel's.
    channel: Mapped[Channel]
    received_at: Mapped[dt.datetime]
    reason: Mapped[str] = mapped_column(MaskedText)
    due_on: Mapped[dt.date]
    due_provisional: Mapped[bool]
    state: Mapped[TicketObjectionState] = mapped_column(default=TicketObjectionState.OPEN)
    recorded_by: Mapped[int]
    recorded_at: Mapped[dt.datetime]
    ended_by: Mapped[int | None]
    ended_at: Mapped[dt.datetime | None]
    end_reason: Mapped[str | None] = mapped_column(MaskedText)


class Mediation(Base):
    """An authority mediates between the subscriber and the carrier; the ticket is not closed before it ends."""

    __tablename__ = "mediation"
    __table_args__ = (
        UniqueConstraint("mediator", "case_number"),
        CheckConstraint("due_on >= opened_on", name="due_after_opened"),
        CheckConstraint("ended_on >= opened_on", name="ended_after_opened"),
        CheckConstraint(
            "(state = 'open') = (ended_on IS NULL) AND (ended_on IS NULL) = (outcome IS NULL) "
            "AND (ended_on IS NULL) = (ended_by IS NULL) AND (ended_on IS NULL) = (ended_at IS NULL)",
            name="end_complete",
        ),
        CheckConstraint("agreed_fen IS NULL OR (agreed_fen > 0 AND state = 'agreed')", name="amount_of_agreement"),
        CheckConstraint("undertaking_id IS NULL OR agreed_fen IS NOT NULL", name="promise_of_amount"),
        Index(
            "uq_mediation_open",
            "ticket_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        Index(None, "ticket_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    mediator: Mapped[Mediator]
    #: As the mediator numbers it.
    case_number: Mapped[str] = mapped_column(MaskedText)
    opened_on: Mapped[dt.date]
    #: The last day of its term.
    due_on: Mapped[dt.date]
    due_provisional: Mapped[bool]
    state: Mapped[MediationState] = mapped_column(default=MediationState.OPEN)
    recorded_by: Mapped[int]
    recorded_at: Mapped[dt.datetime]
    ended_on: Mapped[dt.date | None]
    #: The terms agreed to, or why it came to none.
    outcome: Mapped[str | None] = mapped_column(MaskedText)
    #: What the carrier agreed to credit once.
    agreed_fen: Mapped[int | None]
    ended_by: Mapped[int | None]
    ended_at: Mapped[dt.datetime | None]
    #: The undertaking drafted for the amount; another one only after that draft was given up (trigger).
    undertaking_id: Mapped[int | None] = mapped_column(ForeignKey("undertaking.id"))


class MediationEvent(Base):
    """Something that happened in a mediation: a hearing, a proposal, a paper handed in; never rewritten."""

    __tablename__ = "mediation_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    mediation_id: Mapped[int] = mapped_column(ForeignKey("mediation.id"), index=True)
    on_day: Mapped[dt.date]
    words: Mapped[str] = mapped_column(MaskedText)
    made_by: Mapped[int]
    made_at: Mapped[dt.datetime]
