"""What people say about incidents, and what other incidents suggest: the grounds of grade C, from our own database."""

import bisect
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from supervise.attribution.grades import GroundKind
from supervise.attribution.inquiry_models import DENIALS, AnswerKind, Inquiry
from supervise.attribution.inquiry_queries import AnswerGiven, answers_for
from supervise.attribution.models import IncidentVerdict
from supervise.bulk import among
from supervise.complaints.link import merged_into
from supervise.complaints.models import Incident, IncidentState, Ticket, TicketIncident
from supervise.parties.models import Party, PartyAlias


class Said(NamedTuple):
    """That a party is named, by whom or what *ground* says."""

    incident_id: int
    ground: GroundKind
    party_id: int


class Denied(NamedTuple):
    """That a party says it was not its own doing."""

    incident_id: int
    party_id: int


class Pattern(NamedTuple):
    """How many confirmed incidents of one number, within how many days, make a pattern on a China day."""

    incidents: int
    within: dt.timedelta


def claims(session: Session, incident_ids: Collection[int]) -> Iterator[Said]:
    """Yield the party that each caller claimed to be, if exactly one is registered under that name or alias."""
    names = union(select(Party.name, Party.id), select(PartyAlias.name, PartyAlias.party_id)).subquery()
    survivor = func.coalesce(Party.merged_into_id, Party.id)
    query = (
        select(TicketIncident.incident_id, func.min(survivor))
        .join(Ticket, Ticket.id == TicketIncident.ticket_id)
        .join(names, names.c.name == Ticket.claimed_party)
        .join(Party, Party.id == names.c.id)
        .where(among(session, TicketIncident.incident_id, incident_ids))
        .group_by(TicketIncident.incident_id, Ticket.claimed_party)
        .having(func.count(survivor.distinct()) == 1)
    )
    for incident_id, party_id in session.execute(query):
        yield Said(incident_id, GroundKind.CLAIM, party_id)


def answers(session: Session, incident_ids: Collection[int]) -> tuple[list[Said], list[Denied]]:
    """Return whom the answers to inquiries name, and who denies."""
    lives = merged_into(session, incident_ids)
    of_either = {*incident_ids, *lives}
    asked = session.scalars(select(Inquiry.incident_id).where(among(session, Inquiry.incident_id, of_either)))
    said: list[Said] = []
    denied: list[Denied] = []
    for incident_id, given in answers_for(session, {lives.get(one, one) for one in asked}).items():
        for answer in given:
            said += (Said(incident_id, ground, party_id) for ground, party_id in _named_by(answer))
            if answer.kind in DENIALS:
                denied.append(Denied(incident_id, answer.party_id))
    return said, denied


def _named_by(answer: AnswerGiven) -> Iterator[tuple[GroundKind, int]]:
    if answer.deemed:
        yield GroundKind.ANSWER_SILENT, answer.party_id
    elif answer.kind is AnswerKind.OURS:
        yield GroundKind.ANSWER_OURS, answer.party_id
    elif answer.named_party_id is not None:
        yield GroundKind.ANSWER_NAMED, answer.named_party_id


def patterns(
    session: Session, incidents: Sequence[tuple[int, str | None, dt.date]], on: Mapping[dt.date, Pattern]
) -> Iterator[Said]:
    """Yield the party of enough other confirmed incidents of the same number in the days before and after.

    *incidents* are (id, calling number, China day); *on* has the threshold of each day, days without one are left out.
    """
    confirmed = _confirmed(session, {caller for _id, caller, _day in incidents if caller is not None})
    for incident_id, caller, day in incidents:
        pattern = on.get(day)
        if caller is None or pattern is None:
            continue
        for party_id, days in confirmed.get(caller, {}).items():
            around = (
                bisect.bisect_left(days, (day - pattern.within, 0)),
                bisect.bisect_left(days, (day + pattern.within + dt.timedelta(days=1), 0)),
            )
            others = around[1] - around[0] - ((day, incident_id) in days[slice(*around)])
            if others >= pattern.incidents:
                yield Said(incident_id, GroundKind.PATTERN, party_id)


def _confirmed(session: Session, callers: Collection[str]) -> Mapping[str, Mapping[int, list[tuple[dt.date, int]]]]:
    """Return (day, id) of the confirmed incidents of each number, by party, in time."""
    query = (
        select(Incident.caller_number, IncidentVerdict.party_id, Incident.occurred_on, Incident.id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(
            Incident.state == IncidentState.CONFIRMED,
            IncidentVerdict.party_id.is_not(None),
            among(session, Incident.caller_number, callers),
        )
        .order_by(Incident.occurred_on, Incident.id)
    )
    found: dict[str, dict[int, list[tuple[dt.date, int]]]] = defaultdict(lambda: defaultdict(list))
    for caller, party_id, day, incident_id in session.execute(query):
        if caller is not None and party_id is not None:  # as the conditions above say
            found[caller][party_id].append((day, incident_id))
    return found
