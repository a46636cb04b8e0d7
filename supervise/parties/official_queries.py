"""Named reads of official numbers: public facts, which everybody who reads reference rows sees alike."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.models import Carrier, OfficialNumber, OfficialUse
from supervise.parties.periods import holds_at
from supervise.parties.queries import AT_ONCE, contains, found


class OfficialFilters(NamedTuple):
    """What the list is narrowed by; *text* is the beginning of the number, or part of the legal basis."""

    text: str = ""
    carrier_code: str = ""
    use: OfficialUse | None = None
    #: True: only those in force today.
    present: bool = False


class OfficialRow(NamedTuple):
    """A declaration and the carrier that made it."""

    row: OfficialNumber
    carrier: Carrier


def officials_by_number(
    session: Session, filters: OfficialFilters, *, after: tuple[str, int] | None = None, limit: int = AT_ONCE
) -> list[OfficialRow]:
    """Return up to *limit* declarations after (number, id) *after*, by number, each period a row."""
    query = (
        select(OfficialNumber, Carrier)
        .join(Carrier, Carrier.code == OfficialNumber.carrier_code)
        .order_by(OfficialNumber.digits, OfficialNumber.id)
        .limit(limit)
    )
    if after is not None:
        digits, official_id = after
        later = and_(OfficialNumber.digits == digits, OfficialNumber.id > official_id)
        query = query.where(or_(OfficialNumber.digits > digits, later))
    if filters.text:
        begins = OfficialNumber.digits.startswith(filters.text, autoescape=True)
        query = query.where(or_(begins, contains(OfficialNumber.legal_basis, filters.text)))
    if filters.carrier_code:
        query = query.where(OfficialNumber.carrier_code == filters.carrier_code)
    if filters.use is not None:
        query = query.where(OfficialNumber.use == filters.use)
    if filters.present:
        query = query.where(holds_at(OfficialNumber.valid_from, OfficialNumber.valid_to, clock.today()))
    return [OfficialRow(*row) for row in session.execute(query)]


def official_by_id(session: Session, official_id: int) -> OfficialRow:
    """Return the declaration.

    Raises:
        NotFoundError: if there is none.
    """
    row = found(session.get(OfficialNumber, official_id))
    return OfficialRow(row, session.get_one(Carrier, row.carrier_code))


def periods_of_official(session: Session, digits: str) -> list[OfficialRow]:
    """Return every declaration of the number, whoever made it, the latest first."""
    query = select(OfficialNumber, Carrier).join(Carrier, Carrier.code == OfficialNumber.carrier_code)
    query = query.where(OfficialNumber.digits == digits).order_by(OfficialNumber.valid_from.desc(), OfficialNumber.id)
    return [OfficialRow(*row) for row in session.execute(query)]


def carriers_by_code(session: Session) -> Sequence[Carrier]:
    """Return the carriers that this installation knows, by code."""
    return session.scalars(select(Carrier).order_by(Carrier.code)).all()


def carrier_names(session: Session) -> dict[str, str]:
    """Return each carrier's name by its code, for texts that people read."""
    return {carrier.code: carrier.name for carrier in carriers_by_code(session)}
