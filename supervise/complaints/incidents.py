"""Telling one call from another: the same call reported twice is two tickets and one incident.

The same is: subscriber, caller and kind, and the time within ten minutes, or on the same day where one of the
two reports knows only the day (domain 4.9). Two calls of one report are never the same. An anonymous report
matches nothing. Where two known calls fit, a person decides.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import among, slices
from supervise.complaints.models import Incident, IncidentKind, IncidentState, Precision
from supervise.complaints.reported import ReportedCall

#: Two clocks and two memories of one call differ by no more than this.
TOLERANCE = dt.timedelta(minutes=10)
_DAY = dt.timedelta(days=1)


class CallKey(NamedTuple):
    """Whom, from where, what: calls that differ in it are different calls."""

    number_id: int
    caller_number: str
    kind: IncidentKind


class KnownCall(NamedTuple):
    """When a known incident happened."""

    incident_id: int
    occurred_at: dt.datetime
    precision: Precision


@dataclass(frozen=True)
class Match:
    """What intake recognised: the incident, or the several that fit, or nothing."""

    incident_id: int | None
    candidates: tuple[int, ...]

    @property
    def is_ambiguous(self) -> bool:
        """Several known calls fit and none exactly."""
        return self.incident_id is None and bool(self.candidates)


_NO_MATCH = Match(None, ())


def is_same_time(call: ReportedCall, known: KnownCall) -> bool:
    """Say whether two reported times can mean one call."""
    if Precision.DAY in {call.precision, known.precision}:
        return clock.china_day(call.occurred_at) == clock.china_day(known.occurred_at)
    return abs(call.occurred_at - known.occurred_at) <= TOLERANCE


class KnownCalls:
    """The known incidents of some subscribers, and those that are just being taken in."""

    def __init__(self) -> None:
        self._calls: dict[CallKey, list[KnownCall]] = {}

    @classmethod
    def load(cls, session: Session, number_ids: Collection[int], calls: Sequence[ReportedCall]) -> "KnownCalls":
        """Read the incidents of *number_ids* around the times of *calls*, by slices, never call by call."""
        known = cls()
        if not number_ids or not calls:
            return known
        first = min(call.occurred_at for call in calls) - _DAY
        last = max(call.occurred_at for call in calls) + _DAY
        query = (
            sa.select(
                Incident.id,
                Incident.number_id,
                Incident.caller_number,
                Incident.kind,
                Incident.occurred_at,
                Incident.precision,
            )
            .where(Incident.state != IncidentState.MERGED, Incident.caller_number.is_not(None))
            .where(Incident.occurred_at >= first, Incident.occurred_at <= last)
            .order_by(Incident.id)
        )
        for piece in slices(sorted(number_ids)):
            for row in session.execute(query.where(among(session, Incident.number_id, piece))):
                key = CallKey(row.number_id, row.caller_number, row.kind)
                known.add(key, KnownCall(row.id, row.occurred_at, row.precision))
        return known

    def add(self, key: CallKey, call: KnownCall) -> None:
        """Remember an incident that was just made."""
        self._calls.setdefault(key, []).append(call)

    def incident_ids(self) -> list[int]:
        """Return every known incident."""
        return [known.incident_id for calls in self._calls.values() for known in calls]

    def has(self, key: CallKey, occurred_at: dt.datetime) -> bool:
        """Say whether an incident of exactly that moment is known."""
        return any(known.occurred_at == occurred_at for known in self._calls.get(key, ()))

    def match(self, key: CallKey, call: ReportedCall, taken: Collection[int] = ()) -> Match:
        """Return what *call* is already known as; *taken* incidents belong to other calls of the same report.

        A known call of the very same moment is the one (index uq_incident_same_call holds it unique).
        """
        calls = self._calls.get(key)
        if calls is None:
            return _NO_MATCH
        fitting = [known for known in calls if known.incident_id not in taken and is_same_time(call, known)]
        exact = [known for known in fitting if known.occurred_at == call.occurred_at]
        chosen = exact[:1] or (fitting if len(fitting) == 1 else [])
        return Match(chosen[0].incident_id if chosen else None, tuple(known.incident_id for known in fitting))
