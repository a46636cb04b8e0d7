"""Delivery on paper: for a party without anybody in the application a supervisor records how the notice reached it."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.workdays import load_calendar
from supervise.contracts.terms import terms_at
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.penalties.locks import lock_penalties
from supervise.penalties.models import Penalty, WindowStart
from supervise.penalties.notice_models import ON_PAPER, Notice, NoticeLine
from supervise.penalties.notices import charged_by, deemed_day, reached
from supervise.penalties.windows import is_fresh, start_windows


class AlreadyDeliveredError(ConflictError):
    """A window starts once."""

    message = N_("%(reference)s was delivered on %(day)s already")


class AlreadyListedError(ConflictError):
    """It is listed once."""

    message = N_("%(reference)s is in the application already")


class NobodyReachedError(ConflictError):
    """What nobody can open stays on paper."""

    message = N_("Nobody of the party can open %(reference)s: give somebody an account, or deliver it on paper")


def record_delivery(
    session: Session, notice_id: int, how: WindowStart, on: dt.date, note: str, *, actor_id: int
) -> Notice:
    """Record that a notice reached the charged party on paper *on* the day; the window of its lines starts with it.

    Raises:
        NotFoundError: if there is none.
        AlreadyDeliveredError: if it was delivered before.
        InvalidInputError: without a *note* of how, or for a day before it was issued or after today.
    """
    notice, fresh = _undelivered(session, notice_id)
    if how not in ON_PAPER:
        raise InvalidInputError(N_("Choose how it was delivered"))
    if not note.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Say how it was delivered: number of the letter, or who took it"))
    if not clock.china_day(notice.issued_at) <= on <= clock.today():
        raise InvalidInputError(N_("It was delivered between its issue and today"))
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


def list_in_application(session: Session, notice_id: int, *, actor_id: int) -> Notice:
    """List a notice on paper in the application, somebody of the charged party having an account by now.

    From then it is delivered as any other: by whoever of the party opens it first, or by the contracts' working days
    from today. A delivery on paper can still be recorded until then. Source: docs/rules.md, P-5.

    Raises:
        NotFoundError: if there is none.
        AlreadyDeliveredError: if it was delivered before.
        AlreadyListedError: if it is in the application already.
        NobodyReachedError: if nobody of the party can sign in.
    """
    notice, fresh = _undelivered(session, notice_id)
    if not notice.is_on_paper:  # also a trigger of the table
        raise AlreadyListedError(reference=notice.reference)
    today = clock.today()
    if not reached(session, [charged_by(notice)], today):
        raise NobodyReachedError(reference=notice.reference)
    terms = terms_at(session, {penalty.contract_id for penalty in fresh}, clock.china_day(notice.issued_at))
    deemed_on = deemed_day(load_calendar(session), terms.values(), today)
    notice.listed_on, notice.listed_deemed_on, notice.listed_by = today, deemed_on, actor_id
    for penalty in fresh:
        penalty.deemed_on = deemed_on
        penalty.version += 1
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="notice.listed",
        subject="notice",
        subject_id=notice_id,
        changes={"deemed_on": deemed_on.isoformat()},
    )
    return notice


def _undelivered(session: Session, notice_id: int) -> tuple[Notice, list[Penalty]]:
    """Lock a notice that is not delivered, and return it with its lines whose window can start."""
    line_ids = session.scalars(select(NoticeLine.penalty_id).where(NoticeLine.notice_id == notice_id)).all()
    locked = lock_penalties(session, line_ids)
    notice = session.get(Notice, notice_id, with_for_update=True, populate_existing=True)
    if notice is None:
        raise NotFoundError
    if notice.delivered_on is not None:  # also a trigger of the table
        raise AlreadyDeliveredError(reference=notice.reference, day=notice.delivered_on.isoformat())
    fresh = [penalty for penalty in locked.values() if is_fresh(penalty)]
    if not fresh:
        raise ConflictError(N_("Nothing on this notice can be objected to any more"))
    return notice, fresh
