"""The end of records: legal holds that keep them, and dropping what is past its retention and on no hold.

From the drop on nobody chooses the files any more; they go an hour later (``sweeping``), so that whoever chose them
before reads them to the end. The line of the manifest and its hash stay.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, String, and_, cast, func, or_, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.evidence.clocks import days_ending_by, retention_periods, within
from supervise.evidence.models import LegalHold, RecordKind, RecordPartition
from supervise.labels import N_

_DAY = dt.timedelta(days=1)
_TURN = "record retention"


class HoldPeriodError(InvalidInputError):
    """A hold over no day."""

    message = N_("The end must be after the start")


class HoldReleasedError(ConflictError):
    """Released once, a hold is over."""

    message = N_("This legal hold was released before")


class ReleaseAskedError(ConflictError):
    """One question waits for an answer."""

    message = N_("Somebody was asked to release this hold already")


class ReleaseNotAskedError(ConflictError):
    """Answered or taken back meanwhile."""

    message = N_("Nobody asks any more to release this hold")


class ReleaseYourselfError(ConflictError):
    """Only who placed it needs another person."""

    message = N_("You did not place this hold: release it yourself")


class OnLegalHoldError(ConflictError):
    """All that could be dropped is on hold. The database refuses the same, partition by partition."""

    message = N_("These records are on legal hold; nothing was dropped")


class NothingDueError(ConflictError):
    """Nothing of the month is past its retention."""

    message = N_("Nothing of this month is past its retention")


class DueMonth(NamedTuple):
    """Records of one kind and month that are past their retention."""

    kind: RecordKind
    #: ``2023-05``.
    month: str
    partitions: int
    rows: int
    size_bytes: int
    #: So many of the partitions are on legal hold.
    held: int

    @property
    def droppable(self) -> int:
        """How many partitions may go."""
        return self.partitions - self.held


def place_legal_hold(
    session: Session,
    *,
    kind: RecordKind | None,
    from_day: dt.date,
    to_day: dt.date | None,
    reason: str,
    actor_id: int,
) -> LegalHold:
    """Keep the records of these days, of *kind* or of every kind, whatever retention says.

    Raises:
        HoldPeriodError: if *to_day* is not after *from_day*.
    """
    if to_day is not None and to_day <= from_day:
        raise HoldPeriodError
    take_turn(session, _TURN)
    hold = LegalHold(
        kind=kind, from_day=from_day, to_day=to_day, reason=reason, placed_by=actor_id, placed_at=clock.now()
    )
    session.add(hold)
    session.flush()
    _record(session, "legal_hold.placed", hold, reason, actor_id)
    return hold


def release_legal_hold(session: Session, hold_id: int, *, reason: str, actor_id: int) -> LegalHold:
    """End a legal hold, as another person than who placed it.

    Raises:
        NotFoundError: if there is no such hold.
        HoldReleasedError: if it is over.
        SamePersonError: if *actor_id* placed it.
    """
    hold = _hold_in_force(session, hold_id)
    if hold.placed_by == actor_id:
        raise SamePersonError(N_("A second person must release this hold: you placed it yourself"))
    hold.released_by, hold.released_at, hold.release_reason = actor_id, clock.now(), reason
    session.flush()
    _record(session, "legal_hold.released", hold, reason, actor_id)
    return hold


def ask_release(session: Session, hold_id: int, *, reason: str, actor_id: int) -> LegalHold:
    """Ask another person to release a hold that *actor_id* placed; it is listed with all that waits for a second one.

    Raises:
        NotFoundError: if there is no such hold.
        HoldReleasedError: if it is over.
        ReleaseYourselfError: if another person placed it.
        ReleaseAskedError: if it was asked before.
    """
    hold = _hold_in_force(session, hold_id)
    if hold.placed_by != actor_id:
        raise ReleaseYourselfError
    if hold.release_asked_at is not None:
        raise ReleaseAskedError
    hold.release_asked_at, hold.release_asked_reason = clock.now(), reason
    session.flush()
    _record(session, "legal_hold.release_asked", hold, reason, actor_id)
    return hold


def keep_on_hold(session: Session, hold_id: int, *, reason: str, actor_id: int) -> LegalHold:
    """Keep a hold although its release was asked for; whoever asked takes the question back by the same.

    Raises:
        NotFoundError: if there is no such hold.
        HoldReleasedError: if it is over.
        ReleaseNotAskedError: if nobody asks.
    """
    hold = _hold_in_force(session, hold_id)
    if hold.release_asked_at is None:
        raise ReleaseNotAskedError
    hold.release_asked_at = hold.release_asked_reason = None
    session.flush()
    _record(session, "legal_hold.kept", hold, reason, actor_id)
    return hold


def _hold_in_force(session: Session, hold_id: int) -> LegalHold:
    hold = session.get(LegalHold, hold_id, with_for_update=True, populate_existing=True)
    if hold is None:
        raise NotFoundError
    if hold.released_at is not None:
        raise HoldReleasedError
    return hold


def _record(session: Session, action: str, hold: LegalHold, reason: str, actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="legal_hold",
        subject_id=hold.id,
        changes={"kind": hold.kind, "covers_from": hold.from_day, "covers_to": hold.to_day},
        reason=reason,
    )


def legal_holds(session: Session) -> Sequence[LegalHold]:
    """Return every legal hold, those in force first, then the newest."""
    return session.scalars(
        select(LegalHold).order_by(LegalHold.released_at.is_not(None), LegalHold.id.desc()).limit(200)
    ).all()


def legal_hold_by_id(session: Session, hold_id: int) -> LegalHold:
    """Return one legal hold.

    Raises:
        NotFoundError: if there is none.
    """
    hold = session.get(LegalHold, hold_id)
    if hold is None:
        raise NotFoundError
    return hold


def months_due(session: Session, today: dt.date) -> list[DueMonth]:
    """Return what is past its retention on *today*, by kind and month, the oldest first; superseded records too."""
    month = _month()
    found: list[DueMonth] = []
    for kind, past in _past_by_kind(session, today).items():
        counts: Select[str, int, int, int] = select(
            month, func.count(), func.sum(RecordPartition.rows), func.sum(RecordPartition.size_bytes)
        )
        query = counts.where(past).group_by(month)
        held: dict[str, int] = dict(
            iter(session.execute(select(month, func.count()).where(past, on_legal_hold()).group_by(month)))
        )
        found += [
            DueMonth(kind, name, partitions, int(rows), int(size), held.get(name, 0))
            for name, partitions, rows, size in session.execute(query)
        ]
    return sorted(found, key=lambda one: (one.month, one.kind.value))


def drop_records(session: Session, kind: RecordKind, month: str, *, today: dt.date, reason: str, actor_id: int) -> int:
    """Drop what of *kind* and *month* is past its retention and on no legal hold; return how many partitions.

    Raises:
        NothingDueError: if nothing is past its retention.
        OnLegalHoldError: if all of it is on legal hold.
    """
    take_turn(session, _TURN)
    first, end = clock.month_bounds(month)
    due = and_(_past_by_kind(session, today)[kind], RecordPartition.on_day >= first, RecordPartition.on_day < end)
    rows = session.scalars(select(RecordPartition).where(due, ~on_legal_hold()).order_by(RecordPartition.id)).all()
    if not rows:
        is_held = session.scalar(select(RecordPartition.id).where(due).limit(1)) is not None
        raise OnLegalHoldError if is_held else NothingDueError
    session.execute(
        update(RecordPartition)
        .where(due, ~on_legal_hold())
        .values(dropped_at=clock.now(), dropped_by=actor_id, drop_reason=reason)
        .execution_options(synchronize_session=False)
    )
    record_event(
        session,
        actor_id=actor_id,
        action="records.dropped",
        subject="record_month",
        subject_id=f"{kind.value}/{month}",
        changes={"kind": kind, "partitions": len(rows), "rows": sum(row.rows for row in rows)},
        reason=reason,
    )
    return len(rows)


def on_legal_hold() -> ColumnElement[bool]:
    """Return the condition that a partition is on a legal hold; the trigger ``record_partition_on_hold`` agrees."""
    return (
        select(LegalHold.id)
        .where(
            LegalHold.released_at.is_(None),
            or_(LegalHold.kind.is_(None), LegalHold.kind == RecordPartition.kind),
            LegalHold.from_day <= RecordPartition.on_day,
            or_(LegalHold.to_day.is_(None), LegalHold.to_day > RecordPartition.on_day),
        )
        .correlate(RecordPartition)
        .exists()
    )


def _past_by_kind(session: Session, today: dt.date) -> dict[RecordKind, ColumnElement[bool]]:
    periods = retention_periods(session)
    return {
        kind: and_(
            RecordPartition.kind == kind,
            RecordPartition.dropped_at.is_(None),
            # Kept through its last day.
            within(RecordPartition.on_day, days_ending_by([one for one in periods if one.kind is kind], today - _DAY)),
        )
        for kind in RecordKind
    }


def _month() -> ColumnElement[str]:
    return func.substr(cast(RecordPartition.on_day, String), 1, 7).label("month")
