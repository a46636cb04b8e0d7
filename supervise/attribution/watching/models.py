"""What watching the records of a day came to, and which incidents were opened from it."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.attribution.watching.kinds import Irregularity
from supervise.db import Base
from supervise.evidence.models import RecordKind


class WatchDay(Base):
    """The records of a China day were looked through for one kind of irregularity; without a row, nobody looked."""

    __tablename__ = "watch_day"
    __table_args__ = (UniqueConstraint("kind", "on_day"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[Irregularity]
    on_day: Mapped[dt.date]
    #: The figure that was in force on the day; NULL for a kind without one.
    threshold_id: Mapped[int | None] = mapped_column(ForeignKey("watch_threshold.id"), index=True)
    #: How many partitions were read, and the newest of them: more of either means that there is more to look through.
    partitions: Mapped[int]
    newest_partition_id: Mapped[int]
    computed_at: Mapped[dt.datetime]


class WatchFindingDay(Base):
    """What was found of one party on one day; replaced when the day is looked through again."""

    __tablename__ = "watch_finding_day"
    __table_args__ = (
        ForeignKeyConstraint(["kind", "on_day"], ["watch_day.kind", "watch_day.on_day"]),
        UniqueConstraint("kind", "on_day", "party_id"),
        # NULLs are distinct in the key above.
        Index(
            "uq_watch_finding_day_of_nobody",
            "kind",
            "on_day",
            unique=True,
            sqlite_where=text("party_id IS NULL"),
            postgresql_where=text("party_id IS NULL"),
        ),
        CheckConstraint("records >= 0 AND subscribers >= 0 AND looked_at >= records", name="counts_add_up"),
        Index(None, "party_id", "on_day"),
        Index(None, "unit_id", "on_day"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[Irregularity]
    on_day: Mapped[dt.date]
    #: NULL: neither staff number nor number nor channel led to a party.
    party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    #: The branch at the end of the party's chain on that day: whose managers see the row.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    #: Irregular records, and how many different subscribers they are about.
    records: Mapped[int]
    subscribers: Mapped[int]
    #: Of how many records of the party, where a share is watched or all are counted; else NULL.
    looked_at: Mapped[int | None]
    #: False where a share of the records is irregular but the threshold is kept.
    is_suspected: Mapped[bool]


class WatchedIncident(Base):
    """The incident that was opened from a record, or that was known already when somebody wanted to; once for each."""

    __tablename__ = "watched_incident"
    __table_args__ = (
        UniqueConstraint("records", "platform", "record_id"),
        CheckConstraint("records IN ('calls', 'messages')", name="of_call_or_message"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    records: Mapped[RecordKind]
    platform: Mapped[str]
    record_id: Mapped[str]
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    #: What the record was suspected of when it was opened.
    kind: Mapped[Irregularity]
    opened_by: Mapped[int]
    opened_at: Mapped[dt.datetime]
