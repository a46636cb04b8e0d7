"""Giving up a drafted promise: its author takes it back, or a second person turns it down; it never had an effect."""

from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.compensation.models import CompensationPolicy, PromiseState, Undertaking
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.labels import N_


def give_up_undertaking(session: Session, undertaking_id: int, reason: str, *, actor_id: int) -> Undertaking:
    """Give up a draft; it stays with the reason, and its number is free for another.

    Raises:
        NotFoundError: if there is none.
        AlreadyDecidedError: if it is in force, or given up already.
        InvalidInputError: without a reason.
    """
    undertaking = session.get(Undertaking, undertaking_id, with_for_update=True, populate_existing=True)
    if undertaking is None:
        raise NotFoundError
    _give_up(session, undertaking, reason, actor_id)
    _record(session, "undertaking", undertaking.id, undertaking.drafted_by, reason, actor_id)
    return undertaking


def give_up_policy(session: Session, policy_id: int, reason: str, *, actor_id: int) -> CompensationPolicy:
    """Give up the draft of a general policy, as ``give_up_undertaking``."""
    policy = session.get(CompensationPolicy, policy_id, with_for_update=True, populate_existing=True)
    if policy is None:
        raise NotFoundError
    _give_up(session, policy, reason, actor_id)
    _record(session, "compensation_policy", policy.id, policy.drafted_by, reason, actor_id)
    return policy


def _give_up(session: Session, promise: Undertaking | CompensationPolicy, reason: str, actor_id: int) -> None:
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if promise.state is not PromiseState.DRAFT or promise.given_up_at is not None:
        raise AlreadyDecidedError
    promise.given_up_by, promise.given_up_at, promise.given_up_because = actor_id, clock.now(), reason.strip()
    promise.version += 1
    session.flush()


def _record(  # noqa: PLR0917 - a private row of the trail
    session: Session, subject: str, subject_id: int, drafted_by: int, reason: str, actor_id: int
) -> None:
    family = "policy" if subject == "compensation_policy" else subject
    outcome = "withdrawn" if actor_id == drafted_by else "rejected"
    record_event(
        session,
        actor_id=actor_id,
        action=f"{family}.{outcome}",
        subject=subject,
        subject_id=subject_id,
        reason=reason.strip(),
    )
