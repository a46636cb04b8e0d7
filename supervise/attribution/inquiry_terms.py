"""How many working days an asked party has by default: dated rows (domain F35).

A new row begins today or later and ends the one before it: inquiries asked before keep the deadline they were given.
"""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.inquiries import check_days
from supervise.attribution.inquiry_models import InquiryTerm
from supervise.audit.record import record_event
from supervise.complaints.reference import BackDatedError
from supervise.db import take_turn
from supervise.errors import ConflictError
from supervise.labels import N_


class TermPlannedError(ConflictError):
    """A later row is set already."""

    message = N_("A row that begins on %(first)s is set already; begin after that day")


def set_inquiry_term(
    session: Session, *, working_days: int, reason: str, valid_from: dt.date, actor_id: int
) -> InquiryTerm:
    """Give parties that are asked from *valid_from* on another time to answer.

    Raises:
        InvalidInputError: if it is no deadline.
        BackDatedError: if *valid_from* lies before today.
        TermPlannedError: if a row begins on that day or later.
    """
    check_days(working_days)
    if valid_from < clock.today():
        raise BackDatedError
    take_turn(session, InquiryTerm.__tablename__)
    still = or_(InquiryTerm.valid_to.is_(None), InquiryTerm.valid_to > valid_from)
    rivals = session.scalars(select(InquiryTerm).where(still).order_by(InquiryTerm.valid_from.desc())).all()
    if rivals and rivals[0].valid_from >= valid_from:
        raise TermPlannedError(first=f"{rivals[0].valid_from}")
    for rival in rivals:
        rival.valid_to = valid_from
    session.flush()
    row = InquiryTerm(working_days=working_days, valid_from=valid_from)
    session.add(row)
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="inquiry_term.set",
        subject="inquiry_term",
        subject_id=row.id,
        changes={"working_days": working_days, "valid_from": valid_from},
        reason=reason,
    )
    return row


def inquiry_terms(session: Session) -> Sequence[InquiryTerm]:
    """Return every default time to answer, the latest first."""
    return session.scalars(select(InquiryTerm).order_by(InquiryTerm.valid_from.desc())).all()
