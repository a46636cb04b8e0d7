"""What was signed and what it costs: contracts, the assessment policy for branches, rule versions, labels, plans."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.complaints.models import DayType
from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum
from supervise.parties.models import SalesChannelKind


class ContractDirection(LabelledEnum):
    """Who pays whom under the contract; it decides the tax label (domain 2.3)."""

    WE_BUY = "we_buy", N_("We buy")
    WE_SELL = "we_sell", N_("We sell")
    INTERNAL = "internal", N_("Internal")


class ContractState(LabelledEnum):
    """A draft has no effect; only an active contract prices anything."""

    DRAFT = "draft", N_("Draft")
    ACTIVE = "active", N_("In force")
    TERMINATED = "terminated", N_("Terminated")


class RuleState(LabelledEnum):
    """A draft may be edited; an active version never again."""

    DRAFT = "draft", N_("Draft")
    ACTIVE = "active", N_("In force")
    RETIRED = "retired", N_("Retired")


class ContractScope(LabelledEnum):
    """Which business a contract covers; two contracts of a party never overlap within one scope."""

    ALL = "all", N_("Everything")
    OUTBOUND = "outbound", N_("Outbound calls")
    SMS = "sms", N_("Messages")
    CHANNEL = "channel", N_("Sales channel")


class SettlementOrder(LabelledEnum):
    """From what debts under a contract are taken, in this order; whatever is left is paid in cash."""

    DEPOSIT_COMMISSION_CASH = "deposit_commission_cash", N_("Deposit, then commission, then cash")
    COMMISSION_DEPOSIT_CASH = "commission_deposit_cash", N_("Commission, then deposit, then cash")
    DEPOSIT_CASH = "deposit_cash", N_("Deposit, then cash; never from commission")
    COMMISSION_CASH = "commission_cash", N_("Commission, then cash; never from the deposit")
    CASH = "cash", N_("Cash alone")


class AmendmentState(LabelledEnum):
    """A draft changes nothing; one in force is never edited; a draft may be withdrawn by whoever drafts contracts."""

    DRAFT = "draft", N_("Draft")
    ACTIVE = "active", N_("In force")
    WITHDRAWN = "withdrawn", N_("Withdrawn")


class Contract(Base):
    """A contract with an external party, or the assessment policy (考核办法) for the carrier's own branches.

    A policy has no party: it holds for every unit below ``counterparty_unit_id``.
    """

    __tablename__ = "contract"
    __table_args__ = (
        CheckConstraint("ends_on IS NULL OR ends_on > starts_on", name="period_order"),
        CheckConstraint("(direction = 'internal') = (party_id IS NULL)", name="policy_has_no_party"),
        CheckConstraint("appeal_days > 0", name="appeal_days_positive"),
        CheckConstraint("deposit_required_fen >= 0", name="deposit_not_negative"),
        CheckConstraint("top_up_days BETWEEN 1 AND 365", name="top_up_days_range"),
        CheckConstraint("state = 'draft' OR activated_by IS NOT NULL", name="activated_by_set"),
        CheckConstraint("activated_by <> drafted_by", name="two_people"),
        Index(None, "party_id", "scope", "starts_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    #: The carrier's unit that signed, or the root of the units a policy holds for.
    counterparty_unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    #: No overlap within a scope: exclusion constraint or triggers of migration 0005, ``agreements`` in words.
    scope: Mapped[ContractScope] = mapped_column(default=ContractScope.ALL)
    direction: Mapped[ContractDirection]
    starts_on: Mapped[dt.date]
    #: The day after the last day; NULL: open.
    ends_on: Mapped[dt.date | None]
    #: The window for an objection, counted from its start.
    appeal_days: Mapped[int]
    appeal_day_type: Mapped[DayType] = mapped_column(default=DayType.WORKING)
    #: Working days after listing at which the window starts by itself.
    deemed_days: Mapped[int] = mapped_column(default=3)
    #: What lies with the carrier as a deposit; 0: none agreed. As signed: ``terms.terms_at`` says what holds on a day.
    deposit_required_fen: Mapped[int] = mapped_column(default=0)
    #: Working days to bring the deposit back to what is required.
    top_up_days: Mapped[int] = mapped_column(default=10)
    settlement_order: Mapped[SettlementOrder] = mapped_column(default=SettlementOrder.DEPOSIT_COMMISSION_CASH)
    state: Mapped[ContractState] = mapped_column(default=ContractState.DRAFT)
    drafted_by: Mapped[int]
    activated_by: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)


class ContractAmendment(Base):
    """A supplementary agreement: what it changes of a contract in force, from a day on; a NULL changes nothing."""

    __tablename__ = "contract_amendment"
    __table_args__ = (
        CheckConstraint(
            "ends_on IS NOT NULL OR appeal_days IS NOT NULL OR appeal_day_type IS NOT NULL OR deemed_days IS NOT NULL "
            "OR deposit_required_fen IS NOT NULL OR top_up_days IS NOT NULL OR settlement_order IS NOT NULL",
            name="changes_something",
        ),
        CheckConstraint("effective_from >= signed_on", name="signed_before"),
        CheckConstraint("appeal_days BETWEEN 1 AND 365", name="appeal_days_range"),
        CheckConstraint("deemed_days BETWEEN 1 AND 365", name="deemed_days_range"),
        CheckConstraint("top_up_days BETWEEN 1 AND 365", name="top_up_days_range"),
        CheckConstraint("deposit_required_fen >= 0", name="deposit_not_negative"),
        CheckConstraint(
            "(state = 'draft') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="decision_complete",
        ),
        CheckConstraint("state <> 'active' OR decided_by <> drafted_by", name="two_people"),
        UniqueConstraint("contract_id", "number"),
        # Two that begin on one day could say two things.
        Index(
            "uq_contract_amendment_day",
            "contract_id",
            "effective_from",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"))
    #: Of the signed paper, unique within its contract.
    number: Mapped[str]
    signed_on: Mapped[dt.date]
    #: What is listed or settled from this day on follows it; the end of the contract moves at once.
    effective_from: Mapped[dt.date]
    #: Why, or where the paper says it.
    reason: Mapped[str] = mapped_column(MaskedText)
    #: The day after the last day.
    ends_on: Mapped[dt.date | None]
    appeal_days: Mapped[int | None]
    appeal_day_type: Mapped[DayType | None]
    deemed_days: Mapped[int | None]
    deposit_required_fen: Mapped[int | None]
    top_up_days: Mapped[int | None]
    settlement_order: Mapped[SettlementOrder | None]
    state: Mapped[AmendmentState] = mapped_column(default=AmendmentState.DRAFT)
    drafted_by: Mapped[int]
    drafted_at: Mapped[dt.datetime]
    #: Who put it into force, or withdrew it.
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]


class RuleVersion(Base):
    """A dated price with its tiers, caps and shares; never edited once active, never back-dated once used."""

    __tablename__ = "rule_version"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        CheckConstraint("state = 'draft' OR activated_by IS NOT NULL", name="activated_by_set"),
        CheckConstraint("activated_by <> drafted_by", name="two_people"),
        # A version that has priced a call cannot be ended, or replaced, before that call (never back-dated once used).
        CheckConstraint("valid_to IS NULL OR priced_on IS NULL OR valid_to > priced_on", name="not_back_dated"),
        UniqueConstraint("code", "number"),
        Index(None, "contract_id", "offence_code", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Name of the rule within its contract, and the serial number of this version: ``HX-2026/P1`` v2.
    code: Mapped[str]
    number: Mapped[int]
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"))
    #: NULL: any offence type without a rule of its own.
    offence_code: Mapped[str | None]
    #: Among rules that fit, the highest wins; a tie is a task for a person.
    priority: Mapped[int] = mapped_column(default=0)
    #: Validated by ``contracts.rules.RuleParameters``; see docs/rules.md.
    parameters: Mapped[dict[str, Any]]
    content_sha256: Mapped[str]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    #: Day of the latest call that it has priced; NULL while it is unused.
    priced_on: Mapped[dt.date | None]
    state: Mapped[RuleState] = mapped_column(default=RuleState.DRAFT)
    drafted_by: Mapped[int]
    activated_by: Mapped[int | None]
    activated_at: Mapped[dt.datetime | None]


class AccountingLabel(Base):
    """What finance writes beside an amount: nature x direction -> GL code and tax label, dated (domain 2.3)."""

    __tablename__ = "accounting_label"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("nature", "direction", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: ``damages``, ``assessment``, ``compensation`` or ``reward``.
    nature: Mapped[str]
    direction: Mapped[ContractDirection]
    gl_account_code: Mapped[str]
    tax_label: Mapped[str]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class Plan(Base):
    """A plan (套餐) as it was published: what it costs a month, from a day on; one row of a code at a time."""

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint("published_to IS NULL OR published_to > published_from", name="period_order"),
        CheckConstraint("monthly_price_fen >= 0", name="price_not_negative"),
        Index(None, "code", "published_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: As orders name it.
    code: Mapped[str]
    name: Mapped[str]
    monthly_price_fen: Mapped[int]
    #: No overlap within a code: exclusion constraint or triggers of migration 0023, ``plans`` in words.
    published_from: Mapped[dt.date]
    published_to: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)


class PlanChannel(Base):
    """Where a plan may be sold: on every channel of a kind, or on one channel; a plan without rows, everywhere."""

    __tablename__ = "plan_channel"
    __table_args__ = (
        CheckConstraint("(kind IS NULL) <> (channel_code IS NULL)", name="kind_or_code"),
        UniqueConstraint("plan_id", "kind"),
        UniqueConstraint("plan_id", "channel_code"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    kind: Mapped[SalesChannelKind | None]
    channel_code: Mapped[str | None]
