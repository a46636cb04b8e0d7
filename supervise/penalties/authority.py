"""Up to which amount one approver decides on a penalty alone: dated rows; above it two approve (domain F50).

Without a row for a role there is no limit. A deputy keeps the limit that the delegation names besides.
"""

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import DEPUTY_ROLES, Role
from supervise.audit.record import record_event
from supervise.complaints.reference import BackDatedError
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError, NotPermittedError
from supervise.labels import N_
from supervise.money import FEN_MAX, format_yuan
from supervise.penalties.models import AuthorityLimit, Penalty, PenaltyEndorsement

#: Who may approve money at all, as themselves or as a deputy.
ROLES = (Role.SUPERVISOR, *sorted(DEPUTY_ROLES))


class LimitPlannedError(ConflictError):
    """A later row is set already."""

    message = N_("A limit that begins on %(first)s is set already; begin after that day")


class NeedsSecondApprovalError(NotPermittedError):
    """One approval above the limit: it is kept, and the amount waits for another one."""

    message = N_("Your approval is kept; above %(limit)s yuan another approver decides as well")


def set_authority_limit(
    session: Session, *, role: Role, limit_fen: int, reason: str, valid_from: dt.date, actor_id: int
) -> AuthorityLimit:
    """Let approvers of *role* decide alone up to *limit_fen* from *valid_from* on.

    Raises:
        InvalidInputError: for a role that approves nothing, an amount that is none, or no reason.
        BackDatedError: if *valid_from* lies before today.
        LimitPlannedError: if a row of the role begins on that day or later.
    """
    if role not in ROLES or not 0 < limit_fen <= FEN_MAX or not reason.strip():
        raise InvalidInputError(N_("A limit has a role that approves, an amount above zero and a reason"))
    if valid_from < clock.today():
        raise BackDatedError
    take_turn(session, AuthorityLimit.__tablename__)
    still = or_(AuthorityLimit.valid_to.is_(None), AuthorityLimit.valid_to > valid_from)
    rivals = session.scalars(
        select(AuthorityLimit).where(AuthorityLimit.role == role, still).order_by(AuthorityLimit.valid_from.desc())
    ).all()
    if rivals and rivals[0].valid_from >= valid_from:
        raise LimitPlannedError(first=f"{rivals[0].valid_from}")
    for rival in rivals:
        rival.valid_to = valid_from
    row = AuthorityLimit(role=role, limit_fen=limit_fen, valid_from=valid_from)
    session.add(row)
    session.flush()  # the audit event names the row's id
    record_event(
        session,
        actor_id=actor_id,
        action="authority_limit.set",
        subject="authority_limit",
        subject_id=row.id,
        changes={"role": role, "limit_fen": limit_fen, "valid_from": valid_from},
        reason=reason.strip(),
    )
    return row


def authority_limits(session: Session) -> Sequence[AuthorityLimit]:
    """Return every limit, by role, the latest first."""
    query = select(AuthorityLimit).order_by(AuthorityLimit.role, AuthorityLimit.valid_from.desc())
    return session.scalars(query).all()


def limit_of(session: Session, user_id: int, on: dt.date) -> int | None:
    """Return up to which amount (fen) the user approves alone on the day, by their role; None: no limit."""
    query = (
        select(AuthorityLimit.limit_fen)
        .join(User, User.role == AuthorityLimit.role)
        .where(
            User.id == user_id,
            AuthorityLimit.valid_from <= on,
            or_(AuthorityLimit.valid_to.is_(None), AuthorityLimit.valid_to > on),
        )
    )
    return session.scalar(query)


def endorsed_by_others(session: Session, penalties: Collection[Penalty], *, actor_id: int) -> set[int]:
    """Return the ids of those that somebody else has approved once, as exactly what they are now."""
    query = (
        select(PenaltyEndorsement.penalty_id)
        .join(Penalty, Penalty.id == PenaltyEndorsement.penalty_id)
        .where(
            PenaltyEndorsement.penalty_id.in_([penalty.id for penalty in penalties]),
            PenaltyEndorsement.content_sha256 == Penalty.content_sha256,
            PenaltyEndorsement.endorsed_by != actor_id,
        )
    )
    return set(session.scalars(query))


def endorse(session: Session, penalties: Sequence[Penalty], *, actor_id: int) -> None:
    """Keep the first of two approvals; a second click keeps nothing twice."""
    ids = [penalty.id for penalty in penalties]
    own = select(PenaltyEndorsement.penalty_id, PenaltyEndorsement.content_sha256).where(
        PenaltyEndorsement.penalty_id.in_(ids), PenaltyEndorsement.endorsed_by == actor_id
    )
    known = {(row.penalty_id, row.content_sha256) for row in session.execute(own)}
    fresh = [penalty for penalty in penalties if (penalty.id, penalty.content_sha256) not in known]
    now = clock.now()
    session.add_all(
        PenaltyEndorsement(penalty_id=penalty.id, content_sha256=penalty.content_sha256, endorsed_by=actor_id, at=now)
        for penalty in fresh
    )
    if fresh:
        record_event(
            session,
            actor_id=actor_id,
            action="penalties.endorsed",
            subject="penalty",
            subject_id=fresh[0].id if len(fresh) == 1 else None,
            changes={
                "penalty_ids": [penalty.id for penalty in fresh],
                "total_fen": sum(penalty.amount_fen for penalty in fresh),
            },
        )


def needs_second(limit_fen: int) -> NeedsSecondApprovalError:
    """Return what the first approver of an amount above *limit_fen* reads."""
    return NeedsSecondApprovalError(limit=format_yuan(limit_fen))


def has_endorsed(session: Session, penalty_id: int, user_id: int) -> bool:
    """Say whether the user gave one of the approvals: then they do not judge an objection to it."""
    query = select(PenaltyEndorsement.id).where(
        PenaltyEndorsement.penalty_id == penalty_id, PenaltyEndorsement.endorsed_by == user_id
    )
    return session.scalar(query.limit(1)) is not None
