"""The rows behind the figures of a card: what a reader counts to check it. Agrees with ``card_figures``."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.attribution.inquiry_models import Inquiry, InquiryState
from supervise.attribution.models import Finding
from supervise.complaints.models import Incident, SubscriberNumber
from supervise.parties.models import Party
from supervise.penalties.card_figures import DECIDED, charged_findings, is_late, survivor
from supervise.penalties.figure_models import PartyMonthFigure
from supervise.penalties.models import LIVE_PENALTY_STATES, Objection, ObjectionState, Penalty
from supervise.penalties.pricing import FigureKind

T = TypeVar("T")

#: More rows of one kind are not shown; the figure counts them all.
ROWS_MAX = 500


class OffenceRow(NamedTuple):
    """A proven offence that counts for the party."""

    finding_id: int
    incident_id: int
    occurred_on: dt.date
    offence_code: str
    #: The subscriber's number, masked; None: unknown.
    number_mask: str | None
    #: How many offences of the month are against this subscriber.
    of_subscriber: int
    penalty_id: int | None
    reference: str | None


class ObjectionRow(NamedTuple):
    """An objection of the party that was decided in the month."""

    penalty_id: int
    reference: str
    state: ObjectionState
    decided_at: dt.datetime


class InquiryRow(NamedTuple):
    """An inquiry whose deadline lay in the month."""

    inquiry_id: int
    due_on: dt.date
    state: InquiryState
    is_late: bool


class CardRows(NamedTuple):
    """Everything that a card counts."""

    offences: Sequence[OffenceRow]
    objections: Sequence[ObjectionRow]
    inquiries: Sequence[InquiryRow]
    #: What was recorded for the month, the present figure of each kind.
    recorded: Sequence[PartyMonthFigure]


def rows_of_card(session: Session, party_id: int, month: str, on: dt.date) -> CardRows:
    """Return the rows that the card of the party counts, as of China day *on*; each kind in the order of time."""
    first, stop = clock.month_bounds(month)
    stop = min(stop, on + dt.timedelta(days=1))
    asked = session.scalar(select(survivor()).where(Party.id == party_id)) or party_id
    return CardRows(
        _offences(session, asked, first, stop),
        _objections(session, asked, first, stop),
        _inquiries(session, asked, first, min(stop, on)),
        _recorded(session, asked, month),
    )


def _offences(session: Session, party_id: int, first: dt.date, stop: dt.date) -> list[OffenceRow]:
    charged = charged_findings(first, stop)
    penalty = and_(Penalty.finding_id == Finding.id, Penalty.state.in_(LIVE_PENALTY_STATES))
    own = select(func.min(Penalty.id)).where(penalty).correlate(Finding).scalar_subquery()
    of_subscriber = func.count().over(partition_by=func.coalesce(Incident.number_id, -Incident.id))
    query = (
        select(
            Finding.id,
            Incident.id,
            Incident.occurred_on,
            Finding.offence_code,
            SubscriberNumber.number_mask,
            of_subscriber,
            Penalty.id,
            Penalty.reference,
        )
        .join(charged, charged.c.finding_id == Finding.id)
        .join(Incident, Incident.id == Finding.incident_id)
        .outerjoin(SubscriberNumber, SubscriberNumber.id == Incident.number_id)
        .outerjoin(Penalty, Penalty.id == own)
        .where(charged.c.party_id == party_id)
        .order_by(Incident.occurred_at, Finding.id)
        .limit(ROWS_MAX)
    )
    return [OffenceRow(*row) for row in session.execute(query)]


def _objections(session: Session, party_id: int, first: dt.date, stop: dt.date) -> list[ObjectionRow]:
    query = (
        select(Penalty.id, Penalty.reference, Objection.state, Objection.decided_at)
        .select_from(Objection)
        .join(Penalty, Penalty.id == Objection.penalty_id)
        .where(
            Objection.state.in_(DECIDED),
            Objection.decided_at >= clock.start_of_day(first),
            Objection.decided_at < clock.start_of_day(stop),
        )
    )
    rows = session.execute(_of(query, Penalty.party_id, party_id).order_by(Objection.decided_at, Objection.id))
    return [ObjectionRow(*row) for row in rows]


def _inquiries(session: Session, party_id: int, first: dt.date, stop: dt.date) -> list[InquiryRow]:
    query = select(Inquiry.id, Inquiry.due_on, Inquiry.state, is_late()).where(
        Inquiry.state != InquiryState.WITHDRAWN, Inquiry.due_on >= first, Inquiry.due_on < stop
    )
    rows = session.execute(_of(query, Inquiry.party_id, party_id).order_by(Inquiry.due_on, Inquiry.id))
    return [InquiryRow(*row) for row in rows]


def _recorded(session: Session, party_id: int, month: str) -> Sequence[PartyMonthFigure]:
    later = aliased(PartyMonthFigure)
    corrected = select(later.id).where(later.supersedes_id == PartyMonthFigure.id).exists()
    query = select(PartyMonthFigure).where(
        PartyMonthFigure.month == month, PartyMonthFigure.kind != FigureKind.COMMISSION, ~corrected
    )
    return session.scalars(_of(query, PartyMonthFigure.party_id, party_id).order_by(PartyMonthFigure.id)).all()


def _of(query: Select[*tuple[Any, ...]], column: Any, party_id: int) -> Select[*tuple[Any, ...]]:
    same: ColumnElement[bool] = survivor() == party_id
    return query.join(Party, Party.id == column).where(same).limit(ROWS_MAX)
