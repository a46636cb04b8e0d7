"""How many working days each mediator has: dated rows (domain R17).

A new row begins today or later and ends the one before it: mediations opened before keep the term they were given.
"""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.dispute_models import MediationTerm, Mediator
from supervise.complaints.reference import BackDatedError
from supervise.db import take_turn
from supervise.errors import InvalidInputError
from supervise.labels import N_

DAYS_MAX = 365


def set_mediation_term(
    session: Session, mediator: Mediator, *, working_days: int, source: str, valid_from: dt.date, actor_id: int
) -> MediationTerm:
    """Give a mediator another term from *valid_from* on; the row before it ends there.

    Raises:
        InvalidInputError: if it is no term, or nothing says so.
        BackDatedError: if *valid_from* lies before today, or a row begins on that day or later.
    """
    if not 1 <= working_days <= DAYS_MAX:
        raise InvalidInputError(N_("A term has from 1 to 365 working days"))
    if not source.strip():
        raise InvalidInputError(N_("Say where the term stands"))
    take_turn(session, MediationTerm.__tablename__)
    rivals = session.scalars(
        select(MediationTerm).where(MediationTerm.mediator == mediator, _is_not_over(valid_from))
    ).all()
    if valid_from < clock.today() or any(rival.valid_from >= valid_from for rival in rivals):
        raise BackDatedError
    for rival in rivals:
        rival.valid_to = valid_from
    row = MediationTerm(mediator=mediator, working_days=working_days, source=source.strip(), valid_from=valid_from)
    session.add(row)
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="mediation_term.set",
        subject="mediation_term",
        subject_id=row.id,
        changes={"mediator": mediator, "working_days": working_days, "valid_from": valid_from},
        reason=row.source,
    )
    return row


def term_days(session: Session, mediator: Mediator, on: dt.date) -> int | None:
    """Return the working days of a mediation that begins on China day *on*; None: no row says."""
    return session.scalar(
        select(MediationTerm.working_days).where(
            MediationTerm.mediator == mediator, MediationTerm.valid_from <= on, _is_not_over(on)
        )
    )


def mediation_terms(session: Session) -> Sequence[MediationTerm]:
    """Return every row, by mediator, the latest first."""
    return session.scalars(
        select(MediationTerm).order_by(MediationTerm.mediator, MediationTerm.valid_from.desc())
    ).all()


def _is_not_over(on: dt.date) -> ColumnElement[bool]:
    return or_(MediationTerm.valid_to.is_(None), MediationTerm.valid_to > on)
