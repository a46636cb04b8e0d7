"""Points that final penalties take from a party, and give back when they are lifted (domain F47, 7.10).

Source: docs/rules.md, rules S-1 and S-2. A balance is computed from the entries, never stored.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Select, Table, and_, func, insert, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among, slices
from supervise.db import take_turn
from supervise.parties.models import Party
from supervise.parties.periods import holds_at
from supervise.penalties.models import Penalty, PenaltyState, PenaltyStep
from supervise.penalties.score_models import PointsEntry, PointsReason, PointsStart

#: Entries of one transaction.
BATCH = 1_000
_ENTRIES = cast("Table", PointsEntry.__table__)


class PointsLine(NamedTuple):
    """An entry with the penalty behind it."""

    entry: PointsEntry
    reference: str
    offence_code: str


def enter_points(session: Session, *, limit: int = BATCH) -> int:
    """Enter what final penalties take, and give back what lifted ones took; return how many entries were made.

    A job calls this until it returns 0; twice does nothing twice (also a unique key).
    """
    take_turn(session, "points")
    rows = [*_taken(session, limit), *_returned(session, limit)]
    if rows:
        session.execute(insert(_ENTRIES), rows)
        record_event(
            session,
            actor_id=None,
            action="points.entered",
            subject="penalty",
            subject_id=None,
            changes={
                "penalty_ids": [row["penalty_id"] for row in rows],
                "points": sum(int(row["points"]) for row in rows),
            },
        )
    return len(rows)


def _taken(session: Session, limit: int) -> list[dict[str, Any]]:
    entered = select(PointsEntry.id).where(PointsEntry.penalty_id == Penalty.id).exists()
    query = (
        select(Penalty.id, Penalty.party_id, Penalty.explanation, Penalty.finalised_at)
        .where(Penalty.state == PenaltyState.FINAL, Penalty.explanation["points"].as_string().is_not(None), ~entered)
        .order_by(Penalty.id)
        .limit(limit)
    )
    rows = []
    for penalty_id, party_id, explanation, finalised_at in session.execute(query):
        points, on_day = explanation["points"], clock.china_day(finalised_at)
        expires_on = clock.months_after(on_day, int(points["months"]))
        rows.append(_entry(penalty_id, party_id, PointsReason.TAKEN, int(points["each"]), on_day, expires_on))
    return rows


def _returned(session: Session, limit: int) -> list[dict[str, Any]]:
    counter = aliased(PointsEntry)
    answered = (
        select(counter.id)
        .where(counter.penalty_id == PointsEntry.penalty_id, counter.reason == PointsReason.RETURNED)
        .exists()
    )
    lifted_at = (
        select(func.max(PenaltyStep.at))
        .where(PenaltyStep.penalty_id == Penalty.id, PenaltyStep.to_state == Penalty.state)
        .scalar_subquery()
    )
    query = (
        select(PointsEntry, lifted_at)
        .join(Penalty, Penalty.id == PointsEntry.penalty_id)
        .where(
            PointsEntry.reason == PointsReason.TAKEN,
            Penalty.state.in_((PenaltyState.REVERSED, PenaltyState.VOIDED)),
            ~answered,
        )
        .order_by(PointsEntry.id)
        .limit(limit)
    )
    return [
        _entry(
            taken.penalty_id,
            taken.party_id,
            PointsReason.RETURNED,
            -taken.points,
            clock.china_day(at),
            taken.expires_on,
        )
        for taken, at in session.execute(query)
    ]


def _entry(  # noqa: PLR0917 - a private row of columns
    penalty_id: int, party_id: int, reason: PointsReason, points: int, on_day: dt.date, expires_on: dt.date
) -> dict[str, Any]:
    return {
        "penalty_id": penalty_id,
        "party_id": party_id,
        "reason": reason,
        "points": points,
        "on_day": on_day,
        "expires_on": expires_on,
        "made_at": clock.now(),
    }


def start_on(session: Session, on: dt.date) -> PointsStart | None:
    """Return with how many points every party starts on the China day; None: no points are kept that day."""
    return session.scalars(
        select(PointsStart).where(holds_at(PointsStart.valid_from, PointsStart.valid_to, on))
    ).one_or_none()


def points_left(session: Session, party_ids: Collection[int], on: dt.date) -> dict[int, int]:
    """Return how many points each party has left on the China day, never below 0; empty where none are kept.

    A party that was merged and the one that it lives on in share their points.
    """
    start = start_on(session, on)
    if start is None:
        return {}
    left: dict[int, int] = {}
    for some in slices(sorted(set(party_ids))):
        survivors = dict(
            iter(
                session.execute(
                    select(Party.id, func.coalesce(Party.merged_into_id, Party.id)).where(
                        among(session, Party.id, some)
                    )
                )
            )
        )
        survivor = func.coalesce(Party.merged_into_id, Party.id)
        taken = _sums(session, on, among(session, survivor, sorted(set(survivors.values()))))
        left |= {party_id: max(0, start.points - taken.get(survivors.get(party_id, 0), 0)) for party_id in some}
    return left


def points_taken(session: Session, on: dt.date) -> Mapping[int, int]:
    """Return the points that count against each party on the China day, for those that have an entry."""
    return _sums(session, on)


def _sums(session: Session, on: dt.date, *narrowing: ColumnElement[bool]) -> dict[int, int]:
    survivor = func.coalesce(Party.merged_into_id, Party.id)
    query = (
        select(survivor, func.sum(PointsEntry.points))
        .join(Party, Party.id == PointsEntry.party_id)
        .where(_counting_on(on), *narrowing)
        .group_by(survivor)
    )
    return {party_id: int(points) for party_id, points in session.execute(query)}


def _counting_on(on: dt.date) -> ColumnElement[bool]:
    return and_(PointsEntry.on_day <= on, PointsEntry.expires_on > on)


def entries_of_party(session: Session, party_id: int) -> Sequence[PointsLine]:
    """Return the party's entries with the penalties behind them, the newest first."""
    asked = select(func.coalesce(Party.merged_into_id, Party.id)).where(Party.id == party_id).scalar_subquery()
    query = _lines().where(func.coalesce(Party.merged_into_id, Party.id) == asked)
    order = (PointsEntry.on_day.desc(), PointsEntry.id.desc())
    return [PointsLine(*row) for row in session.execute(query.order_by(*order))]


def _lines() -> Select[PointsEntry, str, str]:
    return (
        select(PointsEntry, Penalty.reference, Penalty.offence_code)
        .join(Penalty, Penalty.id == PointsEntry.penalty_id)
        .join(Party, Party.id == PointsEntry.party_id)
    )
