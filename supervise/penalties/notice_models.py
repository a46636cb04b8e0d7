"""What the charged party is told and says: notices with their lines, acceptances, late, answered and added words."""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum
from supervise.penalties.models import PenaltyFamily, WindowStart

#: Ways of delivery that a supervisor records, for a party without anybody in the application.
ON_PAPER = (WindowStart.POSTED, WindowStart.HANDED_OVER)


class NoticeState(LabelledEnum):
    """Where a notice stands; derived from its delivery and its last day, never stored."""

    TO_POST = "to_post", N_("To print and post")
    ISSUED = "issued", N_("Not opened yet")
    RUNNING = "running", N_("Objection possible")
    ENDED = "ended", N_("Window ended")


class Notice(Base):
    """What one charged party is told of one run of approvals; its delivery starts the window of all its lines."""

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint("lines > 0", name="has_lines"),
        CheckConstraint("total_fen >= 0", name="total_not_negative"),
        CheckConstraint("by_post = (deemed_on IS NULL)", name="deemed_on_set"),
        CheckConstraint("family <> 'internal' OR unit_id IS NOT NULL", name="internal_has_unit"),
        CheckConstraint("(delivery IS NULL) = (delivered_on IS NULL)", name="delivered_on_set"),
        CheckConstraint("(delivery IS NULL) = (recorded_at IS NULL)", name="recorded_at_set"),
        CheckConstraint("(delivery IS NULL) = (objection_until_on IS NULL)", name="window_complete"),
        CheckConstraint(
            "(delivery IN ('posted', 'handed_over')) = (delivery_note IS NOT NULL)", name="delivery_has_note"
        ),
        CheckConstraint("listed_on IS NULL OR by_post", name="listed_after_paper"),
        CheckConstraint("(listed_on IS NULL) = (listed_deemed_on IS NULL)", name="listed_deemed_on_set"),
        CheckConstraint("(listed_on IS NULL) = (listed_by IS NULL)", name="listed_by_set"),
        Index(None, "delivery", "id"),
        Index(None, "party_id", "id"),
        Index(None, "unit_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: For people: ``TZ202611-000123``.
    reference: Mapped[str] = mapped_column(unique=True)
    family: Mapped[PenaltyFamily]
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"))
    #: The charged branch; of a partner the branch that sponsors every line, NULL if they are several.
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    issued_at: Mapped[dt.datetime]
    issued_by: Mapped[int]
    lines: Mapped[int]
    total_fen: Mapped[int]
    #: Nobody of the party could open it when it was issued: it is printed, and does not count as delivered by itself.
    by_post: Mapped[bool]
    deemed_on: Mapped[dt.date | None]
    #: SHA-256 of what it says: its number, whom it charges, each line with its amount and its own hash.
    content_sha256: Mapped[str]
    #: How it was delivered; with it the window of every line has started. Set once, like the columns below.
    delivery: Mapped[WindowStart | None]
    delivered_on: Mapped[dt.date | None]
    recorded_at: Mapped[dt.datetime | None]
    #: Who opened it, or recorded its delivery; NULL: a job.
    recorded_by: Mapped[int | None]
    #: How it was posted or handed over: number of the letter, who took it.
    delivery_note: Mapped[str | None] = mapped_column(MaskedText)
    #: The last day on which an objection to any of its lines is in time.
    objection_until_on: Mapped[dt.date | None]
    #: Of a notice by post: when it was listed in the application, somebody of the party having an account by then,
    #: the day on which it counts as delivered since, and who listed it. Set once, before it is delivered.
    listed_on: Mapped[dt.date | None]
    listed_deemed_on: Mapped[dt.date | None]
    listed_by: Mapped[int | None]

    @property
    def is_on_paper(self) -> bool:
        """Whether it is delivered on paper alone."""
        return self.by_post and self.listed_on is None

    @property
    def counts_on(self) -> dt.date | None:
        """The day on which it counts as delivered by itself; None: it never does."""
        return self.listed_deemed_on or self.deemed_on


class NoticeLine(Base):
    """A penalty and the notice that tells of it; one notice for good."""

    __tablename__ = "notice_line"
    __table_args__ = (
        CheckConstraint("position > 0", name="position_positive"),
        UniqueConstraint("notice_id", "position"),
    )

    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"), primary_key=True, autoincrement=False)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notice.id"))
    position: Mapped[int]


class PenaltyAcceptance(Base):
    """The charged party accepts a line: its window has ended, and no objection follows."""

    __tablename__ = "penalty_acceptance"

    penalty_id: Mapped[int] = mapped_column(ForeignKey("penalty.id"), primary_key=True, autoincrement=False)
    accepted_by: Mapped[int]
    accepted_at: Mapped[dt.datetime]


class ObjectionAdmission(Base):
    """Whether an objection that came late is heard, and why."""

    __tablename__ = "objection_admission"
    __table_args__ = (CheckConstraint("reason <> ''", name="has_reason"),)

    objection_id: Mapped[int] = mapped_column(ForeignKey("objection.id"), primary_key=True, autoincrement=False)
    admitted: Mapped[bool]
    reason: Mapped[str] = mapped_column(MaskedText)
    #: Never the approver of the penalty, never the filer (penalties.objections).
    decided_by: Mapped[int]
    decided_at: Mapped[dt.datetime]


class StatementKind(LabelledEnum):
    """What is said after an objection was filed."""

    QUESTION = "question", N_("Question to the party")
    ANSWER = "answer", N_("Answer of the party")
    ADDITION = "addition", N_("Added by the party")


class ObjectionStatement(Base):
    """A question of a supervisor, the answer of the party, or what another contact of it adds; never changed."""

    __tablename__ = "objection_statement"
    __table_args__ = (CheckConstraint("body <> ''", name="has_text"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    objection_id: Mapped[int] = mapped_column(ForeignKey("objection.id"), index=True)
    kind: Mapped[StatementKind]
    body: Mapped[str] = mapped_column(MaskedText)
    made_by: Mapped[int]
    made_at: Mapped[dt.datetime]


class ObjectionAttachment(Base):
    """A file of the vault that came with an objection."""

    __tablename__ = "objection_attachment"

    attachment_id: Mapped[int] = mapped_column(ForeignKey("attachment.id"), primary_key=True, autoincrement=False)
    objection_id: Mapped[int] = mapped_column(ForeignKey("objection.id"), index=True)
    added_by: Mapped[int]
    added_at: Mapped[dt.datetime]


class NewLine(NamedTuple):
    """A line of a notice before it has rows: the penalty's id, number, amount and hash."""

    penalty_id: int
    reference: str
    amount_fen: int
    content_sha256: str


def state_on(notice: Notice, today: dt.date) -> NoticeState:
    """Return where *notice* stands on the China day *today*."""
    if notice.objection_until_on is None:
        return NoticeState.TO_POST if notice.is_on_paper else NoticeState.ISSUED
    return NoticeState.RUNNING if today <= notice.objection_until_on else NoticeState.ENDED
