"""The taxonomy of offences as pages show it."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.complaints.models import OffenceType
from supervise.errors import NotFoundError


def offence_types(session: Session) -> dict[str, OffenceType]:
    """Return the newest row of every code, by code; retired types too, since old amounts name them."""
    rows = session.scalars(select(OffenceType).order_by(OffenceType.code, OffenceType.valid_from))
    return {row.code: row for row in rows}


def offence_type_by_id(session: Session, offence_type_id: int) -> OffenceType:
    """Return one row of the taxonomy: words and legal basis as they were when it was applied.

    Raises:
        NotFoundError: if there is none.
    """
    row = session.get(OffenceType, offence_type_id)
    if row is None:
        raise NotFoundError
    return row


def offence_types_in_force(session: Session, on: dt.date) -> list[OffenceType]:
    """Return the types that can be found on the day, by code."""
    query = select(OffenceType).where(
        OffenceType.valid_from <= on, OffenceType.valid_to.is_(None) | (OffenceType.valid_to > on)
    )
    return list(session.scalars(query.order_by(OffenceType.code)))
