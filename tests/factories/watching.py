"""What watching the records found, as a run would have left it."""

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.models import WatchDay, WatchFindingDay
from supervise.parties.models import OrgUnit, Party


def make_finding(
    session: Session,
    *,
    party: Party | None,
    unit: OrgUnit | None = None,
    kind: Irregularity = Irregularity.OUTSIDE_HOURS,
    on_day: dt.date | None = None,
    records: int = 1,
    looked_at: int | None = None,
) -> WatchFindingDay:
    """A line of a day that was looked through; the records themselves are nowhere."""
    day = on_day or clock.today()
    known = select(WatchDay).where(WatchDay.kind == kind, WatchDay.on_day == day)
    if session.scalars(known).one_or_none() is None:
        session.add(WatchDay(kind=kind, on_day=day, partitions=1, newest_partition_id=1, computed_at=clock.now()))
        session.flush()
    finding = WatchFindingDay(
        kind=kind,
        on_day=day,
        party_id=party.id if party else None,
        unit_id=unit.id if unit else None,
        records=records,
        subscribers=1,
        looked_at=looked_at,
        is_suspected=True,
    )
    session.add(finding)
    session.flush()
    return finding
