"""How long others must keep evidence, and we our records: dated rows, and the days that follow from them (R11, R14).

A new row begins today or later and ends the one before it: calls and records of earlier days keep the clock
of their day.
"""

import calendar
import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.models import Incident, IncidentKind
from supervise.complaints.reference import BackDatedError
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError
from supervise.evidence.models import EvidenceClock, EvidenceForm, RecordKind, RecordRetention
from supervise.labels import N_

#: What a call or message leaves with whoever made it.
FORM_OF: Mapping[IncidentKind, EvidenceForm] = {
    IncidentKind.CALL: EvidenceForm.RECORDING,
    IncidentKind.SMS: EvidenceForm.SMS_LOG,
}
KIND_OF: Mapping[EvidenceForm, IncidentKind] = {form: kind for kind, form in FORM_OF.items()}
#: Longer clocks are typing errors.
MONTHS_MAX = 600
DAYS_MAX = 3_650
#: A month and the clamping of its last day; the search for the last day of a clock begins so far ahead.
_SLACK = dt.timedelta(days=4)
_DAY = dt.timedelta(days=1)

Dated = TypeVar("Dated", EvidenceClock, RecordRetention)


class KeepsNothingError(InvalidInputError):
    """No time at all, or a longer one than anybody keeps anything."""

    message = N_("Enter how long it is kept: up to 600 months and 3,650 days, and not nothing")


class ClockPlannedError(ConflictError):
    """A later row is set already."""

    message = N_("A row that begins on %(first)s is set already; begin after that day")


class Reach(NamedTuple):
    """Days of events to which a clock applies and whose time ends in a period: ``[first, last]``."""

    first: dt.date
    last: dt.date


def set_clock(
    session: Session,
    evidence: EvidenceForm,
    *,
    keep_months: int,
    keep_days: int,
    legal_basis: str,
    valid_from: dt.date,
    actor_id: int,
) -> EvidenceClock:
    """Count by another clock for calls and messages from *valid_from* on.

    Raises:
        KeepsNothingError: for no time, or too much of it.
        BackDatedError: if *valid_from* lies before today.
        ClockPlannedError: if a row begins on that day or later.
    """
    if not (0 <= keep_months <= MONTHS_MAX and 0 <= keep_days <= DAYS_MAX) or keep_months + keep_days == 0:
        raise KeepsNothingError
    _end_the_one_before(session, EvidenceClock, EvidenceClock.evidence == evidence, valid_from)
    row = EvidenceClock(
        evidence=evidence,
        keep_months=keep_months,
        keep_days=keep_days,
        legal_basis=legal_basis,
        valid_from=valid_from,
    )
    facts = {"evidence": evidence, "keep_months": keep_months, "keep_days": keep_days}
    return _enter(session, row, "evidence_clock", {**facts, "valid_from": valid_from}, actor_id)


def set_retention(
    session: Session, kind: RecordKind, *, keep_months: int, legal_basis: str, valid_from: dt.date, actor_id: int
) -> RecordRetention:
    """Keep records of days from *valid_from* on for another time.

    Raises:
        KeepsNothingError: for no time, or too much of it.
        BackDatedError: if *valid_from* lies before today.
        ClockPlannedError: if a row begins on that day or later.
    """
    if not 0 < keep_months <= MONTHS_MAX:
        raise KeepsNothingError
    _end_the_one_before(session, RecordRetention, RecordRetention.kind == kind, valid_from)
    row = RecordRetention(kind=kind, keep_months=keep_months, legal_basis=legal_basis, valid_from=valid_from)
    facts = {"kind": kind, "keep_months": keep_months, "valid_from": valid_from}
    return _enter(session, row, "record_retention", facts, actor_id)


def _end_the_one_before(session: Session, table: type[Dated], same: ColumnElement[bool], valid_from: dt.date) -> None:
    if valid_from < clock.today():
        raise BackDatedError
    take_turn(session, table.__tablename__)
    still = or_(table.valid_to.is_(None), table.valid_to > valid_from)
    rivals = session.scalars(select(table).where(same, still).order_by(table.valid_from.desc())).all()
    if rivals and rivals[0].valid_from >= valid_from:
        raise ClockPlannedError(first=f"{rivals[0].valid_from}")
    for rival in rivals:
        rival.valid_to = valid_from
    session.flush()


def _enter(session: Session, row: Dated, subject: str, changes: Mapping[str, object], actor_id: int) -> Dated:
    session.add(row)
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action=f"{subject}.set",
        subject=subject,
        subject_id=row.id,
        changes={**changes, "legal_basis": row.legal_basis},
    )
    return row


def clock_periods(session: Session) -> Sequence[EvidenceClock]:
    """Return every evidence clock, by form of evidence, the latest first."""
    return session.scalars(
        select(EvidenceClock).order_by(EvidenceClock.evidence, EvidenceClock.valid_from.desc())
    ).all()


def retention_periods(session: Session) -> Sequence[RecordRetention]:
    """Return every retention period, by kind of record, the latest first."""
    return session.scalars(
        select(RecordRetention).order_by(RecordRetention.kind, RecordRetention.valid_from.desc())
    ).all()


def expires_on(session: Session, incidents: Iterable[Incident]) -> dict[int, dt.date]:
    """Return for each incident, by id, the last day on which its recording or SMS log must be there.

    An incident of a day without a clock is not in it.
    """
    wanted = list(incidents)
    days = expiry_days(session, {(one.kind, one.occurred_on) for one in wanted})
    return {one.id: days[one.kind, one.occurred_on] for one in wanted if (one.kind, one.occurred_on) in days}


def expiry_days(
    session: Session, events: Collection[tuple[IncidentKind, dt.date]]
) -> dict[tuple[IncidentKind, dt.date], dt.date]:
    """Return the last day on which evidence must be there, for each kind and day that has a clock."""
    if not events:
        return {}
    rows = clock_periods(session)
    found = {}
    for kind, day in events:
        for row in rows:
            if row.evidence is FORM_OF[kind] and _applies(row, day):
                found[kind, day] = after(day, row.keep_months, row.keep_days)
    return found


def _applies(row: EvidenceClock, day: dt.date) -> bool:
    return row.valid_from <= day and (row.valid_to is None or day < row.valid_to)


def after(day: dt.date, months: int, days: int = 0) -> dt.date:
    """Return the day so many calendar months and then days later; 31 January and a month is the last of February."""
    place = day.month - 1 + months
    year, month = day.year + place // 12, place % 12 + 1
    return day.replace(year=year, month=month, day=min(day.day, calendar.monthrange(year, month)[1])) + days * _DAY


def days_ending_by(rows: Iterable[EvidenceClock | RecordRetention], last: dt.date) -> list[Reach]:
    """Return the days of events whose time, by one of *rows*, ends on *last* or before."""
    found = []
    for row in rows:
        days = row.keep_days if isinstance(row, EvidenceClock) else 0
        # Later days never end earlier, so the days are one stretch; it is met from above.
        day = after(last - days * _DAY, -row.keep_months) + _SLACK
        while after(day, row.keep_months, days) > last:
            day -= _DAY
        end = day if row.valid_to is None else min(day, row.valid_to - _DAY)
        if end >= row.valid_from:
            found.append(Reach(row.valid_from, end))
    return found


def within(column: InstrumentedAttribute[dt.date], reaches: Iterable[Reach]) -> ColumnElement[bool]:
    """Return the condition that the day of a row is in one of *reaches*; none: never."""
    parts = [and_(column >= one.first, column <= one.last) for one in reaches]
    return or_(*parts) if parts else column.is_(None)
