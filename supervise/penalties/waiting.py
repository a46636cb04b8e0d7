"""What waits for an approver: proposed penalties, what deserves a second look first, with its reasons."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, exists, false, func, or_, select, true, tuple_
from sqlalchemy.orm import Session, load_only

from supervise import clock
from supervise.attribution.grades import Grade
from supervise.attribution.models import Attribution, Finding, Method
from supervise.attribution.proof_models import IncidentAttachment
from supervise.bulk import among
from supervise.complaints.models import Incident
from supervise.contracts.models import RuleVersion
from supervise.contracts.rules import WHOLE_BP
from supervise.errors import NotFoundError
from supervise.labels import N_, LabelledEnum
from supervise.parties.models import OrgUnit, Party
from supervise.penalties.authority import endorsed_by_others, limit_of, loss_ratio_bp
from supervise.penalties.belonging import ChargedUnits
from supervise.penalties.models import Penalty, PenaltyState, ReversalRequest, ReversalState

PAGE = 50
#: From this step of a rule's tiers on, a line stands on top (domain 4.3).
HIGH_TIER = 3


#: What the page shows of a penalty; the rest of its columns stays in the database.
_SHOWN = (
    Penalty.reference,
    Penalty.family,
    Penalty.party_id,
    Penalty.unit_id,
    Penalty.offence_code,
    Penalty.occurred_on,
    Penalty.gross_fen,
    Penalty.capped_fen,
    Penalty.amount_fen,
    Penalty.loss_basis_fen,
    Penalty.explanation,
    Penalty.content_sha256,
    Penalty.maker_id,
)


class SecondLook(LabelledEnum):
    """Why a line stands on top of what waits for approval (domain 4.3)."""

    OVERRIDE = "override", N_("Overridden verdict")
    CAP = "cap", N_("Cap reached")
    HIGH_TIER = "high_tier", N_("Third tier or higher")
    JOINT = "joint", N_("Joint and several")
    ABOVE_LIMIT = "above_limit", N_("Above your limit: two approve")
    NO_RECORD = "no_record", N_("Neither record, register nor file behind it")
    ABOVE_LOSS = "above_loss", N_("Far above the recorded loss")


class WaitingPenalty(NamedTuple):
    """A proposed penalty as an approver weighs it."""

    penalty: Penalty
    party: str
    unit: str | None
    rule: str
    rule_number: int
    #: Why it stands on top; nothing: it does not.
    reasons: tuple[SecondLook, ...]
    #: It charges the approver's own unit or party.
    is_own_unit: bool
    #: Somebody has given the first of two approvals.
    is_endorsed: bool


class WaitingTotal(NamedTuple):
    """What waits for approval, for one party and rule."""

    party_id: int
    party: str
    rule_version_id: int
    rule: str
    rule_number: int
    penalties: int
    amount_fen: int
    capped_fen: int
    loss_basis_fen: int


class WaitingTotals(NamedTuple):
    """What waits for approval: the largest totals, how many there are, and what all of them come to."""

    rows: Sequence[WaitingTotal]
    totals: int
    penalties: int
    amount_fen: int
    capped_fen: int
    loss_basis_fen: int


class WaitingReversal(NamedTuple):
    """A reversal that finance proposed, and of what."""

    request: ReversalRequest
    penalty_id: int
    reference: str
    party: str
    #: What is left of the penalty now.
    owed_fen: int


class Place(NamedTuple):
    """After which row the next page begins: exceptions come first, then party by party, each by id."""

    rank: int
    party_id: int
    penalty_id: int


class WaitingPage(NamedTuple):
    """Some rows, and where the next page begins; None: this was the last."""

    rows: Sequence[WaitingPenalty]
    after: Place | None


def waiting_penalties(
    session: Session, *, actor_id: int, party_id: int | None = None, after: Place | None = None, limit: int = PAGE
) -> WaitingPage:
    """Return proposed penalties, the exceptions first, then by party; *actor_id* is who would approve them."""
    looks = _second_looks(session, actor_id)
    rank = case((or_(*looks.values()), 0), else_=1)
    places = (
        select(rank, Penalty.party_id, Penalty.id, *looks.values())
        .join(Finding, Finding.id == Penalty.finding_id)
        .join(Attribution, Attribution.id == Finding.attribution_id)
        .where(Penalty.state == PenaltyState.PROPOSED)
        .order_by(rank, Penalty.party_id, Penalty.id)
        .limit(limit + 1)
    )
    if party_id is not None:
        places = places.where(Penalty.party_id == party_id)
    if after is not None:
        places = places.where(tuple_(rank, Penalty.party_id, Penalty.id) > tuple_(*after))
    found = session.execute(places).all()
    reasons = {
        row[2]: tuple(look for look, holds in zip(looks, row[3:], strict=True) if holds) for row in found[:limit]
    }
    rows = _lines(session, reasons, actor_id)
    return WaitingPage(rows, Place._make(found[limit - 1][:3]) if len(found) > limit else None)


def _lines(session: Session, reasons: Mapping[int, tuple[SecondLook, ...]], actor_id: int) -> list[WaitingPenalty]:
    """Return these penalties (by id, with why they stand on top) as an approver weighs them, in their order."""
    query = (
        select(Penalty, Party.name, OrgUnit.name, RuleVersion.code, RuleVersion.number)
        .join(Party, Party.id == Penalty.party_id)
        .join(OrgUnit, OrgUnit.id == Penalty.unit_id, isouter=True)
        .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
        .where(among(session, Penalty.id, list(reasons)))
        .options(load_only(*_SHOWN, raiseload=True))
    )
    found = {row[0].id: row for row in session.execute(query)}
    charged = ChargedUnits(session, actor_id)
    endorsed = endorsed_by_others(session, found, actor_id=actor_id)
    return [
        WaitingPenalty._make((*found[penalty_id], why, charged.include(found[penalty_id][0]), penalty_id in endorsed))
        for penalty_id, why in reasons.items()
    ]


def _second_looks(session: Session, actor_id: int) -> dict[SecondLook, ColumnElement[bool]]:
    """Return the condition of each reason why a line stands on top for this approver, on this day."""
    today = clock.today()
    limit_fen = limit_of(session, actor_id, today)
    ratio_bp = loss_ratio_bp(session, today)
    has_file = exists().where(
        IncidentAttachment.incident_id == Penalty.incident_id, IncidentAttachment.withdrawn_at.is_(None)
    )
    far_above = Penalty.amount_fen * WHOLE_BP > Penalty.loss_basis_fen * (ratio_bp or 0)
    return {
        SecondLook.OVERRIDE: Attribution.method == Method.OVERRIDE,
        SecondLook.CAP: Penalty.capped_fen > 0,
        SecondLook.HIGH_TIER: Penalty.tier_step >= HIGH_TIER,
        SecondLook.JOINT: Penalty.is_joint.is_(True),
        SecondLook.ABOVE_LIMIT: false() if limit_fen is None else Penalty.amount_fen > limit_fen,
        SecondLook.NO_RECORD: and_(or_(Attribution.grade.is_(None), Attribution.grade == Grade.C), ~has_file),
        SecondLook.ABOVE_LOSS: false() if ratio_bp is None else and_(Penalty.loss_basis_fen > 0, far_above),
    }


def approval_totals(session: Session, *, party_id: int | None = None, limit: int | None = None) -> WaitingTotals:
    """Return what waits for approval, of one party or of all, by party and rule, the largest first."""
    sums = (
        select(
            Penalty.party_id,
            Penalty.rule_version_id,
            func.count(Penalty.id).label("penalties"),
            func.sum(Penalty.amount_fen).label("amount_fen"),
            func.sum(Penalty.capped_fen).label("capped_fen"),
            func.sum(Penalty.loss_basis_fen).label("loss_basis_fen"),
        )
        .where(Penalty.state == PenaltyState.PROPOSED, true() if party_id is None else Penalty.party_id == party_id)
        .group_by(Penalty.party_id, Penalty.rule_version_id)
        .subquery()
    )
    together = [func.count().over(), *(func.sum(column).over() for column in sums.c[2:])]
    named = (
        select(
            sums.c.party_id, Party.name, RuleVersion.id, RuleVersion.code, RuleVersion.number, *sums.c[2:], *together
        )
        .join(Party, Party.id == sums.c.party_id)
        .join(RuleVersion, RuleVersion.id == sums.c.rule_version_id)
        .order_by(sums.c.amount_fen.desc(), sums.c.party_id, sums.c.rule_version_id)
        .limit(limit)
    )
    found = session.execute(named).all()
    rows = [WaitingTotal(*row[:5], *map(int, row[5:9])) for row in found]
    return WaitingTotals(rows, *(map(int, found[0][9:]) if found else (0,) * 5))


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
