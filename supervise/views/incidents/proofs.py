"""What the page of a call shows of its evidence, its verification log and the suspicion on its number."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.queries import display_names
from supervise.attribution.incident_evidence import Evidence, evidence_of
from supervise.attribution.proof_models import VerificationEntry, VerificationOutcome
from supervise.attribution.reporters import Suspicion, suspected_numbers
from supervise.attribution.verification import verification_log
from supervise.complaints.models import Incident


class Proofs(NamedTuple):
    """What findings of a call rest on."""

    evidence: list[Evidence]
    log: list[VerificationEntry]
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
        return {one.attachment.id: one.attachment.file_name for one in self.evidence}


def proofs_of(session: Session, incident: Incident) -> Proofs:
    """Return what the findings of *incident* rest on."""
    evidence, log = evidence_of(session, incident.id), list(verification_log(session, incident.id))
    people = {entry.entered_by for entry in log} | {one.link.added_by for one in evidence}
    people |= {one.link.withdrawn_by for one in evidence if one.link.withdrawn_by is not None}
    people |= {one.hold.placed_by for one in evidence if one.hold is not None}
    number = incident.caller_number
    suspicion = suspected_numbers(session, [number], clock.today()).get(number) if number else None
    return Proofs(evidence, log, suspicion, display_names(session, people))
