"""The dated figures of consequences: steps of the ladder, points to start with, how cards are scored.

They begin after today, so that nobody is measured by what they could not know; what was decided by the figures before
stays decided.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.parties.periods import in_words
from supervise.parties.sanction_models import SanctionKind, SanctionRule, SanctionTrigger
from supervise.penalties.score_models import PointsStart, ScoreScheme
from supervise.penalties.scoring import Criterion, Weight

#: Larger figures are typing errors.
POINTS_MAX, WARNINGS_MAX, MONTHS_MAX, WEIGHT_MAX, WORST_MAX = 1_000, 100, 120, 100, 10_000
Dated = TypeVar("Dated", PointsStart, ScoreScheme)


class BeginsTooSoonError(InvalidInputError):
    """A figure that would hold before anybody could know of it."""

    message = N_("Begin after today: nobody is measured by what they could not know")


class StepFiguresError(InvalidInputError):
    """A step with figures that its trigger does not have, or without those that it has."""

    message = N_("“%(trigger)s” needs other figures")


class MonthStartError(InvalidInputError):
    """A scheme that would begin inside a month: a card is scored by one scheme."""

    message = N_("Cards are scored by whole months: begin on the first day of one")


class BandsError(InvalidInputError):
    """Bands that do not go down."""

    message = N_("The bands must go down: good above under watch above poor, from 100 to 1")


class WeightsError(InvalidInputError):
    """Weights of which nothing can be made."""

    message = N_("Each worst value is above zero, no weight is negative, and calls or orders weigh something")


class PlannedAlreadyError(ConflictError):
    """Other figures begin then or later already."""

    message = N_("Other figures begin on %(first)s already; begin after that day")


def ladder_steps(session: Session) -> Sequence[SanctionRule]:
    """Return every step of the ladder, by trigger, the mildest first, each with its period."""
    rows = session.scalars(select(SanctionRule)).all()
    order, kinds = list(SanctionTrigger), list(SanctionKind)

    def place(row: SanctionRule) -> tuple[int, int, int, int, dt.date]:
        reached = -(row.points_left or 0) if row.points_left is not None else row.warnings or 0
        return order.index(row.trigger_kind), reached, kinds.index(row.kind), row.months or 0, row.valid_from

    return sorted(rows, key=place)


def add_step(
    session: Session,
    trigger: SanctionTrigger,
    kind: SanctionKind,
    *,
    figures: Mapping[str, int | None],
    months: int | None,
    legal_note: str,
    valid_from: dt.date,
    actor_id: int,
) -> SanctionRule:
    """Add a step to the ladder; *figures* are ``points_left``, ``warnings`` and ``within_months``, by trigger.

    Raises:
        BeginsTooSoonError: unless it begins after today.
        StepFiguresError: for figures that the trigger does not have, or lacks.
    """
    _check_later(valid_from)
    if {name for name, value in figures.items() if value is not None} != FIGURES[trigger]:
        raise StepFiguresError(trigger=trigger.label)
    row = SanctionRule(
        trigger_kind=trigger, kind=kind, months=months, legal_note=legal_note, valid_from=valid_from, **figures
    )
    session.add(row)
    session.flush()
    given = {name: value for name, value in figures.items() if value is not None}
    changes = {"trigger": trigger, **given, "sanction": kind, "months": months, "valid_from": valid_from}
    _record(session, "sanction_rule.added", "sanction_rule", row.id, changes, actor_id)
    return row


#: Which figures a step has; agrees with the CHECKs on ``sanction_rule``.
FIGURES: Mapping[SanctionTrigger, frozenset[str]] = {
    SanctionTrigger.POINTS_LEFT: frozenset({"points_left"}),
    SanctionTrigger.CONSECUTIVE_WARNINGS: frozenset({"warnings"}),
    SanctionTrigger.CUMULATIVE_WARNINGS: frozenset({"warnings", "within_months"}),
    SanctionTrigger.LATE_TOP_UP: frozenset(),
}


def end_step(session: Session, rule_id: int, *, valid_to: dt.date, actor_id: int) -> SanctionRule:
    """Let a step propose nothing from *valid_to* on.

    Raises:
        NotFoundError: if there is no such step, or it has an end.
        BeginsTooSoonError: unless it ends after today and after it began.
    """
    row = session.get(SanctionRule, rule_id, with_for_update=True, populate_existing=True)
    if row is None or row.valid_to is not None:
        raise NotFoundError
    _check_later(valid_to)
    if valid_to <= row.valid_from:
        raise BeginsTooSoonError
    row.valid_to = valid_to
    session.flush()
    _record(session, "sanction_rule.ended", "sanction_rule", row.id, {"valid_to": valid_to}, actor_id)
    return row


def set_points_start(
    session: Session, points: int, *, legal_note: str, valid_from: dt.date, actor_id: int
) -> PointsStart:
    """Let every party start with so many points from *valid_from* on.

    Raises:
        BeginsTooSoonError, PlannedAlreadyError: unless it begins after today and after every other.
    """
    made = PointsStart(points=points, legal_note=legal_note, valid_from=valid_from)
    _follow(session, PointsStart, made)
    changes = {"points": points, "legal_basis": made.legal_note, "valid_from": valid_from}
    _record(session, "points_start.set", "points_start", made.id, changes, actor_id)
    return made


def set_score_scheme(
    session: Session,
    weights: Mapping[Criterion, Weight],
    bands: tuple[int, int, int],
    *,
    legal_note: str,
    valid_from: dt.date,
    actor_id: int,
) -> ScoreScheme:
    """Score the cards of the months from *valid_from* on by other weights and *bands* (good, under watch, poor from).

    Raises:
        BeginsTooSoonError, MonthStartError, PlannedAlreadyError: unless it begins with a month to come, after every
            other.
        BandsError, WeightsError: for figures that make no sense.
    """
    good_from, watch_from, poor_from = bands
    if not 100 >= good_from > watch_from > poor_from > 0:  # noqa: PLR2004 - also a CHECK of the table
        raise BandsError
    volumes = weights[Criterion.OFFENCES_PER_CALLS].weight + weights[Criterion.OFFENCES_PER_ORDERS].weight
    if any(one.worst <= 0 or one.weight < 0 for one in weights.values()) or volumes <= 0:
        raise WeightsError
    if valid_from.day != 1:
        raise MonthStartError
    criteria: dict[str, Any] = {criterion.value: list(weights[criterion]) for criterion in Criterion}
    made = ScoreScheme(
        criteria=criteria,
        good_from=good_from,
        watch_from=watch_from,
        poor_from=poor_from,
        legal_note=legal_note,
        valid_from=valid_from,
    )
    _follow(session, ScoreScheme, made)
    changes = {
        "criteria": criteria,
        "good_from": good_from,
        "watch_from": watch_from,
        "poor_from": poor_from,
        "legal_basis": made.legal_note,
        "valid_from": valid_from,
    }
    _record(session, "score_scheme.set", "score_scheme", made.id, changes, actor_id)
    return made


def periods_of(session: Session, model: type[Dated]) -> Sequence[Dated]:
    """Return every row of dated figures, the latest first."""
    return session.scalars(select(model).order_by(model.valid_from.desc())).all()


def _check_later(day: dt.date) -> None:
    if day <= clock.today():
        raise BeginsTooSoonError


def _follow(session: Session, model: type[Dated], made: Dated) -> None:
    """End the figures before on the day on which *made* begins, and add it."""
    _check_later(made.valid_from)
    take_turn(session, model.__tablename__)
    still = or_(model.valid_to.is_(None), model.valid_to > made.valid_from)
    rivals = session.scalars(select(model).where(still).order_by(model.valid_from.desc())).all()
    if rivals and rivals[0].valid_from >= made.valid_from:
        raise PlannedAlreadyError(first=in_words(rivals[0].valid_from))
    for rival in rivals:
        rival.valid_to = made.valid_from
    session.flush()  # the one before ends first, or the database would see two at a time
    session.add(made)
    session.flush()


def _record(  # noqa: PLR0917 - a private row of columns
    session: Session, action: str, subject: str, row_id: int, changes: Mapping[str, object], actor_id: int
) -> None:
    record_event(session, actor_id=actor_id, action=action, subject=subject, subject_id=row_id, changes=changes)
