"""Named reads on notices: what their rows are, in which order, always within a scope."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, true
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import among
from supervise.complaints.workdays import load_calendar
from supervise.contracts.terms import ContractTermsAt, terms_at
from supervise.errors import NotFoundError
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.models import WAITING_OBJECTION_STATES, Objection, Penalty, PenaltyFamily, PenaltyState
from supervise.penalties.notice_models import Notice, NoticeLine, NoticeState, PenaltyAcceptance

S = TypeVar("S", bound=Select[*tuple[Any, ...]])

PAGE = 50


@dataclass(frozen=True)
class NoticeFilter:
    """What a list of notices is narrowed to; None: not at all."""

    state: NoticeState | None = None
    #: Only those that charge the reader's own units and parties, not a partner that a unit sponsors.
    mine: bool = False
    #: Only those that are not delivered yet, in the application or on paper.
    undelivered: bool = False
    #: A part of the reference, in whatever case.
    reference: str = ""


class NoticeRow(NamedTuple):
    """A line of a list of notices."""

    notice: Notice
    party: str
    unit: str | None


class NoticePage(NamedTuple):
    """Some rows, and the id after which the next page begins; None: this was the last."""

    rows: Sequence[NoticeRow]
    next_after_id: int | None


def notices_in_scope(
    session: Session,
    scope: Scope,
    wanted: NoticeFilter,
    *,
    today: dt.date,
    after_id: int | None = None,
    limit: int = PAGE,
) -> NoticePage:
    """Return a page of notices in *scope*, the newest first; *after_id* is the last id of the page before."""
    query = (
        select(Notice, Party.name, OrgUnit.name)
        .join(Party, Party.id == Notice.party_id)
        .join(OrgUnit, OrgUnit.id == Notice.unit_id, isouter=True)
        .where(*_conditions(wanted, today))
    )
    limited = scope.limit(query, unit=Notice.unit_id, party=Notice.party_id)
    if wanted.mine:
        limited = ours(limited, scope)
    if after_id is not None:
        limited = limited.where(Notice.id < after_id)
    rows = [NoticeRow._make(row) for row in session.execute(limited.order_by(Notice.id.desc()).limit(limit + 1))]
    return NoticePage(rows[:limit], rows[limit - 1].notice.id if len(rows) > limit else None)


def _conditions(wanted: NoticeFilter, today: dt.date) -> list[ColumnElement[bool]]:
    conditions = [in_state(wanted.state, today)] if wanted.state is not None else []
    if wanted.undelivered:
        conditions.append(Notice.delivery.is_(None))
    if wanted.reference.strip():
        conditions.append(Notice.reference.contains(wanted.reference.strip().upper(), autoescape=True))
    return conditions


def in_state(state: NoticeState, today: dt.date) -> ColumnElement[bool]:
    """Return the condition that a notice stands there on the day; agrees with ``notice_models.state_on``."""
    conditions: dict[NoticeState, ColumnElement[bool]] = {
        NoticeState.TO_POST: and_(Notice.delivery.is_(None), Notice.by_post, Notice.listed_on.is_(None)),
        NoticeState.ISSUED: and_(Notice.delivery.is_(None), or_(~Notice.by_post, Notice.listed_on.is_not(None))),
        NoticeState.RUNNING: Notice.objection_until_on >= today,
        NoticeState.ENDED: Notice.objection_until_on < today,
    }
    return conditions[state]


def ours(query: S, scope: Scope) -> S:
    """Return *query* on notices with only those that a user of *scope* can open for whom they charge."""
    return query.where(_spoken_for(scope))


def _spoken_for(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a user of *scope* speaks for whom a notice charges; as ``belonging.spoken_for``."""
    if scope.sees_everything:
        return true()
    is_internal = Notice.family == PenaltyFamily.INTERNAL
    own_assessment = and_(is_internal, Notice.unit_id.in_(scope.unit_ids))
    own_damages = false() if scope.unit_ids else and_(~is_internal, Notice.party_id.in_(scope.party_ids))
    return or_(own_assessment, own_damages)


def notice_in_scope(session: Session, scope: Scope, notice_id: int) -> Notice:
    """Return one notice.

    Raises:
        NotFoundError: if it does not exist or is not in *scope*.
    """
    query = scope.limit(select(Notice).where(Notice.id == notice_id), unit=Notice.unit_id, party=Notice.party_id)
    notice = session.scalars(query).one_or_none()
    if notice is None:
        raise NotFoundError
    return notice


def notice_of_penalty(session: Session, penalty_id: int) -> Notice | None:
    """Return the notice that tells of a penalty; None for one from before notices, or not approved yet."""
    query = select(Notice).join(NoticeLine, NoticeLine.notice_id == Notice.id)
    return session.scalars(query.where(NoticeLine.penalty_id == penalty_id)).one_or_none()


def terms_of_notice(session: Session, notice: Notice) -> ContractTermsAt:
    """Return the terms for objections to a notice, as amended by its issue: of several contracts the longest."""
    issued_on = clock.china_day(notice.issued_at)
    contracts = select(Penalty.contract_id).join(NoticeLine, NoticeLine.penalty_id == Penalty.id)
    ids = set(session.scalars(contracts.where(NoticeLine.notice_id == notice.id).distinct()))
    terms = terms_at(session, ids, issued_on)
    if len(terms) == 1:
        return next(iter(terms.values()))
    calendar = load_calendar(session)
    return max(terms.values(), key=lambda one: calendar.add_days(issued_on, one.appeal_days, one.appeal_day_type).day)


def terms_of_penalty(session: Session, penalty: Penalty, notice: Notice | None) -> ContractTermsAt:
    """Return the terms for an objection to a penalty: those of its notice, if one tells of it.

    Of a penalty from before notices those of the day on which its window started; of one that nobody was told of,
    today's.
    """
    if notice is not None:
        return terms_of_notice(session, notice)
    started_at = penalty.window_started_at
    on = clock.today() if started_at is None else clock.china_day(started_at)
    return terms_at(session, [penalty.contract_id], on)[penalty.contract_id]


def lines_of(session: Session, notice_id: int) -> Sequence[int]:
    """Return the penalties of a notice, in its order."""
    query = select(NoticeLine.penalty_id).where(NoticeLine.notice_id == notice_id)
    return session.scalars(query.order_by(NoticeLine.position)).all()


def contestable_lines(session: Session, notice_id: int) -> Sequence[int]:
    """Return the penalties of a notice that can be acknowledged or accepted, in its order: nobody objected to them."""
    accepted = select(PenaltyAcceptance.penalty_id)
    objected = select(Objection.penalty_id).where(Objection.state.in_(WAITING_OBJECTION_STATES))
    query = (
        select(Penalty.id)
        .join(NoticeLine, NoticeLine.penalty_id == Penalty.id)
        .where(
            NoticeLine.notice_id == notice_id,
            Penalty.state == PenaltyState.APPROVED,
            Penalty.id.not_in(accepted),
            Penalty.id.not_in(objected),
        )
        .order_by(NoticeLine.position)
    )
    return session.scalars(query).all()


class NoticeSums(NamedTuple):
    """What is left of a notice: its lines after objections, reversals and waivers, in fen."""

    lifted_fen: int
    settled_fen: int


def sums_of(session: Session, notice_ids: Collection[int]) -> dict[int, NoticeSums]:
    """Return for each notice what was lifted of its lines and what was collected."""
    query = (
        select(NoticeLine.notice_id, func.sum(Penalty.lifted_fen), func.sum(Penalty.settled_fen))
        .join(Penalty, Penalty.id == NoticeLine.penalty_id)
        .where(among(session, NoticeLine.notice_id, notice_ids))
        .group_by(NoticeLine.notice_id)
    )
    return {row[0]: NoticeSums(int(row[1]), int(row[2])) for row in session.execute(query)}
