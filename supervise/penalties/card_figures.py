"""What the cards of a month count, for all parties in a few statements; each figure has its rows (``card_rows``).

An offence counts for the party that made the call, for the branch that answers for it, and for whoever pays for it:
once each.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, Subquery, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from supervise import clock
from supervise.attribution.inquiry_models import Inquiry, InquiryAnswer, InquiryState
from supervise.attribution.models import Attribution, Finding, FindingState
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.models import WatchDay, WatchFindingDay
from supervise.bulk import among
from supervise.complaints.models import Incident
from supervise.parties.models import Party
from supervise.penalties.figure_models import PartyMonthFigure
from supervise.penalties.models import LIVE_PENALTY_STATES, Objection, ObjectionState, Penalty
from supervise.penalties.pricing import FigureKind
from supervise.penalties.scoring import Criterion, Figure

AFTER_REFUSAL = "after_refusal"
#: What a decision on an objection can be.
DECIDED = (ObjectionState.UPHELD, ObjectionState.REDUCED, ObjectionState.REJECTED)
#: Two proven offences against one subscriber make a repeat.
REPEAT = 2
#: The kind whose rows say how many calls of a party were answered.
_ANSWERED = Irregularity.NO_RECORDING
#: The kind whose rows say how many orders of a party there were.
_ORDERED = Irregularity.ORDER_STEP_MISSING
_NOTHING = Figure(0, 0)

Figures = dict[int, dict[Criterion, Figure]]


def figures_of_month(session: Session, month: str, on: dt.date, party_ids: Collection[int] | None = None) -> Figures:
    """Return the figures of every party of which anything is known for the month, as of China day *on*, by id.

    A party that was merged counts for the one it lives on in. With *party_ids* only theirs are read.
    """
    first, stop = clock.month_bounds(month)
    asked = _Asked(session, first, min(stop, on + dt.timedelta(days=1)), party_ids)
    offences, refused = asked.offences()
    repeated = asked.repeated_subscribers()
    decided, late = asked.objections(), asked.answers(on)
    calls = asked.answered_calls(month, stop)
    orders = asked.orders(month, stop)
    found: Figures = {}
    for party_id in {*offences, *repeated, *decided, *late, *calls, *orders}:
        proven = offences.get(party_id, 0)
        found[party_id] = {
            Criterion.OFFENCES_PER_CALLS: Figure(proven, calls.get(party_id, 0)),
            Criterion.OFFENCES_PER_ORDERS: Figure(proven, orders.get(party_id, 0)),
            Criterion.AFTER_REFUSAL: Figure(refused.get(party_id, 0), proven),
            Criterion.OBJECTIONS_LOST: decided.get(party_id, _NOTHING),
            Criterion.LATE_ANSWERS: late.get(party_id, _NOTHING),
            Criterion.REPEAT_SUBSCRIBERS: repeated.get(party_id, _NOTHING),
        }
    return found


def survivor(party: type[Party] = Party) -> ColumnElement[int]:
    """Return the id of a party, or of what it was merged into."""
    return func.coalesce(party.merged_into_id, party.id)


def charged_findings(first: dt.date, stop: dt.date) -> Subquery:
    """Return (``party_id``, ``finding_id``) of proven offences of calls on ``[first, stop)``: whom each counts for."""
    proven = and_(Finding.state == FindingState.PROVEN, Incident.occurred_on >= first, Incident.occurred_on < stop)

    def of(tie: ColumnElement[bool], *joins: tuple[Any, ColumnElement[bool]]) -> Select[int, int]:
        query = select(survivor().label("party_id"), Finding.id.label("finding_id")).select_from(Finding)
        query = query.join(Incident, Incident.id == Finding.incident_id)
        for table, condition in joins:
            query = query.join(table, condition)
        return query.join(Party, tie).where(proven)

    # UNION, not UNION ALL: a branch that made the call itself, or pays for it, is charged once.
    together: CompoundSelect[int, int] = of(Party.id == Finding.party_id).union(
        of(Party.org_unit_id == Attribution.unit_id, (Attribution, Attribution.id == Finding.attribution_id)),
        of(
            Party.id == Penalty.party_id,
            (Penalty, and_(Penalty.finding_id == Finding.id, Penalty.state.in_(LIVE_PENALTY_STATES))),
        ),
    )
    return together.subquery()


def is_late() -> ColumnElement[bool]:
    """Return the condition that an inquiry was not answered in time: silence until the deadline, or a late answer."""
    answered_late = (
        select(InquiryAnswer.id)
        .where(InquiryAnswer.inquiry_id == Inquiry.id, InquiryAnswer.number == 1, InquiryAnswer.is_late)
        .exists()
    )
    return or_(Inquiry.deemed_at.is_not(None), answered_late)


class _Asked:
    """One month, asked of the tables one after the other."""

    def __init__(self, session: Session, first: dt.date, stop: dt.date, party_ids: Collection[int] | None) -> None:
        self._session, self._first, self._stop, self._party_ids = session, first, stop, party_ids

    def _narrowed(self, query: Any, party_id: ColumnElement[int]) -> Iterable[Any]:
        if self._party_ids is not None:
            query = query.where(among(self._session, party_id, self._party_ids))
        return iter(self._session.execute(query.group_by(party_id)))

    def offences(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return how many offences were proven, and how many of them after a refusal."""
        charged = charged_findings(self._first, self._stop)
        after = func.sum(case((Finding.offence_code == AFTER_REFUSAL, 1), else_=0))
        query = select(charged.c.party_id, func.count(), after).join(Finding, Finding.id == charged.c.finding_id)
        rows = list(self._narrowed(query, charged.c.party_id))
        return {row[0]: int(row[1]) for row in rows}, {row[0]: int(row[2]) for row in rows}

    def repeated_subscribers(self) -> dict[int, Figure]:
        """Return how many subscribers had two or more offences, of all that had one."""
        charged = charged_findings(self._first, self._stop)
        each = (
            select(charged.c.party_id, func.count().label("offences"))
            .join(Finding, Finding.id == charged.c.finding_id)
            .join(Incident, Incident.id == Finding.incident_id)
            .where(Incident.number_id.is_not(None))
            .group_by(charged.c.party_id, Incident.number_id)
            .subquery()
        )
        repeated = func.sum(case((each.c.offences >= REPEAT, 1), else_=0))
        rows = self._narrowed(select(each.c.party_id, repeated, func.count()), each.c.party_id)
        return {party_id: Figure(int(some), int(every)) for party_id, some, every in rows}

    def objections(self) -> dict[int, Figure]:
        """Return how many objections were rejected, of those that were decided in the month."""
        lost = func.sum(case((Objection.state == ObjectionState.REJECTED, 1), else_=0))
        query = (
            select(survivor(), lost, func.count())
            .select_from(Objection)
            .join(Penalty, Penalty.id == Objection.penalty_id)
            .join(Party, Party.id == Penalty.party_id)
            .where(
                Objection.state.in_(DECIDED),
                Objection.decided_at >= clock.start_of_day(self._first),
                Objection.decided_at < clock.start_of_day(self._stop),
            )
        )
        return {party_id: Figure(int(some), int(every)) for party_id, some, every in self._narrowed(query, survivor())}

    def answers(self, on: dt.date) -> dict[int, Figure]:
        """Return how many inquiries were not answered in time, of those whose deadline lay in the month and is over."""
        late = func.sum(case((is_late(), 1), else_=0))
        query = (
            select(survivor(), late, func.count())
            .select_from(Inquiry)
            .join(Party, Party.id == Inquiry.party_id)
            .where(
                Inquiry.state != InquiryState.WITHDRAWN,
                Inquiry.due_on >= self._first,
                Inquiry.due_on < min(self._stop, on),
            )
        )
        return {party_id: Figure(int(some), int(every)) for party_id, some, every in self._narrowed(query, survivor())}

    def recorded(self, month: str, kind: FigureKind) -> dict[int, int]:
        """Return what was last recorded of a kind for the month."""
        later = aliased(PartyMonthFigure)
        corrected = select(later.id).where(later.supersedes_id == PartyMonthFigure.id).exists()
        query = (
            select(survivor(), func.sum(PartyMonthFigure.amount))
            .select_from(PartyMonthFigure)
            .join(Party, Party.id == PartyMonthFigure.party_id)
            .where(PartyMonthFigure.month == month, PartyMonthFigure.kind == kind, ~corrected)
        )
        return {party_id: int(amount) for party_id, amount in self._narrowed(query, survivor())}

    def answered_calls(self, month: str, month_stop: dt.date) -> dict[int, int]:
        """Return the answered calls: as recorded for the month, else as the records say if every day of it has them."""
        return {**self._on_record(_ANSWERED, month_stop), **self.recorded(month, FigureKind.ANSWERED_CALLS)}

    def orders(self, month: str, month_stop: dt.date) -> dict[int, int]:
        """Return the orders: as recorded for the month, else as the records say if every day of it has them."""
        return {**self._on_record(_ORDERED, month_stop), **self.recorded(month, FigureKind.ORDERS)}

    def _on_record(self, kind: Irregularity, month_stop: dt.date) -> Mapping[int, int]:
        watched = select(func.count()).where(
            WatchDay.kind == kind, WatchDay.on_day >= self._first, WatchDay.on_day < month_stop
        )
        if self._session.scalar(watched) != (month_stop - self._first).days:
            return {}  # a rate over some of the days would be a made-up number
        of_month = and_(
            WatchFindingDay.kind == kind,
            WatchFindingDay.on_day >= self._first,
            WatchFindingDay.on_day < month_stop,
        )
        counted = func.sum(WatchFindingDay.looked_at)
        own = select(survivor(), counted).join(Party, Party.id == WatchFindingDay.party_id).where(of_month)
        found = {party_id: int(count or 0) for party_id, count in self._narrowed(own, survivor())}
        # A branch answers for all records of those below it, its own among them.
        below = select(survivor(), counted).join(Party, Party.org_unit_id == WatchFindingDay.unit_id).where(of_month)
        found |= {party_id: int(count or 0) for party_id, count in self._narrowed(below, survivor())}
        return {party_id: count for party_id, count in found.items() if count}
