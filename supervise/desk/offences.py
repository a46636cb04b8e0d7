"""Offence types to choose from: those of the taxonomy that hold on a day."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise.complaints.models import OffenceType


def offences_on(session: Session, day: dt.date) -> Sequence[OffenceType]:
    """Return the offence types that hold on the day, by family and code."""
    query = (
        select(OffenceType)
        .where(OffenceType.valid_from <= day, or_(OffenceType.valid_to.is_(None), OffenceType.valid_to > day))
        .order_by(OffenceType.family, OffenceType.code)
    )
    return session.scalars(query).all()
