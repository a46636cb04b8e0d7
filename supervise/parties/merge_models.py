"""Mergers of two entries of a party between which and the carrier money is open: a second person decides (F27)."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class MergeState(LabelledEnum):
    """What became of a proposed merger."""

    OPEN = "open", N_("Waits for a second person")
    APPROVED = "approved", N_("Approved")
    REJECTED = "rejected", N_("Rejected")
    WITHDRAWN = "withdrawn", N_("Withdrawn")


class PartyMerge(Base):
    """One entry is to live on in another while money of it is open."""

    __tablename__ = "party_merge"
    __table_args__ = (
        CheckConstraint("open_fen > 0", name="money_is_open"),
        CheckConstraint("party_id <> into_id", name="two_entries"),
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint(
            "(state = 'open') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="decision_complete",
        ),
        CheckConstraint("state = 'withdrawn' OR decided_by <> proposed_by", name="two_people"),
        Index(
            "uq_party_merge_open",
            "party_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Which goes, and which stays.
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    into_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    #: What was open when it was proposed: owed by the party, and held for it, added up.
    open_fen: Mapped[int]
    reason: Mapped[str] = mapped_column(MaskedText)
    state: Mapped[MergeState] = mapped_column(default=MergeState.OPEN)
    proposed_by: Mapped[int]
    proposed_at: Mapped[dt.datetime]
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]
    decision_note: Mapped[str | None] = mapped_column(MaskedText)
