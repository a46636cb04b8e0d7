"""The compliance file of a party: what the carrier taught, checked, ordered and knew, each with its day."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class FileEntryKind(LabelledEnum):
    """What the carrier did about a party, or came to know (domain A33, A56, A57)."""

    TRAINING = "training", N_("Training")
    WARNING_TALK = "warning_talk", N_("Warning talk")
    INSPECTION = "inspection", N_("Inspection")
    CORRECTION_ORDER = "correction_order", N_("Order to correct")
    TECHNICAL_CONTROL = "technical_control", N_("Technical control")
    CLAUSE_CHECK = "clause_check", N_("Check of the contract's clauses")
    FIRST_KNEW = "first_knew", N_("The carrier knew")
    STRIKE_OUT = "strike_out", N_("Struck out")


class PartyFileEntry(Base):
    """One entry; never edited or deleted (triggers): a wrong one is struck out by a row that says why."""

    __tablename__ = "party_file_entry"
    __table_args__ = (
        CheckConstraint("body <> ''", name="has_body"),
        CheckConstraint("(kind = 'strike_out') = (strikes_id IS NOT NULL)", name="strikes_an_entry"),
        Index(None, "party_id", "happened_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    kind: Mapped[FileEntryKind]
    #: The day of what is told; of a striking out, the day of the entry that it strikes.
    happened_on: Mapped[dt.date]
    #: What was done or known; of a striking out, why.
    body: Mapped[str] = mapped_column(MaskedText)
    #: A scan of the paper, in the vault.
    attachment_id: Mapped[int | None] = mapped_column(ForeignKey("attachment.id"), index=True)
    #: The entry that this one strikes out; each is struck out once.
    strikes_id: Mapped[int | None] = mapped_column(ForeignKey("party_file_entry.id"), unique=True)
    entered_by: Mapped[int]
    entered_at: Mapped[dt.datetime]
