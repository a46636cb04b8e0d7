"""The cards of a month in order, within what a reader sees: the lowest score first, who is not rated last."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import among
from supervise.parties.models import OrgUnit, Party, PartyKind
from supervise.parties.queries import contains
from supervise.parties.scope import Scope, parties_of_units
from supervise.parties.tree import and_merged, subtree
from supervise.penalties.score_models import CardStanding
from supervise.penalties.scorecards import Card, cards_of_month


class RankingFilters(NamedTuple):
    """What the ranking is narrowed by; *text* fits name or code of the party."""

    month: str
    text: str = ""
    kind: PartyKind | None = None
    standing: CardStanding | None = None
    #: Code of the unit whose parties, or those below it, are ranked.
    unit: str = ""


class RankedCard(NamedTuple):
    """A party's card and its place among those rated; None: not rated."""

    party: Party
    card: Card
    place: int | None


@dataclass(frozen=True)
class Ranking:
    """Every card that fits, in order, and how many stand where."""

    rows: Sequence[RankedCard]
    standings: dict[CardStanding, int]


def ranking_of_month(session: Session, scope: Scope, filters: RankingFilters) -> Ranking:
    """Return the cards of the month that fit; the best has the first place, equal scores share one."""
    parties = _parties(session, scope, filters)
    cards = cards_of_month(session, filters.month, party_ids=None if scope.sees_everything else list(parties))
    fitting = [
        (parties[party_id], card)
        for party_id, card in cards.items()
        if party_id in parties and filters.standing in {None, card.standing}
    ]
    rated = sorted((one for one in fitting if one[1].score is not None), key=lambda one: (one[1].score, one[0].name))
    idle = sorted((one for one in fitting if one[1].score is None), key=lambda one: one[0].name)
    better = Counter(card.score for _, card in rated)
    rows, place = [], 1 + len(rated)
    for number, (party, card) in enumerate(rated):
        if number == 0 or card.score != rated[number - 1][1].score:
            place -= better[card.score]
        rows.append(RankedCard(party, card, place))
    rows += [RankedCard(party, card, None) for party, card in idle]
    return Ranking(rows, dict(Counter(row.card.standing for row in rows)))


def _parties(session: Session, scope: Scope, filters: RankingFilters) -> dict[int, Party]:
    query = select(Party).where(Party.merged_into_id.is_(None))
    if filters.text:
        query = query.where(or_(contains(Party.name, filters.text), contains(Party.code, filters.text)))
    if filters.kind is not None:
        query = query.where(Party.kind == filters.kind)
    if filters.unit:
        today = clock.today()
        below = subtree(select(OrgUnit.id).where(OrgUnit.code == filters.unit), today)
        units = and_merged(select(below.c.unit_id))
        working = session.scalars(select(parties_of_units(select(units.c.unit_id), today).c.party_id)).all()
        query = query.where(among(session, Party.id, working))
    return {party.id: party for party in session.scalars(scope.limit(query, party=Party.id))}
