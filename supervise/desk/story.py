"""The page of one ticket as one story: what was reported, which calls, who answers, what it costs, what happened."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.queries import display_names
from supervise.attribution.models import FindingState
from supervise.compensation.models import Credit, CreditKind, CreditState, Undertaking
from supervise.compensation.promise_queries import undertakings_by_id
from supervise.compensation.queries import LIVE_CREDIT_STATES
from supervise.complaints.dispute_models import TicketObjection
from supervise.complaints.dispute_queries import MediationLine, mediations_of, objections_to
from supervise.complaints.models import (
    DeadlineRule,
    DemandHead,
    DemandLine,
    Incident,
    SubscriberNumber,
    Ticket,
    TicketIncident,
)
from supervise.desk.calls import CallStory, call_stories
from supervise.desk.disputes import happenings_of_disputes
from supervise.desk.models import ReplyTemplate, ResolutionCode
from supervise.desk.reach import incident_in_reach, incidents_by_ticket, ticket_in_reach
from supervise.desk.timeline import (
    Happening,
    ReplyLine,
    happenings,
    happenings_of_calls,
    happenings_of_inquiries,
    in_time,
    replies_of,
)
from supervise.donotcall.models import PermissionEvent
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.models import LIVE_PENALTY_STATES


class RefusalLine(NamedTuple):
    """A refusal or consent of the subscriber, and to whom it was said; None: to whoever calls for the carrier."""

    event: PermissionEvent
    party: str | None


class ClaimLine(NamedTuple):
    """What is claimed, in fen, and beside it what was granted for it."""

    head: DemandHead
    units: int
    unit_fen: int
    claimed_fen: int
    #: None: nothing is granted by itself for such a claim, or it stands beside the first claim of its kind.
    granted_fen: int | None
    note: str | None


#: A proposal is nobody's promise yet.
_GRANTED = frozenset(LIVE_CREDIT_STATES) - {CreditState.PROPOSED}
#: Which credits answer which claim.
_ANSWERED_BY = {DemandHead.PER_CALL: CreditKind.PER_CALL, DemandHead.HISTORY: CreditKind.LUMP}


@dataclass(frozen=True)
class TicketStory:
    """Everything the page of a ticket shows."""

    ticket: Ticket
    unit: str | None
    number_mask: str | None
    rule: DeadlineRule | None
    calls: tuple[CallStory, ...]
    claims: tuple[ClaimLine, ...]
    #: Lump sums and per-call credits of this ticket, in fen: proposed ones too, and those that somebody approved.
    credits_fen: int
    granted_fen: int
    refusals: tuple[RefusalLine, ...]
    replies: tuple[ReplyLine, ...]
    timeline: tuple[Happening, ...]
    #: Display names of everybody the story names.
    names: dict[int, str]
    lump_credits: tuple[Credit, ...]
    objections: tuple[TicketObjection, ...]
    mediations: tuple[MediationLine, ...]
    #: What was drafted of agreed amounts, by id.
    promises: dict[int, Undertaking]

    @property
    def undecided(self) -> int:
        """How many calls have no verdict yet."""
        return sum(call.in_force is None for call in self.calls)

    @property
    def penalties_fen(self) -> int:
        """What parties owe for the calls so far, in fen."""
        lines = [line.penalty for call in self.calls for line in call.penalties]
        return sum(penalty.amount_fen - penalty.lifted_fen for penalty in lines if penalty.state in LIVE_PENALTY_STATES)

    @property
    def has_proven(self) -> bool:
        """Whether anything is proven, so that amounts can be proposed."""
        return any(has_proven(call) for call in self.calls)


@dataclass(frozen=True)
class IncidentStory:
    """Everything the page of an incident shows."""

    call: CallStory
    timeline: tuple[Happening, ...]
    names: dict[int, str]


def has_proven(call: CallStory) -> bool:
    """Say whether an offence of the call is proven."""
    return any(line.finding.state is FindingState.PROVEN for line in call.findings)


def ticket_story(session: Session, scope: Scope, ticket_id: int) -> TicketStory:
    """Return the story of a ticket.

    Raises:
        NotFoundError: if there is none, or it lies outside the scope.
    """
    ticket = ticket_in_reach(session, scope, ticket_id)
    incident_ids = incidents_by_ticket(session, scope, [ticket_id])[ticket_id]
    calls = call_stories(session, scope, incident_ids)
    replies = replies_of(session, ticket_id)
    objections, mediations = tuple(objections_to(session, ticket_id)), mediations_of(session, ticket_id)
    timeline = happenings(session, ticket, calls, replies)
    timeline = in_time([*timeline, *happenings_of_disputes(objections, mediations)])
    unit, mask = _place(session, ticket)
    credits_ = _credits(session, ticket_id, incident_ids)
    return TicketStory(
        ticket=ticket,
        unit=unit,
        number_mask=mask,
        rule=session.get(DeadlineRule, ticket.due_rule_id) if ticket.due_rule_id else None,
        calls=tuple(calls),
        claims=tuple(_claims(session, ticket_id, credits_)),
        credits_fen=sum(credit.amount_fen for credit in credits_ if credit.state in LIVE_CREDIT_STATES),
        granted_fen=_granted_fen(credits_),
        refusals=_refusals(session, ticket.number_id),
        replies=tuple(replies),
        timeline=tuple(timeline),
        names=_names(session, calls, timeline),
        lump_credits=tuple(credit for credit in credits_ if credit.incident_id is None),
        objections=objections,
        mediations=mediations,
        promises=_promises(session, mediations),
    )


def incident_story(session: Session, scope: Scope, incident_id: int, *, with_inquiries: bool = False) -> IncidentStory:
    """Return the story of one incident, with what the registers say about it, and what parties were asked of it.

    Raises:
        NotFoundError: if there is none, or no ticket in scope reports it.
    """
    incident = incident_in_reach(session, scope, incident_id)
    [call] = call_stories(session, scope, [incident.id], suggest_all=True)
    timeline = happenings_of_calls(session, [call])
    if with_inquiries:
        timeline = in_time([*timeline, *happenings_of_inquiries(session, incident.id)])
    return IncidentStory(call, tuple(timeline), _names(session, [call], timeline))


def _promises(session: Session, mediations: tuple[MediationLine, ...]) -> dict[int, Undertaking]:
    drafted = (line.mediation.undertaking_id for line in mediations)
    return undertakings_by_id(session, {one for one in drafted if one is not None})


def _place(session: Session, ticket: Ticket) -> tuple[str | None, str | None]:
    row = session.execute(
        select(OrgUnit.name, SubscriberNumber.number_mask)
        .select_from(Ticket)
        .outerjoin(OrgUnit, OrgUnit.id == Ticket.unit_id)
        .outerjoin(SubscriberNumber, SubscriberNumber.id == Ticket.number_id)
        .where(Ticket.id == ticket.id)
    ).one()
    return row[0], row[1]


def _credits(session: Session, ticket_id: int, incident_ids: Sequence[int]) -> list[Credit]:
    of_calls = select(Credit).where(Credit.incident_id.in_(incident_ids))
    once = select(Credit).where(Credit.ticket_id == ticket_id, Credit.incident_id.is_(None))
    return [*session.scalars(of_calls.order_by(Credit.id)), *session.scalars(once.order_by(Credit.id))]


def _claims(session: Session, ticket_id: int, credits_: Sequence[Credit]) -> Iterator[ClaimLine]:
    query = select(DemandLine).where(DemandLine.ticket_id == ticket_id).order_by(DemandLine.id)
    told: set[DemandHead] = set()
    for line in session.scalars(query):
        kind = _ANSWERED_BY.get(line.head) if line.head not in told else None
        told.add(line.head)
        granted_fen = _granted_fen([credit for credit in credits_ if credit.kind is kind]) if kind else None
        yield ClaimLine(line.head, line.units, line.unit_fen, line.units * line.unit_fen, granted_fen, line.note)


def _granted_fen(credits_: Iterable[Credit]) -> int:
    return sum(credit.amount_fen for credit in credits_ if credit.state in _GRANTED)


def _refusals(session: Session, number_id: int | None) -> tuple[RefusalLine, ...]:
    if number_id is None:
        return ()
    query = (
        select(PermissionEvent, Party.name)
        .outerjoin(Party, Party.id == PermissionEvent.party_id)
        .where(PermissionEvent.number_id == number_id)
        .order_by(PermissionEvent.said_at.desc(), PermissionEvent.id.desc())
        .limit(20)
    )
    return tuple(RefusalLine(*row) for row in session.execute(query))


def _names(session: Session, calls: Sequence[CallStory], timeline: Sequence[Happening]) -> dict[int, str]:
    people = {happening.actor_id for happening in timeline}
    for call in calls:
        people |= {line.finding.found_by for line in call.findings}
    return display_names(session, people)


class ReplyChoices(NamedTuple):
    """What a reply can start from and end with."""

    templates: Sequence[ReplyTemplate]
    codes: Sequence[ResolutionCode]


def reply_choices(session: Session) -> ReplyChoices:
    """Return the templates and resolution codes in use, solving codes first."""
    today = clock.today()
    templates = session.scalars(
        select(ReplyTemplate)
        .where(ReplyTemplate.retired_on.is_(None) | (ReplyTemplate.retired_on > today))
        .order_by(ReplyTemplate.id)
    ).all()
    codes = session.scalars(
        select(ResolutionCode)
        .where(ResolutionCode.retired_on.is_(None) | (ResolutionCode.retired_on > today))
        .order_by(ResolutionCode.counts_as_solved.desc(), ResolutionCode.code)
    ).all()
    return ReplyChoices(templates, codes)


def probable_same(session: Session, scope: Scope, candidates: Sequence[Incident]) -> dict[int, list[tuple[int, str]]]:
    """Return (ticket id, reference) of the tickets in scope that report each of *candidates*."""
    query = (
        select(TicketIncident.incident_id, Ticket.id, Ticket.reference)
        .join(Ticket, Ticket.id == TicketIncident.ticket_id)
        .where(TicketIncident.incident_id.in_([incident.id for incident in candidates]))
        .order_by(Ticket.id)
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for incident_id, ticket_id, reference in session.execute(scope.limit(query, unit=Ticket.unit_id)):
        found.setdefault(incident_id, []).append((ticket_id, reference))
    return found
