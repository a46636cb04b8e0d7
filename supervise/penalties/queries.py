"""Named reads on penalties: what their rows are, in which order, always within a scope."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from supervise.attribution.models import CHARGEABLE_VERDICTS, Finding, FindingState, IncidentVerdict
from supervise.complaints.models import Incident, IncidentKind
from supervise.contracts.models import RuleVersion
from supervise.errors import NotFoundError
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from supervise.penalties.attention import Attention, needing
from supervise.penalties.models import (
    LIVE_PENALTY_STATES,
    WAITING_OBJECTION_STATES,
    Objection,
    ObjectionState,
    Penalty,
    PenaltyFamily,
    PenaltyState,
    PenaltyStep,
    ReversalRequest,
    WindowStart,
)
from supervise.penalties.spare_models import SparedFinding
from supervise.penalties.steps import ACKNOWLEDGED

#: What the charged party sees: from its listing on.
LISTED_STATES = (PenaltyState.APPROVED, PenaltyState.FINAL, PenaltyState.VOIDED, PenaltyState.REVERSED)
PAGE = 50


@dataclass(frozen=True)
class PenaltyFilter:
    """What a list of penalties is narrowed to; None: not at all."""

    state: PenaltyState | None = None
    family: PenaltyFamily | None = None
    party_id: int | None = None
    unit_id: int | None = None
    period: str | None = None
    offence_code: str | None = None
    #: A part of the reference, in whatever case.
    reference: str = ""
    #: Only what was listed to the charged party: what branches and partners see.
    listed_only: bool = False
    with_open_objection: bool = False
    #: What the home page sends *user_id* to.
    attention: Attention | None = None
    user_id: int = 0


class PenaltyRow(NamedTuple):
    """A line of a list of penalties; amounts in fen."""

    id: int
    reference: str
    incident_id: int
    party_id: int
    party: str
    family: PenaltyFamily
    offence_code: str
    occurred_on: dt.date
    rule: str
    rule_number: int
    gross_fen: int
    capped_fen: int
    amount_fen: int
    lifted_fen: int
    loss_basis_fen: int
    state: PenaltyState
    maker_id: int
    objection_until_on: dt.date | None
    content_sha256: str
    version: int
    unit_id: int | None
    window_start: WindowStart | None

    @property
    def owed_fen(self) -> int:
        """What objections and reversals have left."""
        return self.amount_fen - self.lifted_fen


class PenaltyPage(NamedTuple):
    """Some rows, and the id after which the next page begins; None: this was the last."""

    rows: Sequence[PenaltyRow]
    next_after_id: int | None


class PenaltyTotal(NamedTuple):
    """Penalties of one party, month of call and offence type; what is owed is after objections and reversals."""

    party_id: int
    party: str
    period: str
    offence_code: str
    state: PenaltyState
    penalties: int
    amount_fen: int
    owed_fen: int


class WaitingObjection(NamedTuple):
    """An objection that a supervisor must decide."""

    objection_id: int
    penalty_id: int
    reference: str
    party: str
    amount_fen: int
    approver_id: int | None
    filed_by: int
    filed_at: dt.datetime


class UnpricedIncident(NamedTuple):
    """An incident with proven offences and no amount yet."""

    incident_id: int
    kind: IncidentKind
    caller_number: str | None
    occurred_at: dt.datetime
    party_id: int | None
    findings: int
    #: When the first of them was recorded.
    proven_at: dt.datetime


def penalties_in_scope(
    session: Session, scope: Scope, wanted: PenaltyFilter, *, after_id: int | None = None, limit: int = PAGE
) -> PenaltyPage:
    """Return a page of penalties in *scope*, the newest first; *after_id* is the last id of the page before."""
    query = (
        select(
            Penalty.id,
            Penalty.reference,
            Penalty.incident_id,
            Penalty.party_id,
            Party.name,
            Penalty.family,
            Penalty.offence_code,
            Penalty.occurred_on,
            RuleVersion.code,
            RuleVersion.number,
            Penalty.gross_fen,
            Penalty.capped_fen,
            Penalty.amount_fen,
            Penalty.lifted_fen,
            Penalty.loss_basis_fen,
            Penalty.state,
            Penalty.maker_id,
            Penalty.objection_until_on,
            Penalty.content_sha256,
            Penalty.version,
            Penalty.unit_id,
            Penalty.window_start,
        )
        .join(Party, Party.id == Penalty.party_id)
        .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
    )
    limited = scope.limit(query.where(*_conditions(wanted)), unit=Penalty.unit_id, party=Penalty.party_id)
    if wanted.attention is not None:
        limited = needing(limited, wanted.attention, scope, user_id=wanted.user_id)
    if after_id is not None:
        limited = limited.where(Penalty.id < after_id)
    rows = [PenaltyRow._make(row) for row in session.execute(limited.order_by(Penalty.id.desc()).limit(limit + 1))]
    return PenaltyPage(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def _conditions(wanted: PenaltyFilter) -> list[ColumnElement[bool]]:
    equal = (
        (Penalty.state, wanted.state),
        (Penalty.family, wanted.family),
        (Penalty.party_id, wanted.party_id),
        (Penalty.unit_id, wanted.unit_id),
        (Penalty.period, wanted.period),
        (Penalty.offence_code, wanted.offence_code),
    )
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal if value is not None]
    if wanted.reference:
        conditions.append(Penalty.reference.contains(wanted.reference.strip().upper(), autoescape=True))
    if wanted.listed_only:
        conditions.append(Penalty.state.in_(LISTED_STATES))
    if wanted.with_open_objection:
        conditions.append(
            exists().where(Objection.penalty_id == Penalty.id, Objection.state.in_(WAITING_OBJECTION_STATES))
        )
    return conditions


def penalty_in_scope(session: Session, scope: Scope, penalty_id: int, *, listed_only: bool = False) -> Penalty:
    """Return one penalty.

    Raises:
        NotFoundError: if it does not exist, is not in *scope*, or is not listed to the charged party yet.
    """
    query = scope.limit(select(Penalty).where(Penalty.id == penalty_id), unit=Penalty.unit_id, party=Penalty.party_id)
    if listed_only:
        query = query.where(Penalty.state.in_(LISTED_STATES))
    penalty = session.scalars(query).one_or_none()
    if penalty is None:
        raise NotFoundError
    return penalty


def steps_of_penalty(session: Session, penalty_id: int) -> Sequence[PenaltyStep]:
    """Return what happened to a penalty, in time."""
    return session.scalars(
        select(PenaltyStep).where(PenaltyStep.penalty_id == penalty_id).order_by(PenaltyStep.id)
    ).all()


def acknowledged(session: Session, penalty_ids: Collection[int]) -> set[int]:
    """Return those of the penalties that the charged party has acknowledged."""
    query = select(PenaltyStep.penalty_id).where(
        PenaltyStep.penalty_id.in_(penalty_ids), PenaltyStep.reason == ACKNOWLEDGED
    )
    return set(session.scalars(query))


def objections_of_penalty(session: Session, penalty_id: int) -> Sequence[Objection]:
    """Return the objections to a penalty, in time."""
    return session.scalars(select(Objection).where(Objection.penalty_id == penalty_id).order_by(Objection.id)).all()


def objection_by_id(session: Session, objection_id: int) -> Objection:
    """Return one objection.

    Raises:
        NotFoundError: if there is none.
    """
    objection = session.get(Objection, objection_id)
    if objection is None:
        raise NotFoundError
    return objection


def reversals_of_penalty(session: Session, penalty_id: int) -> Sequence[ReversalRequest]:
    """Return the reversals asked for, in time."""
    return session.scalars(
        select(ReversalRequest).where(ReversalRequest.penalty_id == penalty_id).order_by(ReversalRequest.id)
    ).all()


def open_objections(session: Session, scope: Scope) -> Sequence[WaitingObjection]:
    """Return the objections in *scope* that wait for a decision, or for admission, the oldest first."""
    query = (
        select(
            Objection.id,
            Penalty.id,
            Penalty.reference,
            Party.name,
            Penalty.amount_fen,
            Penalty.approver_id,
            Objection.filed_by,
            Objection.filed_at,
        )
        .join(Penalty, Penalty.id == Objection.penalty_id)
        .join(Party, Party.id == Penalty.party_id)
        .where(Objection.state.in_((ObjectionState.OPEN, ObjectionState.LATE)))
        .order_by(Objection.id)
    )
    limited = scope.limit(query, unit=Penalty.unit_id, party=Penalty.party_id)
    return [WaitingObjection(*row) for row in session.execute(limited)]


def penalty_totals(
    session: Session, scope: Scope, *, first_period: str, last_period: str, listed_only: bool = True
) -> Sequence[PenaltyTotal]:
    """Return sums by party, month of call, offence type and state in *scope*, by month, party and type.

    Both months are included; *listed_only* leaves out what the charged party has not been shown.
    """
    query = (
        select(
            Penalty.party_id,
            Party.name,
            Penalty.period,
            Penalty.offence_code,
            Penalty.state,
            func.count(Penalty.id),
            func.sum(Penalty.amount_fen),
            func.sum(Penalty.amount_fen - Penalty.lifted_fen),
        )
        .join(Party, Party.id == Penalty.party_id)
        .where(Penalty.period >= first_period, Penalty.period <= last_period)
        .group_by(Penalty.party_id, Party.name, Penalty.period, Penalty.offence_code, Penalty.state)
        .order_by(Penalty.period, Party.name, Penalty.party_id, Penalty.offence_code, Penalty.state)
    )
    states = LISTED_STATES if listed_only else tuple(PenaltyState)
    limited = scope.limit(query, unit=Penalty.unit_id, party=Penalty.party_id).where(Penalty.state.in_(states))
    return [PenaltyTotal(*row[:6], int(row[6]), int(row[7])) for row in session.execute(limited)]


def unpriced_incidents(
    session: Session, scope: Scope, *, after_id: int = 0, limit: int = PAGE
) -> Sequence[UnpricedIncident]:
    """Return incidents in *scope* without a live penalty for offences proven and not spared, by id after *after_id*."""
    query = (
        select(
            Incident.id,
            Incident.kind,
            Incident.caller_number,
            Incident.occurred_at,
            IncidentVerdict.party_id,
            func.count(Finding.id),
            func.min(Finding.found_at),
        )
        .join(Finding, Finding.incident_id == Incident.id)
        .join(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(_unpriced(), Incident.id > after_id)
        .group_by(Incident.id, Incident.kind, Incident.caller_number, Incident.occurred_at, IncidentVerdict.party_id)
        .order_by(Incident.id)
        .limit(limit)
    )
    rows = session.execute(scope.limit(query, unit=IncidentVerdict.unit_id, party=IncidentVerdict.party_id))
    return [UnpricedIncident._make(row) for row in rows]


def count_unpriced(session: Session, found_before: dt.datetime) -> int:
    """Return how many incidents have an offence proven *found_before*, not spared, and no live penalty."""
    query = (
        select(func.count(Finding.incident_id.distinct()))
        .join(IncidentVerdict, IncidentVerdict.incident_id == Finding.incident_id)
        .where(_unpriced(), Finding.found_at < found_before)
    )
    return session.scalars(query).one()


def _unpriced() -> ColumnElement[bool]:
    live = exists().where(Penalty.incident_id == Finding.incident_id, Penalty.state.in_(LIVE_PENALTY_STATES))
    spared = exists().where(SparedFinding.finding_id == Finding.id, SparedFinding.brought_back_at.is_(None))
    return and_(
        Finding.state == FindingState.PROVEN,
        ~Finding.held,
        IncidentVerdict.verdict.in_(CHARGEABLE_VERDICTS),
        ~live,
        ~spared,
    )
