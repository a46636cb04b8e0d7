"""Named reads of the pushes: what was handed to whom, and whether a party had been told before a call."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.bulk import among, slices
from supervise.donotcall.held import Asked, before, refusals_at, survivors_of
from supervise.donotcall.push_models import Push, PushDelivery, PushEntry
from supervise.errors import NotFoundError
from supervise.labels import N_, LabelledEnum
from supervise.parties.models import Party
from supervise.parties.scope import Scope

#: Working days that the first push gives; each later one takes those of the one before unless somebody says otherwise.
GRACE_DAYS = 3


class DeliveryState(LabelledEnum):
    """Where a push to one recipient stands."""

    SENT = "sent", N_("Not acknowledged yet")
    ACKNOWLEDGED = "acknowledged", N_("Acknowledged")
    DEEMED = "deemed", N_("Counts as delivered")


class Told(NamedTuple):
    """The push by which a party had been told of a number, and from when that counts."""

    push_id: int
    party_id: int
    delivered_at: dt.datetime
    #: Somebody acknowledged it; else the grace had passed.
    is_acknowledged: bool


class PushLine(NamedTuple):
    """A batch and how far it got with the recipients whom the reader may see."""

    push: Push
    numbers: int
    recipients: int
    acknowledged: int
    deemed: int

    @property
    def waiting(self) -> int:
        """How many neither acknowledged it nor let the grace pass."""
        return self.recipients - self.acknowledged - self.deemed


class DeliveryLine(NamedTuple):
    """A batch for one recipient."""

    delivery: PushDelivery
    party: str
    code: str

    def state(self, now: dt.datetime) -> DeliveryState:
        """Return where it stands: what is acknowledged late counted as delivered before."""
        if self.delivery.acknowledged_at is not None:
            return DeliveryState.ACKNOWLEDGED
        return DeliveryState.DEEMED if self.delivery.deemed_at <= now else DeliveryState.SENT


def last_grace(session: Session) -> int | None:
    """Return the grace of the newest push, in working days; None: nothing was pushed yet."""
    return session.scalar(sa.select(Push.grace_days).order_by(Push.id.desc()).limit(1))


def pushes_by_time(
    session: Session, scope: Scope, now: dt.datetime, *, before_id: int = 0, limit: int
) -> list[PushLine]:
    """Return up to *limit* batches that went to somebody in *scope*, the newest first, after the one *before_id*."""
    acknowledged = PushDelivery.acknowledged_at.is_not(None)
    numbers = sa.select(sa.func.count()).where(PushEntry.push_id == Push.id).correlate(Push).scalar_subquery()
    query = (
        sa.select(
            Push,
            numbers,
            sa.func.count(PushDelivery.id),
            sa.func.count(PushDelivery.id).filter(acknowledged),
            sa.func.count(PushDelivery.id).filter(~acknowledged, PushDelivery.deemed_at <= now),
        )
        .join(PushDelivery, PushDelivery.push_id == Push.id)
        .join(Party, Party.id == PushDelivery.party_id)
        .where(_reached(scope))
        .group_by(Push.id)
        .order_by(Push.id.desc())
        .limit(limit)
    )
    if before_id:
        query = query.where(Push.id < before_id)
    return [PushLine(*row) for row in session.execute(query)]


def push_in_scope(session: Session, scope: Scope, now: dt.datetime, push_id: int) -> PushLine:
    """Return one batch.

    Raises:
        NotFoundError: if there is none, or it went to nobody in *scope*.
    """
    [*found] = pushes_by_time(session, scope, now, before_id=push_id + 1, limit=1)
    if not found or found[0].push.id != push_id:
        raise NotFoundError
    return found[0]


def deliveries_of(session: Session, scope: Scope, push_id: int) -> list[DeliveryLine]:
    """Return the recipients of a batch within *scope*: who has not acknowledged it first, then by name."""
    query = (
        sa.select(PushDelivery, Party.name, Party.code)
        .join(Party, Party.id == PushDelivery.party_id)
        .where(PushDelivery.push_id == push_id, _reached(scope))
        .order_by(PushDelivery.acknowledged_at.is_not(None), Party.name, PushDelivery.id)
    )
    return [DeliveryLine(*row) for row in session.execute(query)]


def unacknowledged(scope: Scope) -> sa.Select[int]:
    """Return what waits for an acknowledgement by somebody in *scope*."""
    return (
        sa.select(PushDelivery.id)
        .join(Party, Party.id == PushDelivery.party_id)
        .where(PushDelivery.acknowledged_at.is_(None), _reached(scope))
    )


def to_remind(now: dt.datetime, today: dt.date) -> sa.Select[int]:
    """Return what was sent before, is neither acknowledged nor deemed, and was not reminded of *today*."""
    return sa.select(PushDelivery.id).where(
        PushDelivery.acknowledged_at.is_(None),
        PushDelivery.deemed_at > now,
        PushDelivery.sent_at < now - dt.timedelta(hours=12),
        sa.or_(PushDelivery.reminded_on.is_(None), PushDelivery.reminded_on < today),
    )


def _reached(scope: Scope) -> sa.ColumnElement[bool]:
    """Say who sees a delivery: a branch its own and those of its units, a partner its own, compliance all."""
    return scope.condition(unit=Party.org_unit_id, party=PushDelivery.party_id)


def told_before(session: Session, asked: Sequence[Asked]) -> list[Told | None]:
    """Return for each question, in their order, the first push that had reached the party by that moment; or None.

    The number was in the push, the refusal that was pushed still held (``refusals_at``), and the push was
    acknowledged, or its grace had passed, at or before the moment: the call of that very moment comes after it. A push
    to a party that was merged is a push to the survivor.
    """
    held = refusals_at(session, [question._replace(at=before(question.at)) for question in asked])
    party_ids = {question.party_id for question in asked if question.party_id is not None}
    told = _told(session, {event.id for events in held for event in events}, _families(session, party_ids))
    survivors = survivors_of(session, party_ids)
    answers: list[Told | None] = []
    for question, events in zip(asked, held, strict=True):
        survivor = survivors.get(question.party_id or 0)
        reached = [
            one for event in events for one in told.get((event.id, survivor), ()) if one.delivered_at <= question.at
        ]
        answers.append(min(reached, key=lambda one: (one.delivered_at, one.push_id), default=None))
    return answers


def _families(session: Session, party_ids: Collection[int]) -> dict[int, int]:
    """Return the survivor of each party that is one of *party_ids*, or is one company with one of them today."""
    survivors = sorted(set(survivors_of(session, party_ids).values()))
    one_company = sa.func.coalesce(Party.merged_into_id, Party.id)
    return {
        row.id: row.survivor
        for piece in slices(survivors)
        for row in session.execute(sa.select(Party.id, one_company.label("survivor")).where(one_company.in_(piece)))
    }


def _told(
    session: Session, event_ids: Collection[int], families: dict[int, int]
) -> dict[tuple[int, int | None], list[Told]]:
    delivered_at = sa.case(
        (PushDelivery.acknowledged_at < PushDelivery.deemed_at, PushDelivery.acknowledged_at),
        else_=PushDelivery.deemed_at,
    )
    query = (
        sa.select(
            PushEntry.event_id,
            PushEntry.push_id,
            PushDelivery.party_id,
            delivered_at.label("delivered_at"),
            (PushDelivery.acknowledged_at < PushDelivery.deemed_at).label("is_acknowledged"),
        )
        .join(PushDelivery, PushDelivery.push_id == PushEntry.push_id)
        .where(
            among(session, PushEntry.event_id, list(event_ids)), among(session, PushDelivery.party_id, list(families))
        )
    )
    found: dict[tuple[int, int | None], list[Told]] = {}
    for row in session.execute(query):
        one = Told(row.push_id, row.party_id, row.delivered_at, bool(row.is_acknowledged))
        found.setdefault((row.event_id, families[row.party_id]), []).append(one)
    return found
