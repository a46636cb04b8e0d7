"""What collects penalties: deposits, commission statements, money from and to the bank, monthly runs, write-offs.

Every fen that a line here has collected stands in the ledger; ``checks`` compares them.
"""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum
from supervise.penalties.debts import DebtKey, key_of

#: A line names one debt: a penalty, a recovery of a credit, or a recourse line of a fine.
_ONE_DEBT = (
    "CASE WHEN penalty_id IS NULL THEN 0 ELSE 1 END + CASE WHEN recovery_id IS NULL THEN 0 ELSE 1 END + "
    "CASE WHEN recourse_id IS NULL THEN 0 ELSE 1 END = 1"
)


def _named_once(table: str, *scope: str) -> list[Index]:
    """Return the keys that let a line name a recovery or a recourse line once in its *scope*."""
    return [
        Index(f"uq_{table}_{column}", column, *scope, unique=True, sqlite_where=is_named, postgresql_where=is_named)
        for column in ("recovery_id", "recourse_id")
        for is_named in [text(f"{column} IS NOT NULL")]
    ]


class DepositKind(LabelledEnum):
    """What happened to a party's deposit."""

    RECEIVED = "received", N_("Deposit received")
    DRAWN = "drawn", N_("Drawn for what is owed")
    RETURNED = "returned", N_("Returned to the party")


class BankDirection(LabelledEnum):
    """Which way money went between a party and the carrier's bank account."""

    RECEIVED = "received", N_("Received for what is owed")
    REFUNDED = "refunded", N_("Refund paid")


class RunState(LabelledEnum):
    """Where a monthly run stands."""

    DRAFT = "draft", N_("Waiting for approval")
    APPROVED = "approved", N_("Approved, being posted")
    POSTED = "posted", N_("Posted")
    CANCELLED = "cancelled", N_("Cancelled")


class SettlementState(LabelledEnum):
    """Where the settlement of one party stands."""

    PROPOSED = "proposed", N_("Waiting for approval")
    HELD = "held", N_("Held")
    POSTED = "posted", N_("Posted")
    #: Nothing of it could be collected any more when the run was posted.
    DROPPED = "dropped", N_("Dropped")


class CollectedFrom(LabelledEnum):
    """Where the money for a penalty comes from (domain 7.9, section 8)."""

    REFUND = "refund", N_("Refund due")
    DEPOSIT = "deposit", N_("Deposit")
    COMMISSION = "commission", N_("Commission")
    #: Only asked for: a receipt collects it.
    CASH = "cash", N_("Cash")


class LeftOut(LabelledEnum):
    """Why a final, open penalty is not in the run."""

    OBJECTION = "objection", N_("An objection is open")
    REVERSAL = "reversal", N_("A reversal waits for approval")
    WRITE_OFF = "write_off", N_("A write-off waits for approval")
    HELD = "held", N_("Settlement with the party is stopped")
    NO_SOURCE = "no_source", N_("Neither deposit nor commission is left; carried to the next month")


class FellOut(LabelledEnum):
    """Why less was collected than the preview said."""

    LIFTED = "lifted", N_("Lifted, waived or collected meanwhile")
    DISPUTED = "disputed", N_("Disputed meanwhile")
    DRAINED = "drained", N_("The deposit, the commission or the refund is less than it was")


class NoticeDelivery(LabelledEnum):
    """How a set-off notice reached the party; a set-off takes effect when it does (Civil Code 568)."""

    ACKNOWLEDGED = "acknowledged", N_("Acknowledged by the party")
    RECORDED = "recorded", N_("Delivery recorded by finance")
    DEEMED = "deemed", N_("Deemed delivered")


class WriteOffState(LabelledEnum):
    """Where a proposed write-off stands: it takes two supervisors."""

    OPEN = "open", N_("Waiting for the first approval")
    ENDORSED = "endorsed", N_("Waiting for the second approval")
    APPROVED = "approved", N_("Written off")
    REJECTED = "rejected", N_("Rejected")


class DepositMovement(Base):
    """Money of a party's deposit that came, was drawn or went back; the balance is derived (ledger 2241.02).

    A trigger (migration 0035) locks the party and refuses what would take the sum below zero; ``deposits`` says so
    in words.
    """

    __tablename__ = "deposit_movement"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("evidence <> ''", name="has_evidence"),
        CheckConstraint("(kind = 'drawn') = (settlement_id IS NOT NULL)", name="drawn_by_settlement"),
        UniqueConstraint("settlement_id"),
        Index(None, "party_id", "id"),
        # A bank reference is entered once for each kind; a draw names its run.
        Index(
            "uq_deposit_movement_evidence",
            "kind",
            "evidence",
            unique=True,
            sqlite_where=text("settlement_id IS NULL"),
            postgresql_where=text("settlement_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    kind: Mapped[DepositKind]
    amount_fen: Mapped[int]
    #: Bank reference or voucher number, as finance can find it again; a draw names the run.
    evidence: Mapped[str]
    effective_on: Mapped[dt.date]
    settlement_id: Mapped[int | None] = mapped_column(ForeignKey("settlement.id"))
    made_by: Mapped[int]
    made_at: Mapped[dt.datetime]


class CommissionStatement(Base):
    """What a contract earns its party in a month, as the commission system says; a correction is a new row."""

    __tablename__ = "commission_statement"
    __table_args__ = (
        CheckConstraint("deducted_fen >= 0", name="deducted_not_negative"),
        CheckConstraint("month LIKE '____-__'", name="month_format"),
        Index(
            "uq_commission_statement_live",
            "contract_id",
            "month",
            unique=True,
            sqlite_where=text("superseded_at IS NULL"),
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index(None, "party_id", "month"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    month: Mapped[str]
    #: May be negative: clawed back from the party.
    due_fen: Mapped[int]
    #: What the commission system has deducted for penalties; it confirms our set-offs.
    deducted_fen: Mapped[int]
    made_by: Mapped[int]
    made_at: Mapped[dt.datetime]
    superseded_at: Mapped[dt.datetime | None]


class BankMovement(Base):
    """Money of a party for its penalties, or a refund paid to it; each bank reference is entered once."""

    __tablename__ = "bank_movement"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("bank_reference <> ''", name="has_reference"),
        Index(None, "party_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    direction: Mapped[BankDirection]
    amount_fen: Mapped[int]
    bank_reference: Mapped[str] = mapped_column(unique=True)
    effective_on: Mapped[dt.date]
    made_by: Mapped[int]
    made_at: Mapped[dt.datetime]


class ReceiptLine(Base):
    """What a receipt paid of a penalty, a recovery or a recourse line; frozen."""

    __tablename__ = "receipt_line"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint(_ONE_DEBT, name="one_debt"),
        UniqueConstraint("bank_movement_id", "penalty_id"),
        *_named_once("receipt_line", "bank_movement_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bank_movement_id: Mapped[int] = mapped_column(ForeignKey("bank_movement.id"))
    penalty_id: Mapped[int | None] = mapped_column(ForeignKey("penalty.id"), index=True)
    amount_fen: Mapped[int]
    recovery_id: Mapped[int | None] = mapped_column(ForeignKey("recovery.id"))
    recourse_id: Mapped[int | None] = mapped_column(ForeignKey("fine_recourse.id"))


class SettlementRun(Base):
    """The settlement of one month for all parties: proposed by finance, approved by a supervisor, posted once."""

    __tablename__ = "settlement_run"
    __table_args__ = (
        CheckConstraint("month LIKE '____-__'", name="month_format"),
        CheckConstraint("approved_by <> made_by", name="two_people"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="approval_complete"),
        CheckConstraint("(state IN ('approved', 'posted')) = (approved_by IS NOT NULL)", name="approved_by_set"),
        CheckConstraint("(state = 'posted') = (posted_at IS NOT NULL)", name="posted_at_set"),
        CheckConstraint("(state = 'cancelled') = (cancelled_by IS NOT NULL)", name="cancelled_by_set"),
        Index(
            "uq_settlement_run_month",
            "month",
            unique=True,
            sqlite_where=text("state <> 'cancelled'"),
            postgresql_where=text("state <> 'cancelled'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: For people: ``JS202611-01``.
    number: Mapped[str] = mapped_column(unique=True)
    month: Mapped[str]
    state: Mapped[RunState] = mapped_column(default=RunState.DRAFT)
    #: What was final by then is in it.
    cut_off_at: Mapped[dt.datetime]
    #: SHA-256 of what the approver is shown; approval compares it.
    content_sha256: Mapped[str]
    made_by: Mapped[int]
    made_at: Mapped[dt.datetime]
    approved_by: Mapped[int | None]
    approved_at: Mapped[dt.datetime | None]
    posted_at: Mapped[dt.datetime | None]
    cancelled_by: Mapped[int | None]
    #: The job that posts it.
    job_id: Mapped[int | None]


class Settlement(Base):
    """One party in a run: what it owes, from where it is taken, what is asked for, what is carried; frozen amounts."""

    __tablename__ = "settlement"
    __table_args__ = (
        CheckConstraint(
            "owed_fen >= 0 AND refund_fen >= 0 AND deposit_fen >= 0 AND commission_fen >= 0 AND cash_fen >= 0 "
            "AND payout_fen >= 0 AND joint_fen >= 0 AND top_up_fen >= 0",
            name="not_negative",
        ),
        CheckConstraint("(delivery IS NULL) = (delivered_on IS NULL)", name="delivery_complete"),
        CheckConstraint("(notice_at IS NULL) = (deemed_on IS NULL)", name="notice_complete"),
        CheckConstraint("delivery IS NULL OR notice_at IS NOT NULL", name="delivered_after_notice"),
        UniqueConstraint("run_id", "party_id"),
        Index(None, "party_id", "id"),
        Index(None, "run_id", "state", "id"),
        Index(
            "ix_settlement_undelivered",
            "deemed_on",
            sqlite_where=text("delivery IS NULL"),
            postgresql_where=text("delivery IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("settlement_run.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    state: Mapped[SettlementState]
    #: What of the party was final and open at the cut-off, disputed lines included.
    owed_fen: Mapped[int]
    refund_fen: Mapped[int]
    deposit_fen: Mapped[int]
    commission_fen: Mapped[int]
    #: Asked for, to be paid by the party.
    cash_fen: Mapped[int]
    #: What of the above pays for a joint debtor.
    joint_fen: Mapped[int]
    #: What is owed to the party beyond its debts; finance pays it out.
    payout_fen: Mapped[int]
    #: By how much the deposit then falls short of the contracts; a call is made when the run is posted.
    top_up_fen: Mapped[int]
    #: When the set-off notice went out; by when it counts as delivered.
    notice_at: Mapped[dt.datetime | None]
    deemed_on: Mapped[dt.date | None]
    delivery: Mapped[NoticeDelivery | None]
    #: The China day on which the notice arrived: the set-off takes effect.
    delivered_on: Mapped[dt.date | None]


class SettlementLine(Base):
    """What a settlement takes of one debt (penalty, recovery, recourse line) from one source, or why it leaves it out.

    The penalty may be a joint debtor's: then the settlement's party has a recourse against that one (a memo).
    """

    __tablename__ = "settlement_line"
    __table_args__ = (
        CheckConstraint("(source IS NULL) = (left_out IS NOT NULL)", name="source_or_reason"),
        CheckConstraint("proposed_fen > 0", name="proposed_positive"),
        CheckConstraint("collected_fen BETWEEN 0 AND proposed_fen", name="collected_within_proposed"),
        CheckConstraint(
            "collected_fen IS NULL OR (source IS NOT NULL AND source <> 'cash')", name="collected_from_source"
        ),
        CheckConstraint(
            "collected_fen IS NULL OR (collected_fen < proposed_fen) = (fell_out IS NOT NULL)", name="fell_out_set"
        ),
        CheckConstraint(_ONE_DEBT, name="one_debt"),
        UniqueConstraint("settlement_id", "penalty_id", "source"),
        Index(None, "penalty_id"),
        *_named_once("settlement_line", "settlement_id", "source"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlement.id"))
    penalty_id: Mapped[int | None] = mapped_column(ForeignKey("penalty.id"))
    source: Mapped[CollectedFrom | None]
    left_out: Mapped[LeftOut | None]
    proposed_fen: Mapped[int]
    #: NULL until it is posted: refund and deposit with the run, commission when the notice has arrived.
    collected_fen: Mapped[int | None]
    fell_out: Mapped[FellOut | None]
    recovery_id: Mapped[int | None] = mapped_column(ForeignKey("recovery.id"))
    recourse_id: Mapped[int | None] = mapped_column(ForeignKey("fine_recourse.id"))

    @property
    def debt(self) -> DebtKey:
        """Which debt it names."""
        return key_of(self.penalty_id, self.recovery_id, self.recourse_id)


class TopUpCall(Base):
    """A party is asked to bring its deposit back to what its contracts require, by a day (domain F95)."""

    __tablename__ = "top_up_call"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        UniqueConstraint("settlement_id"),
        Index(None, "party_id", "met_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlement.id"))
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    amount_fen: Mapped[int]
    due_on: Mapped[dt.date] = mapped_column(index=True)
    #: NULL while it is open.
    met_on: Mapped[dt.date | None]


class WriteOff(Base):
    """What of a penalty is given up: proposed by finance, approved by two supervisors (domain F99)."""

    __tablename__ = "write_off"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("first_by <> proposed_by", name="first_differs"),
        CheckConstraint("decided_by <> proposed_by AND (first_by IS NULL OR decided_by <> first_by)", name="two_more"),
        CheckConstraint("(state IN ('approved', 'rejected')) = (decided_by IS NOT NULL)", name="decided_by_set"),
        CheckConstraint("state NOT IN ('endorsed', 'approved') OR first_by IS NOT NULL", name="first_by_set"),
        Index(
            "uq_write_off_open",
            "penalty_id",
            unique=True,
            sqlite_where=text("state IN ('open', 'endorsed')"),
            postgresql_where=text("state IN ('open', 'endorsed')"),
        ),
        Index(None, "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"), index=True)
    amount_fen: Mapped[int]
    reason: Mapped[str] = mapped_column(MaskedText)
    state: Mapped[WriteOffState] = mapped_column(default=WriteOffState.OPEN)
    proposed_by: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    first_by: Mapped[int | None]
    first_at: Mapped[dt.datetime | None]
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]
