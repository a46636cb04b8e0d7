"""What waits for a second person of the registers and of records, as ``second_person_matters``."""

from typing import Any

from sqlalchemy import Select, String, cast, func

from supervise.attribution.models import Finding
from supervise.complaints.models import Incident
from supervise.desk.second_person_matters import waiting
from supervise.evidence.models import LegalHold
from supervise.parties.merge_models import MergeState, PartyMerge
from supervise.parties.models import Party, ProposalState, RegisterProposal
from supervise.penalties.spare_models import SparedFinding


def register_changes() -> Select[*tuple[Any, ...]]:
    """Return register changes that wait."""
    columns = waiting(
        RegisterProposal.id,
        cast(RegisterProposal.id, String()),
        RegisterProposal.proposed_by,
        at=RegisterProposal.proposed_at,
    )
    return columns.where(RegisterProposal.state == ProposalState.OPEN).order_by(RegisterProposal.id)


def mergers() -> Select[*tuple[Any, ...]]:
    """Return mergers of parties that wait."""
    columns = waiting(
        PartyMerge.id,
        Party.code,
        PartyMerge.proposed_by,
        about=Party.name,
        reason=PartyMerge.reason,
        amount_fen=PartyMerge.open_fen,
        at=PartyMerge.proposed_at,
    )
    return (
        columns.select_from(PartyMerge)
        .join(Party, Party.id == PartyMerge.party_id)
        .where(PartyMerge.state == MergeState.OPEN)
        .order_by(PartyMerge.id)
    )


def hold_releases() -> Select[*tuple[Any, ...]]:
    """Return hold releases that wait."""
    columns = waiting(
        LegalHold.id,
        cast(LegalHold.id, String()),
        LegalHold.placed_by,
        about=LegalHold.reason,
        reason=LegalHold.release_asked_reason,
        at=LegalHold.release_asked_at,
    )
    asked = LegalHold.release_asked_at.is_not(None)
    return columns.where(asked, LegalHold.released_at.is_(None)).order_by(LegalHold.release_asked_at, LegalHold.id)


def sparings() -> Select[*tuple[Any, ...]]:
    """Return spared offences that wait for who agrees that nobody is charged, by the number that called."""
    columns = waiting(
        Finding.incident_id,
        func.coalesce(Incident.caller_number, cast(Incident.id, String())),
        SparedFinding.spared_by,
        about=Party.name,
        reason=SparedFinding.reason,
        at=SparedFinding.spared_at,
    )
    return (
        columns.select_from(SparedFinding)
        .join(Finding, Finding.id == SparedFinding.finding_id)
        .join(Incident, Incident.id == Finding.incident_id)
        .outerjoin(Party, Party.id == Finding.party_id)
        .where(SparedFinding.agreed_at.is_(None), SparedFinding.brought_back_at.is_(None))
        .order_by(SparedFinding.id)
    )
