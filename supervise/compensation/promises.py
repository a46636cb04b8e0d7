"""Undertakings and the general policy: one person drafts, another agrees, then they are in force."""

import datetime as dt
from dataclasses import asdict, dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.compensation.models import CallUnit, CompensationPolicy, CreditNature, PromiseState, Undertaking
from supervise.complaints.models import Subscriber
from supervise.db import reserve_ids, take_turn
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_
from supervise.money import FEN_MAX


class OverlappingUndertakingError(ConflictError):
    """A number has one undertaking at a time (design: constraint of migration 0010)."""

    message = N_("%(reference)s is already in force for this subscriber in that period")


@dataclass(frozen=True)
class Terms:
    """What is promised; amounts in fen, 0 where nothing is."""

    starts_at: dt.datetime
    ends_at: dt.datetime | None
    per_call_fen: int
    call_unit: CallUnit
    calls_per_day_max: int | None
    nature: CreditNature


def _check(terms: Terms) -> None:
    if terms.ends_at is not None and terms.ends_at <= terms.starts_at:
        raise InvalidInputError(N_("The end must lie after the start"))
    if not 0 <= terms.per_call_fen <= FEN_MAX:
        raise InvalidInputError(N_("The amount is out of range"))
    if terms.calls_per_day_max is not None and terms.calls_per_day_max <= 0:
        raise InvalidInputError(N_("The daily limit must be at least 1"))


def _check_lump(terms: Terms, lump_fen: int) -> None:
    if lump_fen < 0 or lump_fen > FEN_MAX or lump_fen + terms.per_call_fen == 0:
        raise InvalidInputError(N_("An undertaking promises a rate per call, a lump sum, or both"))


def _subscriber(session: Session, subscriber_id: int) -> Subscriber:
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None:
        raise NotFoundError
    return subscriber


def draft_undertaking(
    session: Session,
    subscriber_id: int,
    terms: Terms,
    *,
    lump_fen: int,
    actor_id: int,
    text: str | None = None,
    ticket_id: int | None = None,
) -> Undertaking:
    """Draft what is promised to the person *subscriber_id*; it has no effect before a second person agrees.

    Raises:
        InvalidInputError: for amounts or periods that make no sense.
        NotFoundError: if there is no such subscriber.
        OverlappingUndertakingError: if another one is in force in that period.
    """
    _check(terms)
    _check_lump(terms, lump_fen)
    subscriber = _subscriber(session, subscriber_id)
    _refuse_overlap(session, subscriber.number_id, terms.starts_at, terms.ends_at)
    [undertaking_id] = reserve_ids(session, Undertaking.__table__, 1)
    now = clock.now()
    undertaking = Undertaking(
        id=undertaking_id,
        reference=f"CN{clock.china_day(now):%Y%m}-{undertaking_id:05d}",
        number_id=subscriber.number_id,
        subscriber_id=subscriber_id,
        ticket_id=ticket_id,
        lump_fen=lump_fen,
        terms=text,
        drafted_by=actor_id,
        drafted_at=now,
        **asdict(terms),
    )
    session.add(undertaking)
    session.flush()  # the audit event names a row that exists
    record_event(
        session,
        actor_id=actor_id,
        action="undertaking.drafted",
        subject="undertaking",
        subject_id=undertaking.id,
        changes={"per_call_fen": terms.per_call_fen, "lump_fen": lump_fen},
    )
    return undertaking


def _refuse_overlap(session: Session, number_id: int, starts_at: dt.datetime, ends_at: dt.datetime | None) -> None:
    overlapping = (
        select(Undertaking.reference)
        .where(Undertaking.number_id == number_id, Undertaking.state != PromiseState.DRAFT)
        .where(Undertaking.ends_at.is_(None) | (Undertaking.ends_at > starts_at))
    )
    if ends_at is not None:
        overlapping = overlapping.where(Undertaking.starts_at < ends_at)
    reference = session.scalar(overlapping.limit(1))
    if reference is not None:
        raise OverlappingUndertakingError(reference=reference)


def agree_undertaking(session: Session, undertaking_id: int, version: int, *, actor_id: int) -> Undertaking:
    """Agree to a drafted undertaking, as the second person; from now on its calls earn credits.

    Raises:
        AlreadyDecidedError: if it is no draft any more, or changed since *version* was shown.
        SamePersonError: if *actor_id* drafted it.
        OverlappingUndertakingError: if another came into force meanwhile.
    """
    undertaking = session.get(Undertaking, undertaking_id)
    if undertaking is None:
        raise NotFoundError
    if undertaking.state is not PromiseState.DRAFT or undertaking.given_up_at is not None:
        raise AlreadyDecidedError
    if undertaking.drafted_by == actor_id:
        raise SamePersonError
    take_turn(session, f"undertaking:{undertaking.number_id}")
    _refuse_overlap(session, undertaking.number_id, undertaking.starts_at, undertaking.ends_at)
    _put_in_force(session, undertaking, version, actor_id)
    undertaking.agreed_at = clock.now()
    record_event(
        session, actor_id=actor_id, action="undertaking.agreed", subject="undertaking", subject_id=undertaking_id
    )
    return undertaking


def _put_in_force(session: Session, promise: Undertaking | CompensationPolicy, version: int, actor_id: int) -> None:
    """Compare and set: the draft that was shown is in force now, or somebody was faster."""
    table = type(promise)
    done = session.execute(
        update(table)
        .where(
            table.id == promise.id,
            table.state == PromiseState.DRAFT,
            table.given_up_at.is_(None),
            table.version == version,
        )
        .values(state=PromiseState.ACTIVE, agreed_by=actor_id, version=version + 1)
        .returning(table.id)
    )
    if done.first() is None:
        raise AlreadyDecidedError
    session.refresh(promise)


def end_undertaking(
    session: Session, undertaking_id: int, ends_at: dt.datetime, *, reason: str, actor_id: int
) -> Undertaking:
    """End an undertaking in force from *ends_at* on; credits for earlier calls stay.

    Raises:
        ConflictError: if it is not in force, or *ends_at* is past, not after its start, or after the agreed end.
    """
    undertaking = session.get(Undertaking, undertaking_id, with_for_update=True)
    if undertaking is None:
        raise NotFoundError
    if undertaking.state is not PromiseState.ACTIVE:
        raise ConflictError(N_("Only an undertaking in force can be ended"))
    if ends_at <= undertaking.starts_at:
        raise ConflictError(N_("The end must lie after the start"))
    # Two people agreed to the end it has: one alone may bring it forward, not put it off.
    if undertaking.ends_at is not None and ends_at > undertaking.ends_at:
        raise ConflictError(N_("It already ends before that; to promise more, draft another undertaking"))
    if ends_at < clock.now():
        raise ConflictError(N_("An undertaking cannot be ended in the past: calls since then were promised a credit"))
    undertaking.ends_at = ends_at
    undertaking.state = PromiseState.ENDED
    undertaking.version += 1
    record_event(
        session,
        actor_id=actor_id,
        action="undertaking.ended",
        subject="undertaking",
        subject_id=undertaking_id,
        changes={"ends_at": ends_at},
        reason=reason,
    )
    return undertaking


def draft_policy(session: Session, code: str, name: str, terms: Terms, *, actor_id: int) -> CompensationPolicy:
    """Draft what every subscriber without an undertaking of their own is credited for each proven call.

    Raises:
        InvalidInputError: for amounts or periods that make no sense.
        ConflictError: if the code is taken.
    """
    _check(terms)
    if terms.per_call_fen == 0:
        raise InvalidInputError(N_("A policy promises a rate per call"))
    if session.scalar(select(CompensationPolicy.id).where(CompensationPolicy.code == code)) is not None:
        raise ConflictError(N_("The code %(code)s is taken"), code=code)
    policy = CompensationPolicy(code=code, name=name, drafted_by=actor_id, **asdict(terms))
    session.add(policy)
    session.flush()  # the audit event names the row's id
    record_event(
        session,
        actor_id=actor_id,
        action="policy.drafted",
        subject="compensation_policy",
        subject_id=policy.id,
        changes={"per_call_fen": terms.per_call_fen},
    )
    return policy


def agree_policy(session: Session, policy_id: int, version: int, *, actor_id: int) -> CompensationPolicy:
    """Put a drafted policy into force, as the second person; the one before it ends where this one starts.

    Raises:
        AlreadyDecidedError: if it is no draft any more, or changed since *version* was shown.
        SamePersonError: if *actor_id* drafted it.
        ConflictError: if it would begin in the past while another is in force (calls were promised that one).
    """
    take_turn(session, "compensation_policy")
    policy = session.get(CompensationPolicy, policy_id)
    if policy is None:
        raise NotFoundError
    if policy.state is not PromiseState.DRAFT or policy.given_up_at is not None:
        raise AlreadyDecidedError
    if policy.drafted_by == actor_id:
        raise SamePersonError
    _end_predecessors(session, policy)
    _put_in_force(session, policy, version, actor_id)
    record_event(
        session, actor_id=actor_id, action="policy.agreed", subject="compensation_policy", subject_id=policy_id
    )
    return policy


def _end_predecessors(session: Session, policy: CompensationPolicy) -> None:
    """Let the policy in force end where *policy* starts; one that starts inside or after it is a conflict."""
    others = session.scalars(
        select(CompensationPolicy).where(
            CompensationPolicy.state != PromiseState.DRAFT,
            CompensationPolicy.ends_at.is_(None) | (CompensationPolicy.ends_at > policy.starts_at),
        )
    ).all()
    for other in others:
        starts_later = policy.ends_at is None or other.starts_at < policy.ends_at
        if other.starts_at >= policy.starts_at and starts_later:
            raise ConflictError(N_("The policy %(code)s already covers that period"), code=other.code)
        if policy.starts_at < clock.now():
            raise ConflictError(N_("A policy cannot replace another one in the past; let it start today or later"))
        if other.starts_at < policy.starts_at:
            other.ends_at = policy.starts_at
            other.version += 1
