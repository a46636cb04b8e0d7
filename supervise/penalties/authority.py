"""Up to which amount one approver decides on a penalty alone: dated rows; above it two approve (domain F50).

Without a row for a role there is no limit. A deputy keeps the limit that the delegation names besides.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
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
from supervise.penalties.models import AuthorityLimit, LossRatio, Penalty, PenaltyEndorsement
from supervise.penalties.proposed import ProposedLine

#: A hundred thousand times the loss: larger ratios are typing errors.
RATIO_BP_MAX = 1_000_000_000
#: Who may approve money at all, as themselves or as a deputy.
ROLES = (Role.SUPERVISOR, *sorted(DEPUTY_ROLES))


_Dated = type[AuthorityLimit] | type[LossRatio]


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
    take_turn(session, AuthorityLimit.__tablename__)
    _end_before(session, AuthorityLimit, (AuthorityLimit.role == role,), valid_from)
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
        .where(User.id == user_id, *_holds(AuthorityLimit, on))
    )
    return session.scalar(query)


def set_loss_ratio(
    session: Session, *, ratio_bp: int, legal_note: str, valid_from: dt.date, actor_id: int
) -> LossRatio:
    """Let amounts above *ratio_bp* of their recorded loss stand on top for approvers from *valid_from* on.

    Raises:
        InvalidInputError: for a ratio that is none, or without a legal note.
        BackDatedError: if *valid_from* lies before today.
        LimitPlannedError: if a row begins on that day or later.
    """
    if not 0 < ratio_bp <= RATIO_BP_MAX or not legal_note.strip():
        raise InvalidInputError(N_("A ratio lies above zero and says on what it stands"))
    take_turn(session, LossRatio.__tablename__)
    _end_before(session, LossRatio, (), valid_from)
    row = LossRatio(ratio_bp=ratio_bp, legal_note=legal_note.strip(), valid_from=valid_from)
    session.add(row)
    session.flush()  # the audit event names the row's id
    record_event(
        session,
        actor_id=actor_id,
        action="loss_ratio.set",
        subject="loss_ratio",
        subject_id=row.id,
        changes={"ratio_bp": ratio_bp, "valid_from": valid_from},
        reason=row.legal_note,
    )
    return row


def loss_ratios(session: Session) -> Sequence[LossRatio]:
    """Return every ratio, the latest first."""
    return session.scalars(select(LossRatio).order_by(LossRatio.valid_from.desc())).all()


def loss_ratio_bp(session: Session, on: dt.date) -> int | None:
    """Return the ratio in force on the day, in basis points of the recorded loss; None: there is none."""
    return session.scalar(select(LossRatio.ratio_bp).where(*_holds(LossRatio, on)))


def _holds(row: _Dated, on: dt.date) -> tuple[ColumnElement[bool], ...]:
    return row.valid_from <= on, or_(row.valid_to.is_(None), row.valid_to > on)


def _end_before(
    session: Session,
    row: _Dated,
    conditions: Iterable[ColumnElement[bool]],
    valid_from: dt.date,
) -> None:
    """End the rows in force when another one begins on *valid_from*, which is today or later."""
    if valid_from < clock.today():
        raise BackDatedError
    still = or_(row.valid_to.is_(None), row.valid_to > valid_from)
    query: Select[Any] = select(row).where(still, *conditions)
    rivals = session.scalars(query.order_by(row.valid_from.desc())).all()
    if rivals and rivals[0].valid_from >= valid_from:
        raise LimitPlannedError(first=f"{rivals[0].valid_from}")
    for rival in rivals:
        rival.valid_to = valid_from
    session.flush()


def endorsed_by_others(session: Session, penalty_ids: Collection[int], *, actor_id: int) -> set[int]:
    """Return the ids of those that somebody else has approved once, as exactly what they are now."""
    query = (
        select(PenaltyEndorsement.penalty_id)
        .join(Penalty, Penalty.id == PenaltyEndorsement.penalty_id)
        .where(
            PenaltyEndorsement.penalty_id.in_(penalty_ids),
            PenaltyEndorsement.content_sha256 == Penalty.content_sha256,
            PenaltyEndorsement.endorsed_by != actor_id,
        )
    )
    return set(session.scalars(query))


def endorse(session: Session, penalties: Sequence[ProposedLine], *, actor_id: int) -> None:
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
