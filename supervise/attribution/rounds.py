"""What changed since the last walk over incidents: registers, records, answers; without a reason no walk begins."""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from supervise.attribution.inquiry_models import Inquiry, InquiryAnswer
from supervise.attribution.models import EvidenceRound
from supervise.attribution.watch_models import WatchKind
from supervise.attribution.watch_thresholds import threshold_periods
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident
from supervise.evidence.models import RecordImport, RecordImportState

WEIGH, RECHECK, WATCH = "weigh", "recheck", "watch"
#: Changes to these may lead any incident to another party.
_REGISTERS = (
    "phone_number",
    "official_number",
    "party",
    "org_unit",
    "staff_number",
    "sales_channel",
    "watch_threshold",
)
#: A change is told by a moment before its commit; one that took so long would still be seen by the next walk.
_LATE_COMMIT = dt.timedelta(minutes=5)
#: A reported minute may lie on the other side of midnight.
_DAY = dt.timedelta(days=1)


class Changed(NamedTuple):
    """What a walk has to look at."""

    #: Every incident: a register changed, or nobody has walked yet.
    everything: bool
    #: The days of calls that new or corrected records may speak of, half-open.
    days: tuple[dt.date, dt.date] | None
    #: Parties answered, or were silent, since.
    answered_since: dt.datetime | None

    @property
    def anything(self) -> bool:
        """Whether there is a reason to walk over incidents that were walked over before."""
        return self.everything or self.days is not None or self.answered_since is not None

    @property
    def incidents(self) -> ColumnElement[bool]:
        """The condition on incidents that they may be concerned."""
        if self.everything:
            return Incident.id.is_not(None)
        concerned: list[ColumnElement[bool]] = [Incident.id.is_(None)]
        if self.days is not None:
            concerned.append((Incident.occurred_on >= self.days[0]) & (Incident.occurred_on < self.days[1]))
        if self.answered_since is not None:
            concerned.append(Incident.id.in_(_answered(self.answered_since)))
        return or_(*concerned)


def _answered(since: dt.datetime) -> Select[int]:
    """Return the select of the incidents that parties answered on, or were silent about; a merged one is the other."""
    asked = aliased(Incident)
    said = exists().where(InquiryAnswer.inquiry_id == Inquiry.id, InquiryAnswer.answered_at >= since)
    query = select(func.coalesce(asked.merged_into_id, asked.id)).join(Inquiry, Inquiry.incident_id == asked.id)
    return query.where((Inquiry.deemed_at >= since) | said)


EVERYTHING = Changed(everything=True, days=None, answered_since=None)


def changed_since_round(session: Session, name: str) -> Changed:
    """Return what changed since the last walk *name* began."""
    last = session.get(EvidenceRound, name, populate_existing=True)
    if last is None:
        return EVERYTHING
    since = last.begun_at - _LATE_COMMIT
    register = select(AuditEvent.id).where(AuditEvent.at >= since, AuditEvent.subject.in_(_REGISTERS)).limit(1)
    if session.scalar(register) is not None:
        return EVERYTHING
    answer = select(InquiryAnswer.id).where(InquiryAnswer.answered_at >= since).limit(1)
    silence = select(Inquiry.id).where(Inquiry.deemed_at >= since).limit(1)
    is_answered = session.scalar(answer) is not None or session.scalar(silence) is not None
    return Changed(
        everything=False, days=_days_of_records(session, since), answered_since=since if is_answered else None
    )


def _days_of_records(session: Session, since: dt.datetime) -> tuple[dt.date, dt.date] | None:
    first, end = session.execute(
        select(func.min(RecordImport.covers_from), func.max(RecordImport.covers_to)).where(
            RecordImport.state == RecordImportState.COMMITTED, RecordImport.finished_at >= since
        )
    ).one()
    if first is None or end is None:
        return None
    # An order speaks of calls before it.
    traced = [row.value or 0 for row in threshold_periods(session) if row.kind is WatchKind.ORDER_TRACE]
    return first - dt.timedelta(days=max(traced, default=0)) - _DAY, end + _DAY


def note_round(session: Session, name: str, begun_at: dt.datetime) -> None:
    """Write down that the walk *name* that began then went to its end."""
    row = session.get(EvidenceRound, name, with_for_update=True, populate_existing=True)
    if row is None:
        session.add(EvidenceRound(name=name, begun_at=begun_at))
    else:
        row.begun_at = max(row.begun_at, begun_at)
