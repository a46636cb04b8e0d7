"""What a party owes for a finding, from proposal through approval, window and objection to final or void."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.access.roles import Role
from supervise.contracts.models import ContractDirection
from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class PenaltyFamily(LabelledEnum):
    """Contract damages of a partner, or an internal assessment of a branch; never mixed (design 5)."""

    EXTERNAL = "external", N_("Contract damages")
    INTERNAL = "internal", N_("Internal assessment")


class PenaltyState(LabelledEnum):
    """Where a penalty stands (domain 6.4)."""

    PROPOSED = "proposed", N_("Proposed")
    RETURNED = "returned", N_("Returned")
    APPROVED = "approved", N_("Approved, contestable")
    FINAL = "final", N_("Final")
    VOIDED = "voided", N_("Voided")
    REVERSED = "reversed", N_("Reversed")


#: States in which a penalty counts: one incident, one offence type, one responsible share.
LIVE_PENALTY_STATES = (PenaltyState.PROPOSED, PenaltyState.APPROVED, PenaltyState.FINAL)


class WindowStart(LabelledEnum):
    """What started the window for an objection."""

    OPENED = "opened", N_("Opened by the party")
    ACKNOWLEDGED = "acknowledged", N_("Acknowledged by the party")
    DEEMED = "deemed", N_("Deemed delivered")
    POSTED = "posted", N_("Delivered by post")
    HANDED_OVER = "handed_over", N_("Handed over")


class ObjectionState(LabelledEnum):
    """Where an objection stands; one that waits for a decision or an answer holds finality."""

    OPEN = "open", N_("Waiting for a decision")
    INFO_REQUESTED = "info_requested", N_("Waiting for an answer of the party")
    LATE = "late", N_("Late, waiting for admission")
    NOT_ADMITTED = "not_admitted", N_("Late, not admitted")
    UPHELD = "upheld", N_("Upheld")
    REDUCED = "reduced", N_("Upheld in part")
    REJECTED = "rejected", N_("Rejected")
    WITHDRAWN = "withdrawn", N_("Withdrawn")


#: States in which an objection waits for somebody: nothing is waived meanwhile, and no other one is filed.
WAITING_OBJECTION_STATES = (ObjectionState.OPEN, ObjectionState.INFO_REQUESTED, ObjectionState.LATE)
#: States in which it holds finality and may be decided; a late one does not before it is admitted.
HEARD_OBJECTION_STATES = (ObjectionState.OPEN, ObjectionState.INFO_REQUESTED)


class ReversalState(LabelledEnum):
    """Where a proposed reversal stands."""

    OPEN = "open", N_("Waiting for a decision")
    APPROVED = "approved", N_("Approved")
    REJECTED = "rejected", N_("Rejected")


class Penalty(Base):
    """An amount that a party owes for a finding, with everything that explains it stored when it was made."""

    __tablename__ = "penalty"
    __table_args__ = (
        CheckConstraint("gross_fen > 0", name="gross_positive"),
        CheckConstraint("capped_fen >= 0", name="capped_not_negative"),
        CheckConstraint("amount_fen = gross_fen - capped_fen AND amount_fen >= 0", name="amount_adds_up"),
        CheckConstraint("lifted_fen BETWEEN 0 AND amount_fen", name="lifted_within_amount"),
        CheckConstraint("loss_basis_fen >= 0", name="loss_not_negative"),
        CheckConstraint("settled_fen >= 0", name="settled_not_negative"),
        CheckConstraint("written_off_fen >= 0", name="written_off_not_negative"),
        CheckConstraint("lifted_fen + settled_fen + written_off_fen <= amount_fen", name="collected_within_amount"),
        CheckConstraint("(family = 'internal') = (direction = 'internal')", name="family_has_direction"),
        CheckConstraint("family <> 'internal' OR unit_id IS NOT NULL", name="internal_has_unit"),
        CheckConstraint("approver_id <> maker_id", name="two_people"),
        CheckConstraint(
            "state IN ('proposed', 'returned') OR (approver_id IS NOT NULL AND approved_at IS NOT NULL)",
            name="approval_complete",
        ),
        CheckConstraint("(window_start IS NULL) = (objection_until_on IS NULL)", name="window_complete"),
        CheckConstraint("state <> 'final' OR finalised_at IS NOT NULL", name="final_complete"),
        # One incident, one offence type, one responsible share: one live penalty, however many tickets.
        Index(
            "uq_penalty_live",
            "incident_id",
            "offence_code",
            "party_id",
            unique=True,
            sqlite_where=text("state IN ('proposed', 'approved', 'final')"),
            postgresql_where=text("state IN ('proposed', 'approved', 'final')"),
        ),
        Index(None, "state", "id"),
        Index(None, "party_id", "state", "id"),
        Index(None, "unit_id", "state", "id"),
        Index(None, "period", "party_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: For people: ``KF202611-000123``.
    reference: Mapped[str] = mapped_column(unique=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id"), index=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    offence_code: Mapped[str]
    family: Mapped[PenaltyFamily]
    #: Who pays: the nearest party under contract at the call, else the sponsoring branch.
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    #: The sponsoring branch as of the call; scope goes by it and by the party.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"))
    rule_version_id: Mapped[int] = mapped_column(ForeignKey("rule_version.id"), index=True)
    gross_fen: Mapped[int]
    capped_fen: Mapped[int]
    amount_fen: Mapped[int]
    #: What objections and reversals have taken off again; the rest is owed.
    lifted_fen: Mapped[int] = mapped_column(default=0)
    #: What was collected of it and not given back: from deposit, commission or in cash.
    settled_fen: Mapped[int] = mapped_column(default=0)
    written_off_fen: Mapped[int] = mapped_column(default=0)
    #: What the offence cost us so far (credits granted); shown beside the amount (domain R28).
    loss_basis_fen: Mapped[int]
    nature: Mapped[str]
    direction: Mapped[ContractDirection]
    tax_label: Mapped[str]
    gl_account_code: Mapped[str]
    cost_centre: Mapped[str | None]
    #: Inputs, rule version, tier, cap, share: ``penalties.pricing.Explanation`` as JSON; the page says it in words.
    explanation: Mapped[dict[str, Any]]
    #: How many steps of its rule's tiers the offence has reached, and whether it is shared jointly: as explained,
    #: beside it, because the approver's page asks every waiting line for them.
    tier_step: Mapped[int] = mapped_column(Integer, default=0)
    is_joint: Mapped[bool] = mapped_column(default=False)
    #: SHA-256 of what the approver is shown; approval compares it.
    content_sha256: Mapped[str]
    #: China day of the call, and its month.
    occurred_on: Mapped[dt.date]
    period: Mapped[str]
    state: Mapped[PenaltyState] = mapped_column(default=PenaltyState.PROPOSED)
    maker_id: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    #: Who approved; never the maker (CHECK), never of the charged unit (penalties.approve).
    approver_id: Mapped[int | None]
    approved_at: Mapped[dt.datetime | None]
    return_reason: Mapped[str | None] = mapped_column(MaskedText)
    #: When it appeared to the charged party; the window starts by itself some working days later.
    listed_at: Mapped[dt.datetime | None]
    deemed_on: Mapped[dt.date | None]
    window_start: Mapped[WindowStart | None]
    window_started_at: Mapped[dt.datetime | None]
    #: The last day on which an objection is in time.
    objection_until_on: Mapped[dt.date | None] = mapped_column(index=True)
    finalised_at: Mapped[dt.datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    @property
    def open_fen(self) -> int:
        """What is still owed of it."""
        return self.amount_fen - self.lifted_fen - self.settled_fen - self.written_off_fen


class Objection(Base):
    """What the charged party says against a penalty; one live one at a time; it holds finality."""

    __tablename__ = "objection"
    __table_args__ = (
        Index(
            "uq_objection_live",
            "penalty_id",
            unique=True,
            sqlite_where=text("state IN ('open', 'info_requested', 'late')"),
            postgresql_where=text("state IN ('open', 'info_requested', 'late')"),
        ),
        CheckConstraint(
            "(state IN ('upheld', 'reduced', 'rejected')) = (decided_by IS NOT NULL)", name="decided_by_set"
        ),
        CheckConstraint("(state = 'reduced') = (reduced_fen IS NOT NULL)", name="reduction_set"),
        CheckConstraint("reduced_fen > 0", name="reduction_positive"),
        CheckConstraint("decided_by <> filed_by", name="two_people"),
        CheckConstraint("body <> ''", name="has_text"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"), index=True)
    body: Mapped[str] = mapped_column(MaskedText)
    #: The contact, or a supervisor who files for them.
    filed_by: Mapped[int]
    filed_for_party: Mapped[bool] = mapped_column(default=False)
    filed_at: Mapped[dt.datetime]
    state: Mapped[ObjectionState] = mapped_column(default=ObjectionState.OPEN)
    #: Never the approver of the penalty (penalties.objections), never the filer (CHECK).
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]
    decision_note: Mapped[str | None] = mapped_column(MaskedText)
    #: What is taken off, if reduced.
    reduced_fen: Mapped[int | None]


class PenaltyStep(Base):
    """A transition of a penalty: who, when, why."""

    __tablename__ = "penalty_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"), index=True)
    at: Mapped[dt.datetime]
    #: NULL: a job (the window ended, delivery was deemed).
    actor_id: Mapped[int | None]
    to_state: Mapped[PenaltyState]
    reason: Mapped[str | None] = mapped_column(MaskedText)


class ReversalRequest(Base):
    """Finance proposes to reverse a final penalty; a supervisor approves; the ledger then reverses."""

    __tablename__ = "reversal_request"
    __table_args__ = (
        CheckConstraint("approved_by <> proposed_by", name="two_people"),
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("(state = 'open') = (approved_by IS NULL)", name="decided_by_set"),
        Index(
            "uq_reversal_request_open",
            "entry_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: The journal entry to reverse.
    entry_id: Mapped[int]
    penalty_id: Mapped[int | None] = mapped_column(ForeignKey("penalty.id"), index=True)
    amount_fen: Mapped[int]
    reason: Mapped[str] = mapped_column(MaskedText)
    state: Mapped[ReversalState] = mapped_column(default=ReversalState.OPEN)
    proposed_by: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    approved_by: Mapped[int | None]
    approved_at: Mapped[dt.datetime | None]


class PenaltyRefund(Base):
    """What was collected of a penalty and lifted afterwards: owed back to who paid, set off or paid by settlement."""

    __tablename__ = "penalty_refund"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        UniqueConstraint("penalty_id", "because"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"))
    amount_fen: Mapped[int]
    #: Key of the ledger's entry that lifted it.
    because: Mapped[str]
    approved_by: Mapped[int]
    at: Mapped[dt.datetime]


class JointPayment(Base):
    """What a joint debtor paid of somebody else's penalty: its recourse, and whom a refund goes to first."""

    __tablename__ = "joint_payment"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("returned_fen BETWEEN 0 AND amount_fen", name="returned_within_amount"),
        UniqueConstraint("penalty_id", "because"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"))
    payer_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    amount_fen: Mapped[int]
    #: What of it is owed back to the payer since the penalty was lifted.
    returned_fen: Mapped[int] = mapped_column(default=0)
    #: Key of the ledger's entry that took it from the payer.
    because: Mapped[str]
    at: Mapped[dt.datetime]


class WaiverReason(LabelledEnum):
    """Why less than the contract says is asked for, though the offence stands (domain F52)."""

    OVER_LOSS = "over_loss", N_("Damages far above the recorded loss")
    FIRST_OFFENCE = "first_offence", N_("First offence, minor")
    PUT_RIGHT = "put_right", N_("Put right at once by the party")
    OUR_SHARE = "our_share", N_("Our own systems or staff contributed")
    HARDSHIP = "hardship", N_("Hardship or insolvency")
    OTHER = "other", N_("Other reason")


class WaiverState(LabelledEnum):
    """Where a proposed waiver stands."""

    OPEN = "open", N_("Waiting for a decision")
    APPROVED = "approved", N_("Approved")
    REJECTED = "rejected", N_("Rejected")


class Waiver(Base):
    """An amount that is not asked for, by two people; the offence stays and counts as one."""

    __tablename__ = "waiver"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("decided_by <> proposed_by", name="two_people"),
        CheckConstraint("(state = 'open') = (decided_by IS NULL)", name="decided_by_set"),
        Index(
            "uq_waiver_open",
            "penalty_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"), index=True)
    amount_fen: Mapped[int]
    because: Mapped[WaiverReason]
    reason: Mapped[str] = mapped_column(MaskedText)
    state: Mapped[WaiverState] = mapped_column(default=WaiverState.OPEN)
    proposed_by: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]
    decision_note: Mapped[str | None] = mapped_column(MaskedText)


class AuthorityLimit(Base):
    """Up to which amount one person of a role approves a penalty alone, from a day on; above it takes two."""

    __tablename__ = "authority_limit"
    __table_args__ = (
        CheckConstraint("limit_fen > 0", name="limit_positive"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("role", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[Role]
    limit_fen: Mapped[int]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class LossRatio(Base):
    """From how many times the recorded loss on an amount stands on top for its approver; it blocks nothing (R28)."""

    __tablename__ = "loss_ratio"
    __table_args__ = (
        CheckConstraint("ratio_bp > 0", name="ratio_positive"),
        CheckConstraint("legal_note <> ''", name="has_note"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ratio_bp: Mapped[int]
    legal_note: Mapped[str] = mapped_column(MaskedText)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class PenaltyEndorsement(Base):
    """The first of two approvals of an amount above the limit; it holds for exactly what was on the screen."""

    __tablename__ = "penalty_endorsement"
    __table_args__ = (UniqueConstraint("penalty_id", "content_sha256", "endorsed_by"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"))
    content_sha256: Mapped[str]
    endorsed_by: Mapped[int]
    at: Mapped[dt.datetime]
