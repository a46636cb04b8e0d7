"""What a contract must say besides prices, what it does say of it, and the scans of what was signed."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class PaperKind(LabelledEnum):
    """What was scanned."""

    CONTRACT = "contract", N_("Signed contract")
    AMENDMENT = "amendment", N_("Signed amendment")
    ANNEX = "annex", N_("Annex")


class ClauseType(Base):
    """A clause that the law asks of every contract with a party, in a period (domain A57, B9, R20, R21, R25)."""

    __tablename__ = "clause_type"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("code", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    legal_basis: Mapped[str]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class ContractClause(Base):
    """Whether the paper of a contract has a clause, as somebody read it; no row: nobody has looked yet."""

    __tablename__ = "contract_clause"
    __table_args__ = (
        CheckConstraint("NOT is_present OR reference IS NOT NULL", name="says_where"),
        UniqueConstraint("contract_id", "clause_code"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"))
    #: Of ``clause_type``: the same through all its periods.
    clause_code: Mapped[str]
    is_present: Mapped[bool]
    #: Where the paper says it, such as "§7(2)"; or what was agreed instead.
    reference: Mapped[str | None] = mapped_column(MaskedText)
    checked_by: Mapped[int]
    checked_at: Mapped[dt.datetime]


class ContractPaper(Base):
    """A scan of what was signed, in the vault; a wrong one is withdrawn with a reason and stays."""

    __tablename__ = "contract_paper"
    __table_args__ = (
        CheckConstraint(
            "(withdrawn_by IS NULL) = (withdrawn_at IS NULL) AND (withdrawn_by IS NULL) = (withdrawal_reason IS NULL)",
            name="withdrawal_complete",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"), index=True)
    attachment_id: Mapped[int] = mapped_column(ForeignKey("attachment.id"), unique=True)
    kind: Mapped[PaperKind]
    added_by: Mapped[int]
    added_at: Mapped[dt.datetime]
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[dt.datetime | None]
    withdrawal_reason: Mapped[str | None] = mapped_column(MaskedText)
