"""Calls and messages that are not decided and whose recording or SMS log will soon be gone (F12)."""

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from supervise.attribution.models import Finding, FindingState, IncidentVerdict, Verdict
from supervise.complaints.models import Incident, IncidentState
from supervise.evidence.clocks import KIND_OF, clock_periods, days_ending_by, expiry_days, within
from supervise.evidence.models import EvidenceForm, HoldRequest, HoldState
from supervise.parties.scope import Scope

PAGE = 50
#: Counting stops here: nobody reads a larger number.
COUNT_MAX = 1_000
#: These end the matter: no finding follows, so no evidence is needed for one.
_CLOSING = (Verdict.PRIVATE_DISPUTE, Verdict.OTHER_NETWORK)
_DAY = dt.timedelta(days=1)
_SLICE = 1_000

#: Where a page begins: a request was made, the day, the incident.
Place = tuple[bool, dt.date, int]


class Expiring(NamedTuple):
    """An undecided incident and the last day of its evidence."""

    incident: Incident
    verdict: Verdict | None
    #: The request that waits for an answer; None: nobody asked yet.
    hold: HoldRequest | None
    expires_on: dt.date

    @property
    def place(self) -> Place:
        """Where the next page begins."""
        return self.hold is not None, self.incident.occurred_on, self.incident.id

    def days_left(self, today: dt.date) -> int:
        """Return how many days are left; below zero: it may be gone."""
        return (self.expires_on - today).days


def expiring_evidence(
    session: Session,
    scope: Scope,
    form: EvidenceForm,
    today: dt.date,
    *,
    within_days: int | None,
    after: Place | None = None,
    limit: int = PAGE,
) -> list[Expiring]:
    """Return undecided incidents in *scope* whose evidence ends within so many days, or has ended (None).

    Those that nobody asked to be kept come first, then by day, the earliest first. What is kept on request, or known
    to be lost, is not among them.
    """
    asked = HoldRequest.id.is_not(None)
    query = (
        select(Incident, IncidentVerdict.verdict, HoldRequest)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .outerjoin(HoldRequest, and_(HoldRequest.incident_id == Incident.id, HoldRequest.state == HoldState.ASKED))
        .where(*_undecided(session, form, today, within_days))
        .order_by(asked, Incident.occurred_on, Incident.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(_beyond(asked, after))
    rows = session.execute(scope.limit(query, unit=Incident.unit_id)).all()
    days = expiry_days(session, {(row[0].kind, row[0].occurred_on) for row in rows})
    return [Expiring(row[0], row[1], row[2], days[row[0].kind, row[0].occurred_on]) for row in rows]


def _beyond(asked: ColumnElement[bool], after: Place) -> ColumnElement[bool]:
    was_asked, day, incident_id = after
    later = or_(Incident.occurred_on > day, and_(Incident.occurred_on == day, Incident.id > incident_id))
    return and_(asked, later) if was_asked else or_(asked, later)


def every_expiring(
    session: Session, scope: Scope, form: EvidenceForm, today: dt.date, *, within_days: int | None
) -> Iterator[Expiring]:
    """Yield what ``expiring_evidence`` lists, all of it, a slice at a time."""
    rows = expiring_evidence(session, scope, form, today, within_days=within_days, limit=_SLICE)
    while rows:
        yield from rows
        after = rows[-1].place
        rows = expiring_evidence(session, scope, form, today, within_days=within_days, after=after, limit=_SLICE)


def count_expiring(
    session: Session, scope: Scope, form: EvidenceForm, today: dt.date, *, within_days: int | None
) -> int:
    """Return how many incidents ``expiring_evidence`` lists; at most ``COUNT_MAX``."""
    rows: Select[int] = (
        select(Incident.id)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(*_undecided(session, form, today, within_days))
        .limit(COUNT_MAX)
    )
    limited = scope.limit(rows, unit=Incident.unit_id)
    return session.scalar(select(func.count()).select_from(limited.subquery())) or 0


def _undecided(
    session: Session, form: EvidenceForm, today: dt.date, within_days: int | None
) -> list[ColumnElement[bool]]:
    clocks = [row for row in clock_periods(session) if row.evidence is form]
    overdue = within(Incident.occurred_on, days_ending_by(clocks, today - _DAY))
    if within_days is None:
        days = [overdue]
    else:
        ending = days_ending_by(clocks, today + within_days * _DAY)
        days = [within(Incident.occurred_on, ending), ~overdue]
    settled = (
        select(HoldRequest.id)
        .where(HoldRequest.incident_id == Incident.id, HoldRequest.state.in_((HoldState.KEPT, HoldState.LOST)))
        .correlate(Incident)
        .exists()
    )
    found = (
        select(Finding.id)
        .where(Finding.incident_id == Incident.id, Finding.state != FindingState.OVERTURNED)
        .correlate(Incident)
        .exists()
    )
    return [
        Incident.kind == KIND_OF[form],
        Incident.state != IncidentState.MERGED,
        *days,
        or_(IncidentVerdict.verdict.is_(None), IncidentVerdict.verdict.not_in(_CLOSING)),
        ~found,
        ~settled,
    ]
