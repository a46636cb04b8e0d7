"""What people complained about: subscribers, tickets, incidents, and the link between the last two."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.files import values
from supervise.labels import N_, LabelledEnum
from supervise.phone import NumberClass, NumberingPlan

#: How exactly a time was reported.
Precision = values.Precision


class Channel(LabelledEnum):
    """Where a complaint came in."""

    HOTLINE = "hotline", N_("Hotline 10086/10010/10000")
    REPORT_12321 = "12321", N_("12321")
    REGULATOR_12300 = "12300", N_("12300/MIIT")
    MAYOR_12345 = "12345", N_("12345")
    CONSUMER_12315 = "12315", N_("12315")
    HEIMAO = "heimao", N_("Heimao")
    MEDIA = "media", N_("Media")
    DIRECTIVE = "directive", N_("Regulator's directive")
    WALK_IN = "walk_in", N_("Walk-in")


class TicketState(LabelledEnum):
    """Where a ticket stands (domain 6.4)."""

    NEW = "new", N_("Incoming")
    ACCEPTED = "accepted", N_("Taken on")
    INVESTIGATING = "investigating", N_("Investigating")
    REPLIED = "replied", N_("Replied")
    CLOSED = "closed", N_("Case closed")
    REFUSED = "refused", N_("Not accepted")
    TRANSFERRED = "transferred", N_("Transferred")
    WITHDRAWN = "withdrawn", N_("Withdrawn")


#: States in which somebody still has to do something.
OPEN_TICKET_STATES = (TicketState.NEW, TicketState.ACCEPTED, TicketState.INVESTIGATING, TicketState.REPLIED)


class IncidentKind(LabelledEnum):
    """A call or a message."""

    CALL = "call", N_("Call")
    SMS = "sms", N_("SMS")


class IncidentState(LabelledEnum):
    """What verification made of a reported incident (domain 6.4)."""

    REPORTED = "reported", N_("Reported")
    CONFIRMED = "confirmed", N_("Confirmed")
    UNCONFIRMED = "unconfirmed", N_("Not confirmed")
    PRIVATE = "private", N_("Private dispute")
    NOT_MARKETING = "not_marketing", N_("Not marketing")
    MERGED = "merged", N_("Merged")


class CallerKind(LabelledEnum):
    """Who spoke (domain A9)."""

    HUMAN = "human", N_("Human")
    ROBOT = "robot", N_("Robot")
    UNKNOWN = "unknown", N_("Unknown")


class MessageClass(LabelledEnum):
    """What an SMS is for (domain E17)."""

    MARKETING = "marketing", N_("Marketing")
    SERVICE = "service", N_("Service")
    VERIFICATION = "verification", N_("Verification code")


class DemandHead(LabelledEnum):
    """What a claim is for (domain D8, D35-D37)."""

    PER_CALL = "per_call", N_("Per call")
    HISTORY = "history", N_("History")
    TIME = "time", N_("Time spent")
    APOLOGY = "apology", N_("Apology")
    OTHER = "other", N_("Other")


class IncidentFlag(LabelledEnum):
    """What intake noticed about a reported call; a hint for the person who verifies it, never a verdict."""

    PROBABLE_DUPLICATE = "probable_duplicate", N_("Probable duplicate: two known calls fit")
    CALLED_AFTER_COMPLAINT = "called_after_complaint", N_("The call is later than the complaint")
    CALLER_MISSING = "caller_missing", N_("The caller's number is missing")
    TIME_BARRED = "time_barred", N_("Older than two years when complained about")


class LinkHow(LabelledEnum):
    """How a ticket came to its incident."""

    REPORTED = "reported", N_("Reported by this ticket")
    MATCHED = "matched", N_("Recognised by intake")
    LINKED = "linked", N_("Linked by a person")


class DayType(LabelledEnum):
    """How a period in days is counted."""

    NATURAL = "natural", N_("Calendar days")
    WORKING = "working", N_("Working days")


class SubscriberNumber(Base):
    """A subscriber's number: never plain; equal numbers are found by the blind index."""

    __tablename__ = "subscriber_number"

    id: Mapped[int] = mapped_column(primary_key=True)
    number_index: Mapped[str] = mapped_column(unique=True)
    #: AES-GCM, context ``subscriber_number.number_cipher``, bound to the index; NULL while only records name it.
    number_cipher: Mapped[bytes | None]
    number_mask: Mapped[str]


class Subscriber(Base):
    """The holder of a number in ``[held_from, held_to)``; the holder at the call is who is owed; never two."""

    __tablename__ = "subscriber"
    __table_args__ = (
        CheckConstraint("held_to IS NULL OR held_to > held_from", name="period_order"),
        UniqueConstraint("account_ref", "number_id", "held_from"),
        Index(None, "number_id", "held_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number_id: Mapped[int] = mapped_column(ForeignKey("subscriber_number.id"))
    #: The account in billing that a credit goes to.
    account_ref: Mapped[str] = mapped_column(index=True)
    #: The branch of the account's home region.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    held_from: Mapped[dt.datetime]
    held_to: Mapped[dt.datetime | None]
    source: Mapped[str] = mapped_column(MaskedText)
    version: Mapped[int] = mapped_column(default=1)


class OffenceType(Base):
    """A way of breaking the rules, with its legal basis, in a period; a retired type keeps its history (F17)."""

    __tablename__ = "offence_type"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("code", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    legal_basis: Mapped[str]
    #: Top-level class of domain A19: frequency, method, content, process.
    family: Mapped[str]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class DeadlineRule(Base):
    """How long a channel gives for the reply, by region, in a period (domain R1-R19)."""

    __tablename__ = "deadline_rule"
    __table_args__ = (
        CheckConstraint("days > 0", name="days_positive"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        Index(None, "channel", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: NULL: the national default for channels without a rule.
    channel: Mapped[Channel | None]
    #: NULL: everywhere; else this unit and everything below it.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    days: Mapped[int]
    day_type: Mapped[DayType]
    source: Mapped[str] = mapped_column(MaskedText)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class CalendarYear(Base):
    """A year whose working days are known; a due date in any other year is provisional."""

    __tablename__ = "calendar_year"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(MaskedText)
    loaded_at: Mapped[dt.datetime]


class CalendarDay(Base):
    """A day that differs from Monday to Friday: a holiday, or a make-up working day."""

    __tablename__ = "calendar_day"

    day: Mapped[dt.date] = mapped_column(primary_key=True)
    is_working: Mapped[bool]
    note: Mapped[str | None] = mapped_column(MaskedText)


class ImportProfile(Base):
    """How the columns of a channel's file map to our fields; a change is a new version."""

    __tablename__ = "import_profile"
    __table_args__ = (UniqueConstraint("code", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    name: Mapped[str]
    channel: Mapped[Channel]
    numbering_plan: Mapped[NumberingPlan] = mapped_column(default=NumberingPlan.CHINA)
    #: ``{"fields": {field: [headers]}, "required": [...], "constants": {...}, "time_formats": [...]}``.
    mapping: Mapped[dict[str, Any]]
    created_by: Mapped[int | None]
    created_at: Mapped[dt.datetime]
    retired_at: Mapped[dt.datetime | None]


class Ticket(Base):
    """One complaint as one channel delivered it; several tickets may report the same incident."""

    __tablename__ = "ticket"
    __table_args__ = (
        *(UniqueConstraint("channel", key) for key in ("external_ref", "row_key")),
        CheckConstraint(
            "state <> 'closed' OR (closed_at IS NOT NULL AND resolution_code IS NOT NULL)", name="closed_complete"
        ),
        CheckConstraint("first_replied_at IS NULL OR first_replied_at >= received_at", name="reply_after_receipt"),
        # The queue's pages: by due date, by state, newest first.
        *(Index(None, *first, "due_on", "id") for first in ((), ("state",), ("channel",), ("unit_id",))),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Ours, for people: ``TS20261122-000123``.
    reference: Mapped[str] = mapped_column(unique=True)
    channel: Mapped[Channel]
    #: The channel's own number of it; unique with the channel.
    external_ref: Mapped[str | None]
    #: Identity of an imported row without a reference.
    row_key: Mapped[str | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("import_batch.id"), index=True)
    received_at: Mapped[dt.datetime]
    #: The branch of the region the ticket came from; a clerk's scope.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    #: Who was called; NULL for an anonymous report.
    number_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber_number.id"), index=True)
    #: The region as the source wrote it.
    region_text: Mapped[str | None] = mapped_column(MaskedText)
    #: The complaint with numbers masked.
    content: Mapped[str]
    #: The original where something was masked; context ``ticket.content_cipher``, bound to the reference.
    content_cipher: Mapped[bytes | None]
    #: Name of the complainant, context ``ticket.complainant_cipher``, bound to the reference.
    complainant_cipher: Mapped[bytes | None]
    #: Whom the caller claimed to be (domain A6); never evidence by itself.
    claimed_party: Mapped[str | None] = mapped_column(MaskedText)
    #: "About eight calls": counted here, never invented as incidents.
    claimed_calls: Mapped[int | None]
    sensitive: Mapped[bool] = mapped_column(default=False)
    state: Mapped[TicketState] = mapped_column(default=TicketState.NEW)
    #: The limit that the channel printed on the ticket, if any; the earlier of it and the rule wins.
    stated_due_on: Mapped[dt.date | None]
    due_on: Mapped[dt.date]
    first_due_on: Mapped[dt.date | None]  # of the first reply, once an objection or a mediation set another day
    due_rule_id: Mapped[int | None] = mapped_column(ForeignKey("deadline_rule.id"))
    #: The calendar of the due year was not loaded when this was computed.
    due_provisional: Mapped[bool] = mapped_column(default=False)
    first_replied_at: Mapped[dt.datetime | None]
    resolution_code: Mapped[str | None]
    closed_at: Mapped[dt.datetime | None]
    created_by: Mapped[int]
    created_at: Mapped[dt.datetime]
    version: Mapped[int] = mapped_column(default=1)


class TicketSearch(Base):
    """The words of a ticket as character bigrams; FTS5 on SQLite and GIN on PostgreSQL index it (migration)."""

    __tablename__ = "ticket_search"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True, autoincrement=False)
    #: Bigrams of reference, external reference, masked text and claimed party, separated by spaces.
    grams: Mapped[str]


class TicketStep(Base):
    """A transition of a ticket: who, when, why; the state column is its cache."""

    __tablename__ = "ticket_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    at: Mapped[dt.datetime]
    actor_id: Mapped[int]
    to_state: Mapped[TicketState]
    reason: Mapped[str | None] = mapped_column(MaskedText)


class DemandLine(Base):
    """What the complainant claims, beside what is granted (F13)."""

    __tablename__ = "demand_line"
    __table_args__ = (
        CheckConstraint("units >= 0 AND unit_fen >= 0", name="claim_not_negative"),
        CheckConstraint("granted_fen >= 0", name="granted_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    head: Mapped[DemandHead]
    units: Mapped[int]
    unit_fen: Mapped[int]
    granted_fen: Mapped[int | None]
    note: Mapped[str | None] = mapped_column(MaskedText)


class Incident(Base):
    """One call or one SMS; several tickets may report it, at most one penalty and one credit come of it."""

    __tablename__ = "incident"
    __table_args__ = (
        CheckConstraint("seconds >= 0", name="seconds_not_negative"),
        CheckConstraint("(state = 'merged') = (merged_into_id IS NOT NULL)", name="merged_into_set"),
        # The same call is one incident: equal to the second by this key, within tolerance by intake.
        Index(
            "uq_incident_same_call",
            "number_id",
            "caller_number",
            "occurred_at",
            "kind",
            unique=True,
            sqlite_where=text("state <> 'merged'"),
            postgresql_where=text("state <> 'merged'"),
        ),
        Index(None, "caller_number", "occurred_at"),
        Index(None, "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[IncidentKind]
    number_id: Mapped[int | None] = mapped_column(ForeignKey("subscriber_number.id"))
    #: As dialled or sent from, normalised by the plan; NULL if the report names none.
    caller_number: Mapped[str | None]
    caller_class: Mapped[NumberClass | None]
    numbering_plan: Mapped[NumberingPlan] = mapped_column(default=NumberingPlan.CHINA)
    #: The start of the call; with precision ``day`` midnight in China of that day.
    occurred_at: Mapped[dt.datetime]
    #: The China day of ``occurred_at``: contracts, caps and months go by it.
    occurred_on: Mapped[dt.date] = mapped_column(index=True)
    precision: Mapped[Precision]
    #: The time as the source wrote it.
    occurred_text: Mapped[str | None] = mapped_column(MaskedText)
    answered: Mapped[bool | None]
    seconds: Mapped[int | None]
    caller_kind: Mapped[CallerKind] = mapped_column(default=CallerKind.UNKNOWN)
    #: What was offered, as the source says.
    subject: Mapped[str | None] = mapped_column(MaskedText)
    #: Values of ``IncidentFlag``.
    flags: Mapped[list[Any]] = mapped_column(default=list)
    sms_signature: Mapped[str | None] = mapped_column(MaskedText)
    sms_class: Mapped[MessageClass | None]
    #: Numbers masked; the original: context ``incident.sms_cipher``, bound to the reporting ticket's reference.
    sms_text: Mapped[str | None]
    sms_cipher: Mapped[bytes | None]
    opt_out_sent: Mapped[bool | None]
    state: Mapped[IncidentState] = mapped_column(default=IncidentState.REPORTED)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"), index=True)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    created_at: Mapped[dt.datetime]
    version: Mapped[int] = mapped_column(default=1)


class TicketIncident(Base):
    """The link between what was reported and what happened."""

    __tablename__ = "ticket_incident"
    __table_args__ = (UniqueConstraint("ticket_id", "incident_id"), Index(None, "incident_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    how: Mapped[LinkHow]
    #: When this ticket says it happened, within the tolerance; NULL if a person linked them.
    reported_at: Mapped[dt.datetime | None]
    reported_precision: Mapped[Precision | None]
    linked_by: Mapped[int]
    linked_at: Mapped[dt.datetime]
