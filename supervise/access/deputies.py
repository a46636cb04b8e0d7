"""Deputies: a supervisor who is away lets a colleague decide, on some days and up to an amount.

Four eyes stay four: what a deputy approves is approved by the deputy's own id, and nobody approves their own proposal.
"""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.identity import deputy_limit_fen
from supervise.access.models import Deputy, User
from supervise.access.roles import DEPUTY_PERMISSIONS, DEPUTY_ROLES, ROLE_PERMISSIONS, Permission, Role
from supervise.audit.record import record_event
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError, NotPermittedError
from supervise.labels import N_
from supervise.money import FEN_MAX, format_yuan

#: A longer absence needs a new supervisor, not a deputy.
DAYS_MAX = 92


class DeputyError(InvalidInputError):
    """The delegation cannot be made as it was asked for; the message says why."""

    message = N_("This person cannot be your deputy")


class OverDeputyLimitError(NotPermittedError):
    """The amount is above what the delegation allows."""

    message = N_("As a deputy you may decide on at most %(limit)s yuan at a time")


def delegate(
    session: Session,
    *,
    actor_id: int,
    deputy_id: int,
    valid_from: dt.date,
    valid_to: dt.date,
    limit_fen: int,
    reason: str,
) -> Deputy:
    """Let *deputy_id* decide for the supervisor *actor_id* in ``[valid_from, valid_to)`` up to *limit_fen* at a time.

    Raises:
        DeputyError: for the wrong person, days that are over or too many, or an amount that is none.
    """
    _check_person(session, deputy_id, delegator_id=actor_id)
    _check_terms(valid_from, valid_to, limit_fen, reason)
    row = Deputy(
        delegator_id=actor_id,
        deputy_id=deputy_id,
        valid_from=valid_from,
        valid_to=valid_to,
        limit_fen=limit_fen,
        reason=reason.strip(),
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="deputy.appointed",
        subject="deputy",
        subject_id=row.id,
        changes={"deputy_id": deputy_id, "valid_from": valid_from, "valid_to": valid_to, "limit_fen": limit_fen},
        reason=row.reason,
    )
    return row


def revoke_delegation(session: Session, *, actor_id: int, delegation_id: int) -> None:
    """End a delegation at once; only the supervisor who gave it can.

    Raises:
        NotFoundError: if it does not exist or is another supervisor's.
        AlreadyDecidedError: if it was revoked before.
    """
    query = select(Deputy).where(Deputy.id == delegation_id, Deputy.delegator_id == actor_id).with_for_update()
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFoundError
    if row.revoked_at is not None:
        raise AlreadyDecidedError
    row.revoked_at, row.revoked_by = clock.now(), actor_id
    record_event(session, actor_id=actor_id, action="deputy.revoked", subject="deputy", subject_id=delegation_id)


def authority_fen(session: Session, user_id: int) -> int | None:
    """Return the largest amount that *user_id* may decide on alone; None: a supervisor, who has no limit here.

    A deputy's is looked up in the decision's own transaction.

    Raises:
        NotPermittedError: if the user is neither, or no longer.
    """
    user = session.get(User, user_id)
    if user is None or not user.active:
        raise NotPermittedError
    if user.role is Role.SUPERVISOR:
        return None
    limit_fen = deputy_limit_fen(session, user_id) if user.role in DEPUTY_ROLES else None
    if limit_fen is None:
        raise NotPermittedError
    return limit_fen


def permissions_today(session: Session, user_id: int) -> frozenset[Permission]:
    """Return what *user_id* may do at this moment, as a deputy too; nothing for who is unknown or locked out.

    For work that goes on after the request that ordered it.
    """
    user = session.get(User, user_id)
    if user is None or not user.active:
        return frozenset()
    is_deputy = user.role in DEPUTY_ROLES and deputy_limit_fen(session, user_id) is not None
    return ROLE_PERMISSIONS[user.role] | (DEPUTY_PERMISSIONS if is_deputy else frozenset())


def require_authority(session: Session, *, user_id: int, amount_fen: int) -> None:
    """Refuse an amount above what *user_id* may decide on alone; every approval of money calls this.

    Raises:
        NotPermittedError: if the user is no supervisor and no deputy, or no longer.
        OverDeputyLimitError: above a deputy's limit.
    """
    limit_fen = authority_fen(session, user_id)
    if limit_fen is not None and amount_fen > limit_fen:
        raise OverDeputyLimitError(limit=format_yuan(limit_fen))


def _check_person(session: Session, deputy_id: int, *, delegator_id: int) -> None:
    deputy = session.get(User, deputy_id)
    # That the two differ is also a CHECK of the table deputy, as are the first two checks below.
    if deputy is None or not deputy.active or deputy.role not in DEPUTY_ROLES or deputy_id == delegator_id:
        raise DeputyError


def _check_terms(valid_from: dt.date, valid_to: dt.date, limit_fen: int, reason: str) -> None:
    if valid_to <= valid_from or valid_to <= clock.today():
        raise DeputyError(N_("The last day is before the first, or over already"))
    if not 0 < limit_fen <= FEN_MAX:
        raise DeputyError(N_("Enter an amount above zero"))
    if (valid_to - valid_from).days > DAYS_MAX:
        raise DeputyError(N_("A deputy stands in for at most %(days)d days"), days=DAYS_MAX)
    if not reason.strip():
        raise DeputyError(N_("Say why a deputy is needed"))
