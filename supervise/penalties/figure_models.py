"""What is recorded of a party for a month: the figures that caps by commission and thresholds read."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.penalties.pricing import FigureKind


class PartyMonthFigure(Base):
    """A figure as a source stated it; never changed (triggers refuse it): a correction supersedes it."""

    __tablename__ = "party_month_figure"
    __table_args__ = (
        CheckConstraint("kind = 'commission' OR amount >= 0", name="count_not_negative"),
        CheckConstraint("(kind = 'commission') = (contract_id IS NOT NULL)", name="commission_has_contract"),
        CheckConstraint("source <> ''", name="has_source"),
        CheckConstraint("length(month) = 7", name="month_is_whole"),
        # One chain of corrections for each figure, so that the latest is one row.
        Index(
            "uq_party_month_figure_commission",
            "contract_id",
            "month",
            unique=True,
            sqlite_where=text("supersedes_id IS NULL AND kind = 'commission'"),
            postgresql_where=text("supersedes_id IS NULL AND kind = 'commission'"),
        ),
        Index(
            "uq_party_month_figure_count",
            "party_id",
            "month",
            "kind",
            unique=True,
            sqlite_where=text("supersedes_id IS NULL AND kind <> 'commission'"),
            postgresql_where=text("supersedes_id IS NULL AND kind <> 'commission'"),
        ),
        Index(None, "party_id", "month"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    #: The contract that earns a commission; counts are the party's.
    contract_id: Mapped[int | None] = mapped_column(ForeignKey("contract.id"))
    #: ``2026-11``, of calls and orders in China.
    month: Mapped[str]
    kind: Mapped[FigureKind]
    #: Fen for a commission (it can be negative), else a count.
    amount: Mapped[int]
    #: Where it comes from: a statement's file and line, a count of the evidence store, a letter.
    source: Mapped[str] = mapped_column(MaskedText)
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("party_month_figure.id"), unique=True)
    recorded_by: Mapped[int]
    recorded_at: Mapped[dt.datetime]
