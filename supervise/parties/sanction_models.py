"""What a party may not do for a while because of what it did, and the ladder that says when that is proposed.

A sanction is a fact about a party or a telephone number: whoever looks at a call reads it. What proposes sanctions
(points, warnings) lives above, in ``penalties``.
"""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class SanctionKind(LabelledEnum):
    """What is imposed, from the mildest to the hardest (domain F48, B8 to B10, P3 to P5)."""

    WARNING = "warning", N_("Warning")
    DOWNGRADE = "downgrade", N_("Downgrade")
    OUTBOUND_SUSPENSION = "outbound_suspension", N_("Outbound calls suspended")
    NUMBER_SHUTDOWN = "number_shutdown", N_("Number shut down")
    ENTRY_RESTRICTION = "entry_restriction", N_("No new lines")
    SETTLEMENT_STOP = "settlement_stop", N_("Settlement stopped")
    TERMINATION = "termination", N_("Cooperation terminated")
    BAR = "bar", N_("Barred from cooperation")


#: While one of these is in force, the party may make no calls for the carrier.
SUSPENDING = (SanctionKind.OUTBOUND_SUSPENSION, SanctionKind.TERMINATION, SanctionKind.BAR)


class SanctionState(LabelledEnum):
    """Where a sanction stands; whether it is in force follows from its days (``sanctions.in_force_on``)."""

    PROPOSED = "proposed", N_("Proposed")
    APPROVED = "approved", N_("Approved")
    REJECTED = "rejected", N_("Rejected")
    EXTENDED = "extended", N_("Extended by another")
    LIFTED = "lifted", N_("Lifted early")


class SanctionTrigger(LabelledEnum):
    """What makes a step of the ladder propose its sanction."""

    POINTS_LEFT = "points_left", N_("Points left at most")
    CONSECUTIVE_WARNINGS = "consecutive_warnings", N_("Warnings in months one after another")
    CUMULATIVE_WARNINGS = "cumulative_warnings", N_("Warnings within months")
    LATE_TOP_UP = "late_top_up", N_("Deposit not topped up in time")


class SanctionRule(Base):
    """A step of the ladder in a period: what leads to which sanction, for how many months (NULL: until lifted)."""

    __tablename__ = "sanction_rule"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        CheckConstraint("(trigger_kind = 'points_left') = (points_left IS NOT NULL)", name="points_of_points"),
        CheckConstraint("points_left >= 0", name="points_not_negative"),
        CheckConstraint(
            "(trigger_kind IN ('consecutive_warnings', 'cumulative_warnings')) = (warnings IS NOT NULL)",
            name="warnings_counted",
        ),
        CheckConstraint("warnings > 0", name="warnings_positive"),
        CheckConstraint(
            "(trigger_kind = 'cumulative_warnings') = (within_months IS NOT NULL)", name="cumulative_within_months"
        ),
        CheckConstraint("within_months > 0", name="within_months_positive"),
        CheckConstraint("months > 0", name="months_positive"),
        CheckConstraint("kind <> 'number_shutdown'", name="about_parties"),
        Index(None, "trigger_kind", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    trigger_kind: Mapped[SanctionTrigger]
    #: Reached when so many points are left, or fewer.
    points_left: Mapped[int | None]
    warnings: Mapped[int | None]
    within_months: Mapped[int | None]
    kind: Mapped[SanctionKind]
    #: How long it lasts; NULL: until somebody lifts it.
    months: Mapped[int | None]
    #: The contract's clause or whose decision it is.
    legal_note: Mapped[str] = mapped_column(MaskedText)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class Sanction(Base):
    """A sanction against a party or a number on the China days ``[from_on, until_on)``; NULL: until lifted."""

    __tablename__ = "sanction"
    __table_args__ = (
        CheckConstraint("until_on IS NULL OR until_on > from_on", name="period_order"),
        CheckConstraint("(kind = 'number_shutdown') = (number_id IS NOT NULL)", name="shutdown_names_number"),
        CheckConstraint("party_id IS NOT NULL OR number_id IS NOT NULL", name="against_somebody"),
        CheckConstraint("(rule_id IS NULL) = (cause IS NULL)", name="rule_has_cause"),
        CheckConstraint("rule_id IS NOT NULL OR proposed_by IS NOT NULL", name="rule_or_person"),
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("(state = 'proposed') = (decided_by IS NULL)", name="decided_by_set"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided_at_set"),
        CheckConstraint("decided_by <> proposed_by", name="two_people"),
        CheckConstraint("(state = 'lifted') = (lifted_on IS NOT NULL)", name="lifted_on_set"),
        CheckConstraint("(lifted_on IS NULL) = (lifted_by IS NULL)", name="lifted_by_set"),
        CheckConstraint("(lifted_on IS NULL) = (lift_reason IS NULL)", name="lifted_with_reason"),
        CheckConstraint("lifted_by <> proposed_by", name="lifted_by_another"),
        UniqueConstraint("party_id", "rule_id", "cause"),
        # What one person has proposed waits once, however many propose it at the same moment.
        Index(
            "uq_sanction_waiting_party",
            "party_id",
            "kind",
            unique=True,
            sqlite_where=text("state = 'proposed' AND number_id IS NULL"),
            postgresql_where=text("state = 'proposed' AND number_id IS NULL"),
        ),
        Index(
            "uq_sanction_waiting_number",
            "number_id",
            unique=True,
            sqlite_where=text("state = 'proposed'"),
            postgresql_where=text("state = 'proposed'"),
        ),
        Index(None, "state", "id"),
        Index(None, "party_id", "from_on"),
        Index(None, "number_id", "from_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Against whom; of a number, who held it when this was proposed (NULL: nobody that we know).
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    number_id: Mapped[int | None] = mapped_column(ForeignKey("phone_number.id"))
    kind: Mapped[SanctionKind]
    from_on: Mapped[dt.date]
    until_on: Mapped[dt.date | None]
    #: The step of the ladder that proposed it, and what it met: once each. NULL: a person proposed it.
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("sanction_rule.id"), index=True)
    cause: Mapped[str | None]
    #: What the step counted when it was met: points left and taken, warnings.
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    reason: Mapped[str] = mapped_column(MaskedText)
    state: Mapped[SanctionState] = mapped_column(default=SanctionState.PROPOSED)
    #: NULL: the daily job, by the ladder.
    proposed_by: Mapped[int | None]
    proposed_at: Mapped[dt.datetime]
    #: Never the proposer (CHECK), never of the sanctioned party (penalties.sanctions).
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]
    decision_note: Mapped[str | None] = mapped_column(MaskedText)
    #: The first day without it, where it was lifted early.
    lifted_on: Mapped[dt.date | None]
    lifted_by: Mapped[int | None]
    lift_reason: Mapped[str | None] = mapped_column(MaskedText)
    #: The one that this carries on from its last day; it is ``extended`` once this is approved.
    extends_id: Mapped[int | None] = mapped_column(ForeignKey("sanction.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)
