"""The ledger's tables. Triggers of migrations 0002 and 0019 close them: rows are added, never changed (design 5)."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum
from supervise.ledger.chart import AccountFamily, AccountType, DimensionKind

#: Byte order on both engines, so that a range over the key's index finds a prefix.
BytewiseText = Text().with_variant(Text(collation="C"), "postgresql")


class PeriodState(LabelledEnum):
    """A month takes entries, or it does not; only a closed one needs two people to take them again."""

    OPEN = "open", N_("Open")
    #: Facts of the month go to the open month, while finance looks through what is booked.
    SOFT_CLOSED = "soft_closed", N_("Soft close")
    CLOSED = "closed", N_("Closed")


class ReopeningState(LabelledEnum):
    """What became of a request to open a closed month again."""

    OPEN = "open", N_("Waits for a second person")
    CONFIRMED = "confirmed", N_("Confirmed by a second person")
    REFUSED = "refused", N_("Refused")
    #: By who asked, while it waited.
    WITHDRAWN = "withdrawn", N_("Withdrawn")


class Account(Base):
    """A line of the chart of accounts; rows come from migrations and are never changed."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: ``1221.02``; known to finance.
    code: Mapped[str] = mapped_column(unique=True)
    family: Mapped[AccountFamily]
    type: Mapped[AccountType]
    dimension_kind: Mapped[DimensionKind]


class Period(Base):
    """A month of the books. It is born open, may be held (soft close), and closes; a trigger refuses all else.

    Only a confirmed ``PeriodReopening`` of that very closing lets it open again, and only the newest closed month.
    This is the row that posting (FOR SHARE) and every change of state lock: in every isolation level an entry is
    either in the closed month's totals or refused.
    """

    __tablename__ = "period"
    __table_args__ = (
        CheckConstraint("month LIKE '____-__'", name="month_format"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_at_set"),
        CheckConstraint("closed_by IS NULL OR closed_at IS NOT NULL", name="closed_by_with_moment"),
    )

    #: ``2026-11``.
    month: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[PeriodState] = mapped_column(default=PeriodState.OPEN)
    opened_at: Mapped[dt.datetime]
    #: NULL: a job or a command.
    opened_by: Mapped[int | None]
    closed_at: Mapped[dt.datetime | None]
    closed_by: Mapped[int | None]


class PeriodReopening(Base):
    """Finance asks to open a closed month again; another person confirms or refuses, or who asked takes it back.

    Decided once (trigger). The closing that it is about is named by its moment, so that it opens that one and none that
    follows. It explains for ever why a sealed closing does not stand any more.
    """

    __tablename__ = "period_reopening"
    __table_args__ = (
        CheckConstraint("(state = 'withdrawn') = (decided_by = asked_by)", name="two_people"),
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("(state = 'open') = (decided_by IS NULL)", name="decided_by_set"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided_at_set"),
        CheckConstraint(
            "(state IN ('refused', 'withdrawn')) = (coalesce(refusal, '') <> '')", name="refusal_has_reason"
        ),
        CheckConstraint("(state = 'confirmed') = (mac IS NOT NULL)", name="mac_set"),
        Index(
            "uq_period_reopening_open",
            "month",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    month: Mapped[str] = mapped_column(ForeignKey("period.month"))
    #: The moment of the closing.
    closed_at: Mapped[dt.datetime]
    reason: Mapped[str] = mapped_column(MaskedText)
    state: Mapped[ReopeningState] = mapped_column(default=ReopeningState.OPEN)
    asked_by: Mapped[int]
    asked_at: Mapped[dt.datetime]
    decided_by: Mapped[int | None]
    decided_at: Mapped[dt.datetime | None]
    #: Why it was refused, or withdrawn.
    refusal: Mapped[str | None] = mapped_column(MaskedText)
    #: HMAC-SHA256 of ``ledger.canonical.reopening_content`` under the seal key: no row made by hand has one.
    mac: Mapped[str | None]


class JournalEntry(Base):
    """A balanced fact. Its postings are there first; a trigger lets it in only if they fill all its lines.

    What it says (everything but id, period, moment and reversal number) is hashed in ``content_sha256``.
    """

    __tablename__ = "journal_entry"
    __table_args__ = (
        UniqueConstraint("id", "lines"),
        UniqueConstraint("reverses_id", "reversal_no"),
        CheckConstraint("id > 0", name="id_positive"),
        CheckConstraint("lines >= 2", name="two_lines"),
        CheckConstraint("idempotency_key <> ''", name="has_key"),
        CheckConstraint("length(content_sha256) = 64", name="content_is_sha256"),
        CheckConstraint("event <> ''", name="has_event"),
        CheckConstraint("approver_id <> actor_id", name="two_people"),
        CheckConstraint("(reverses_id IS NULL) = (reversal_no IS NULL)", name="reversal_numbered"),
        CheckConstraint("reversal_no >= 1", name="reversal_no_positive"),
        CheckConstraint("reverses_id IS NULL OR coalesce(reason, '') <> ''", name="reversal_has_reason"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[int]
    #: What happened, once: ``penalty:approved:17``.
    idempotency_key: Mapped[str] = mapped_column(BytewiseText, unique=True)
    content_sha256: Mapped[str]
    #: The kind of fact: ``penalty.approved``.
    event: Mapped[str]
    #: The China day the fact took effect.
    effective_on: Mapped[dt.date]
    #: The month it is booked in, open at that moment, never before the month of ``effective_on``.
    period: Mapped[str] = mapped_column(ForeignKey("period.month"), index=True)
    recorded_at: Mapped[dt.datetime]
    #: Whose act it is; NULL: a job.
    actor_id: Mapped[int | None]
    #: The second person, where there must be one.
    approver_id: Mapped[int | None]
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entry.id"))
    #: 1 + the reversals that the original had.
    reversal_no: Mapped[int | None]
    reason: Mapped[str | None]


class Posting(Base):
    """A line of an entry, in fen: debit positive, credit negative.

    ``lines`` repeats the entry's number of lines: (entry_id, line) is unique and line <= lines, so when the
    entry is let in every place is taken and nothing can join it later.
    """

    __tablename__ = "posting"
    __table_args__ = (
        ForeignKeyConstraint(
            ["entry_id", "lines"],
            ["journal_entry.id", "journal_entry.lines"],
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("line BETWEEN 1 AND lines", name="line_in_entry"),
        CheckConstraint("amount_fen <> 0", name="amount_not_zero"),
        # Must agree with money.FEN_MAX.
        CheckConstraint("amount_fen BETWEEN -10000000000 AND 10000000000", name="amount_bounded"),
        Index(None, "account_id", "dimension_id", "entry_id"),
        {"sqlite_strict": True, "sqlite_with_rowid": False},
    )

    entry_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lines: Mapped[int]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    #: A party, subscriber, unit or batch, as the account says; opaque here.
    dimension_id: Mapped[int | None]
    amount_fen: Mapped[int]


class Seal(Base):
    """A link of the hash chain: an HMAC over the exact bytes of ``content``, which name the link before."""

    __tablename__ = "seal"
    __table_args__ = (CheckConstraint("id > 0", name="id_positive"),)

    #: 1, 2, 3: no gaps (trigger).
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: The ``mac`` of the seal before, 64 zeros for the first; unique, so that the chain cannot fork.
    previous_mac: Mapped[str] = mapped_column(unique=True)
    sealed_at: Mapped[dt.datetime]
    #: ``ledger.canonical.seal_content``.
    content: Mapped[bytes]
    #: HMAC-SHA256 of ``content`` under the seal key, 64 hex digits.
    mac: Mapped[str] = mapped_column(unique=True)


class SealEntry(Base):
    """Which seal holds an entry, and the exact bytes of the entry at that moment."""

    __tablename__ = "seal_entry"
    __table_args__ = ({"sqlite_strict": True},)

    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entry.id"), primary_key=True, autoincrement=False)
    seal_id: Mapped[int] = mapped_column(ForeignKey("seal.id"), index=True)
    #: ``ledger.canonical.entry_content``.
    content: Mapped[bytes]
