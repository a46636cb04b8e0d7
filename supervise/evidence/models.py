"""What the application's database knows of the records: sources, imports, partitions, clocks and holds.

The records themselves are Parquet files below the warehouse; only files that a partition row names are ever read.
"""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class RecordKind(LabelledEnum):
    """What a record is of."""

    CALLS = "calls", N_("Call records")
    MESSAGES = "messages", N_("SMS records")
    ORDERS = "orders", N_("Order records")
    QUALITY = "quality", N_("Quality checks")


class RecordImportState(LabelledEnum):
    """Where an import stands; only ``committed`` has partitions."""

    WAITING = "waiting", N_("Waiting")
    RUNNING = "running", N_("Reading")
    COMMITTED = "committed", N_("Taken over")
    REFUSED = "refused", N_("Refused")


class EvidenceForm(LabelledEnum):
    """What must be kept before it is gone (domain R11, F12)."""

    RECORDING = "recording", N_("Recording")
    SMS_LOG = "sms_log", N_("SMS log")


class HoldState(LabelledEnum):
    """What became of a request to keep evidence."""

    ASKED = "asked", N_("Asked")
    KEPT = "kept", N_("Kept")
    LOST = "lost", N_("No longer there")
    WITHDRAWN = "withdrawn", N_("Withdrawn")


class RecordSource(Base):
    """A platform that delivers records of one kind, in the days in which it was in service."""

    __tablename__ = "record_source"
    __table_args__ = (CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: As the records name it, in the column ``platform``.
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[RecordKind]
    #: Staff numbers in its records are this carrier's.
    carrier_code: Mapped[str] = mapped_column(ForeignKey("carrier.code"))
    #: From which day on records are due; "no call found" is said only where every source has its records.
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)


class RecordImport(Base):
    """A file of records on its way in, and for good the line of the manifest that says what came of it."""

    __tablename__ = "record_import"
    __table_args__ = (
        # Importing twice adds nothing; a file that was refused may come again, and all files without rows are alike.
        # A correction replaces: its bytes may return (``manifest.refuse_known_file`` says when).
        Index(
            "uq_record_import_same_file",
            "kind",
            "sha256",
            unique=True,
            sqlite_where=text("state = 'committed' AND rows_total > 0 AND NOT corrects"),
            postgresql_where=text("state = 'committed' AND rows_total > 0 AND NOT corrects"),
        ),
        CheckConstraint("state <> 'refused' OR refusal_message IS NOT NULL", name="refusal_has_words"),
        CheckConstraint("(state IN ('waiting', 'running')) = (finished_at IS NULL)", name="finished_at_set"),
        CheckConstraint("covers_to IS NULL OR covers_to > covers_from", name="period_order"),
        CheckConstraint(
            "rows_total >= 0 AND rows_new >= 0 AND rows_known >= 0 AND rows_refused >= 0", name="rows_not_negative"
        ),
        CheckConstraint(
            "state <> 'committed' OR rows_total = rows_new + rows_known + rows_refused", name="rows_add_up"
        ),
        Index(None, "kind", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[RecordKind]
    #: The file as the user's machine called it, numbers masked.
    file_name: Mapped[str]
    #: Of the file's bytes, 64 hex digits; NULL until it was read.
    sha256: Mapped[str | None] = mapped_column(index=True)
    size_bytes: Mapped[int]
    #: NULL for a file that a command read from the server's own disk.
    upload_id: Mapped[int | None] = mapped_column(ForeignKey("upload.id"))
    job_id: Mapped[int | None]
    #: The platform of all rows, where the file does not name it.
    source_id: Mapped[int | None] = mapped_column(ForeignKey("record_source.id"))
    #: It replaces what its platforms delivered before for its days.
    corrects: Mapped[bool] = mapped_column(default=False)
    #: So many refused rows of a correction whoever imports it has seen, and accepts that its days lose them.
    refused_accepted: Mapped[int] = mapped_column(default=0)
    state: Mapped[RecordImportState] = mapped_column(default=RecordImportState.WAITING)
    rows_total: Mapped[int] = mapped_column(default=0)
    rows_new: Mapped[int] = mapped_column(default=0)
    #: Exactly as they were taken over before, by this file or an earlier one.
    rows_known: Mapped[int] = mapped_column(default=0)
    rows_refused: Mapped[int] = mapped_column(default=0)
    #: The China days for which the file is complete, half-open. If whoever imported it named them, a day without a row
    #: has its partition as well; else they are the first and the last day that the file has.
    covers_from: Mapped[dt.date | None]
    covers_to: Mapped[dt.date | None]
    refusal_message: Mapped[str | None]
    refusal_parameters: Mapped[dict[str, Any] | None]
    started_by: Mapped[int]
    started_at: Mapped[dt.datetime]
    #: Whoever reads the file was last heard of; an import that fell silent is done again or refused.
    heartbeat_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class RefusedRecord(Base):
    """A row of the file that was not taken over, and why; the first ten thousand of a file are kept."""

    __tablename__ = "refused_record"
    __table_args__ = (UniqueConstraint("import_id", "row_number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("record_import.id"))
    #: As a spreadsheet shows it: the header is row 1.
    row_number: Mapped[int]
    #: ``[[message id, {parameters}], ...]``, translated where it is shown; never a subscriber's number.
    remarks: Mapped[list[Any]]


class RecordPartition(Base):
    """The records of one platform and day that one import brought: a file, or the fact that there were none."""

    __tablename__ = "record_partition"
    __table_args__ = (
        UniqueConstraint("import_id", "source_id", "on_day"),
        CheckConstraint("(rows = 0) = (path IS NULL)", name="path_of_rows"),
        CheckConstraint("rows >= 0 AND size_bytes >= 0", name="size_not_negative"),
        CheckConstraint("(dropped_at IS NULL) = (drop_reason IS NULL)", name="drop_has_reason"),
        # What is read: neither superseded nor dropped.
        Index(
            "ix_record_partition_current",
            "kind",
            "on_day",
            sqlite_where=text("superseded_by_id IS NULL AND dropped_at IS NULL"),
            postgresql_where=text("superseded_by_id IS NULL AND dropped_at IS NULL"),
        ),
        Index(None, "source_id", "on_day"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("record_import.id"))
    kind: Mapped[RecordKind]
    source_id: Mapped[int] = mapped_column(ForeignKey("record_source.id"))
    #: The China day on which the calls began, the messages were sent, the orders placed, the checks made.
    on_day: Mapped[dt.date]
    #: Below the warehouse: ``calls/day=2026-11-03/crm-17-5f3a.parquet``; NULL: no records on that day.
    path: Mapped[str | None] = mapped_column(unique=True)
    rows: Mapped[int]
    size_bytes: Mapped[int]
    sha256: Mapped[str | None]
    #: The import that corrected this day.
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("record_import.id"), index=True)
    #: Retention ended: the file is gone, this line and the hash stay.
    dropped_at: Mapped[dt.datetime | None]
    dropped_by: Mapped[int | None]
    drop_reason: Mapped[str | None] = mapped_column(MaskedText)


class EvidenceClock(Base):
    """How long whoever holds a form of evidence must keep it, at least; for calls and messages of a period."""

    __tablename__ = "evidence_clock"
    __table_args__ = (
        CheckConstraint("keep_months >= 0 AND keep_days >= 0 AND keep_months + keep_days > 0", name="keeps_something"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("evidence", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    evidence: Mapped[EvidenceForm]
    keep_months: Mapped[int]
    keep_days: Mapped[int]
    legal_basis: Mapped[str] = mapped_column(MaskedText)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class RecordRetention(Base):
    """How long our own store keeps records of a kind, at most; for records of a period."""

    __tablename__ = "record_retention"
    __table_args__ = (
        CheckConstraint("keep_months > 0", name="keeps_something"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period_order"),
        UniqueConstraint("kind", "valid_from"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[RecordKind]
    keep_months: Mapped[int]
    legal_basis: Mapped[str] = mapped_column(MaskedText)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]


class LegalHold(Base):
    """Records of these days stay, whatever retention says, until two people have let them go."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        CheckConstraint("to_day IS NULL OR to_day > from_day", name="period_order"),
        CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="released_by_set"),
        CheckConstraint("(released_at IS NULL) = (release_reason IS NULL)", name="release_has_reason"),
        CheckConstraint("released_by <> placed_by", name="two_people"),
        CheckConstraint(
            "(release_asked_at IS NULL) = (release_asked_reason IS NULL)", name="release_asked_with_reason"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: NULL: records of every kind.
    kind: Mapped[RecordKind | None]
    from_day: Mapped[dt.date]
    to_day: Mapped[dt.date | None]
    reason: Mapped[str] = mapped_column(MaskedText)
    placed_by: Mapped[int]
    placed_at: Mapped[dt.datetime]
    released_by: Mapped[int | None]
    released_at: Mapped[dt.datetime | None]
    release_reason: Mapped[str | None] = mapped_column(MaskedText)
    #: Whoever placed it asks another person to release it; empty again when that person keeps it.
    release_asked_at: Mapped[dt.datetime | None]
    release_asked_reason: Mapped[str | None] = mapped_column(MaskedText)


class HoldRequest(Base):
    """We asked whoever holds a recording or an SMS log to keep it, before its clock runs out."""

    __tablename__ = "hold_request"
    __table_args__ = (
        Index(
            "uq_hold_request_live",
            "incident_id",
            "evidence",
            unique=True,
            sqlite_where=text("state IN ('asked', 'kept')"),
            postgresql_where=text("state IN ('asked', 'kept')"),
        ),
        CheckConstraint("(state = 'asked') = (answered_at IS NULL)", name="answered_at_set"),
        CheckConstraint("(answered_at IS NULL) = (answered_by IS NULL)", name="answered_by_set"),
        Index(None, "state", "expires_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), index=True)
    evidence: Mapped[EvidenceForm]
    #: Who was asked to keep it: a platform's operator, a party, as the clerk wrote it.
    asked_of: Mapped[str] = mapped_column(MaskedText)
    #: The last day on which it must still be there, by the clock of the call's day.
    expires_on: Mapped[dt.date]
    state: Mapped[HoldState] = mapped_column(default=HoldState.ASKED)
    asked_by: Mapped[int]
    asked_at: Mapped[dt.datetime]
    answered_by: Mapped[int | None]
    answered_at: Mapped[dt.datetime | None]
    answer: Mapped[str | None] = mapped_column(MaskedText)
    version: Mapped[int] = mapped_column(default=1)
