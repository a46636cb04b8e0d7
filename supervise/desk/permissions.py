"""What a subscriber had said before a call or message: whether it was refused, allowed or never asked (F49, E27)."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise.complaints.models import Incident
from supervise.desk.parties import names_of
from supervise.donotcall.held import SCOPE_OF_KIND, Asked, before, permissions_at
from supervise.donotcall.models import PermissionEvent


class HeldThen(NamedTuple):
    """The word that held for a party when it called or wrote."""

    #: Who may answer for the call; None: nobody is known, so only words to everyone count.
    party: str | None
    #: None: no record at that time, so no consent.
    event: PermissionEvent | None
    #: Whom the word was said to; None: to everyone who calls for the carrier.
    told: str | None


def held_then(
    session: Session, incidents: Sequence[Incident], parties: Mapping[int, Collection[int]]
) -> dict[int, tuple[HeldThen, ...]]:
    """Return what held just before each incident, by its id: one line for each of its *parties* (ids by incident).

    A word said during the call comes after it began. An incident whose subscriber is not known has no line.
    """
    everyone: list[int | None] = [None]
    asked = [
        (incident.id, Asked(incident.number_id, SCOPE_OF_KIND[incident.kind], party_id, before(incident.occurred_at)))
        for incident in incidents
        if incident.number_id is not None
        for party_id in sorted(parties.get(incident.id, ())) or everyone
    ]
    answers = permissions_at(session, [question for _id, question in asked])
    mentioned = {question.party_id for _id, question in asked} | {one.party_id for one in answers if one is not None}
    names = names_of(session, [party_id for party_id in mentioned if party_id is not None])
    found: dict[int, tuple[HeldThen, ...]] = {incident.id: () for incident in incidents}
    for (incident_id, question), event in zip(asked, answers, strict=True):
        party = names[question.party_id] if question.party_id is not None else None
        told = names[event.party_id] if event is not None and event.party_id is not None else None
        found[incident_id] += (HeldThen(party, event, told),)
    return found
