"""Numbers that a carrier declared official for a use, dated (domain F24)."""

import datetime as dt
import functools
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.audit.record import changed, record_event
from supervise.bulk import slices
from supervise.parties.locks import load, load_version
from supervise.parties.models import Carrier, OfficialNumber, OfficialUse
from supervise.parties.periods import check_order, in_words, overlaps
from supervise.parties.refusals import NoSuchRowError, OfficialOverlapError

_record = functools.partial(record_event, subject="official_number")


def official_use_at(session: Session, digits: str, on: dt.date) -> OfficialNumber | None:
    """Return what the number was official for *on* the China day; None: it was not official.

    A number that was both, on one day, is an outbound number: what it may be used for is the wider question.
    """
    return official_uses_at(session, [(digits, on)]).get((digits, on))


def official_uses_at(
    session: Session, pairs: Iterable[tuple[str, dt.date]]
) -> dict[tuple[str, dt.date], OfficialNumber]:
    """Return the official use of each (digits, day), as ``official_use_at`` does; what was not official is left out."""
    wanted = set(pairs)
    rows: dict[str, list[OfficialNumber]] = {}
    for some in slices(sorted({digits for digits, _on in wanted})):
        query = select(OfficialNumber).where(OfficialNumber.digits.in_(some))
        for row in session.scalars(query.order_by(OfficialNumber.id)):
            rows.setdefault(row.digits, []).append(row)
    found = {}
    for digits, on in wanted:
        official = [
            row for row in rows.get(digits, ()) if row.valid_from <= on and (row.valid_to is None or on < row.valid_to)
        ]
        if official:
            found[digits, on] = min(official, key=lambda row: (row.use is not OfficialUse.OUTBOUND, row.id))
    return found


def declare_official(
    session: Session,
    *,
    carrier_code: str,
    digits: str,
    use: OfficialUse,
    legal_basis: str,
    valid_from: dt.date,
    actor_id: int,
    valid_to: dt.date | None = None,
) -> OfficialNumber:
    """Declare a number official for a use from a day on.

    Raises:
        NoSuchRowError: for an unknown carrier.
        PeriodOrderError: for an empty period.
        OfficialOverlapError: if the carrier has declared it for that use in the period already.
    """
    check_order(valid_from, valid_to)
    if session.get(Carrier, carrier_code) is None:
        raise NoSuchRowError
    _check_free(session, carrier_code, digits, use, (valid_from, valid_to))
    row = OfficialNumber(
        carrier_code=carrier_code,
        digits=digits,
        use=use,
        legal_basis=legal_basis,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    session.add(row)
    session.flush()
    changes = {
        "carrier": carrier_code,
        "digits": digits,
        "use": use,
        "legal_basis": legal_basis,
        "valid_from": valid_from,
        "valid_to": valid_to,
    }
    _record(session, subject_id=row.id, action="official_number.declared", actor_id=actor_id, changes=changes)
    return row


def end_official(session: Session, official_id: int, *, on: dt.date, reason: str | None, actor_id: int) -> None:
    """Let an official use end; *on* is the first day without it.

    Raises:
        NoSuchRowError: if there is none.
        PeriodOrderError: if it would end before it began.
        OfficialOverlapError: if a later end runs into the next declaration.
    """
    row = load(session, OfficialNumber, official_id)
    check_order(row.valid_from, on)
    if row.valid_to is not None and on > row.valid_to:
        _check_free(session, row.carrier_code, row.digits, row.use, (row.valid_to, on))
    changes = {"valid_to": [row.valid_to, on]}
    row.valid_to = on
    row.version += 1
    _record(
        session,
        subject_id=official_id,
        action="official_number.ended",
        actor_id=actor_id,
        changes=changes,
        reason=reason,
    )


def correct_official(
    session: Session,
    official_id: int,
    *,
    legal_basis: str,
    valid_from: dt.date,
    valid_to: dt.date | None,
    reason: str,
    version: int,
    actor_id: int,
) -> OfficialNumber:
    """Correct legal basis or period of a declaration; the trail keeps them as they were.

    Carrier, number and use are what the row is about. Verdicts on calls in between are not touched: a job proposes
    to look at them again.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
        PeriodOrderError: for an empty period.
        OfficialOverlapError: if the carrier has declared the number for that use in the new period already.
    """
    check_order(valid_from, valid_to)
    row = load_version(session, OfficialNumber, official_id, version)
    _check_free(session, row.carrier_code, row.digits, row.use, (valid_from, valid_to), besides=official_id)
    before = _facts(row)
    row.legal_basis, row.valid_from, row.valid_to = legal_basis, valid_from, valid_to
    session.flush()
    _record(
        session,
        subject_id=official_id,
        action="official_number.corrected",
        actor_id=actor_id,
        changes=changed(before, _facts(row)),
        reason=reason,
    )
    return row


def _facts(row: OfficialNumber) -> dict[str, Any]:
    return {"legal_basis": row.legal_basis, "valid_from": row.valid_from, "valid_to": row.valid_to}


def _check_free(
    session: Session,
    carrier_code: str,
    digits: str,
    use: OfficialUse,
    period: tuple[dt.date, dt.date | None],
    *,
    besides: int = 0,
) -> None:
    # The database refuses the same: ex_official_number_overlap, official_number_no_overlap_*.
    query = (
        select(OfficialNumber.valid_from, OfficialNumber.valid_to)
        .where(
            OfficialNumber.carrier_code == carrier_code,
            OfficialNumber.digits == digits,
            OfficialNumber.use == use,
            OfficialNumber.id != besides,
            overlaps(OfficialNumber.valid_from, OfficialNumber.valid_to, *period),
        )
        .order_by(OfficialNumber.valid_from)
        .limit(1)
    )
    other = session.execute(query).one_or_none()
    if other is not None:
        raise OfficialOverlapError(digits=digits, first=in_words(other.valid_from), end=in_words(other.valid_to))
