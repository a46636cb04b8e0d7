"""Uploads and the staging of imports: what came in, row by row, before and after it was taken over."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base
from supervise.labels import N_, LabelledEnum


class ImportKind(LabelledEnum):
    """What the rows of a file become."""

    COMPLAINTS = "complaints", N_("Complaints")
    NUMBERS = "numbers", N_("Numbers and holders")
    STAFF = "staff", N_("Staff numbers")
    PARTIES = "parties", N_("Responsible parties")
    ORG_UNITS = "org_units", N_("Org units")
    SUBSCRIBERS = "subscribers", N_("Subscribers")
    BILLING_RETURNS = "billing_returns", N_("Billing return file")
    PERMISSIONS = "permissions", N_("Refusals and consents")
    RELATIONS = "relations", N_("Ties between parties")
    OFFICIAL_NUMBERS = "official_numbers", N_("Official numbers")
    CONTRACTS = "contracts", N_("Contracts and policies")


class BatchState(LabelledEnum):
    """Where an import stands; only ``committed`` has written anything outside the staging tables."""

    UPLOADED = "uploaded", N_("Uploaded")
    READING = "reading", N_("Reading")
    PREVIEWED = "previewed", N_("Ready to check")
    COMMITTING = "committing", N_("Taking over")
    COMMITTED = "committed", N_("Taken over")
    DISCARDED = "discarded", N_("Discarded")
    REFUSED = "refused", N_("Refused")


class RowVerdict(LabelledEnum):
    """What the preview says of a row."""

    NEW = "new", N_("New")
    KNOWN = "known", N_("Already known")
    CHANGED = "changed", N_("Changed text")
    DUPLICATE = "duplicate", N_("Probable duplicate")
    ERROR = "error", N_("Error")


class Upload(Base):
    """A file as it came, encrypted under a random name; the hash stays when the file is purged."""

    __tablename__ = "upload"
    __table_args__ = (CheckConstraint("size_bytes >= 0", name="size_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: As the user's machine called it; shown, never used as a path.
    file_name: Mapped[str]
    #: SHA-256 of the plain bytes, 64 hex digits.
    sha256: Mapped[str] = mapped_column(index=True)
    size_bytes: Mapped[int]
    #: Random name below ``instance/uploads``; NULL once purged.
    stored_as: Mapped[str | None]
    uploaded_by: Mapped[int]
    uploaded_at: Mapped[dt.datetime]
    purged_at: Mapped[dt.datetime | None]


class ImportBatch(Base):
    """One file on its way in, of whatever kind: uploaded, previewed, taken over or discarded."""

    __tablename__ = "import_batch"
    __table_args__ = (
        CheckConstraint("state <> 'committed' OR committed_at IS NOT NULL", name="committed_at_set"),
        CheckConstraint("state <> 'refused' OR refusal_message IS NOT NULL", name="refusal_has_words"),
        Index(None, "kind", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[ImportKind]
    #: The import profile (``complaints`` owns the table); NULL for register files with fixed columns.
    profile_id: Mapped[int | None]
    upload_id: Mapped[int] = mapped_column(ForeignKey("upload.id"), index=True)
    state: Mapped[BatchState] = mapped_column(default=BatchState.UPLOADED)
    #: What the importer needs besides the file: channel, numbering plan, credit batch; ids and codes only.
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    header: Mapped[list[Any]] = mapped_column(default=list)
    rows_total: Mapped[int] = mapped_column(default=0)
    rows_new: Mapped[int] = mapped_column(default=0)
    rows_known: Mapped[int] = mapped_column(default=0)
    rows_changed: Mapped[int] = mapped_column(default=0)
    rows_duplicate: Mapped[int] = mapped_column(default=0)
    rows_error: Mapped[int] = mapped_column(default=0)
    refusal_message: Mapped[str | None]
    refusal_parameters: Mapped[dict[str, Any] | None]
    job_id: Mapped[int | None]
    created_by: Mapped[int]
    created_at: Mapped[dt.datetime]
    committed_by: Mapped[int | None]
    committed_at: Mapped[dt.datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class ImportRow(Base):
    """A row of the file: its place there, what the preview says of it and why."""

    __tablename__ = "import_row"
    __table_args__ = (UniqueConstraint("batch_id", "row_number"), Index(None, "batch_id", "verdict", "row_number"))

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("import_batch.id"))
    #: As a spreadsheet shows it: the header is row 1 or lower.
    row_number: Mapped[int]
    #: SHA-256 of the mapped cells and their occurrence number; identity of a row without a reference.
    row_key: Mapped[str | None]
    verdict: Mapped[RowVerdict]
    #: ``[[message id, {parameters}], ...]``: errors and flags, translated where they are shown.
    remarks: Mapped[list[Any]] = mapped_column(default=list)
    #: JSON of the mapped cells, encrypted as ``import_row.cells_cipher``, bound to batch and row; NULL once purged.
    cells_cipher: Mapped[bytes | None]
    #: The row that this one became or was recognised as (a ticket, a number, a credit line).
    subject_id: Mapped[int | None]
