"""Decisions on numbers: enter one, let a party hold it, hand it over at a moment, end or correct a period."""

import datetime as dt
import functools

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.parties.locks import load, load_version
from supervise.parties.models import NumberHolder, PhoneNumber
from supervise.parties.periods import check_order, first_overlap, holds_at, in_words
from supervise.parties.refusals import (
    HolderOverlapError,
    NotHeldError,
    NotPortError,
    NumberTakenError,
)
from supervise.parties.standing import check_takes_new
from supervise.phone import NumberClass, NumberingPlan, classify, normalise

_record = functools.partial(record_event, subject="phone_number")


def enter_number(
    session: Session,
    *,
    text: str,
    actor_id: int,
    plan: NumberingPlan = NumberingPlan.CHINA,
    is_prefix: bool = False,
    note: str | None = None,
) -> PhoneNumber:
    """Enter a number, or a 106 port that stands for all longer ones; its class follows from its digits.

    Raises:
        PhoneError: if *text* is no number of *plan*.
        NumberTakenError: if it is in the register already.
        NotPortError: if it should be a prefix and is no 106 port.
    """
    digits = normalise(text, plan)
    number_class = classify(digits) if plan is NumberingPlan.CHINA else NumberClass.OTHER
    if is_prefix and number_class is not NumberClass.PORT_106:
        raise NotPortError(digits=digits)
    if session.scalar(select(PhoneNumber.id).where(PhoneNumber.digits == digits)) is not None:
        raise NumberTakenError(digits=digits)
    number = PhoneNumber(digits=digits, number_class=number_class, is_prefix=is_prefix, note=note)
    session.add(number)
    session.flush()
    changes = {"class": number_class, "is_prefix": is_prefix}
    _record(session, subject_id=number.id, action="phone_number.entered", actor_id=actor_id, changes=changes)
    return number


def annotate_number(session: Session, number_id: int, *, note: str | None, version: int, actor_id: int) -> PhoneNumber:
    """Change the note beside a number; its digits are what it is.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
    """
    number = load_version(session, PhoneNumber, number_id, version)
    number.note = note
    _record(session, subject_id=number_id, action="phone_number.annotated", actor_id=actor_id)
    return number


def hold(
    session: Session,
    *,
    number_id: int,
    party_id: int,
    held_from: dt.datetime,
    source: str,
    actor_id: int,
    held_to: dt.datetime | None = None,
) -> NumberHolder:
    """Let a party hold the number in ``[held_from, held_to)``.

    Raises:
        NoSuchRowError: if number or party is gone.
        MergedError, TerminatedPartyError: if the party takes nothing new.
        PeriodOrderError: for an empty period.
        HolderOverlapError: naming who holds it in that period.
    """
    check_order(held_from, held_to)
    number = load(session, PhoneNumber, number_id)
    check_takes_new(session, party_id)
    _check_free(session, number, held_from, held_to)
    holder = NumberHolder(
        number_id=number_id,
        party_id=party_id,
        held_from=held_from,
        held_to=held_to,
        source=source,
        recorded_at=clock.now(),
    )
    session.add(holder)
    session.flush()
    changes = {"holder_id": holder.id, "party_id": party_id, "held_from": held_from, "held_to": held_to}
    _record(session, subject_id=number_id, action="phone_number.held", actor_id=actor_id, changes=changes)
    return holder


def hand_over(
    session: Session, *, number_id: int, party_id: int, at: dt.datetime, source: str, actor_id: int
) -> NumberHolder:
    """Pass the number from its holder to another party at the moment: a call at *at* is already the other's.

    An end that was set before stays the end of the new holder's period.

    Raises:
        NotHeldError: if nobody holds it just before.
        NoSuchRowError, MergedError, TerminatedPartyError: if the party cannot take it.
        PeriodOrderError: if it is handed over at the very moment the present period starts.
    """
    load(session, PhoneNumber, number_id)
    query = select(NumberHolder).where(
        NumberHolder.number_id == number_id, holds_at(NumberHolder.held_from, NumberHolder.held_to, at)
    )
    present = session.scalars(query).one_or_none()
    if present is None:
        raise NotHeldError(moment=in_words(at))
    held_to = present.held_to
    _end(session, present, at, None, actor_id)
    return hold(
        session,
        number_id=number_id,
        party_id=party_id,
        held_from=at,
        held_to=held_to,
        source=source,
        actor_id=actor_id,
    )


def end_holding(
    session: Session, holder_id: int, *, at: dt.datetime, reason: str | None, actor_id: int
) -> NumberHolder:
    """Let a holder's period end at the moment.

    Raises:
        NoSuchRowError: if there is none.
        PeriodOrderError: if it would end before it began.
        HolderOverlapError: if a later end runs into the next holder.
    """
    holder = load(session, NumberHolder, holder_id)
    if holder.held_to is not None and at > holder.held_to:
        _check_free(session, load(session, PhoneNumber, holder.number_id), holder.held_to, at)
    _end(session, holder, at, reason, actor_id)
    return holder


def correct_period(
    session: Session,
    holder_id: int,
    *,
    held_from: dt.datetime,
    held_to: dt.datetime | None,
    reason: str,
    version: int,
    actor_id: int,
) -> NumberHolder:
    """Correct when a party held the number; the trail keeps the period as it was.

    Verdicts on calls in between are not touched: a job proposes to look at them again.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
        PeriodOrderError: for an empty period.
        HolderOverlapError: naming who holds the number in the new period.
    """
    check_order(held_from, held_to)
    holder = load_version(session, NumberHolder, holder_id, version)
    _check_free(session, load(session, PhoneNumber, holder.number_id), held_from, held_to, besides=holder_id)
    changes = {
        "holder_id": holder_id,
        "held_from": [holder.held_from, held_from],
        "held_to": [holder.held_to, held_to],
    }
    holder.held_from, holder.held_to = held_from, held_to
    session.flush()
    _record(
        session,
        subject_id=holder.number_id,
        action="phone_number.period_corrected",
        actor_id=actor_id,
        changes=changes,
        reason=reason,
    )
    return holder


def _end(session: Session, holder: NumberHolder, at: dt.datetime, reason: str | None, actor_id: int) -> None:
    check_order(holder.held_from, at)
    changes = {"holder_id": holder.id, "held_to": [holder.held_to, at]}
    holder.held_to = at
    holder.version += 1
    session.flush()
    _record(
        session,
        subject_id=holder.number_id,
        action="phone_number.holding_ended",
        actor_id=actor_id,
        changes=changes,
        reason=reason,
    )


def _check_free(
    session: Session, number: PhoneNumber, start: dt.datetime, stop: dt.datetime | None, *, besides: int = 0
) -> None:
    # The database refuses the same: ex_number_holder_overlap, number_holder_no_overlap_*.
    of_number = and_(NumberHolder.number_id == number.id, NumberHolder.id != besides)
    dated = (NumberHolder.held_from, NumberHolder.held_to)
    taken = first_overlap(session, of_number, dated, (start, stop), NumberHolder.party_id)
    if taken is not None:
        raise HolderOverlapError(digits=number.digits, **taken)
