"""Named reads of what parties may do, each within a scope; and the periods of all of them for a set-based run."""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.models import Capability, OrgUnit, Party, PartyCapability
from supervise.parties.periods import holds_at
from supervise.parties.queries import AT_ONCE, contains, found
from supervise.parties.scope import Scope


class CapabilityFilters(NamedTuple):
    """What the list is narrowed by; *text* fits name or code of the party."""

    text: str = ""
    capability: Capability | None = None
    #: True: only those in force today.
    present: bool = False


class CapabilityLine(NamedTuple):
    """A capability with its party and its area (None: everywhere)."""

    row: PartyCapability
    party: Party
    area: OrgUnit | None


class CapabilityPeriod(NamedTuple):
    """From when until when a party may do something in the region of a unit; None: everywhere."""

    #: The party, or what it was merged into.
    party_id: int
    capability: Capability
    area_unit_id: int | None
    valid_from: dt.date
    valid_to: dt.date | None


def capability_periods(session: Session) -> list[CapabilityPeriod]:
    """Return every period of every party, by party, capability and first day."""
    return [CapabilityPeriod(*row) for row in session.execute(_periods())]


def _survivor() -> ColumnElement[int]:
    return func.coalesce(Party.merged_into_id, Party.id)


def _periods() -> Select[int, Capability, int | None, dt.date, dt.date | None]:
    return (
        select(
            _survivor(),
            PartyCapability.capability,
            PartyCapability.area_unit_id,
            PartyCapability.valid_from,
            PartyCapability.valid_to,
        )
        .join(Party, Party.id == PartyCapability.party_id)
        .order_by(_survivor(), PartyCapability.capability, PartyCapability.valid_from, PartyCapability.id)
    )


def capabilities_by_party(
    session: Session,
    scope: Scope,
    filters: CapabilityFilters,
    *,
    after: tuple[str, int] | None = None,
    limit: int = AT_ONCE,
) -> list[CapabilityLine]:
    """Return up to *limit* capabilities after (party code, id) *after*, by the party's code, each period a row."""
    query = _lines().order_by(Party.code, PartyCapability.id).limit(limit)
    if after is not None:
        code, row_id = after
        query = query.where(or_(Party.code > code, and_(Party.code == code, PartyCapability.id > row_id)))
    if filters.text:
        query = query.where(or_(contains(Party.name, filters.text), contains(Party.code, filters.text)))
    if filters.capability is not None:
        query = query.where(PartyCapability.capability == filters.capability)
    if filters.present:
        query = query.where(holds_at(PartyCapability.valid_from, PartyCapability.valid_to, clock.today()))
    return [CapabilityLine(*row) for row in session.execute(scope.limit(query, party=PartyCapability.party_id))]


def capabilities_of_party(session: Session, party_id: int) -> list[CapabilityLine]:
    """Return what the party may and might do, by capability, the latest first."""
    order = (PartyCapability.capability, PartyCapability.valid_from.desc(), PartyCapability.id.desc())
    query = _lines().where(PartyCapability.party_id == party_id).order_by(*order)
    return [CapabilityLine(*row) for row in session.execute(query)]


def capability_in_scope(session: Session, scope: Scope, capability_id: int) -> CapabilityLine:
    """Return the capability.

    Raises:
        NotFoundError: if there is none, or its party is not the user's.
    """
    line = found(session.execute(_lines().where(PartyCapability.id == capability_id)).one_or_none())
    scope.check(None, line[0].party_id)
    return CapabilityLine(*line)


def _lines() -> Select[PartyCapability, Party, OrgUnit]:
    return (
        select(PartyCapability, Party, OrgUnit)
        .join(Party, Party.id == PartyCapability.party_id)
        .outerjoin(OrgUnit, OrgUnit.id == PartyCapability.area_unit_id)
    )
