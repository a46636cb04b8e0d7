"""Tracing a spoofed call back from operator to operator: who was asked, what came of it, where it ended.

Nothing here names a party that owes: no penalty ever arises from a traceback (domain F33).
"""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class TracebackState(LabelledEnum):
    """Where a traceback stands."""

    OPEN = "open", N_("Under way")
    TRACED = "traced", N_("Traced")
    ENDED = "ended", N_("Ended without result")
    #: Another verdict than "spoofed" came into force.
    DROPPED = "dropped", N_("Dropped with its verdict")


class HopOutcome(LabelledEnum):
    """What became of the question to one operator."""

    WAITING = "waiting", N_("Waiting for an answer")
    ANSWERED = "answered", N_("An answer is there")
    REFUSED = "refused", N_("Does not cooperate")


class TracebackTask(Base):
    """The search for who really dialled a call that showed somebody else's number; one at a time for a call."""

    __tablename__ = "traceback_task"
    __table_args__ = (
        Index(
            "uq_traceback_task_open",
            "incident_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_at_set"),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by_set"),
        CheckConstraint("(state IN ('traced', 'ended')) = (result IS NOT NULL)", name="result_set"),
        Index(None, "incident_id"),
        Index(None, "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"))
    #: The verdict "spoofed" that opened it.
    attribution_id: Mapped[int] = mapped_column(ForeignKey("attribution.id"), unique=True)
    state: Mapped[TracebackState] = mapped_column(default=TracebackState.OPEN)
    opened_by: Mapped[int]
    opened_at: Mapped[dt.datetime]
    #: Who originated the call, or why it cannot be found out.
    result: Mapped[str | None] = mapped_column(MaskedText)
    closed_by: Mapped[int | None]
    closed_at: Mapped[dt.datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class TracebackHop(Base):
    """A question to one operator on the way; its answer is entered once, and neither is rewritten."""

    __tablename__ = "traceback_hop"
    __table_args__ = (
        UniqueConstraint("task_id", "number"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("asked <> ''", name="asked_somebody"),
        CheckConstraint("(outcome = 'waiting') = (told_at IS NULL)", name="told_at_set"),
        CheckConstraint("(told_at IS NULL) = (told_by IS NULL)", name="told_by_set"),
        CheckConstraint("(told_at IS NULL) = (told_on IS NULL)", name="told_on_set"),
        CheckConstraint("outcome <> 'answered' OR answer IS NOT NULL", name="answer_has_words"),
        CheckConstraint("next_hop IS NULL OR outcome = 'answered'", name="next_hop_was_told"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("traceback_task.id"))
    #: 1, 2, 3 along the way back.
    number: Mapped[int]
    #: The operator that was asked.
    asked: Mapped[str] = mapped_column(MaskedText)
    asked_on: Mapped[dt.date]
    outcome: Mapped[HopOutcome] = mapped_column(default=HopOutcome.WAITING)
    told_on: Mapped[dt.date | None]
    answer: Mapped[str | None] = mapped_column(MaskedText)
    #: From whom it had the call.
    next_hop: Mapped[str | None] = mapped_column(MaskedText)
    entered_by: Mapped[int]
    entered_at: Mapped[dt.datetime]
    told_by: Mapped[int | None]
    told_at: Mapped[dt.datetime | None]
