"""Proven offences that nobody is charged for, by a person's decision before any amount was proposed."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from supervise.db import Base, MaskedText
from supervise.labels import N_, LabelledEnum


class SpareReason(LabelledEnum):
    """Why no amount is proposed, though the offence stands."""

    NO_TERM = "no_term", N_("No contract or rule prices it")
    CHARGED_ELSEWHERE = "charged_elsewhere", N_("Charged already outside this system")
    FIRST_OFFENCE = "first_offence", N_("First offence, minor")
    PUT_RIGHT = "put_right", N_("Put right at once by the party")
    OUR_SHARE = "our_share", N_("Our own systems or staff contributed")
    OTHER = "other", N_("Other reason")


class SparedFinding(Base):
    """A finding that is not priced until it is brought back; it stays proven. At most one live row each."""

    __tablename__ = "spared_finding"
    __table_args__ = (
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("(agreed_by IS NULL) = (agreed_at IS NULL)", name="agreed_at_set"),
        CheckConstraint("agreed_by <> spared_by", name="two_people"),
        CheckConstraint("(brought_back_by IS NULL) = (brought_back_at IS NULL)", name="brought_back_at_set"),
        CheckConstraint("(brought_back_by IS NULL) = (bring_back_note IS NULL)", name="says_why_back"),
        Index(
            "uq_spared_finding_live",
            "finding_id",
            unique=True,
            sqlite_where=text("brought_back_at IS NULL"),
            postgresql_where=text("brought_back_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    finding_id: Mapped[int] = mapped_column(ForeignKey("finding.id"), index=True)
    because: Mapped[SpareReason]
    reason: Mapped[str] = mapped_column(MaskedText)
    spared_by: Mapped[int]
    spared_at: Mapped[dt.datetime]
    #: The second person, who gives up what could have been charged; until then it waits in their list.
    agreed_by: Mapped[int | None]
    agreed_at: Mapped[dt.datetime | None]
    #: Set once, all three together; the row then stays as history.
    brought_back_by: Mapped[int | None]
    brought_back_at: Mapped[dt.datetime | None]
    bring_back_note: Mapped[str | None] = mapped_column(MaskedText)
