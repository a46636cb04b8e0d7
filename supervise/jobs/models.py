"""Background work and its progress, kept in the application's database so that it survives a reload."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base
from supervise.labels import N_, LabelledEnum


class JobState(LabelledEnum):
    """Where a job stands."""

    QUEUED = "queued", N_("Queued")
    RUNNING = "running", N_("Running")
    DONE = "done", N_("Done")
    FAILED = "failed", N_("Failed")


class Job(Base):
    """One piece of background work; ``arguments`` hold ids only."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("steps_done >= 0 AND steps_total >= 0", name="steps_not_negative"),
        Index(None, "state", "heartbeat_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: The task's name in ``supervise.jobs``.
    kind: Mapped[str]
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[JobState] = mapped_column(default=JobState.QUEUED)
    steps_done: Mapped[int] = mapped_column(default=0)
    steps_total: Mapped[int] = mapped_column(default=0)
    #: Message id and parameters of the result or the failure.
    message: Mapped[str | None]
    message_parameters: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[int | None]
    created_at: Mapped[dt.datetime]
    started_at: Mapped[dt.datetime | None]
    #: A running job whose heart stopped is swept and run again.
    heartbeat_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
