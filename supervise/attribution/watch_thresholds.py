"""Figures above which what parties do is looked at, dated: who reads them, who sets them (domain F46, F53).

A new figure begins today or later and ends the one before it: what was found by the old one stays found. A threshold
makes a suspicion, never a fine.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watch_models import WatchKind, WatchThreshold
from supervise.audit.record import record_event
from supervise.complaints.reference import BackDatedError
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.parties.periods import holds_at, in_words

#: Larger figures are typing errors; the database counts further.
VALUE_MAX = 1_000_000_000
DAYS_MAX = 3_650
DAY_MINUTES = 24 * 60
_PER_CENT = 100


class Shape(Enum):
    """Which figures a threshold of a kind has."""

    HOURS = "hours"
    COUNT = "count"
    COUNT_WITHIN_DAYS = "count_within_days"
    PER_CENT = "per_cent"
    DAYS = "days"
    SECONDS = "seconds"


#: Agrees with the CHECKs on ``watch_threshold``.
SHAPES: Mapping[WatchKind, Shape] = {
    WatchKind.CALL_HOURS: Shape.HOURS,
    WatchKind.CALLS_PER_SUBSCRIBER: Shape.COUNT,
    WatchKind.DIALS_PER_STAFF: Shape.COUNT,
    WatchKind.CALLS_PER_NUMBER: Shape.COUNT,
    WatchKind.SMS_PER_SUBSCRIBER: Shape.COUNT,
    WatchKind.SMS_PER_PORT: Shape.COUNT,
    WatchKind.RECORDING_COVERAGE: Shape.PER_CENT,
    WatchKind.QC_COVERAGE: Shape.PER_CENT,
    WatchKind.ORDER_TRACE: Shape.DAYS,
    WatchKind.MATCH_TOLERANCE: Shape.SECONDS,
    WatchKind.CLOCK_DRIFT: Shape.SECONDS,
    WatchKind.NUMBER_ROTATION: Shape.COUNT_WITHIN_DAYS,
    WatchKind.NUMBER_PATTERN: Shape.COUNT_WITHIN_DAYS,
}


class NotPositiveError(InvalidInputError):
    """A threshold that everything or nothing would pass (domain F18)."""

    message = N_("A threshold must be above zero")


class FiguresError(InvalidInputError):
    """Figures that a threshold of the kind does not have, or lacks."""

    message = N_("%(kind)s needs other figures")


class CoverageError(InvalidInputError):
    """A share above the whole."""

    message = N_("At most 100 per cent can be asked for")


class HoursError(InvalidInputError):
    """Hours that are not within one day."""

    message = N_("The hours must lie within one day, the first before the last")


class ThresholdPlannedError(ConflictError):
    """A later figure of the kind is set already."""

    message = N_("A threshold of this kind begins on %(first)s already; begin after that day")


@dataclass(frozen=True)
class Figures:
    """What a threshold says; ``SHAPES`` has which of it a kind has."""

    value: int | None = None
    within_days: int | None = None
    #: Minutes since midnight in China, ``[from, to)``.
    from_minute: int | None = None
    to_minute: int | None = None


class ThresholdRow(NamedTuple):
    """A threshold in its period."""

    id: int
    kind: WatchKind
    value: int | None
    within_days: int | None
    from_minute: int | None
    to_minute: int | None
    legal_note: str
    valid_from: dt.date
    valid_to: dt.date | None


def thresholds_on(session: Session, day: dt.date) -> dict[WatchKind, ThresholdRow]:
    """Return the thresholds of the China day by kind; a kind without one is not watched that day."""
    query = _rows().where(holds_at(WatchThreshold.valid_from, WatchThreshold.valid_to, day))
    return {row.kind: ThresholdRow(*row) for row in session.execute(query)}


def threshold_periods(session: Session) -> list[ThresholdRow]:
    """Return every threshold of every kind, the kinds in their own order, the latest first."""
    rows = [ThresholdRow(*row) for row in session.execute(_rows().order_by(WatchThreshold.valid_from.desc()))]
    order = list(WatchKind)
    return sorted(rows, key=lambda row: order.index(row.kind))


def threshold_by_id(session: Session, threshold_id: int) -> ThresholdRow:
    """Return one threshold.

    Raises:
        NotFoundError: if there is none.
    """
    row = session.execute(_rows().where(WatchThreshold.id == threshold_id)).one_or_none()
    if row is None:
        raise NotFoundError
    return ThresholdRow(*row)


def set_threshold(
    session: Session, kind: WatchKind, figures: Figures, *, legal_note: str, valid_from: dt.date, actor_id: int
) -> WatchThreshold:
    """Watch by other figures from *valid_from* on; the threshold of the kind before it ends there.

    Raises:
        NotPositiveError, CoverageError, HoursError, FiguresError: for figures that make no sense for the kind.
        BackDatedError: if *valid_from* lies before today.
        ThresholdPlannedError: if one of the kind begins on that day or later.
    """
    check_figures(kind, figures)
    if valid_from < clock.today():
        raise BackDatedError
    take_turn(session, "watch thresholds")
    still = or_(WatchThreshold.valid_to.is_(None), WatchThreshold.valid_to > valid_from)
    query = select(WatchThreshold).where(WatchThreshold.kind == kind, still).order_by(WatchThreshold.valid_from.desc())
    rivals = session.scalars(query).all()
    if rivals and rivals[0].valid_from >= valid_from:
        raise ThresholdPlannedError(first=in_words(rivals[0].valid_from))
    for rival in rivals:
        rival.valid_to = valid_from
    session.flush()  # the one before ends first, or the database would see two at a time
    made = WatchThreshold(kind=kind, legal_note=legal_note, valid_from=valid_from, **vars(figures))
    session.add(made)
    session.flush()
    given = {name: value for name, value in vars(figures).items() if value is not None}
    changes = {"threshold": kind, **given, "legal_basis": made.legal_note, "valid_from": valid_from}
    _record(session, made.id, "watch_threshold.set", changes, actor_id)
    return made


def end_threshold(session: Session, threshold_id: int, *, valid_to: dt.date, actor_id: int) -> WatchThreshold:
    """Watch by it no more from *valid_to* on; what was found by it stays found.

    Raises:
        NotFoundError: if there is no such threshold, or it has an end.
        BackDatedError: if *valid_to* lies before today, or not after the beginning.
    """
    row = session.get(WatchThreshold, threshold_id, with_for_update=True, populate_existing=True)
    if row is None or row.valid_to is not None:
        raise NotFoundError
    if valid_to < clock.today() or valid_to <= row.valid_from:
        raise BackDatedError
    row.valid_to = valid_to
    session.flush()
    _record(session, row.id, "watch_threshold.ended", {"threshold": row.kind, "valid_to": valid_to}, actor_id)
    return row


def check_figures(kind: WatchKind, figures: Figures) -> None:
    """Refuse figures that make no sense for the kind; the database refuses the same.

    Raises:
        NotPositiveError, CoverageError, HoursError, FiguresError: saying what is wrong.
    """
    shape = SHAPES[kind]
    if any(count is not None and count <= 0 for count in (figures.value, figures.within_days)):
        raise NotPositiveError
    needed = _FIGURES.get(shape, frozenset({"value"}))
    if {name for name, value in vars(figures).items() if value is not None} != needed:
        raise FiguresError(kind=kind.label)
    if shape is Shape.PER_CENT and (figures.value or 0) > _PER_CENT:
        raise CoverageError
    if shape is Shape.HOURS and not 0 <= (figures.from_minute or 0) < (figures.to_minute or 0) <= DAY_MINUTES:
        raise HoursError


_FIGURES: Mapping[Shape, frozenset[str]] = {
    Shape.HOURS: frozenset({"from_minute", "to_minute"}),
    Shape.COUNT_WITHIN_DAYS: frozenset({"value", "within_days"}),
}


def _rows() -> Select[int, WatchKind, int | None, int | None, int | None, int | None, str, dt.date, dt.date | None]:
    return select(
        WatchThreshold.id,
        WatchThreshold.kind,
        WatchThreshold.value,
        WatchThreshold.within_days,
        WatchThreshold.from_minute,
        WatchThreshold.to_minute,
        WatchThreshold.legal_note,
        WatchThreshold.valid_from,
        WatchThreshold.valid_to,
    )


def _record(session: Session, threshold_id: int, action: str, changes: Mapping[str, object], actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="watch_threshold",
        subject_id=threshold_id,
        changes=changes,
    )
