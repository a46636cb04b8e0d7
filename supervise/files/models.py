"""Uploads and the staging of imports, row by row, before and after they were taken over; the vault of attachments."""

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
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
    CAPABILITIES = "capabilities", N_("What parties may do")
    SALES_CHANNELS = "sales_channels", N_("Sales channels")
    PLANS = "plans", N_("Plan catalogue")
    MONTH_FIGURES = "month_figures", N_("Figures of the month")
    COMMISSIONS = "commissions", N_("Commission statement")


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


class MediaType(LabelledEnum):
    """What an attachment is, by its content; nothing else is accepted."""

    PDF = "pdf", N_("PDF document")
    PNG = "png", N_("PNG picture")
    JPEG = "jpeg", N_("JPEG picture")
    WAV = "wav", N_("WAV recording")
    MP3 = "mp3", N_("MP3 recording")
    AMR = "amr", N_("AMR recording")
    M4A = "m4a", N_("M4A recording")
    MP4 = "mp4", N_("MP4 video")
    XLSX = "xlsx", N_("Excel workbook")
    DOCX = "docx", N_("Word document")
    CSV = "csv", N_("CSV table")
    TEXT = "text", N_("Plain text")
    EML = "eml", N_("E-mail message")


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


class Attachment(Base):
    """A piece of evidence, encrypted under a random name; purged, its row and hash stay as a tombstone (F12).

    What it is attached to is a link table of each subject. Triggers refuse its deletion, every change but the purge,
    and the purge while a hold is open.
    """

    __tablename__ = "attachment"
    __table_args__ = (
        CheckConstraint("size_bytes > 0", name="size_positive"),
        CheckConstraint("(stored_as IS NULL) = (purged_at IS NOT NULL)", name="purged_at_set"),
        CheckConstraint("source <> ''", name="has_source"),
        Index(None, "added_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: As the user's machine called it, numbers masked; shown, never used as a path.
    file_name: Mapped[str]
    media_type: Mapped[MediaType]
    #: SHA-256 of the plain bytes, 64 hex digits.
    sha256: Mapped[str] = mapped_column(index=True)
    size_bytes: Mapped[int]
    #: Random name below ``instance/vault``; NULL once purged.
    stored_as: Mapped[str | None]
    #: Where it comes from, in words: who handed it in, or from which system it was taken.
    source: Mapped[str] = mapped_column(MaskedText)
    added_by: Mapped[int]
    added_at: Mapped[dt.datetime]
    purged_at: Mapped[dt.datetime | None]


class AttachmentHold(Base):
    """Someone forbade the purge of an attachment: a case before a court or a regulator needs it."""

    __tablename__ = "attachment_hold"
    __table_args__ = (
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="released_by_set"),
        CheckConstraint("(released_at IS NULL) = (release_reason IS NULL)", name="release_has_reason"),
        CheckConstraint("released_by <> placed_by", name="two_people"),
        Index(
            "uq_attachment_hold_open",
            "attachment_id",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    attachment_id: Mapped[int] = mapped_column(ForeignKey("attachment.id"), index=True)
    reason: Mapped[str] = mapped_column(MaskedText)
    placed_by: Mapped[int]
    placed_at: Mapped[dt.datetime]
    released_by: Mapped[int | None]
    released_at: Mapped[dt.datetime | None]
    release_reason: Mapped[str | None] = mapped_column(MaskedText)
