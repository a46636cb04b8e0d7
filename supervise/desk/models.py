"""Replies to tickets, their templates and resolution codes, the views that people save, and runs over many rows."""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.attribution.models import Finding
from supervise.compensation.models import Credit
from supervise.complaints.models import Ticket
from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum
from supervise.penalties.models import Penalty


class ResolutionCode(Base):
    """How a ticket was resolved; a deflection (install an app, block it) does not count as solved (domain D11)."""

    __tablename__ = "resolution_code"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    counts_as_solved: Mapped[bool]
    retired_on: Mapped[dt.date | None]


class ReplyTemplate(Base):
    """A text to start a reply from; ``{reference}``-like places are filled from the ticket."""

    __tablename__ = "reply_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    body: Mapped[str]
    retired_on: Mapped[dt.date | None]


class TicketReply(Base):
    """What was answered to the complainant or the channel; the first one stops the reply clock."""

    __tablename__ = "ticket_reply"
    __table_args__ = (CheckConstraint("body <> ''", name="has_text"), Index(None, "ticket_id", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    template_id: Mapped[int | None] = mapped_column(ForeignKey("reply_template.id"))
    #: With numbers masked.
    body: Mapped[str]
    resolution_code: Mapped[str] = mapped_column(ForeignKey("resolution_code.code"))
    replied_by: Mapped[int]
    replied_at: Mapped[dt.datetime]


class SavedView(Base):
    """A named set of queue filters, as the query string; shared ones are everybody's."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    name: Mapped[str] = mapped_column(MaskedText)
    query: Mapped[str]
    shared: Mapped[bool] = mapped_column(default=False)


class BulkAction(LabelledEnum):
    """What is done with every row of a run."""

    ACCEPT = "accept", N_("Accept the tickets")
    INVESTIGATE = "investigate", N_("Begin to investigate")
    SUGGESTIONS = "suggestions", N_("Accept the suggestions")
    FINDINGS = "findings", N_("Record findings")
    AMOUNTS = "amounts", N_("Propose the amounts")
    APPROVE_PENALTIES = "approve_penalties", N_("Approve the penalties")
    APPROVE_CREDITS = "approve_credits", N_("Approve the credits")
    PROVEN_CALLS = "proven_calls", N_("Accept what records prove")
    SEND_CREDITS = "send_credits", N_("Send the credits to billing")


class BulkRun(Base):
    """One action over more rows than a request may hold locks for, carried out by the worker."""

    __tablename__ = "bulk_run"
    __table_args__ = (
        CheckConstraint("rows_total > 0", name="not_empty"),
        CheckConstraint("rows_done BETWEEN 0 AND rows_total", name="done_within_total"),
        Index(None, "ordered_by", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[BulkAction]
    #: The offence types that are to be proven; of findings alone.
    offences: Mapped[list[Any]] = mapped_column(default=list)
    #: ``{offence type: {item: answer}}`` of those that have a checklist; of findings alone.
    checklists: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: What was heard, seen or read; of findings alone.
    note: Mapped[str | None] = mapped_column(MaskedText)
    #: The ``VerificationKind`` that is entered with them; NULL: each call's log has it. Of findings alone.
    verified_by: Mapped[str | None]
    #: In which language a batch is frozen.
    locale: Mapped[str]
    rows_total: Mapped[int]
    #: Rows up to this place are decided; the next slice begins after it, whoever carries it out.
    rows_done: Mapped[int] = mapped_column(default=0)
    #: How many of them were refused, wholly or in part.
    rows_refused: Mapped[int] = mapped_column(default=0)
    #: Of the chosen rows: a second click is known by it.
    rows_sha256: Mapped[str]
    #: The job that carries it out; another one after that failed.
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    #: What the credits were frozen into; written in the transaction that freezes them.
    credit_batch_id: Mapped[int | None] = mapped_column(ForeignKey("credit_batch.id"))
    ordered_by: Mapped[int]
    ordered_at: Mapped[dt.datetime]


class BulkRunRow(Base):
    """A chosen row, as it was when it was chosen, and what became of it."""

    __tablename__ = "bulk_run_row"
    __table_args__ = (UniqueConstraint("run_id", "subject_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("bulk_run.id"), primary_key=True)
    #: From 1 on, in the order in which they are decided.
    place: Mapped[int] = mapped_column(primary_key=True)
    #: A ticket, an incident, a penalty or a credit, as the action says.
    subject_id: Mapped[int]
    #: What the approver was shown of an amount.
    content_sha256: Mapped[str | None]
    #: ``desk.bulk_runs`` says what stands in it; NULL: not decided yet.
    outcomes: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))


#: What the queue calls open (complaints.models.OPEN_TICKET_STATES), spelt out as the partial indexes need it.
OPEN_TICKETS = text("ticket.state IN ('new', 'accepted', 'investigating', 'replied')")
_WHERE = text("state IN ('new', 'accepted', 'investigating', 'replied')")

# The queue shows open tickets by due date: however many are closed, its pages read fifty entries of one of these.
Index("ix_ticket_open_due", Ticket.due_on, Ticket.id, Ticket.state, sqlite_where=_WHERE, postgresql_where=_WHERE)
Index("ix_ticket_open_channel", Ticket.channel, Ticket.due_on, Ticket.id, sqlite_where=_WHERE, postgresql_where=_WHERE)
Index(
    "ix_ticket_open_unit",
    Ticket.unit_id,
    Ticket.due_on,
    Ticket.id,
    Ticket.state,
    sqlite_where=_WHERE,
    postgresql_where=_WHERE,
)

# Figures above the queue: complaints of the last weeks by branch, money approved this month.
Index("ix_ticket_received", Ticket.received_at, Ticket.unit_id)
Index(
    "ix_penalty_approved",
    Penalty.approved_at,
    Penalty.state,
    Penalty.unit_id,
    Penalty.amount_fen,
    Penalty.lifted_fen,
)
Index("ix_credit_approved", Credit.approved_at, Credit.state, Credit.unit_id, Credit.amount_fen)

# What hangs on a call, whatever its state: the unique keys on incidents are partial, no plan can use them for that.
Index("ix_finding_incident", Finding.incident_id)
Index("ix_penalty_incident", Penalty.incident_id)
Index("ix_credit_incident", Credit.incident_id)
