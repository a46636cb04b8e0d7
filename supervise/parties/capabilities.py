"""Decisions on what a party may do for the carrier: dated, in an area or everywhere (domain F26)."""

import datetime as dt

from sqlalchemy import and_
from sqlalchemy.orm import Session

from supervise.audit.record import changed
from supervise.parties.locks import load, load_version
from supervise.parties.models import Capability, OrgUnit, PartyCapability
from supervise.parties.periods import check_order, first_overlap
from supervise.parties.refusals import CapabilityOverlapError
from supervise.parties.relations import record_party
from supervise.parties.standing import check_takes_new


def grant_capability(
    session: Session,
    *,
    party_id: int,
    capability: Capability,
    area_unit_id: int | None,
    valid_from: dt.date,
    source: str,
    actor_id: int,
    valid_to: dt.date | None = None,
) -> PartyCapability:
    """Note that a party may do something from a day on, in the region of a unit (*area_unit_id*) or everywhere.

    Raises:
        NoSuchRowError, MergedError, TerminatedPartyError: if the party takes nothing new, or there is no such unit.
        PeriodOrderError: if the period is empty.
        CapabilityOverlapError: if it has the same capability for the same area then.
    """
    check_order(valid_from, valid_to)
    check_takes_new(session, party_id)
    if area_unit_id is not None:
        load(session, OrgUnit, area_unit_id)
    _check_free(session, (party_id, capability, area_unit_id), (valid_from, valid_to))
    row = PartyCapability(
        party_id=party_id,
        capability=capability,
        area_unit_id=area_unit_id,
        valid_from=valid_from,
        valid_to=valid_to,
        source=source,
    )
    session.add(row)
    session.flush()
    changes = {
        "capability": capability,
        "unit_id": area_unit_id,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "source": row.source,
    }
    record_party(session, subject_id=party_id, action="party.capability_granted", actor_id=actor_id, changes=changes)
    return row


def end_capability(
    session: Session, capability_id: int, *, on: dt.date, reason: str | None, actor_id: int
) -> PartyCapability:
    """Let a capability end; *on* is the first day without it. An end that was wrong is corrected the same way.

    Raises:
        NoSuchRowError: if there is none.
        PeriodOrderError: if it would end before it began.
        CapabilityOverlapError: if a later end runs into the next period.
    """
    row = load(session, PartyCapability, capability_id)
    check_order(row.valid_from, on)
    if row.valid_to is not None and on > row.valid_to:
        _check_free(session, (row.party_id, row.capability, row.area_unit_id), (row.valid_to, on))
    changes = {"capability": row.capability, "unit_id": row.area_unit_id, "valid_to": [row.valid_to, on]}
    row.valid_to = on
    row.version += 1
    record_party(
        session,
        subject_id=row.party_id,
        action="party.capability_ended",
        actor_id=actor_id,
        changes=changes,
        reason=reason,
    )
    return row


def correct_capability(
    session: Session,
    capability_id: int,
    *,
    valid_from: dt.date,
    valid_to: dt.date | None,
    source: str,
    reason: str,
    version: int,
    actor_id: int,
) -> PartyCapability:
    """Correct period or source of a capability; the trail keeps them as they were.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
        PeriodOrderError: for an empty period.
        CapabilityOverlapError: if the party has the same capability for the same area in the new period already.
    """
    check_order(valid_from, valid_to)
    row = load_version(session, PartyCapability, capability_id, version)
    key = (row.party_id, row.capability, row.area_unit_id)
    _check_free(session, key, (valid_from, valid_to), besides=capability_id)
    before = _facts(row)
    row.valid_from, row.valid_to, row.source = valid_from, valid_to, source
    session.flush()
    which = {"capability": row.capability, "unit_id": row.area_unit_id}
    record_party(
        session,
        subject_id=row.party_id,
        action="party.capability_corrected",
        actor_id=actor_id,
        changes=which | changed(before, _facts(row)),
        reason=reason,
    )
    return row


def _facts(row: PartyCapability) -> dict[str, object]:
    return {"valid_from": row.valid_from, "valid_to": row.valid_to, "source": row.source}


def _check_free(
    session: Session,
    key: tuple[int, Capability, int | None],
    period: tuple[dt.date, dt.date | None],
    *,
    besides: int = 0,
) -> None:
    # The database refuses the same: ex_party_capability_overlap, party_capability_no_overlap_*.
    party_id, capability, area_unit_id = key
    same = and_(
        PartyCapability.party_id == party_id,
        PartyCapability.capability == capability,
        PartyCapability.area_unit_id.is_not_distinct_from(area_unit_id),
        PartyCapability.id != besides,
    )
    dated = (PartyCapability.valid_from, PartyCapability.valid_to)
    taken = first_overlap(session, same, dated, period, PartyCapability.party_id)
    if taken is not None:
        raise CapabilityOverlapError(**taken)
