"""Changes of the rows that intake goes by: deadlines of channels, and the taxonomy of offences. Never back-dated."""

import datetime as dt
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.models import Channel, DayType, DeadlineRule, OffenceType
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_


class BackDatedError(InvalidInputError):
    """What was received or found by the old rule would change."""

    message = N_("A rule cannot start or end before today")


class CodeTakenError(ConflictError):
    """The code has a row in force on that day."""

    message = N_("There is an offence type %(code)s already")


def set_deadline_rule(
    session: Session,
    *,
    channel: Channel | None,
    unit_id: int | None,
    days: int,
    day_type: DayType,
    source: str,
    valid_from: dt.date,
    actor_id: int,
) -> DeadlineRule:
    """Enter a deadline from *valid_from* on; the rule of the same channel and unit before it ends there.

    Tickets received earlier keep the due date of the rule of their day.

    Raises:
        BackDatedError: if *valid_from* lies before today, or a rule begins at or after it.
    """
    take_turn(session, "deadline rules")
    query = sa.select(DeadlineRule).where(
        DeadlineRule.channel == channel if channel else DeadlineRule.channel.is_(None),
        DeadlineRule.unit_id == unit_id if unit_id else DeadlineRule.unit_id.is_(None),
        sa.or_(DeadlineRule.valid_to.is_(None), DeadlineRule.valid_to > valid_from),
    )
    earlier = session.scalars(query).all()
    if valid_from < clock.today() or any(rule.valid_from >= valid_from for rule in earlier):
        raise BackDatedError
    for rule in earlier:
        rule.valid_to = valid_from
    made = DeadlineRule(
        channel=channel, unit_id=unit_id, days=days, day_type=day_type, source=source, valid_from=valid_from
    )
    session.add(made)
    session.flush()
    facts = {"channel": channel, "unit_id": unit_id, "days": days, "day_type": day_type, "valid_from": valid_from}
    _record(session, "deadline_rule.set", made.id, facts, actor_id)
    return made


def add_offence_type(
    session: Session,
    *,
    code: str,
    family: str,
    name_zh: str,
    name_en: str,
    legal_basis: str,
    valid_from: dt.date,
    actor_id: int,
) -> OffenceType:
    """Add a kind of offence that can be found for calls from *valid_from* on.

    Raises:
        CodeTakenError: if the code is in force on that day.
    """
    in_force = sa.or_(OffenceType.valid_to.is_(None), OffenceType.valid_to > valid_from)
    if session.scalars(sa.select(OffenceType).where(OffenceType.code == code, in_force)).first() is not None:
        raise CodeTakenError(code=code)
    made = OffenceType(
        code=code,
        family=family,
        name_zh=name_zh,
        name_en=name_en,
        legal_basis=legal_basis,
        valid_from=valid_from,
    )
    session.add(made)
    session.flush()
    _record(session, "offence_type.added", made.id, {"code": code, "valid_from": valid_from}, actor_id)
    return made


def retire_offence_type(session: Session, offence_type_id: int, *, valid_to: dt.date, actor_id: int) -> OffenceType:
    """Let nothing be found by a kind of offence for calls from *valid_to* on; its history stays.

    Raises:
        NotFoundError: if there is no such type.
        BackDatedError: if *valid_to* lies before today, or not after the beginning.
    """
    row = session.get(OffenceType, offence_type_id, with_for_update=True)
    if row is None or row.valid_to is not None:
        raise NotFoundError
    if valid_to < clock.today() or valid_to <= row.valid_from:
        raise BackDatedError
    row.valid_to = valid_to
    session.flush()
    _record(session, "offence_type.retired", row.id, {"code": row.code, "valid_to": valid_to}, actor_id)
    return row


def _record(session: Session, action: str, subject_id: int, changes: Mapping[str, object], actor_id: int) -> None:
    subject = action.partition(".")[0]
    record_event(session, actor_id=actor_id, action=action, subject=subject, subject_id=subject_id, changes=changes)
