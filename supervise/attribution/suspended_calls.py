"""Calls that were made although the party was suspended at that moment: an offence type of its own (domain F48)."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.models import Attribution, IncidentVerdict
from supervise.complaints.models import Incident, IncidentKind
from supervise.parties.models import Party, PartyKind
from supervise.parties.sanctions import suspended_then

#: The type of such a call; its row says since when.
CALL_WHILE_SUSPENDED = "call_while_suspended"


def calls_while_suspended(session: Session, incidents: Sequence[Incident]) -> set[int]:
    """Return the ids of those whose caller, or whom the caller worked for, was suspended on the day of the call.

    That goes by the chain of the verdict in force, as of the call. A branch above them does not count: a partner's
    permission is not suspended with that of its branch.
    """
    days = {incident.id: incident.occurred_on for incident in incidents if incident.kind is IncidentKind.CALL}
    query = (
        select(IncidentVerdict.incident_id, IncidentVerdict.party_id, Attribution.chain)
        .join(Attribution, Attribution.id == IncidentVerdict.attribution_id)
        .where(IncidentVerdict.incident_id.in_(days), IncidentVerdict.party_id.is_not(None))
    )
    chains = {row.incident_id: (row.party_id, {link[0] for link in row.chain}) for row in session.execute(query)}
    named = {party_id for _caller, chain in chains.values() for party_id in chain}
    branches = set(session.scalars(select(Party.id).where(Party.id.in_(named), Party.kind == PartyKind.ORG_UNIT)))
    asked = {
        incident_id: {(party_id, days[incident_id]) for party_id in ({caller} | (chain - branches))}
        for incident_id, (caller, chain) in chains.items()
    }
    found = suspended_then(session, {pair for pairs in asked.values() for pair in pairs})
    return {incident_id for incident_id, pairs in asked.items() if not pairs.isdisjoint(found)}
