"""Regulators' fines on the carrier, who is named in them, and what of them is claimed back (domain F57)."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum
from supervise.penalties.models import PenaltyFamily


class FineState(LabelledEnum):
    """Whether a recorded fine stands."""

    RECORDED = "recorded", N_("Recorded")
    CANCELLED = "cancelled", N_("Cancelled")


class RecourseState(LabelledEnum):
    """Where a recourse line stands."""

    PROPOSED = "proposed", N_("Proposed")
    APPROVED = "approved", N_("Approved")
    REJECTED = "rejected", N_("Rejected")
    REVERSED = "reversed", N_("Reversed")


#: States in which a line takes room of its fine.
LIVE_RECOURSE_STATES = (RecourseState.PROPOSED, RecourseState.APPROVED)


class RegulatorFine(Base):
    """A fine on the carrier as its decision states it; never rewritten: a wrong entry is cancelled by somebody else.

    The fine itself is booked in the main general ledger; here only what is claimed back of it is.
    """

    __tablename__ = "regulator_fine"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("received_on >= decided_on", name="received_after_decided"),
        CheckConstraint("(paid_on IS NULL) = (payment_reference IS NULL)", name="payment_complete"),
        CheckConstraint(
            "(state = 'cancelled') = (cancelled_by IS NOT NULL) AND (cancelled_by IS NULL) = (cancelled_at IS NULL) "
            "AND (cancelled_by IS NULL) = (cancel_reason IS NULL)",
            name="cancellation_complete",
        ),
        CheckConstraint("cancelled_by <> recorded_by", name="two_people"),
        Index(
            "uq_regulator_fine_decision",
            "authority",
            "decision_number",
            unique=True,
            sqlite_where=text("state = 'recorded'"),
            postgresql_where=text("state = 'recorded'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: For people: ``FK202611-000123``.
    reference: Mapped[str] = mapped_column(unique=True)
    authority: Mapped[str] = mapped_column(MaskedText)
    #: As the authority numbers it.
    decision_number: Mapped[str] = mapped_column(MaskedText)
    decided_on: Mapped[dt.date]
    received_on: Mapped[dt.date]
    #: The unit of the carrier that is fined.
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"))
    #: What it is for, in the decision's words.
    subject: Mapped[str] = mapped_column(MaskedText)
    legal_basis: Mapped[str] = mapped_column(MaskedText)
    amount_fen: Mapped[int]
    #: The last day to pay without a surcharge.
    due_on: Mapped[dt.date | None]
    paid_on: Mapped[dt.date | None]
    payment_reference: Mapped[str | None] = mapped_column(MaskedText)
    state: Mapped[FineState] = mapped_column(default=FineState.RECORDED)
    recorded_by: Mapped[int]
    recorded_at: Mapped[dt.datetime]
    cancelled_by: Mapped[int | None]
    cancelled_at: Mapped[dt.datetime | None]
    cancel_reason: Mapped[str | None] = mapped_column(MaskedText)


class FineRespondent(Base):
    """A party or unit that the decision names as having a part in it."""

    __tablename__ = "fine_respondent"
    __table_args__ = (UniqueConstraint("fine_id", "party_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fine_id: Mapped[int] = mapped_column(ForeignKey("regulator_fine.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))


class FinePaper(Base):
    """A scan that belongs to a fine: the decision, the receipt of its payment; in the vault, never purged."""

    __tablename__ = "fine_paper"

    id: Mapped[int] = mapped_column(primary_key=True)
    fine_id: Mapped[int] = mapped_column(ForeignKey("regulator_fine.id"), index=True)
    attachment_id: Mapped[int] = mapped_column(ForeignKey("attachment.id"), unique=True)
    added_by: Mapped[int]
    added_at: Mapped[dt.datetime]


class FineRecourse(Base):
    """What of a fine is claimed back from a party, or charged to a branch inside the carrier, where it nets to zero.

    The live lines of a fine never sum to more than the fine: a trigger refuses it, ``recourse`` says so in words.
    """

    __tablename__ = "fine_recourse"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("received_fen BETWEEN 0 AND amount_fen", name="received_within_amount"),
        CheckConstraint("received_fen = 0 OR family = 'external'", name="internal_receives_nothing"),
        CheckConstraint("(family = 'internal') = (unit_id IS NOT NULL)", name="internal_has_unit"),
        CheckConstraint("approver_id <> maker_id", name="two_people"),
        CheckConstraint("(approver_id IS NULL) = (approved_at IS NULL)", name="approval_complete"),
        CheckConstraint("state NOT IN ('approved', 'reversed') OR approver_id IS NOT NULL", name="approved_by_set"),
        CheckConstraint(
            "(state IN ('rejected', 'reversed')) = (ended_by IS NOT NULL) AND (ended_by IS NULL) = (ended_at IS NULL) "
            "AND (ended_by IS NULL) = (end_reason IS NULL)",
            name="end_complete",
        ),
        CheckConstraint("ended_by <> approver_id", name="reversed_by_another"),
        Index(None, "party_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: For people: ``ZF202611-000123``.
    reference: Mapped[str] = mapped_column(unique=True)
    fine_id: Mapped[int] = mapped_column(ForeignKey("regulator_fine.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    #: The branch, if it is one of the carrier's own.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    family: Mapped[PenaltyFamily]
    #: The contract in force on the day of the decision, if there is one.
    contract_id: Mapped[int | None] = mapped_column(ForeignKey("contract.id"))
    #: On what the claim stands: clause, admission, share of the offences.
    ground: Mapped[str] = mapped_column(MaskedText)
    amount_fen: Mapped[int]
    received_fen: Mapped[int] = mapped_column(default=0)
    state: Mapped[RecourseState] = mapped_column(default=RecourseState.PROPOSED)
    maker_id: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    approver_id: Mapped[int | None]
    approved_at: Mapped[dt.datetime | None]
    #: Who rejected or reversed it.
    ended_by: Mapped[int | None]
    ended_at: Mapped[dt.datetime | None]
    end_reason: Mapped[str | None] = mapped_column(MaskedText)

    @property
    def open_fen(self) -> int:
        """What the party still has to pay."""
        return self.amount_fen - self.received_fen if self.state is RecourseState.APPROVED else 0


class RecourseReceipt(Base):
    """Money that a party paid for a recourse line; each bank reference is entered once."""

    __tablename__ = "recourse_receipt"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("bank_reference <> ''", name="has_reference"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recourse_id: Mapped[int] = mapped_column(ForeignKey("fine_recourse.id"), index=True)
    amount_fen: Mapped[int]
    bank_reference: Mapped[str] = mapped_column(unique=True)
    received_on: Mapped[dt.date]
    made_by: Mapped[int]
    made_at: Mapped[dt.datetime]
