"""Opening incidents from irregular records, for people to look into: once for each record, known calls recognised.

Nobody complained, so there is no ticket; whoever sees the party's branch of that day sees the incident.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.attribution.watching.kinds import BASES, Irregularity
from supervise.attribution.watching.models import WatchedIncident
from supervise.attribution.watching.queries import opened_incidents
from supervise.attribution.watching.questions import Amount
from supervise.audit.record import record_events
from supervise.bulk import insert_rows, slices
from supervise.complaints.incidents import CallKey, KnownCall, KnownCalls
from supervise.complaints.models import Incident, IncidentFlag, IncidentKind, IncidentState, Precision
from supervise.complaints.receive import INTAKE_TURN, incident_facts
from supervise.complaints.reported import ReportedCall
from supervise.complaints.subscribers import ids_of_indexes
from supervise.db import reserve_ids, take_turn
from supervise.errors import InvalidInputError
from supervise.evidence.models import RecordKind
from supervise.labels import N_

#: Incidents of one decision: it holds intake's turn.
ROWS_MAX = Amount.DECISION.value
_KINDS: Mapping[RecordKind, IncidentKind] = {
    RecordKind.CALLS: IncidentKind.CALL,
    RecordKind.MESSAGES: IncidentKind.SMS,
}


class NoCallError(InvalidInputError):
    """An order is nothing that a subscriber received."""

    message = N_("An order is neither a call nor a message: ask the party about it, or look for the call before it")


class TooManyRecordsError(InvalidInputError):
    """One decision is one transaction, which must not hold its locks for long."""

    message = N_("At most %(limit)d records at once; choose fewer")


class Opened(Enum):
    """What became of a record."""

    NEW = auto()
    #: Intake knows the call: a ticket or an earlier record told of it.
    KNOWN = auto()
    #: This very record was opened before.
    BEFORE = auto()


class Result(NamedTuple):
    """A record with what became of it."""

    platform: str
    record_id: str
    outcome: Opened
    incident_id: int


def open_incidents(
    session: Session, kind: Irregularity, rows: Sequence[Mapping[str, Any]], *, unit_id: int | None, actor_id: int
) -> list[Result]:
    """Open an incident for each of the irregular records (``marking.MARKED``), in their order.

    *unit_id* is the branch of the party on the day of the records. A second time opens nothing.

    Raises:
        NoCallError: for orders.
        TooManyRecordsError: for more than ``ROWS_MAX``.
    """
    if BASES[kind].records not in _KINDS:
        raise NoCallError
    if len(rows) > ROWS_MAX:
        raise TooManyRecordsError(limit=ROWS_MAX)
    take_turn(session, INTAKE_TURN)
    opening = _Opening(session, kind, rows, unit_id)
    results = [opening.result(row) for row in rows]
    opening.write(actor_id)
    return results


class _Opening:
    """One decision: what is looked up once for all its records."""

    def __init__(
        self, session: Session, kind: Irregularity, rows: Sequence[Mapping[str, Any]], unit_id: int | None
    ) -> None:
        self._session, self._kind, self._unit_id = session, kind, unit_id
        self._records = BASES[kind].records
        names = [(row["platform"], row["record_id"]) for row in rows]
        self._before = opened_incidents(session, self._records, names)
        self._numbers = ids_of_indexes(session, {row["subscriber_index"] for row in rows})
        self._known = KnownCalls.load(session, set(self._numbers.values()), [self._call(row) for row in rows])
        #: Records are exact: an incident that came from another record is another call.
        self._taken = _from_records(session, self._known.incident_ids())
        self._ids = iter(reserve_ids(session, Incident.__table__, len(rows)))
        self._now = clock.now()
        self._incidents: list[dict[str, Any]] = []
        self._results: list[Result] = []

    def _call(self, row: Mapping[str, Any]) -> ReportedCall:
        return ReportedCall(
            kind=_KINDS[self._records],
            occurred_at=row["at"],
            precision=Precision.SECOND,
            caller_number=row["sender"],
            caller_class=phone.classify(row["sender"]),
        )

    def result(self, row: Mapping[str, Any]) -> Result:
        """Return what becomes of the record: its incident, known or new."""
        name = (row["platform"], row["record_id"])
        if name in self._before:
            return Result(*name, Opened.BEFORE, self._before[name])
        outcome, incident_id = self._incident(row)
        self._taken.add(incident_id)
        self._results.append(Result(*name, outcome, incident_id))
        return self._results[-1]

    def _incident(self, row: Mapping[str, Any]) -> tuple[Opened, int]:
        call, number_id = self._call(row), self._numbers[row["subscriber_index"]]
        key = CallKey(number_id, row["sender"], call.kind)
        # One moment, caller and subscriber are one call, whoever else told of it (index uq_incident_same_call).
        is_exact = self._known.has(key, call.occurred_at)
        match = self._known.match(key, call, () if is_exact else self._taken)
        if match.incident_id is not None:
            return Opened.KNOWN, match.incident_id
        incident_id = next(self._ids)
        self._known.add(key, KnownCall(incident_id, call.occurred_at, call.precision))
        self._incidents.append(
            {
                "id": incident_id,
                "number_id": number_id,
                "flags": [IncidentFlag.PROBABLE_DUPLICATE.value] if match.is_ambiguous else [],
                "unit_id": self._unit_id,
                **incident_facts(call),
                "state": IncidentState.REPORTED,
                "created_at": self._now,
                "version": 1,
            }
        )
        return Opened.NEW, incident_id

    def write(self, actor_id: int) -> None:
        """Write the incidents, then which record each came from, and an audit event for each record."""
        insert_rows(self._session, Incident.__table__, self._incidents)
        rows = [
            {
                "records": self._records,
                "platform": one.platform,
                "record_id": one.record_id,
                "incident_id": one.incident_id,
                "kind": self._kind,
                "opened_by": actor_id,
                "opened_at": self._now,
            }
            for one in self._results
        ]
        insert_rows(self._session, WatchedIncident.__table__, rows)
        record_events(
            self._session,
            actor_id=actor_id,
            action="incident.opened_from_record",
            subject="incident",
            changes=[
                (one.incident_id, {"irregularity": self._kind, "platform": one.platform, "record": one.record_id})
                for one in self._results
            ],
        )


def _from_records(session: Session, incident_ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for some in slices(incident_ids):
        query = select(WatchedIncident.incident_id).where(WatchedIncident.incident_id.in_(some))
        found.update(session.scalars(query))
    return found
