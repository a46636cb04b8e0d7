"""Decisions on staff numbers (工号): given to a worker of an employer for a period, reused only after its end."""

import datetime as dt
import functools
from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import Session

from supervise.audit.record import changed, record_event
from supervise.db import take_turn
from supervise.parties.locks import load, load_version
from supervise.parties.models import Carrier, Party, StaffNumber
from supervise.parties.periods import check_order, first_overlap
from supervise.parties.refusals import StaffOverlapError, UnknownCarrierError
from supervise.parties.standing import check_takes_new

_record = functools.partial(record_event, subject="staff_number")


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
    check_takes_new(session, employer_id)
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
    _record(session, subject_id=row.id, action="staff_number.assigned", actor_id=actor_id, changes=changes)
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
    _record(
        session, subject_id=staff_id, action="staff_number.ended", actor_id=actor_id, changes=changes, reason=reason
    )
    return row


def correct_staff_number(
    session: Session,
    staff_id: int,
    *,
    alias: str | None,
    placed_at_id: int | None,
    valid_from: dt.date,
    valid_to: dt.date | None,
    reason: str,
    version: int,
    actor_id: int,
) -> StaffNumber:
    """Correct alias, place or period of a worker; the trail keeps them as they were.

    The employer is what the row is about: another employer is another period.

    Raises:
        NoSuchRowError, ConflictError: if the row or the place is gone, or it was changed since *version*.
        PeriodOrderError: for an empty period.
        StaffOverlapError: naming whose worker has the number in the new period.
    """
    check_order(valid_from, valid_to)
    row = load_version(session, StaffNumber, staff_id, version)
    if placed_at_id is not None:
        load(session, Party, placed_at_id)
    _check_free(session, row.carrier_code, row.staff_number, (valid_from, valid_to), besides=staff_id)
    before = _facts(row)
    # The alias is how a person calls themselves: the trail says that it changed, never what it was.
    alias_changed = {"alias": ["***", "***"]} if alias != row.alias else {}
    row.alias, row.placed_at_id, row.valid_from, row.valid_to = alias, placed_at_id, valid_from, valid_to
    session.flush()
    _record(
        session,
        subject_id=staff_id,
        action="staff_number.corrected",
        actor_id=actor_id,
        changes={**changed(before, _facts(row)), **alias_changed},
        reason=reason,
    )
    return row


def _facts(row: StaffNumber) -> dict[str, Any]:
    return {"placed_at_id": row.placed_at_id, "valid_from": row.valid_from, "valid_to": row.valid_to}


def _check_free(
    session: Session,
    carrier_code: str,
    staff_number: str,
    period: tuple[dt.date, dt.date | None],
    *,
    besides: int = 0,
) -> None:
    # Two people give the same new number at once: the second waits, then is refused in the words below.
    take_turn(session, f"parties.staff_number.{carrier_code}.{staff_number}")
    # The database refuses the same: ex_staff_number_overlap, staff_number_no_overlap_*.
    of_number = and_(
        StaffNumber.carrier_code == carrier_code, StaffNumber.staff_number == staff_number, StaffNumber.id != besides
    )
    taken = first_overlap(
        session, of_number, (StaffNumber.valid_from, StaffNumber.valid_to), period, StaffNumber.employer_id
    )
    if taken is not None:
        raise StaffOverlapError(number=staff_number, **taken)
