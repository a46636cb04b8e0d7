"""Cancelling an approved credit that was never paid: one person proposes with a reason, a second one confirms.

Only before a batch takes it, or after billing gave it back (domain 6.4): what billing has credited stays credited.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import require_authority
from supervise.audit.record import record_event
from supervise.compensation.models import CancellationState, Credit, CreditCancellation, CreditState
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.ledger.queries import entries_of_keys
from supervise.ledger.reverse import ReversalDraft, reverse


class NotCancellableError(ConflictError):
    """Only an approved credit that waits to be sent can be cancelled."""

    message = N_("%(reference)s is %(state)s: only an approved credit that is not with billing can be cancelled")


def propose_cancellation(session: Session, credit_id: int, reason: str, *, actor_id: int) -> CreditCancellation:
    """Ask that an approved credit be never paid; until it is decided, no batch takes the credit.

    Raises:
        NotFoundError: if there is no such credit.
        NotCancellableError: if it is not approved, or a batch has it.
        AlreadyDecidedError: if somebody asked before.
        InvalidInputError: without a reason.
    """
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    credit = _lock_credit(session, credit_id)
    if open_cancellation(session, credit_id) is not None:
        raise AlreadyDecidedError(N_("The cancellation of %(reference)s already waits"), reference=credit.reference)
    _check_waiting(credit)
    wish = CreditCancellation(credit_id=credit_id, reason=reason.strip(), proposed_by=actor_id, proposed_at=clock.now())
    session.add(wish)
    session.flush()
    _record(session, "credit.cancellation_proposed", credit_id, actor_id, wish.reason)
    return wish


def confirm_cancellation(session: Session, credit_id: int, *, actor_id: int) -> Credit:
    """Cancel the credit as the second person: what its approval posted is reversed whole.

    Raises:
        AlreadyDecidedError: if nobody proposed it, or it is decided.
        SamePersonError: if *actor_id* proposed it.
        NotPermittedError: if the amount is beyond the user's authority.
    """
    credit = _lock_credit(session, credit_id)
    wish = _open_wish(session, credit_id)
    if wish.proposed_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    _check_waiting(credit)
    require_authority(session, user_id=actor_id, amount_fen=credit.amount_fen)
    key = f"credit:approved:{credit_id}"
    reverse(
        session,
        [
            ReversalDraft(
                entry_id=entries_of_keys(session, [key])[key],
                key=f"credit:cancelled:{credit_id}",
                event="credit.cancelled",
                effective_on=clock.today(),
                reason=wish.reason,
                actor_id=wish.proposed_by,
                approver_id=actor_id,
            )
        ],
    )
    _decide(wish, CancellationState.CONFIRMED, actor_id)
    credit.state = CreditState.CANCELLED
    credit.version += 1
    _record(session, "credit.cancelled", credit_id, actor_id, wish.reason)
    return credit


def withdraw_cancellation(session: Session, credit_id: int, *, actor_id: int) -> Credit:
    """Take back, or refuse, the wish to cancel a credit: it can be sent again.

    Raises:
        AlreadyDecidedError: if nobody proposed it, or it is decided.
    """
    credit = _lock_credit(session, credit_id)
    _decide(_open_wish(session, credit_id), CancellationState.WITHDRAWN, actor_id)
    _record(session, "credit.cancellation_withdrawn", credit_id, actor_id)
    return credit


def open_cancellation(session: Session, credit_id: int) -> CreditCancellation | None:
    """Return the wish to cancel the credit that waits for a second person, if there is one."""
    query = select(CreditCancellation).where(
        CreditCancellation.credit_id == credit_id, CreditCancellation.state == CancellationState.OPEN
    )
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _lock_credit(session: Session, credit_id: int) -> Credit:
    # A batch locks the same row: of the two, one finds the credit gone.
    credit = session.get(Credit, credit_id, with_for_update=True, populate_existing=True)
    if credit is None:
        raise NotFoundError
    return credit


def _open_wish(session: Session, credit_id: int) -> CreditCancellation:
    wish = open_cancellation(session, credit_id)
    if wish is None:
        raise AlreadyDecidedError(N_("No cancellation of this credit waits"))
    return wish


def _check_waiting(credit: Credit) -> None:
    if credit.state is not CreditState.APPROVED:
        raise NotCancellableError(reference=credit.reference, state=credit.state.label)


def _decide(wish: CreditCancellation, state: CancellationState, actor_id: int) -> None:
    wish.state = state
    wish.decided_by, wish.decided_at = actor_id, clock.now()


def _record(session: Session, action: str, credit_id: int, actor_id: int, reason: str | None = None) -> None:
    session.flush()
    record_event(
        session, actor_id=actor_id, action=action, subject="credit", subject_id=credit_id, changes={}, reason=reason
    )
