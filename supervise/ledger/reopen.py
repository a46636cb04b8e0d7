"""Opening a closed month again: finance asks with a reason, another person confirms or refuses.

While it waits, who asked may take it back.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.ledger.canonical import reopening_content
from supervise.ledger.errors import PeriodStateError
from supervise.ledger.models import Period, PeriodReopening, PeriodState, ReopeningState
from supervise.ledger.periods import lock_period, newest_closed_month
from supervise.ledger.seal import seal_closed_entries
from supervise.sealing import seal_mac

#: A request as later stages hold it.
ReopeningRow = PeriodReopening


def reopenings(session: Session) -> Sequence[PeriodReopening]:
    """Return every request there ever was, the newest first."""
    return session.scalars(select(PeriodReopening).order_by(PeriodReopening.id.desc())).all()


def reopenings_of(session: Session, month: str) -> Sequence[PeriodReopening]:
    """Return the requests about *month*, the newest first."""
    query = select(PeriodReopening).where(PeriodReopening.month == month)
    return session.scalars(query.order_by(PeriodReopening.id.desc())).all()


def reopening_by_id(session: Session, reopening_id: int) -> PeriodReopening:
    """Return a request.

    Raises:
        NotFoundError: if there is none.
    """
    request = session.get(PeriodReopening, reopening_id)
    if request is None:
        raise NotFoundError
    return request


def waits() -> ColumnElement[bool]:
    """Return the condition of a request that a second person has not decided on."""
    return PeriodReopening.state == ReopeningState.OPEN


def ask_reopening(session: Session, month: str, reason: str, *, actor_id: int) -> PeriodReopening:
    """Ask that the closed *month* be opened again.

    Raises:
        PeriodStateError: if it is not the newest closed month, or a request waits.
        InvalidInputError: without a reason.
    """
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    closed_at = _newest_closing(session, month).closed_at
    if session.scalar(select(PeriodReopening.id).where(PeriodReopening.month == month, waits())) is not None:
        raise PeriodStateError(N_("A request to reopen %(month)s already waits for a second person"), month=month)
    request = PeriodReopening(
        month=month, closed_at=closed_at, reason=reason.strip(), asked_by=actor_id, asked_at=clock.now()
    )
    session.add(request)
    session.flush()
    _record(session, "period.reopening_asked", request, actor_id, reason)
    return request


def confirm_reopening(session: Session, reopening_id: int, *, actor_id: int, keyring: Keyring) -> PeriodReopening:
    """Open the month again, as the second person; it takes facts of its days until it is closed anew.

    After the commit the caller anchors the newest seal (``seal.newest_anchor``).

    Raises:
        AlreadyDecidedError: if the request does not wait any more.
        SamePersonError: if the user asked for it.
        PeriodStateError: if a later month was closed meanwhile.
    """
    request = _decidable(session, reopening_id, actor_id)
    period = _newest_closing(session, request.month)
    _decide(request, ReopeningState.CONFIRMED, actor_id)
    request.mac = seal_mac(keyring, reopening_content(request))
    session.flush()  # the trigger on the period asks for it
    period.state, period.closed_at, period.closed_by = PeriodState.OPEN, None, None
    session.flush()
    _record(session, "period.reopened", request, actor_id, request.reason)
    seal_closed_entries(session, keyring)
    return request


def refuse_reopening(session: Session, reopening_id: int, reason: str, *, actor_id: int) -> PeriodReopening:
    """Leave the month closed, as the second person.

    Raises:
        AlreadyDecidedError: if the request does not wait any more.
        SamePersonError: if the user asked for it.
        InvalidInputError: without a reason.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    request = _decidable(session, reopening_id, actor_id)
    _decide(request, ReopeningState.REFUSED, actor_id)
    request.refusal = reason.strip()
    session.flush()
    _record(session, "period.reopening_refused", request, actor_id, reason)
    return request


def withdraw_reopening(session: Session, reopening_id: int, reason: str, *, actor_id: int) -> PeriodReopening:
    """Take an own request back while it waits; the month stays closed.

    Raises:
        NotFoundError: if somebody else asked.
        AlreadyDecidedError: if the request does not wait any more.
        InvalidInputError: without a reason.
    """
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    request = _waiting(session, reopening_id)
    if request.asked_by != actor_id:  # also a CHECK of the table
        raise NotFoundError
    _decide(request, ReopeningState.WITHDRAWN, actor_id)
    request.refusal = reason.strip()
    session.flush()
    _record(session, "period.reopening_withdrawn", request, actor_id, reason)
    return request


def _newest_closing(session: Session, month: str) -> Period:
    period = lock_period(session, month)
    if period is None or period.state is not PeriodState.CLOSED:
        raise PeriodStateError(N_("The period %(month)s is not closed"), month=month)
    later = newest_closed_month(session) or month
    if later != month:  # also the trigger period_guard of migration 0019
        raise PeriodStateError(
            N_("Only the newest closed month can be reopened: %(later)s is closed too"), later=later, month=month
        )
    return period


def _decidable(session: Session, reopening_id: int, actor_id: int) -> PeriodReopening:
    request = _waiting(session, reopening_id)
    if request.asked_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    return request


def _waiting(session: Session, reopening_id: int) -> PeriodReopening:
    lock_period(session, reopening_by_id(session, reopening_id).month)
    request = session.get_one(PeriodReopening, reopening_id, populate_existing=True)
    if request.state is not ReopeningState.OPEN:
        raise AlreadyDecidedError
    return request


def _decide(request: PeriodReopening, state: ReopeningState, actor_id: int) -> None:
    request.state, request.decided_by, request.decided_at = state, actor_id, clock.now()


def _record(session: Session, action: str, request: PeriodReopening, actor_id: int, reason: str) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="period",
        subject_id=request.month,
        changes={"request_id": request.id},
        reason=reason,
    )
