"""Approving what others propose: credits, voids and promises within the approver's authority."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from supervise.access.deputies import authority_fen, require_authority
from supervise.compensation.approve import Shown, approve_credits
from supervise.compensation.models import CompensationPolicy, CreditBatch, Undertaking
from supervise.compensation.promise_queries import policy_by_id, undertaking_by_id
from supervise.compensation.promises import agree_policy, agree_undertaking
from supervise.compensation.queries import batch_by_id
from supervise.compensation.voids import confirm_void
from supervise.errors import RowResult


def approve_credits_within_authority(session: Session, shown: Sequence[Shown], *, actor_id: int) -> list[RowResult]:
    """Approve credits as ``approve_credits`` does, each at most up to the actor's limit of this moment.

    Raises:
        NotPermittedError: if the actor is no supervisor and no deputy, or no longer.
    """
    return approve_credits(session, shown, actor_id=actor_id, limit_fen=authority_fen(session, actor_id))


def confirm_void_within_authority(session: Session, batch_id: int, *, actor_id: int) -> CreditBatch:
    """Void a batch as the second person, as ``confirm_void`` does, if its total is within the actor's limit.

    Raises:
        NotPermittedError: if it is above a deputy's limit, or the actor may not approve at all.
        NotFoundError: if there is no such batch.
    """
    require_authority(session, user_id=actor_id, amount_fen=batch_by_id(session, batch_id).total_fen)
    return confirm_void(session, batch_id, actor_id=actor_id)


def agree_undertaking_within_authority(
    session: Session, undertaking_id: int, version: int, *, actor_id: int
) -> Undertaking:
    """Agree to an undertaking as the second person, if its lump sum and its rate are within the actor's limit.

    Raises:
        NotFoundError: if there is no such undertaking.
        NotPermittedError: if it is above a deputy's limit, or the actor may not agree at all.
    """
    undertaking = undertaking_by_id(session, undertaking_id)
    require_authority(session, user_id=actor_id, amount_fen=max(undertaking.lump_fen, undertaking.per_call_fen))
    return agree_undertaking(session, undertaking_id, version, actor_id=actor_id)


def agree_policy_within_authority(
    session: Session, policy_id: int, version: int, *, actor_id: int
) -> CompensationPolicy:
    """Put a general policy into force as the second person, if its rate is within the actor's limit.

    Raises:
        NotFoundError: if there is no such policy.
        NotPermittedError: if it is above a deputy's limit, or the actor may not agree at all.
    """
    require_authority(session, user_id=actor_id, amount_fen=policy_by_id(session, policy_id).per_call_fen)
    return agree_policy(session, policy_id, version, actor_id=actor_id)
