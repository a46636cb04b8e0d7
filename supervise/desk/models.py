"""Replies to tickets, their templates and resolution codes, and the views that people save."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.attribution.models import Finding
from supervise.compensation.models import Credit
from supervise.complaints.models import Ticket
from supervise.db import Base
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
    name: Mapped[str]
    query: Mapped[str]
    shared: Mapped[bool] = mapped_column(default=False)


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
