"""Named reads of what watching found, each within a scope: a row is seen by the branch of its party on that day."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.models import WatchDay, WatchedIncident, WatchFindingDay
from supervise.bulk import among, slices
from supervise.complaints.models import Incident, SubscriberNumber
from supervise.errors import NotFoundError
from supervise.evidence.models import RecordKind
from supervise.parties.models import Party
from supervise.parties.scope import Scope

PAGE = 50
S = TypeVar("S", bound=sa.Select[*tuple[Any, ...]])


class Span(NamedTuple):
    """China days from *first* to *last*, both included."""

    first: dt.date
    last: dt.date

    @property
    def days(self) -> list[dt.date]:
        """Every one of them."""
        return [self.first + dt.timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def before(self) -> "Span":
        """Return as many days just before."""
        length = self.last - self.first + dt.timedelta(days=1)
        return Span(self.first - length, self.last - length)


class KindLine(NamedTuple):
    """A kind of irregularity over some days: how much was found, and how much in as many days before."""

    kind: Irregularity
    records: int
    before: int
    parties: int
    #: Days that were looked through, and the last of them; not all are watched every day.
    days: int
    last_day: dt.date | None


class FindingFilters(NamedTuple):
    """What the list of a kind is narrowed by."""

    span: Span
    #: Fits name or code of the party.
    party: str = ""
    #: True: where a share is watched, parties that keep the threshold as well.
    unsuspected: bool = False


class FindingLine(NamedTuple):
    """What was found of a party on a day."""

    finding: WatchFindingDay
    party: Party | None


def _in_scope(scope: Scope) -> sa.ColumnElement[bool]:
    """The one condition that list, page, export and drawing share."""
    return scope.condition(unit=WatchFindingDay.unit_id, party=WatchFindingDay.party_id)


def kinds_over(session: Session, scope: Scope, span: Span) -> list[KindLine]:
    """Return a line for each kind, in their own order."""
    found = _sums(session, scope, span)
    before = _sums(session, scope, span.before())
    looked = {
        kind: (days, last)
        for kind, days, last in session.execute(
            sa.select(WatchDay.kind, sa.func.count(), sa.func.max(WatchDay.on_day))
            .where(WatchDay.on_day.between(*span))
            .group_by(WatchDay.kind)
        )
    }
    return [
        KindLine(
            kind,
            found.get(kind, (0, 0))[0],
            before.get(kind, (0, 0))[0],
            found.get(kind, (0, 0))[1],
            *looked.get(kind, (0, None)),
        )
        for kind in Irregularity
    ]


def _sums(session: Session, scope: Scope, span: Span) -> dict[Irregularity, tuple[int, int]]:
    query = (
        sa.select(
            WatchFindingDay.kind,
            sa.func.sum(WatchFindingDay.records),
            sa.func.count(sa.distinct(sa.func.coalesce(WatchFindingDay.party_id, 0))),
        )
        .where(WatchFindingDay.on_day.between(*span), WatchFindingDay.is_suspected, _in_scope(scope))
        .group_by(WatchFindingDay.kind)
    )
    return {kind: (int(records), parties) for kind, records, parties in session.execute(query)}


def records_by_day(session: Session, scope: Scope, kind: Irregularity, filters: FindingFilters) -> dict[dt.date, int]:
    """Return how many irregular records each day has that was looked through, in the order of days."""
    looked = session.scalars(
        sa.select(WatchDay.on_day)
        .where(WatchDay.kind == kind, WatchDay.on_day.between(*filters.span))
        .order_by(WatchDay.on_day)
    )
    counted = _narrowed(sa.select(WatchFindingDay.on_day, sa.func.sum(WatchFindingDay.records)), scope, kind, filters)
    found = {day: int(records) for day, records in session.execute(counted.group_by(WatchFindingDay.on_day))}
    return {day: found.get(day, 0) for day in looked}


def findings_by_day(
    session: Session,
    scope: Scope,
    kind: Irregularity,
    filters: FindingFilters,
    *,
    after: tuple[dt.date, int] | None = None,
    limit: int | None = PAGE,
) -> list[FindingLine]:
    """Return what was found by party and day, the newest day first, after (day, id) *after*; without *limit* all."""
    query = _narrowed(sa.select(WatchFindingDay, Party), scope, kind, filters)
    if after is not None:
        day, finding_id = after
        same = sa.and_(WatchFindingDay.on_day == day, WatchFindingDay.id > finding_id)
        query = query.where(sa.or_(WatchFindingDay.on_day < day, same))
    query = query.order_by(WatchFindingDay.on_day.desc(), WatchFindingDay.id).limit(limit)
    return [FindingLine(*row) for row in session.execute(query)]


def _narrowed(query: S, scope: Scope, kind: Irregularity, filters: FindingFilters) -> S:
    query = (
        query.select_from(WatchFindingDay)
        .outerjoin(Party, Party.id == WatchFindingDay.party_id)
        .where(WatchFindingDay.kind == kind, WatchFindingDay.on_day.between(*filters.span), _in_scope(scope))
    )
    if filters.unsuspected:
        # A line whose records turned out to be another party's has nothing left in it.
        query = query.where(sa.or_(WatchFindingDay.is_suspected, WatchFindingDay.looked_at > 0))
    else:
        query = query.where(WatchFindingDay.is_suspected)
    if filters.party:
        text = filters.party
        query = query.where(
            sa.or_(Party.name.contains(text, autoescape=True), Party.code.contains(text, autoescape=True))
        )
    return query


def finding_in_scope(session: Session, scope: Scope, finding_id: int) -> FindingLine:
    """Return one line.

    Raises:
        NotFoundError: if there is none, or it lies outside the scope.
    """
    query = (
        sa.select(WatchFindingDay, Party)
        .outerjoin(Party, Party.id == WatchFindingDay.party_id)
        .where(WatchFindingDay.id == finding_id, _in_scope(scope))
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFoundError
    return FindingLine(*row)


def looked_through(session: Session, kind: Irregularity, on_day: dt.date) -> WatchDay:
    """Return when a day with findings was looked through, and by which figure."""
    return session.scalars(sa.select(WatchDay).where(WatchDay.kind == kind, WatchDay.on_day == on_day)).one()


def masks_of(session: Session, indexes: Collection[str]) -> dict[str, str]:
    """Return the mask of each number, by its index, that somebody here knows."""
    found: dict[str, str] = {}
    for some in slices(sorted(indexes)):
        query = sa.select(SubscriberNumber.number_index, SubscriberNumber.number_mask)
        rows = session.execute(query.where(among(session, SubscriberNumber.number_index, some)))
        found.update((index, mask) for index, mask in rows)
    return found


def opened_incidents(
    session: Session, records: RecordKind, names: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return the incident that was opened from each record (platform, record id); one merged away by its survivor."""
    found: dict[tuple[str, str], int] = {}
    for some in slices(sorted({record_id for _platform, record_id in names})):
        query = (
            sa.select(
                WatchedIncident.platform,
                WatchedIncident.record_id,
                sa.func.coalesce(Incident.merged_into_id, Incident.id),
            )
            .join(Incident, Incident.id == WatchedIncident.incident_id)
            .where(WatchedIncident.records == records, among(session, WatchedIncident.record_id, some))
        )
        found.update(
            ((platform, record_id), incident_id) for platform, record_id, incident_id in session.execute(query)
        )
    return {name: found[name] for name in names if name in found}


def records_of_incident(session: Session, incident_id: int) -> Sequence[WatchedIncident]:
    """Return the records that the incident was opened from, or recognised in, the first one first."""
    query = sa.select(WatchedIncident).where(WatchedIncident.incident_id == incident_id)
    return session.scalars(query.order_by(WatchedIncident.id)).all()


def is_opened(session: Session, scope: Scope, incident_id: int) -> bool:
    """Say whether the incident came from records of a party in *scope*: it is reached without a ticket."""
    query = (
        sa.select(Incident.id)
        .join(WatchedIncident, WatchedIncident.incident_id == Incident.id)
        .where(Incident.id == incident_id)
    )
    return session.scalars(scope.limit(query, unit=Incident.unit_id).limit(1)).first() is not None
