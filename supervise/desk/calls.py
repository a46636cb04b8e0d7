"""The story of incidents: who answers for each and why, what is proven, which money comes of it, who else reported it.

Read in a few queries for as many incidents as a page shows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.candidates import Suggestion, suggestions
from supervise.attribution.checklists import Answer, answers_of
from supervise.attribution.models import Attribution, AttributionState, Finding, IncidentVerdict
from supervise.compensation.models import Credit
from supervise.complaints.models import (
    Channel,
    Incident,
    LinkHow,
    OffenceType,
    SubscriberNumber,
    Ticket,
    TicketIncident,
    TicketState,
)
from supervise.desk.parties import names_of
from supervise.desk.permissions import HeldThen, held_then
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.models import Penalty


class VerdictLine(NamedTuple):
    """A verdict with the words for its parties."""

    attribution: Attribution
    party: str | None
    #: Names from the caller up to the branch, as of the call.
    chain: tuple[str, ...]
    #: Whom the evidence led to when it was decided.
    suggested: str | None = None


class FindingLine(NamedTuple):
    """A finding with the offence type of that day: words and legal basis."""

    finding: Finding
    offence: OffenceType
    #: How the finding answered the type's checklist.
    answers: tuple[Answer, ...] = ()


class PenaltyLine(NamedTuple):
    """A penalty with its payer, and whether the reader may open its page."""

    penalty: Penalty
    party: str
    unit: str | None
    in_reach: bool


class CreditLine(NamedTuple):
    """A credit, and whether the reader may open its page."""

    credit: Credit
    in_reach: bool


class Sibling(NamedTuple):
    """A ticket that reports the incident."""

    ticket_id: int
    reference: str
    external_ref: str | None
    channel: Channel
    state: TicketState
    how: LinkHow
    #: When this ticket says it happened; None if a person linked it.
    reported_at: Any
    in_reach: bool


@dataclass(frozen=True)
class CallStory:
    """One incident with everything that hangs on it."""

    incident: Incident
    number_mask: str | None
    in_force: VerdictLine | None
    #: An override that waits for its second person.
    waiting: VerdictLine | None
    #: Superseded and rejected verdicts, the newest first.
    earlier: tuple[VerdictLine, ...]
    #: What the registers say; only where nothing is decided yet, or where it was asked for.
    suggestion: Suggestion | None
    findings: tuple[FindingLine, ...]
    penalties: tuple[PenaltyLine, ...]
    credits: tuple[CreditLine, ...]
    tickets: tuple[Sibling, ...]
    #: What the subscriber had said before it, for each party that may answer; empty: the number is not known.
    permissions: tuple[HeldThen, ...]

    def others(self, ticket_id: int) -> list[Sibling]:
        """Return the tickets in reach, beside *ticket_id*, that report the same incident."""
        return [sibling for sibling in self.tickets if sibling.ticket_id != ticket_id and sibling.in_reach]

    @property
    def out_of_reach(self) -> int:
        """How many tickets of other branches report it too."""
        return sum(not sibling.in_reach for sibling in self.tickets)


def call_stories(
    session: Session, scope: Scope, incident_ids: Collection[int], *, suggest_all: bool = False
) -> list[CallStory]:
    """Return the story of each incident, by time of the call.

    The caller has made sure that the incidents are in reach. *suggest_all* asks the registers about decided
    incidents too and adds who held the number before and after: for the page of one incident.
    """
    query = (
        select(Incident, SubscriberNumber.number_mask)
        .outerjoin(SubscriberNumber, SubscriberNumber.id == Incident.number_id)
        .where(Incident.id.in_(incident_ids))
        .order_by(Incident.occurred_at, Incident.id)
    )
    rows = session.execute(query).all()
    facts = _Facts(session, scope, [incident.id for incident, _mask in rows])
    asked = [incident.id for incident, _mask in rows if suggest_all or incident.id not in facts.decided]
    suggested = suggestions(session, asked, with_neighbours=suggest_all) if asked else {}
    permissions = held_then(
        session,
        [incident for incident, _mask in rows],
        {incident.id: facts.answering(incident.id, suggested.get(incident.id)) for incident, _mask in rows},
    )
    return [
        CallStory(
            incident=incident,
            number_mask=mask,
            in_force=next((line for line in facts.verdicts[incident.id] if facts.is_in_force(line)), None),
            waiting=next((line for line in facts.verdicts[incident.id] if _is_waiting(line)), None),
            earlier=tuple(
                line for line in facts.verdicts[incident.id] if not facts.is_in_force(line) and not _is_waiting(line)
            ),
            suggestion=suggested.get(incident.id),
            findings=tuple(facts.findings[incident.id]),
            penalties=tuple(facts.penalties[incident.id]),
            credits=tuple(facts.credits[incident.id]),
            tickets=tuple(facts.tickets[incident.id]),
            permissions=permissions[incident.id],
        )
        for incident, mask in rows
    ]


def _is_waiting(line: VerdictLine) -> bool:
    return line.attribution.state is AttributionState.WAITING


@dataclass
class _Facts:
    """What hangs on the incidents, by incident."""

    session: Session
    scope: Scope
    ids: Sequence[int]
    #: The attribution in force of each decided incident.
    decided: dict[int, int] = field(default_factory=dict)
    verdicts: defaultdict[int, list[VerdictLine]] = field(default_factory=lambda: defaultdict(list))
    findings: defaultdict[int, list[FindingLine]] = field(default_factory=lambda: defaultdict(list))
    penalties: defaultdict[int, list[PenaltyLine]] = field(default_factory=lambda: defaultdict(list))
    credits: defaultdict[int, list[CreditLine]] = field(default_factory=lambda: defaultdict(list))
    tickets: defaultdict[int, list[Sibling]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        if self.ids:
            self._read_verdicts()
            self._read_findings()
            self._read_money()
            self._read_tickets()

    def is_in_force(self, line: VerdictLine) -> bool:
        """Say whether it is the verdict that the incident's pointer names."""
        return self.decided.get(line.attribution.incident_id) == line.attribution.id

    def answering(self, incident_id: int, suggestion: Suggestion | None) -> set[int]:
        """Return who answers for the incident by the verdict in force; without one, who may."""
        in_force = next((line.attribution for line in self.verdicts[incident_id] if self.is_in_force(line)), None)
        if in_force is not None:
            return {in_force.party_id} if in_force.party_id is not None else set()
        return {candidate.party_id for candidate in suggestion.candidates} if suggestion is not None else set()

    def _read_verdicts(self) -> None:
        pointers = select(IncidentVerdict.incident_id, IncidentVerdict.attribution_id)
        rows = self.session.execute(pointers.where(IncidentVerdict.incident_id.in_(self.ids)))
        self.decided = {row.incident_id: row.attribution_id for row in rows}
        query = select(Attribution).where(Attribution.incident_id.in_(self.ids)).order_by(Attribution.id.desc())
        attributions = self.session.scalars(query).all()
        names = names_of(self.session, _mentioned(attributions))
        for one in attributions:
            chain = tuple(names[party_id] for party_id, _role in one.chain)
            party = names[one.party_id] if one.party_id is not None else None
            suggested = names[one.suggested_party_id] if one.suggested_party_id is not None else None
            self.verdicts[one.incident_id].append(VerdictLine(one, party, chain, suggested))

    def _read_findings(self) -> None:
        query = (
            select(Finding, OffenceType, Incident.occurred_on)
            .join(OffenceType, OffenceType.id == Finding.offence_type_id)
            .join(Incident, Incident.id == Finding.incident_id)
            .where(Finding.incident_id.in_(self.ids))
            .order_by(Finding.id)
        )
        rows = self.session.execute(query).all()
        answers = answers_of(self.session, [(finding, day) for finding, _offence, day in rows])
        for finding, offence, _day in rows:
            self.findings[finding.incident_id].append(FindingLine(finding, offence, answers[finding.id]))

    def _read_money(self) -> None:
        query = (
            select(Penalty, Party.name, OrgUnit.name)
            .join(Party, Party.id == Penalty.party_id)
            .outerjoin(OrgUnit, OrgUnit.id == Penalty.unit_id)
            .where(Penalty.incident_id.in_(self.ids))
            .order_by(Penalty.id)
        )
        for penalty, party, unit in self.session.execute(query):
            in_reach = self.scope.covers(penalty.unit_id, penalty.party_id)
            self.penalties[penalty.incident_id].append(PenaltyLine(penalty, party, unit, in_reach))
        owed = select(Credit).where(Credit.incident_id.in_(self.ids)).order_by(Credit.id)
        for credit in self.session.scalars(owed):
            if credit.incident_id is not None:
                self.credits[credit.incident_id].append(CreditLine(credit, self.scope.covers(credit.unit_id)))

    def _read_tickets(self) -> None:
        query = (
            select(
                TicketIncident.incident_id,
                TicketIncident.how,
                TicketIncident.reported_at,
                Ticket.id,
                Ticket.reference,
                Ticket.external_ref,
                Ticket.channel,
                Ticket.state,
                Ticket.unit_id,
            )
            .join(Ticket, Ticket.id == TicketIncident.ticket_id)
            .where(TicketIncident.incident_id.in_(self.ids))
            .order_by(TicketIncident.id)
        )
        for row in self.session.execute(query):
            sibling = Sibling(
                row.id,
                row.reference,
                row.external_ref,
                row.channel,
                row.state,
                row.how,
                row.reported_at,
                self.scope.covers(row.unit_id),
            )
            self.tickets[row.incident_id].append(sibling)


def _mentioned(attributions: Iterable[Attribution]) -> set[int]:
    mentioned = {party_id for one in attributions for party_id, _role in one.chain}
    named = {party_id for one in attributions for party_id in (one.party_id, one.suggested_party_id)}
    return mentioned | {party_id for party_id in named if party_id is not None}
