"""Lists of sanctions: for people, within their scope, and for the systems that carry them out."""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.labels import N_, LabelledEnum
from supervise.parties.models import Party, PhoneNumber
from supervise.parties.queries import AT_ONCE, contains
from supervise.parties.sanction_models import SUSPENDING, Sanction, SanctionKind, SanctionState
from supervise.parties.sanctions import SanctionLine, decided, in_force_on, lines
from supervise.parties.scope import Scope
from supervise.penalties.score_models import PointsEntry, PointsReason

#: So long a number that may work again stays on the list for other systems.
RESTORED_WITHIN = dt.timedelta(days=31)


class SanctionStage(LabelledEnum):
    """What a list is narrowed to: a state, or where today lies in the period."""

    WAITING = "waiting", N_("Waiting for a decision")
    TO_COME = "to_come", N_("Approved, begins later")
    IN_FORCE = "in_force", N_("In force")
    OVER = "over", N_("Over")
    REJECTED = "rejected", N_("Rejected")


class SanctionFilters(NamedTuple):
    """What the list is narrowed by; *text* fits name or code of the party, or the beginning of the number."""

    text: str = ""
    kind: SanctionKind | None = None
    stage: SanctionStage | None = None
    #: Only what was decided: the sanctioned side learns of nothing before.
    decided_only: bool = False


class InForce(NamedTuple):
    """What other systems carry out on a day."""

    suspensions: list[SanctionLine]
    shutdowns: list[SanctionLine]
    #: Shutdowns that ended a short while ago, of numbers that are not shut down again.
    restored: list[SanctionLine]


def stage_of(line: SanctionLine, today: dt.date) -> SanctionStage:
    """Return where a sanction stands today; agrees with ``_of_stage``."""
    if line.row.state is SanctionState.PROPOSED:
        return SanctionStage.WAITING
    if line.row.state is SanctionState.REJECTED:
        return SanctionStage.REJECTED
    if line.is_in_force(today):
        return SanctionStage.IN_FORCE
    return SanctionStage.TO_COME if today < line.row.from_on and line.row.lifted_on is None else SanctionStage.OVER


def sanctions_newest_first(
    session: Session, scope: Scope, filters: SanctionFilters, *, after: int | None = None, limit: int = AT_ONCE
) -> list[SanctionLine]:
    """Return up to *limit* sanctions before the id *after*, the newest first."""
    query = lines().order_by(Sanction.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Sanction.id < after)
    if filters.text:
        fits = or_(contains(Party.name, filters.text), contains(Party.code, filters.text))
        query = query.where(or_(fits, PhoneNumber.digits.startswith(filters.text, autoescape=True)))
    if filters.kind is not None:
        query = query.where(Sanction.kind == filters.kind)
    if filters.stage is not None:
        query = query.where(_of_stage(filters.stage, clock.today()))
    if filters.decided_only:
        query = query.where(decided())
    return [SanctionLine(*row) for row in session.execute(scope.limit(query, party=Sanction.party_id))]


def _of_stage(stage: SanctionStage, today: dt.date) -> ColumnElement[bool]:
    to_come = and_(decided(), Sanction.from_on > today, Sanction.lifted_on.is_(None))
    return {
        SanctionStage.WAITING: Sanction.state == SanctionState.PROPOSED,
        SanctionStage.REJECTED: Sanction.state == SanctionState.REJECTED,
        SanctionStage.TO_COME: to_come,
        SanctionStage.IN_FORCE: in_force_on(today),
        SanctionStage.OVER: and_(decided(), ~in_force_on(today), ~to_come),
    }[stage]


def in_force_for_systems(session: Session, scope: Scope, on: dt.date) -> InForce:
    """Return who may not call and which numbers are shut down on the day, and which may work again, by id."""
    query = scope.limit(lines(), party=Sanction.party_id).order_by(Sanction.id)
    present = [SanctionLine(*row) for row in session.execute(query.where(in_force_on(on)))]
    shut = {line.row.number_id for line in present if line.row.number_id is not None}
    shutdowns = query.where(Sanction.kind == SanctionKind.NUMBER_SHUTDOWN, decided(), Sanction.number_id.not_in(shut))
    past = [SanctionLine(*row) for row in session.execute(shutdowns)]
    return InForce(
        [line for line in present if line.row.kind in SUSPENDING],
        [line for line in present if line.row.number_id is not None],
        [line for line in past if line.end_on is not None and on - RESTORED_WITHIN <= line.end_on <= on],
    )


def points_given_back(session: Session, line: SanctionLine) -> bool:
    """Say whether the deduction that a step of the ladder counted was given back since: look at it again."""
    entry_id = (line.row.facts or {}).get("points_entry_id")
    if entry_id is None:
        return False
    from_entry = select(PointsEntry.penalty_id).where(PointsEntry.id == entry_id).scalar_subquery()
    query = select(PointsEntry.id).where(
        PointsEntry.penalty_id == from_entry, PointsEntry.reason == PointsReason.RETURNED
    )
    return session.scalar(query.limit(1)) is not None
