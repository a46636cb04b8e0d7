"""What follows for other penalties when one is lifted: a proposal, until a person takes or dismisses it (F84)."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class AdjustmentKind(LabelledEnum):
    """Why another penalty would be different now."""

    #: It counts as fewer repeats: less is owed.
    TIER = "tier", N_("Fewer repeats count")
    #: A cap that releases its room has room again: what was cut can be charged.
    CAP = "cap", N_("The cap has room again")


class AdjustmentState(LabelledEnum):
    """Where a proposal stands."""

    OPEN = "open", N_("Waiting for a decision")
    TAKEN = "taken", N_("Taken up")
    DISMISSED = "dismissed", N_("Dismissed")


class Adjustment(Base):
    """An amount by which a penalty would be less, or by a cap more, now that another one was lifted."""

    __tablename__ = "adjustment"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint("cause_id <> penalty_id", name="another_penalty"),
        CheckConstraint("(kind = 'tier') = (nth_before IS NOT NULL AND nth_now IS NOT NULL)", name="tier_says_nth"),
        CheckConstraint("(state = 'open') = (decided_by IS NULL)", name="decided_by_set"),
        CheckConstraint("state <> 'dismissed' OR note IS NOT NULL", name="dismissal_has_note"),
        Index(
            "uq_adjustment_open",
            "penalty_id",
            "kind",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"))
    #: The penalty that was lifted.
    cause_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"), index=True)
    kind: Mapped[AdjustmentKind]
    #: As it was found; taking it up computes it again.
    amount_fen: Mapped[int]
    #: As which repeat it was charged, and as which it would count now.
    nth_before: Mapped[int | None]
    nth_now: Mapped[int | None]
    state: Mapped[AdjustmentState] = mapped_column(default=AdjustmentState.OPEN)
    found_at: Mapped[dt.datetime]
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]
    note: Mapped[str | None] = mapped_column(MaskedText)
