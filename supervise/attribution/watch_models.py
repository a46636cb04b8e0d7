"""Figures above which what parties do is looked at, dated; they make a suspicion, never a fine (domain F46)."""

import datetime as dt

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class WatchKind(LabelledEnum):
    """What a threshold is about; ``watch_thresholds.SHAPES`` says which figures each kind has."""

    CALL_HOURS = "call_hours", N_("Hours in which calls may be made")
    CALLS_PER_SUBSCRIBER = "calls_per_subscriber", N_("Calls to one subscriber a day")
    DIALS_PER_STAFF = "dials_per_staff", N_("Calls dialled by one staff number an hour")
    CALLS_PER_NUMBER = "calls_per_number", N_("Calls from one number an hour")
    SMS_PER_SUBSCRIBER = "sms_per_subscriber", N_("Messages to one subscriber a day")
    SMS_PER_PORT = "sms_per_port", N_("Messages of one SMS port a day")
    RECORDING_COVERAGE = "recording_coverage", N_("Calls with a recording")
    QC_COVERAGE = "qc_coverage", N_("Calls with a quality check")
    ORDER_TRACE = "order_trace", N_("Orders after a call that are traced back to it")
    MATCH_TOLERANCE = "match_tolerance", N_("Tolerance when a call is matched to its record")
    CLOCK_DRIFT = "clock_drift", N_("Tolerance for a platform's clock")
    NUMBER_ROTATION = "number_rotation", N_("Numbers of one party calling one subscriber")
    NUMBER_PATTERN = "number_pattern", N_("Confirmed incidents of one number")


class WatchThreshold(Base):
    """A threshold of a kind in a period, one at a time; a kind without one on a day is not watched that day."""

    __tablename__ = "watch_threshold"
    __table_args__ = (
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        CheckConstraint("value > 0", name="value_positive"),
        CheckConstraint("within_days > 0", name="within_days_positive"),
        CheckConstraint("(kind = 'call_hours') = (value IS NULL)", name="value_unless_hours"),
        CheckConstraint("(kind = 'call_hours') = (from_minute IS NOT NULL)", name="hours_have_start"),
        CheckConstraint("(kind = 'call_hours') = (to_minute IS NOT NULL)", name="hours_have_end"),
        CheckConstraint(
            "(kind IN ('number_rotation', 'number_pattern')) = (within_days IS NOT NULL)",
            name="counted_within_days",
        ),
        CheckConstraint("from_minute >= 0 AND from_minute < to_minute AND to_minute <= 1440", name="hours_of_one_day"),
        CheckConstraint(
            "kind NOT IN ('recording_coverage', 'qc_coverage') OR value <= 100", name="coverage_in_per_cent"
        ),
        Index(None, "kind", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[WatchKind]
    #: Calls, messages, per cent, days or seconds, by kind; NULL for hours of the day.
    value: Mapped[int | None]
    #: For what is counted over several days: over how many.
    within_days: Mapped[int | None]
    #: Hours of the day in minutes since midnight in China, ``[from, to)``.
    from_minute: Mapped[int | None]
    to_minute: Mapped[int | None]
    #: The law, the notice, or that nobody has confirmed it yet.
    legal_note: Mapped[str] = mapped_column(MaskedText)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
