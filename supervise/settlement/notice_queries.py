"""Named reads of settlement notices: which of them a reader may see, which are under way."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session

from supervise.errors import NotFoundError
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from supervise.settlement.models import Settlement, SettlementRun

PAGE = 100


def own_settlements(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a reader may see a settlement: all of them, or those of the own party.

    A branch sees none: what it sponsors is settled with the partner, and its own assessments stay inside the carrier.
    """
    if scope.sees_everything:
        return Settlement.id.is_not(None)
    if scope.unit_ids:
        return Settlement.id.is_(None)
    return and_(Settlement.party_id.in_(scope.party_ids), Settlement.notice_at.is_not(None))


def settlement_in_scope(session: Session, scope: Scope, settlement_id: int) -> Settlement:
    """Return a settlement that the reader may see; its party sees it once the notice went out.

    Raises:
        NotFoundError: otherwise.
    """
    settlement = session.scalar(select(Settlement).where(Settlement.id == settlement_id, own_settlements(scope)))
    if settlement is None:
        raise NotFoundError
    return settlement


class NoticeRow(NamedTuple):
    """A settlement in the list of a party's own."""

    settlement: Settlement
    run: SettlementRun
    party: str


def notices_under_way(scope: Scope) -> Select[int]:
    """Return the settlements within *scope* whose notice went out and has not arrived."""
    return select(Settlement.id).where(
        Settlement.notice_at.is_not(None), Settlement.delivery.is_(None), own_settlements(scope)
    )


def notices_in_scope(
    session: Session, scope: Scope, *, under_way: bool = False, before_id: int | None = None, limit: int = PAGE
) -> Sequence[NoticeRow]:
    """Return the settlements whose notice went out, within *scope*, the newest first; *under_way*: not arrived yet.

    *before_id* is the last id of the page before.
    """
    query = (
        select(Settlement, SettlementRun, Party.name)
        .join(SettlementRun, SettlementRun.id == Settlement.run_id)
        .join(Party, Party.id == Settlement.party_id)
        .where(Settlement.notice_at.is_not(None), own_settlements(scope))
        .order_by(Settlement.id.desc())
        .limit(limit)
    )
    if under_way:
        query = query.where(Settlement.id.in_(notices_under_way(scope)))
    if before_id is not None:
        query = query.where(Settlement.id < before_id)
    return [NoticeRow._make(row) for row in session.execute(query)]
