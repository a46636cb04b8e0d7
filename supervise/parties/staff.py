"""Decisions on staff numbers (工号): given to a worker of an employer for a period, reused only after its end."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.db import take_turn
from supervise.parties.locks import load
from supervise.parties.models import Carrier, Party, PartyStatus, StaffNumber
from supervise.parties.periods import check_order, in_words, overlaps
from supervise.parties.refusals import (
    MergedError,
    StaffOverlapError,
    TerminatedPartyError,
    UnknownCarrierError,
)


def assign_staff_number(
    session: Session,
    *,
    carrier_code: str,
    staff_number: str,
    employer_id: int,
    valid_from: dt.date,
    actor_id: int,
    valid_to: dt.date | None = None,
    placed_at_id: int | None = None,
    alias: str | None = None,
) -> StaffNumber:
    """Give a staff number to a worker of *employer_id*, who sits at *placed_at_id*, for a period.

    Raises:
        UnknownCarrierError, NoSuchRowError: if carrier, employer or place is unknown.
        MergedError, TerminatedPartyError: if the employer takes nothing new.
        PeriodOrderError: for an empty period.
        StaffOverlapError: naming whose worker has it.
    """
    check_order(valid_from, valid_to)
    if session.get(Carrier, carrier_code) is None:
        raise UnknownCarrierError(code=carrier_code)
    _check_employer(session, employer_id)
    if placed_at_id is not None:
        load(session, Party, placed_at_id)
    _check_free(session, carrier_code, staff_number, (valid_from, valid_to))
    row = StaffNumber(
        carrier_code=carrier_code,
        staff_number=staff_number,
        alias=alias,
        employer_id=employer_id,
        placed_at_id=placed_at_id,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    session.add(row)
    session.flush()
    changes = {
        "carrier": carrier_code,
        "employer_id": employer_id,
        "placed_at_id": placed_at_id,
        "valid_from": valid_from,
        "valid_to": valid_to,
    }
    _record(session, row.id, "staff_number.assigned", actor_id=actor_id, changes=changes)
    return row


def end_staff_number(session: Session, staff_id: int, *, on: dt.date, reason: str | None, actor_id: int) -> StaffNumber:
    """Let the worker's period end; *on* is the first day on which the number may go to another.

    Raises:
        NoSuchRowError: if there is none.
        PeriodOrderError: if it would end before it began.
        StaffOverlapError: if a later end runs into the next worker's period.
    """
    row = load(session, StaffNumber, staff_id)
    check_order(row.valid_from, on)
    if row.valid_to is not None and on > row.valid_to:
        _check_free(session, row.carrier_code, row.staff_number, (row.valid_to, on))
    changes = {"valid_to": [row.valid_to, on]}
    row.valid_to = on
    row.version += 1
    session.flush()
    _record(session, staff_id, "staff_number.ended", actor_id=actor_id, changes=changes, reason=reason)
    return row


def _check_employer(session: Session, employer_id: int) -> None:
    employer = load(session, Party, employer_id)
    if employer.merged_into_id is not None:
        raise MergedError(name=employer.name, other=load(session, Party, employer.merged_into_id).name)
    if employer.status is PartyStatus.TERMINATED:
        raise TerminatedPartyError(name=employer.name)


def _check_free(session: Session, carrier_code: str, staff_number: str, period: tuple[dt.date, dt.date | None]) -> None:
    # Two people give the same new number at once: the second waits, then is refused in the words below.
    take_turn(session, f"parties.staff_number.{carrier_code}.{staff_number}")
    # The database refuses the same: ex_staff_number_overlap, staff_number_no_overlap_*.
    query = (
        select(Party.name, StaffNumber.valid_from, StaffNumber.valid_to)
        .join(Party, Party.id == StaffNumber.employer_id)
        .where(
            StaffNumber.carrier_code == carrier_code,
            StaffNumber.staff_number == staff_number,
            overlaps(StaffNumber.valid_from, StaffNumber.valid_to, *period),
        )
        .order_by(StaffNumber.valid_from)
        .limit(1)
    )
    other = session.execute(query).one_or_none()
    if other is not None:
        name, first, end = other
        raise StaffOverlapError(number=staff_number, name=name, first=in_words(first), end=in_words(end))


def _record(
    session: Session,
    staff_id: int,
    action: str,
    *,
    actor_id: int,
    changes: Mapping[str, Any],
    reason: str | None = None,
) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="staff_number",
        subject_id=staff_id,
        changes=changes,
        reason=reason,
    )
