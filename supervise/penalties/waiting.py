"""What waits for an approver: proposed penalties, what deserves a second look first, with its reasons."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from supervise.attribution.models import Attribution, Finding, Method
from supervise.complaints.models import Incident
from supervise.contracts.models import RuleVersion
from supervise.errors import NotFoundError
from supervise.parties.models import OrgUnit, Party
from supervise.penalties.belonging import ChargedUnits
from supervise.penalties.models import Penalty, PenaltyState, ReversalRequest, ReversalState

PAGE = 100
#: From this step of a rule's tiers on, a line stands on top (domain 4.3).
HIGH_TIER = 3


class WaitingPenalty(NamedTuple):
    """A proposed penalty as an approver weighs it."""

    penalty: Penalty
    party: str
    unit: str | None
    rule: str
    rule_number: int
    #: Why it stands on top.
    is_high_tier: bool
    is_capped: bool
    is_override: bool
    #: It charges the approver's own unit or party.
    is_own_unit: bool

    @property
    def is_exception(self) -> bool:
        """Say whether it deserves a second look."""
        return self.is_high_tier or self.is_capped or self.is_override


class WaitingReversal(NamedTuple):
    """A reversal that finance proposed, and of what."""

    request: ReversalRequest
    penalty_id: int
    reference: str
    party: str
    #: What is left of the penalty now.
    owed_fen: int


class Place(NamedTuple):
    """After which row the next page begins: exceptions come first, then by id."""

    rank: int
    penalty_id: int


class WaitingPage(NamedTuple):
    """Some rows, and where the next page begins; None: this was the last."""

    rows: Sequence[WaitingPenalty]
    after: Place | None


def waiting_penalties(
    session: Session, *, actor_id: int, party_id: int | None = None, after: Place | None = None, limit: int = PAGE
) -> WaitingPage:
    """Return proposed penalties, the exceptions first, then the oldest; *actor_id* is who would approve them."""
    high_tier, capped, override = _high_tier(), Penalty.capped_fen > 0, Attribution.method == Method.OVERRIDE
    rank = case((or_(high_tier, capped, override), 0), else_=1)
    query = (
        select(
            Penalty, Party.name, OrgUnit.name, RuleVersion.code, RuleVersion.number, high_tier, capped, override, rank
        )
        .join(Party, Party.id == Penalty.party_id)
        .join(OrgUnit, OrgUnit.id == Penalty.unit_id, isouter=True)
        .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
        .join(Finding, Finding.id == Penalty.finding_id)
        .join(Attribution, Attribution.id == Finding.attribution_id)
        .where(Penalty.state == PenaltyState.PROPOSED)
        .order_by(rank, Penalty.id)
        .limit(limit + 1)
    )
    if party_id is not None:
        query = query.where(Penalty.party_id == party_id)
    if after is not None:
        query = query.where(or_(rank > after.rank, and_(rank == after.rank, Penalty.id > after.penalty_id)))
    found = session.execute(query).all()
    charged = ChargedUnits(session, actor_id)
    rows = [WaitingPenalty._make((*row[:8], charged.include(row[0]))) for row in found[:limit]]
    return WaitingPage(rows, Place(found[limit - 1][8], found[limit - 1][0].id) if len(found) > limit else None)


def every_waiting(session: Session, *, party_id: int | None = None, limit: int) -> Sequence[tuple[int, str]]:
    """Return (id, content hash) of the proposed penalties, by the time of the call, at most *limit*.

    An earlier offence is approved before a later one, whose tier counts it (docs/rules.md, P-2).
    """
    query = (
        select(Penalty.id, Penalty.content_sha256)
        .join(Incident, Incident.id == Penalty.incident_id)
        .where(Penalty.state == PenaltyState.PROPOSED)
        .order_by(Incident.occurred_at, Penalty.id)
        .limit(limit)
    )
    if party_id is not None:
        query = query.where(Penalty.party_id == party_id)
    return [(row.id, row.content_sha256) for row in session.execute(query)]


def _high_tier() -> ColumnElement[bool]:
    """Return whether the offence has reached the third step of its rule's tiers; without tiers it has not."""
    nth = Penalty.explanation[("tier", "nth")].as_integer()
    begins = RuleVersion.parameters[("tiers", "steps", HIGH_TIER - 1, "from_count")].as_integer()
    return func.coalesce(nth >= begins, False)


def reversals_to_decide(session: Session) -> Sequence[WaitingReversal]:
    """Return the reversals that wait for a second person, the oldest first."""
    query = (
        select(ReversalRequest, Penalty.id, Penalty.reference, Party.name, Penalty.amount_fen - Penalty.lifted_fen)
        .join(Penalty, Penalty.id == ReversalRequest.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .where(ReversalRequest.state == ReversalState.OPEN)
        .order_by(ReversalRequest.id)
    )
    return [WaitingReversal(*row) for row in session.execute(query)]


def reversal_request_by_id(session: Session, request_id: int) -> ReversalRequest:
    """Return one request for a reversal.

    Raises:
        NotFoundError: if there is none.
    """
    request = session.get(ReversalRequest, request_id)
    if request is None:
        raise NotFoundError
    return request


def references_of(session: Session, penalty_ids: Collection[int]) -> dict[int, str]:
    """Return the reference of each known penalty, for the result of a bulk decision."""
    rows = session.execute(select(Penalty.id, Penalty.reference).where(Penalty.id.in_(penalty_ids)))
    return {row.id: row.reference for row in rows}
