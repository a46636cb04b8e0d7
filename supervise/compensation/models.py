"""What a subscriber was promised and is owed: undertakings, the general policy, credits and their batches."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class CreditNature(LabelledEnum):
    """Compensation or reward: decides account and wording, locked at approval (domain D22)."""

    COMPENSATION = "compensation", N_("Compensation")
    REWARD = "reward", N_("Reward")


class CreditKind(LabelledEnum):
    """For one call, or once for the past."""

    PER_CALL = "per_call", N_("Per call")
    LUMP = "lump", N_("Lump sum for history")


class CallUnit(LabelledEnum):
    """Which calls are counted (domain D33)."""

    ATTEMPTED = "attempted", N_("Every call")
    ANSWERED = "answered", N_("Answered calls")


class PromiseState(LabelledEnum):
    """Where an undertaking or a policy stands; two people make it effective."""

    DRAFT = "draft", N_("Draft")
    ACTIVE = "active", N_("Active")
    ENDED = "ended", N_("Ended")


class CreditState(LabelledEnum):
    """Where a credit stands (domain 6.4)."""

    PROPOSED = "proposed", N_("Proposed")
    RETURNED = "returned", N_("Returned")
    APPROVED = "approved", N_("Approved")
    BATCHED = "batched", N_("Sent to billing")
    ACCEPTED = "accepted", N_("Credited")
    CANCELLED = "cancelled", N_("Cancelled")


class CreditBatchState(LabelledEnum):
    """A batch is frozen and sent at once; it is voided before any acceptance, or completed."""

    SENT = "sent", N_("Sent to billing")
    VOIDED = "voided", N_("Voided")
    COMPLETED = "completed", N_("Completed")


class LineResult(LabelledEnum):
    """What billing made of a line."""

    ACCEPTED = "accepted", N_("Credited by billing")
    REJECTED = "rejected", N_("Rejected by billing")
    VOIDED = "voided", N_("Voided")


class CancellationState(LabelledEnum):
    """Where the wish to cancel an approved credit stands."""

    OPEN = "open", N_("Waits for a second person")
    CONFIRMED = "confirmed", N_("Confirmed")
    WITHDRAWN = "withdrawn", N_("Withdrawn")


class Undertaking(Base):
    """A promise to one subscriber: a lump sum for history once, a rate per further call (domain D5, D6)."""

    __tablename__ = "undertaking"
    __table_args__ = (
        CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name="period_order"),
        CheckConstraint("per_call_fen >= 0 AND lump_fen >= 0", name="amounts_not_negative"),
        CheckConstraint("per_call_fen > 0 OR lump_fen > 0", name="promises_something"),
        CheckConstraint("calls_per_day_max > 0", name="limit_positive"),
        CheckConstraint("state = 'draft' OR agreed_by IS NOT NULL", name="agreed_by_set"),
        CheckConstraint("agreed_by <> drafted_by", name="two_people"),
        CheckConstraint(
            "(given_up_by IS NULL) = (given_up_at IS NULL) AND (given_up_by IS NULL) = (given_up_because IS NULL) "
            "AND (given_up_by IS NULL OR state = 'draft')",
            name="only_drafts_are_given_up",
        ),
        Index(None, "number_id", "starts_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: For people: ``CN202611-0001``.
    reference: Mapped[str] = mapped_column(unique=True)
    number_id: Mapped[int] = mapped_column(ForeignKey("subscriber_number.id"))
    #: The person promised to: the holder of the number then.
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"), index=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime | None]
    per_call_fen: Mapped[int]
    call_unit: Mapped[CallUnit]
    #: At most so many calls a day are credited; NULL: no limit.
    calls_per_day_max: Mapped[int | None]
    lump_fen: Mapped[int]
    nature: Mapped[CreditNature]
    terms: Mapped[str | None] = mapped_column(MaskedText)
    state: Mapped[PromiseState] = mapped_column(default=PromiseState.DRAFT)
    drafted_by: Mapped[int]
    drafted_at: Mapped[dt.datetime]
    agreed_by: Mapped[int | None]
    agreed_at: Mapped[dt.datetime | None]
    #: A draft that its author took back, or a second person turned down; it stays a draft for good.
    given_up_by: Mapped[int | None]
    given_up_at: Mapped[dt.datetime | None]
    given_up_because: Mapped[str | None] = mapped_column(MaskedText)
    version: Mapped[int] = mapped_column(default=1)


class CompensationPolicy(Base):
    """What every subscriber is credited per proven call without an undertaking of their own; dated."""

    __tablename__ = "compensation_policy"
    __table_args__ = (
        CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name="period_order"),
        CheckConstraint("per_call_fen > 0", name="amount_positive"),
        CheckConstraint("calls_per_day_max > 0", name="limit_positive"),
        CheckConstraint("state = 'draft' OR agreed_by IS NOT NULL", name="agreed_by_set"),
        CheckConstraint("agreed_by <> drafted_by", name="two_people"),
        CheckConstraint(
            "(given_up_by IS NULL) = (given_up_at IS NULL) AND (given_up_by IS NULL) = (given_up_because IS NULL) "
            "AND (given_up_by IS NULL OR state = 'draft')",
            name="only_drafts_are_given_up",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime | None]
    per_call_fen: Mapped[int]
    call_unit: Mapped[CallUnit]
    calls_per_day_max: Mapped[int | None]
    nature: Mapped[CreditNature]
    state: Mapped[PromiseState] = mapped_column(default=PromiseState.DRAFT)
    drafted_by: Mapped[int]
    agreed_by: Mapped[int | None]
    #: A draft that its author took back, or a second person turned down; it stays a draft for good.
    given_up_by: Mapped[int | None]
    given_up_at: Mapped[dt.datetime | None]
    given_up_because: Mapped[str | None] = mapped_column(MaskedText)
    version: Mapped[int] = mapped_column(default=1)


class Credit(Base):
    """An amount owed to the person who held the number at the call, or once for the past."""

    __tablename__ = "credit"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("(kind = 'per_call') = (incident_id IS NOT NULL)", name="per_call_has_incident"),
        CheckConstraint("kind <> 'lump' OR undertaking_id IS NOT NULL", name="lump_has_undertaking"),
        CheckConstraint("(undertaking_id IS NULL) <> (policy_id IS NULL)", name="one_promise"),
        CheckConstraint("approver_id <> maker_id", name="two_people"),
        CheckConstraint(
            "state IN ('proposed', 'returned', 'cancelled') OR (approver_id IS NOT NULL AND approved_at IS NOT NULL)",
            name="approval_complete",
        ),
        # One per-call credit for an incident, one lump sum for an undertaking, however many tickets.
        Index(
            "uq_credit_per_call",
            "incident_id",
            unique=True,
            sqlite_where=text("kind = 'per_call' AND state NOT IN ('returned', 'cancelled')"),
            postgresql_where=text("kind = 'per_call' AND state NOT IN ('returned', 'cancelled')"),
        ),
        Index(
            "uq_credit_lump",
            "undertaking_id",
            unique=True,
            sqlite_where=text("kind = 'lump' AND state NOT IN ('returned', 'cancelled')"),
            postgresql_where=text("kind = 'lump' AND state NOT IN ('returned', 'cancelled')"),
        ),
        Index(None, "state", "id"),
        Index(None, "unit_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: For people and for billing, 赔偿单号: ``PC202611-000123``.
    reference: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[CreditKind]
    nature: Mapped[CreditNature]
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id"))
    undertaking_id: Mapped[int | None] = mapped_column(ForeignKey("undertaking.id"))
    policy_id: Mapped[int | None] = mapped_column(ForeignKey("compensation_policy.id"))
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id"), index=True)
    number_id: Mapped[int] = mapped_column(ForeignKey("subscriber_number.id"), index=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    #: The party that answers for the call, if known; for the workbook's recovery columns.
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"), index=True)
    #: The subscriber's branch as of the call.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    amount_fen: Mapped[int]
    explanation: Mapped[dict[str, Any]]
    content_sha256: Mapped[str]
    tax_label: Mapped[str]
    gl_account_code: Mapped[str]
    cost_centre: Mapped[str | None]
    occurred_on: Mapped[dt.date]
    period: Mapped[str] = mapped_column(index=True)
    state: Mapped[CreditState] = mapped_column(default=CreditState.PROPOSED)
    maker_id: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    approver_id: Mapped[int | None]
    approved_at: Mapped[dt.datetime | None]
    return_reason: Mapped[str | None] = mapped_column(MaskedText)
    #: How often billing has rejected it; the third goes to a supervisor.
    rejections: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)


class CreditCancellation(Base):
    """The wish that an approved credit be never paid; it takes effect when a second person confirms."""

    __tablename__ = "credit_cancellation"
    __table_args__ = (
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("(state = 'open') = (decided_by IS NULL)", name="decided_by_set"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided_at_set"),
        # Who proposed it may take it back alone, never confirm it.
        CheckConstraint("state <> 'confirmed' OR decided_by <> proposed_by", name="two_people"),
        Index(
            "uq_credit_cancellation_open",
            "credit_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    credit_id: Mapped[int] = mapped_column(ForeignKey("credit.id"), index=True)
    reason: Mapped[str] = mapped_column(MaskedText)
    state: Mapped[CancellationState] = mapped_column(default=CancellationState.OPEN)
    proposed_by: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]


class CreditBatch(Base):
    """Approved credits handed to billing together: frozen rows, a number that is never used again."""

    __tablename__ = "credit_batch"
    __table_args__ = (
        CheckConstraint("(void_proposed_by IS NULL) = (void_reason IS NULL)", name="void_has_reason"),
        CheckConstraint("voided_by <> void_proposed_by", name="two_people"),
        CheckConstraint("(state = 'voided') = (voided_by IS NOT NULL)", name="voided_by_set"),
        CheckConstraint("lines_total > 0 AND total_fen > 0", name="not_empty"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: ``PCPC202611-0001``; serial and gapless within the month.
    number: Mapped[str] = mapped_column(unique=True)
    period: Mapped[str]
    lines_total: Mapped[int]
    total_fen: Mapped[int]
    #: SHA-256 of the canonical CSV of the frozen rows.
    rows_sha256: Mapped[str]
    #: The newest seal of the ledger when it was frozen; printed in the workbook.
    anchor: Mapped[str]
    locale: Mapped[str]
    state: Mapped[CreditBatchState] = mapped_column(default=CreditBatchState.SENT)
    frozen_by: Mapped[int]
    frozen_at: Mapped[dt.datetime]
    void_reason: Mapped[str | None] = mapped_column(MaskedText)
    void_proposed_by: Mapped[int | None]
    voided_by: Mapped[int | None]
    voided_at: Mapped[dt.datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class CreditBatchLine(Base):
    """A credit in a batch, as it was frozen; a credit is in one live batch at most."""

    __tablename__ = "credit_batch_line"
    __table_args__ = (
        UniqueConstraint("batch_id", "line"),
        Index(
            "uq_credit_batch_line_live",
            "credit_id",
            unique=True,
            sqlite_where=text("result IS NULL OR result = 'accepted'"),
            postgresql_where=text("result IS NULL OR result = 'accepted'"),
        ),
        CheckConstraint("(result = 'rejected') = (failure_code IS NOT NULL)", name="rejection_has_code"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("credit_batch.id"))
    line: Mapped[int]
    credit_id: Mapped[int] = mapped_column(ForeignKey("credit.id"), index=True)
    amount_fen: Mapped[int]
    #: The row of the workbook as JSON, without the subscriber's number; context for rebuilding the same bytes.
    frozen: Mapped[dict[str, Any]]
    result: Mapped[LineResult | None]
    failure_code: Mapped[str | None] = mapped_column(MaskedText)
    billing_ref: Mapped[str | None]
    returned_at: Mapped[dt.datetime | None]
    returned_by: Mapped[int | None]
