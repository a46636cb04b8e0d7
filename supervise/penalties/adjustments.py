"""What follows for other penalties when one is lifted (domain 7.4, 7.5, F84): found at once, done only by a person.

A tier froze how many repeats counted when a penalty was approved; with one of them lifted, later ones count one less.
In a cap that releases its room, what was cut from others can be charged.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.complaints.models import Incident
from supervise.contracts.models import Contract, RuleVersion
from supervise.contracts.rules import CapPer, Tiers, TierWindow, parse_parameters
from supervise.penalties.adjustment_models import Adjustment, AdjustmentKind, AdjustmentState
from supervise.penalties.models import LIVE_PENALTY_STATES, Penalty, PenaltyState, PenaltyStep
from supervise.penalties.pricing.adjusting import amount_at_tier, capped_now, share_of

_CHARGED = (PenaltyState.APPROVED, PenaltyState.FINAL)
_LIFTED = (PenaltyState.VOIDED, PenaltyState.REVERSED)


class Change(NamedTuple):
    """What a penalty would be less (a tier) or more (a cap), and as which repeat it counts."""

    amount_fen: int
    nth_before: int | None = None
    nth_now: int | None = None


class _Lifted(NamedTuple):
    """An offence that no live penalty rests on any more."""

    incident_id: int
    occurred_at: dt.datetime
    occurred_on: dt.date
    approved_at: dt.datetime
    lifted_at: dt.datetime


def find_adjustments(session: Session, cause: Penalty) -> None:
    """Propose what follows of *cause*, which was lifted just now; a proposal that waits already is left as it is."""
    waiting = select(Adjustment.penalty_id, Adjustment.kind).where(Adjustment.state == AdjustmentState.OPEN)
    known = {(row.penalty_id, row.kind) for row in session.execute(waiting)}
    found = [
        *((penalty, AdjustmentKind.TIER, change) for penalty, change in _by_tier(session, cause)),
        *((penalty, AdjustmentKind.CAP, change) for penalty, change in _by_cap(session, cause)),
    ]
    session.add_all(
        Adjustment(
            penalty_id=penalty.id,
            cause_id=cause.id,
            kind=kind,
            amount_fen=change.amount_fen,
            nth_before=change.nth_before,
            nth_now=change.nth_now,
            found_at=clock.now(),
        )
        for penalty, kind, change in found
        if (penalty.id, kind) not in known
    )
    session.flush()


def change_of(session: Session, penalty: Penalty, kind: AdjustmentKind) -> Change | None:
    """Return what *penalty* would be less or more now; None: nothing."""
    if penalty.state not in _CHARGED:
        return None
    if kind is AdjustmentKind.CAP:
        return _cap_change(session, penalty)
    return _tier_change(session, penalty, _lifted_offences(session, penalty))


def _same_subject(session: Session, penalty: Penalty) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a penalty counts together with *penalty*: of the contract, or the policy's branch."""
    is_policy = session.scalar(select(Contract.party_id.is_(None)).where(Contract.id == penalty.contract_id))
    same = (Penalty.contract_id == penalty.contract_id,)
    return (*same, Penalty.party_id == penalty.party_id) if is_policy else same


def _by_tier(session: Session, cause: Penalty) -> Iterator[tuple[Penalty, Change]]:
    lifted = _lifted_offences(session, cause)
    if cause.incident_id not in {one.incident_id for one in lifted}:
        return  # another share of it is still charged
    query = (
        select(Penalty)
        .where(
            *_same_subject(session, cause),
            Penalty.offence_code == cause.offence_code,
            Penalty.state.in_(_CHARGED),
            Penalty.occurred_on >= cause.occurred_on,
        )
        .order_by(Penalty.occurred_on, Penalty.id)
    )
    for penalty in session.scalars(query):
        change = _tier_change(session, penalty, lifted)
        if change is not None:
            yield penalty, change


def _lifted_offences(session: Session, penalty: Penalty) -> list[_Lifted]:
    """Return the offences of the subject and type that were charged and lifted."""
    other = aliased(Penalty)
    still = exists().where(other.finding_id == Penalty.finding_id, other.state.in_(LIVE_PENALTY_STATES))
    query = (
        select(
            Penalty.incident_id,
            Incident.occurred_at,
            Incident.occurred_on,
            func.min(Penalty.approved_at),
            func.max(PenaltyStep.at),
        )
        .join(Incident, Incident.id == Penalty.incident_id)
        .join(PenaltyStep, (PenaltyStep.penalty_id == Penalty.id) & PenaltyStep.to_state.in_(_LIFTED))
        .where(
            *_same_subject(session, penalty),
            Penalty.offence_code == penalty.offence_code,
            Penalty.state.in_(_LIFTED),
            ~still,
        )
        .group_by(Penalty.incident_id, Incident.occurred_at, Incident.occurred_on)
    )
    return [_Lifted._make(row) for row in session.execute(query)]


def _tier_change(session: Session, penalty: Penalty, lifted: Sequence[_Lifted]) -> Change | None:
    tier = penalty.explanation.get("tier")
    tiers = _rule(session, penalty).tiers
    if tier is None or tiers is None or penalty.approved_at is None:
        return None
    called_at = session.scalar(select(Incident.occurred_at).where(Incident.id == penalty.incident_id))
    gone = {
        one.incident_id
        for one in lifted
        if called_at is not None
        and (one.occurred_at, one.incident_id) < (called_at, penalty.incident_id)
        and one.occurred_on >= _window_start(penalty, tiers)
        # It counted when this one was approved, and was lifted afterwards.
        and one.approved_at <= penalty.approved_at < one.lifted_at
    }
    nth = int(tier["nth"])
    now = max(1, nth - len(gone))
    whole_fen = amount_at_tier(penalty.explanation, tiers, now)
    shares, place = _shares(session, penalty)
    less_fen = penalty.amount_fen - penalty.lifted_fen - share_of(whole_fen, shares, place)
    return Change(less_fen, nth, now) if gone and less_fen > 0 else None


def _window_start(penalty: Penalty, tiers: Tiers) -> dt.date:
    if tiers.window is TierWindow.CALENDAR_MONTH:
        return penalty.occurred_on.replace(day=1)
    return penalty.occurred_on - dt.timedelta(days=tiers.days or 0)


def _rule(session: Session, penalty: Penalty) -> Any:
    version = session.get_one(RuleVersion, penalty.rule_version_id)
    return parse_parameters(version.parameters)


def _shares(session: Session, penalty: Penalty) -> tuple[list[dict[str, Any] | None], int]:
    """Return the shares that the charge was made with, in their order, and which of them *penalty* is."""
    query = (
        select(Penalty.id, Penalty.explanation)
        .where(Penalty.finding_id == penalty.finding_id, Penalty.proposed_at == penalty.proposed_at)
        .order_by(Penalty.id)
    )
    rows = session.execute(query).all()
    return [row.explanation.get("share") for row in rows], [row.id for row in rows].index(penalty.id)


def _by_cap(session: Session, cause: Penalty) -> Iterator[tuple[Penalty, Change]]:
    if not cause.amount_fen:
        return
    query = (
        select(Penalty)
        .where(
            *_same_subject(session, cause),
            Penalty.period == cause.period,
            Penalty.state.in_(_CHARGED),
            Penalty.capped_fen > 0,
        )
        .order_by(Penalty.id)
    )
    taken_fen = 0
    for penalty in session.scalars(query):
        change = _cap_change(session, penalty, taken_fen)
        if change is not None:
            taken_fen += change.amount_fen
            yield penalty, change


def _cap_change(session: Session, penalty: Penalty, taken_fen: int = 0) -> Change | None:
    """Return what of the cut could be charged now, after *taken_fen* that others before it take."""
    caps = _rule(session, penalty).caps
    steps = penalty.explanation["caps"]
    if not any(cap.release for cap in caps) or _has_lifted_share(session, penalty):
        return None
    used = [
        _used_fen(session, penalty, cap.per) + taken_fen if cap.release else int(step["used_fen"])
        for cap, step in zip(caps, steps, strict=True)
    ]
    more_fen = int(penalty.explanation["capped_fen"]) - capped_now(penalty.explanation, used)
    shares, place = _shares(session, penalty)
    part_fen = share_of(max(0, more_fen), shares, place)
    return Change(part_fen) if part_fen else None


def _has_lifted_share(session: Session, penalty: Penalty) -> bool:
    """Say whether something was taken off the charge: charged anew, it would be asked for after all."""
    lifted = exists().where(
        Penalty.finding_id == penalty.finding_id,
        Penalty.proposed_at == penalty.proposed_at,
        or_(Penalty.lifted_fen > 0, Penalty.state.in_(_LIFTED)),
    )
    return bool(session.scalar(select(lifted)))


def _used_fen(session: Session, penalty: Penalty, per: CapPer) -> int:
    """Return what others have taken of the cap's bucket and kept."""
    bucket: dict[CapPer, tuple[ColumnElement[bool], ...]] = {
        CapPer.INCIDENT: (Penalty.incident_id == penalty.incident_id,),
        CapPer.DAY: (Penalty.occurred_on == penalty.occurred_on,),
        CapPer.MONTH: (Penalty.period == penalty.period,),
        CapPer.SUBSCRIBER: (
            Penalty.period == penalty.period,
            Penalty.incident_id.in_(_incidents_of_same_subscriber(penalty)),
        ),
    }
    query = select(func.coalesce(func.sum(Penalty.amount_fen - Penalty.lifted_fen), 0)).where(
        *_same_subject(session, penalty),
        *bucket[per],
        Penalty.state != PenaltyState.RETURNED,
        Penalty.finding_id != penalty.finding_id,
    )
    return int(session.scalars(query).one())


def _incidents_of_same_subscriber(penalty: Penalty) -> Any:
    own = select(Incident.number_id).where(Incident.id == penalty.incident_id).scalar_subquery()
    return select(Incident.id).where(Incident.number_id == own)
