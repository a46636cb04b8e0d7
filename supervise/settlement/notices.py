"""Set-off notices: a set-off takes effect when its notice has reached the party (Civil Code 568; domain R29, C-5).

Each settlement of a posted run is a notice; its page is what the party reads and prints. What was to be set off
against a commission is booked on the day on which the notice arrived.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among, uncollected
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.labels import N_
from supervise.settlement.accounts import lock_parties
from supervise.settlement.models import NoticeDelivery, Settlement, SettlementRun, SettlementState
from supervise.settlement.taking import book, lines_to_collect, purse_for

#: Notices of one transaction.
AT_ONCE = 1_000


class _Notice(NamedTuple):
    """A settlement as its notice arrives."""

    id: int
    run_id: int
    party_id: int
    notice_at: dt.datetime | None
    delivery: NoticeDelivery | None
    deemed_on: dt.date | None


def acknowledge_notice(session: Session, settlement_id: int, *, actor_id: int) -> Settlement:
    """Let the party say that it has the notice; the caller has loaded it within the party's own scope.

    Raises:
        NotFoundError: if no notice went out.
        AlreadyDecidedError: if it had arrived before.
    """
    return _delivered(session, settlement_id, NoticeDelivery.ACKNOWLEDGED, clock.today(), actor_id)


def record_delivery(session: Session, settlement_id: int, on: dt.date, *, actor_id: int) -> Settlement:
    """Enter that a printed notice reached the party on a day, as the receipt shows.

    Raises:
        NotFoundError: if no notice went out.
        AlreadyDecidedError: if it had arrived before.
        InvalidInputError: for a day before the notice, or in the future.
    """
    return _delivered(session, settlement_id, NoticeDelivery.RECORDED, on, actor_id)


def deem_delivered(session: Session, on: dt.date, *, limit: int = AT_ONCE) -> int:
    """Take notices for delivered whose days have passed, at most *limit*, and return how many; a job calls it daily."""
    due = select(Settlement.id).where(
        Settlement.state == SettlementState.POSTED, Settlement.delivery.is_(None), Settlement.deemed_on <= on
    )
    notices = _locked(session, list(session.scalars(due.order_by(Settlement.id).limit(limit))))
    fresh = [one for one in notices if one.delivery is None]
    with uncollected():
        _take_effect(session, fresh, NoticeDelivery.DEEMED, None, actor_id=None)
    return len(notices)


def _delivered(
    session: Session, settlement_id: int, delivery: NoticeDelivery, on: dt.date, actor_id: int
) -> Settlement:
    notices = _locked(session, [settlement_id])
    notice_at = notices[0].notice_at if notices else None
    if notice_at is None:
        raise NotFoundError
    [notice] = notices
    if notice.delivery is not None:
        raise AlreadyDecidedError
    if not clock.china_day(notice_at) <= on <= clock.today():
        raise InvalidInputError(N_("A notice arrives after it went out, and not in the future"))
    _take_effect(session, notices, delivery, on, actor_id=actor_id)
    return session.get_one(Settlement, settlement_id, populate_existing=True)


def _locked(session: Session, ids: Sequence[int]) -> list[_Notice]:
    if not ids:
        return []
    columns = [getattr(Settlement, name) for name in _Notice._fields]
    rows = select(*columns).where(among(session, Settlement.id, list(ids))).order_by(Settlement.id)
    return [_Notice._make(row) for row in session.execute(rows.with_for_update())]


def _take_effect(
    session: Session,
    notices: Sequence[_Notice],
    delivery: NoticeDelivery,
    on: dt.date | None,
    *,
    actor_id: int | None,
) -> None:
    """Write the delivery, each on its own deemed day if *on* is None, and book what waited for it."""
    if not notices:
        return
    lock_parties(session, {one.party_id for one in notices})
    days = {one.id: on or one.deemed_on or clock.today() for one in notices}
    for day in sorted(set(days.values())):
        ids = [id_ for id_, of in days.items() if of == day]
        arrived = update(Settlement).where(among(session, Settlement.id, ids))
        values = arrived.values(delivery=delivery, delivered_on=day)
        session.execute(values.execution_options(synchronize_session=False))
    total_fen = 0
    for run_id in sorted({one.run_id for one in notices}):
        run = session.get_one(SettlementRun, run_id)
        lines = lines_to_collect(session, [one.id for one in notices if one.run_id == run_id])
        purse = purse_for(session, lines)
        collected = [purse.take(line) for line in lines]
        book(session, run, collected, days)
        total_fen += sum(one.fen for one in collected)
    record_event(
        session,
        actor_id=actor_id,
        action="settlements.delivered",
        subject="settlement",
        subject_id=notices[0].id if len(notices) == 1 else None,
        changes={
            "settlement_ids": [one.id for one in notices],
            "delivery": delivery,
            "collected_fen": total_fen,
        },
    )
