"""What a party gives back of the credits that its call cost the carrier (domain F69)."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.contracts.rules import RecoveryBase
from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class RecoveryState(LabelledEnum):
    """Where a recovery stands."""

    PROPOSED = "proposed", N_("Proposed")
    APPROVED = "approved", N_("Approved")
    VOIDED = "voided", N_("Voided")


LIVE_RECOVERY_STATES = (RecoveryState.PROPOSED, RecoveryState.APPROVED)


class Recovery(Base):
    """A part of a paid credit that a party owes back; beside its penalty, and by default not falling with it.

    The live ones of a credit never sum to more than *recovery_bp* of what was paid: a trigger refuses it, and
    ``recoveries.propose_recoveries`` computes no more.
    """

    __tablename__ = "recovery"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("recovery_bp BETWEEN 1 AND 10000", name="percentage"),
        CheckConstraint("amount_fen <= paid_fen * recovery_bp / 10000", name="within_paid"),
        CheckConstraint("approver_id <> maker_id", name="two_people"),
        CheckConstraint("(approver_id IS NULL) = (approved_at IS NULL)", name="approval_complete"),
        CheckConstraint("state <> 'approved' OR approver_id IS NOT NULL", name="approved_by_set"),
        CheckConstraint("(state = 'voided') = (void_reason IS NOT NULL)", name="void_has_reason"),
        CheckConstraint(
            "settled_fen BETWEEN 0 AND amount_fen AND (settled_fen = 0 OR state <> 'proposed')",
            name="settled_within_amount",
        ),
        Index(
            "uq_recovery_live",
            "credit_id",
            "party_id",
            unique=True,
            sqlite_where=text("state <> 'voided'"),
            postgresql_where=text("state <> 'voided'"),
        ),
        Index(None, "state", "id"),
        Index(None, "party_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: For people: ``ZC202611-000123``.
    reference: Mapped[str] = mapped_column(unique=True)
    credit_id: Mapped[int] = mapped_column(ForeignKey("credit.id"))
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    #: The finding whose rule recovers; with base ``finding`` the recovery falls with it.
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"))
    rule_version_id: Mapped[int] = mapped_column(ForeignKey("rule_version.id"), index=True)
    base: Mapped[RecoveryBase]
    #: What billing credited to the subscriber.
    paid_fen: Mapped[int]
    recovery_bp: Mapped[int]
    amount_fen: Mapped[int]
    #: Rule, percentage, share: as the page says it in words.
    explanation: Mapped[dict[str, Any]]
    content_sha256: Mapped[str]
    #: China day of the call, and its month.
    occurred_on: Mapped[dt.date]
    period: Mapped[str]
    state: Mapped[RecoveryState] = mapped_column(default=RecoveryState.PROPOSED)
    maker_id: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    approver_id: Mapped[int | None]
    approved_at: Mapped[dt.datetime | None]
    #: NULL on a voided one: a job, because the finding fell.
    voided_by: Mapped[int | None]
    voided_at: Mapped[dt.datetime | None]
    void_reason: Mapped[str | None] = mapped_column(MaskedText)
    #: What settlements and payments have collected; of a voided one it is owed back to the party.
    settled_fen: Mapped[int] = mapped_column(default=0, server_default="0")

    @property
    def open_fen(self) -> int:
        """What the party still has to pay."""
        return self.amount_fen - self.settled_fen if self.state is RecoveryState.APPROVED else 0
