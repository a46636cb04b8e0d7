"""What the page of a call shows of its evidence, its verification log and the suspicion on its number."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.queries import display_names
from supervise.attribution.incident_evidence import Evidence, evidence_of
from supervise.attribution.proof_models import VerificationEntry, VerificationOutcome
from supervise.attribution.reporters import Suspicion, suspected_numbers
from supervise.attribution.verification import verification_log
from supervise.complaints.link import merged_into
from supervise.complaints.models import Incident
from supervise.evidence.holds import holds_of
from supervise.evidence.models import HoldRequest


class Merged(NamedTuple):
    """What was attached to a call, entered and asked about it before it was recognised as this one."""

    incident: Incident
    evidence: list[Evidence]
    log: list[VerificationEntry]
    holds: Sequence[HoldRequest]


class Proofs(NamedTuple):
    """What findings of a call rest on."""

    evidence: list[Evidence]
    log: list[VerificationEntry]
    #: To be read, each at the call that it came from: nothing there is added, withdrawn or proves this call anew.
    merged: list[Merged]
    #: The calling number is suspected today: so many reporters.
    suspicion: Suspicion | None
    #: Display names of whoever handed in, withdrew, held or entered.
    names: Mapping[int, str]

    @property
    def is_verified(self) -> bool:
        """Whether an entry of the log confirms the call."""
        return any(entry.outcome is VerificationOutcome.CONFIRMED for entry in self.log)

    @property
    def files(self) -> dict[int, str]:
        """The name of each attachment, by its id."""
        every = [*self.evidence, *(one for merged in self.merged for one in merged.evidence)]
        return {one.attachment.id: one.attachment.file_name for one in every}


def proofs_of(session: Session, incident: Incident) -> Proofs:
    """Return what the findings of *incident* rest on."""
    evidence, log = evidence_of(session, incident.id), list(verification_log(session, incident.id))
    merged = [_merged(session, incident_id) for incident_id in merged_into(session, [incident.id])]
    pieces = [*evidence, *(one for each in merged for one in each.evidence)]
    entries = [*log, *(entry for each in merged for entry in each.log)]
    people = {entry.entered_by for entry in entries} | {one.link.added_by for one in pieces}
    people |= {one.link.withdrawn_by for one in pieces if one.link.withdrawn_by is not None}
    people |= {one.hold.placed_by for one in pieces if one.hold is not None}
    people |= {
        by for each in merged for hold in each.holds for by in (hold.asked_by, hold.answered_by) if by is not None
    }
    number = incident.caller_number
    suspicion = suspected_numbers(session, [number], clock.today()).get(number) if number else None
    return Proofs(evidence, log, merged, suspicion, display_names(session, people))


def _merged(session: Session, incident_id: int) -> Merged:
    incident = session.get_one(Incident, incident_id)
    log = list(verification_log(session, incident_id))
    return Merged(incident, evidence_of(session, incident_id), log, holds_of(session, incident_id))
