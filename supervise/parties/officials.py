"""Numbers that a carrier declared official for a use, dated (domain F24)."""

import datetime as dt
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.audit.record import record_event
from supervise.bulk import slices
from supervise.parties.locks import load
from supervise.parties.models import Carrier, OfficialNumber, OfficialUse
from supervise.parties.periods import check_order, in_words, overlaps
from supervise.parties.refusals import NoSuchRowError, OfficialOverlapError


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


def official_numbers(session: Session) -> Sequence[OfficialNumber]:
    """Return every official number ever declared, by carrier, number and time."""
    return session.scalars(
        select(OfficialNumber).order_by(OfficialNumber.carrier_code, OfficialNumber.digits, OfficialNumber.valid_from)
    ).all()


def official_by_id(session: Session, official_id: int) -> OfficialNumber:
    """Return the declaration.

    Raises:
        NoSuchRowError: if there is none.
    """
    row = session.get(OfficialNumber, official_id)
    if row is None:
        raise NoSuchRowError
    return row


def carriers_by_code(session: Session) -> Sequence[Carrier]:
    """Return the carriers that this installation knows, by code."""
    return session.scalars(select(Carrier).order_by(Carrier.code)).all()


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
    record_event(
        session,
        actor_id=actor_id,
        action="official_number.declared",
        subject="official_number",
        subject_id=row.id,
        changes={"carrier": carrier_code, "digits": digits, "use": use, "valid_from": valid_from},
    )
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
    before, row.valid_to = row.valid_to, on
    record_event(
        session,
        actor_id=actor_id,
        action="official_number.ended",
        subject="official_number",
        subject_id=official_id,
        changes={"valid_to": [before, on]},
        reason=reason,
    )


def _check_free(
    session: Session, carrier_code: str, digits: str, use: OfficialUse, period: tuple[dt.date, dt.date | None]
) -> None:
    # The database refuses the same: ex_official_number_overlap, official_number_no_overlap_*.
    query = (
        select(OfficialNumber)
        .where(
            OfficialNumber.carrier_code == carrier_code,
            OfficialNumber.digits == digits,
            OfficialNumber.use == use,
            overlaps(OfficialNumber.valid_from, OfficialNumber.valid_to, *period),
        )
        .limit(1)
    )
    other = session.scalars(query).one_or_none()
    if other is not None:
        raise OfficialOverlapError(digits=digits, first=in_words(other.valid_from), end=in_words(other.valid_to))
