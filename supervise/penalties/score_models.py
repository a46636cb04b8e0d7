"""Points that final penalties take, and how parties are scored by month: entries, dated figures, frozen cards."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class PointsReason(LabelledEnum):
    """Why points were entered."""

    TAKEN = "taken", N_("Taken by a final penalty")
    RETURNED = "returned", N_("Given back: the penalty was lifted")


class CardStanding(LabelledEnum):
    """What a score comes to by the bands of its month."""

    GOOD = "good", N_("Good")
    WATCH = "watch", N_("Under watch")
    POOR = "poor", N_("Poor")
    CRITICAL = "critical", N_("Critical")
    NOT_RATED = "not_rated", N_("Not rated")


class PointsEntry(Base):
    """Points taken from a party, or given back; never changed. The balance of a day is their sum, never stored."""

    __tablename__ = "points_entry"
    __table_args__ = (
        CheckConstraint("(reason = 'taken') = (points > 0)", name="taken_is_positive"),
        CheckConstraint("points <> 0", name="not_nothing"),
        CheckConstraint("reason <> 'taken' OR expires_on > on_day", name="expires_later"),
        # Taken once by a penalty, and given back at most once.
        UniqueConstraint("penalty_id", "reason"),
        Index(None, "party_id", "on_day"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"))
    reason: Mapped[PointsReason]
    #: Positive takes away.
    points: Mapped[int]
    #: China day on which the penalty became final, or was lifted.
    on_day: Mapped[dt.date]
    #: The first day on which it counts no more; what is given back expires with what was taken.
    expires_on: Mapped[dt.date]
    made_at: Mapped[dt.datetime]


class PointsStart(Base):
    """With how many points every party starts, on the days of a period; one at a time."""

    __tablename__ = "points_start"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        CheckConstraint("points > 0", name="points_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    points: Mapped[int]
    legal_note: Mapped[str] = mapped_column(MaskedText)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class ScoreScheme(Base):
    """How the cards of the months in a period are scored: weights, what scores nothing, and bands; one at a time."""

    __tablename__ = "score_scheme"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        CheckConstraint(
            "100 >= good_from AND good_from > watch_from AND watch_from > poor_from AND poor_from > 0",
            name="bands_descend",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: ``{criterion: [weight, value that scores nothing]}``; ``penalties.scoring.Criterion`` has the units.
    criteria: Mapped[dict[str, Any]]
    #: Lowest scores of the bands; below the last it is critical.
    good_from: Mapped[int]
    watch_from: Mapped[int]
    poor_from: Mapped[int]
    legal_note: Mapped[str] = mapped_column(MaskedText)
    #: First days of months: a card is scored by one scheme.
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class Scorecard(Base):
    """A party's card of a month that is over, as it stood when it was frozen; never changed."""

    __tablename__ = "scorecard"
    __table_args__ = (
        CheckConstraint("score BETWEEN 0 AND 100", name="score_in_range"),
        CheckConstraint("(standing = 'not_rated') = (score IS NULL)", name="rated_has_score"),
        UniqueConstraint("party_id", "month"),
        Index(None, "month", "score"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    #: ``2026-11``.
    month: Mapped[str]
    #: ``{criterion: [count, of how many]}``: what the score was made from.
    figures: Mapped[dict[str, Any]]
    #: 0 to 100; NULL: not rated.
    score: Mapped[int | None]
    standing: Mapped[CardStanding]
    scheme_id: Mapped[int] = mapped_column(ForeignKey("score_scheme.id"), index=True)
    frozen_at: Mapped[dt.datetime]
