"""Delivery on paper: for a party without anybody in the application a supervisor records how the notice reached it."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.penalties.locks import lock_penalties
from supervise.penalties.models import WindowStart
from supervise.penalties.notice_models import ON_PAPER, Notice, NoticeLine
from supervise.penalties.windows import is_fresh, start_windows


class AlreadyDeliveredError(ConflictError):
    """A window starts once."""

    message = N_("%(reference)s was delivered on %(day)s already")


def record_delivery(
    session: Session, notice_id: int, how: WindowStart, on: dt.date, note: str, *, actor_id: int
) -> Notice:
    """Record that a notice reached the charged party on paper *on* the day; the window of its lines starts with it.

    Raises:
        NotFoundError: if there is none.
        AlreadyDeliveredError: if it was delivered before.
        InvalidInputError: without a *note* of how, or for a day before it was issued or after today.
    """
    line_ids = session.scalars(select(NoticeLine.penalty_id).where(NoticeLine.notice_id == notice_id)).all()
    locked = lock_penalties(session, line_ids)
    notice = session.get(Notice, notice_id, with_for_update=True, populate_existing=True)
    if notice is None:
        raise NotFoundError
    if notice.delivered_on is not None:  # also a trigger of the table
        raise AlreadyDeliveredError(reference=notice.reference, day=notice.delivered_on.isoformat())
    if how not in ON_PAPER:
        raise InvalidInputError(N_("Choose how it was delivered"))
    if not note.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Say how it was delivered: number of the letter, or who took it"))
    if not clock.china_day(notice.issued_at) <= on <= clock.today():
        raise InvalidInputError(N_("It was delivered between its issue and today"))
    fresh = [penalty for penalty in locked.values() if is_fresh(penalty)]
    if not fresh:
        raise ConflictError(N_("Nothing on this notice can be objected to any more"))
    start_windows(session, fresh, how, on, actor_id=actor_id, note=note.strip())
    record_event(
        session,
        actor_id=actor_id,
        action="notice.delivered",
        subject="notice",
        subject_id=notice_id,
        changes={"delivery": how.value, "delivered_on": on.isoformat()},
        reason=note.strip(),
    )
    return notice
