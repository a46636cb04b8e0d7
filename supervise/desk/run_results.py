"""What became of the rows of a bulk run: only of those that its reader may see today."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from supervise.compensation.models import Credit
from supervise.complaints.models import Incident, Ticket
from supervise.desk.models import BulkAction, BulkRun, BulkRunRow
from supervise.labels import N_, translate
from supervise.ledger.sets import in_set
from supervise.parties.scope import Scope
from supervise.penalties.models import Penalty

_AT_ONCE = 1_000
INCIDENT = N_("Incident %(number)d")


class RunResult(NamedTuple):
    """What became of a row, or of one call that it reports."""

    subject_id: int
    reference: str
    incident_id: int | None
    caller_number: str | None
    #: A message id.
    what: str
    #: The message id of why not; None: it is done.
    refusal: str | None
    parameters: Mapping[str, Any]

    @property
    def words(self) -> str:
        """What to say of it in the current locale."""
        return translate(self.what) if self.refusal is None else translate(self.refusal, dict(self.parameters))


def results_of_run(session: Session, scope: Scope, run: BulkRun, *, refused_only: bool = False) -> Iterator[RunResult]:
    """Yield what became of the decided rows in *scope*, in their order; a row of several calls has several results."""
    after = 0
    while rows := _decided(session, run.id, after):
        references = _references(session, scope, run.action, [row.subject_id for row in rows])
        callers = _callers(session, {part["incident"] for row in rows for part in row.outcomes or ()} - {None})
        for row in rows:
            if row.subject_id not in references:
                continue
            for part in row.outcomes or ():
                if part["refusal"] is None and refused_only:
                    continue
                incident_id = part["incident"]
                yield RunResult(
                    row.subject_id,
                    references[row.subject_id],
                    incident_id,
                    callers.get(incident_id),
                    part["what"],
                    part["refusal"],
                    part["parameters"],
                )
        after = rows[-1].place


def _decided(session: Session, run_id: int, after: int) -> Sequence[BulkRunRow]:
    query = select(BulkRunRow).where(
        BulkRunRow.run_id == run_id, BulkRunRow.place > after, BulkRunRow.outcomes.is_not(None)
    )
    return session.scalars(query.order_by(BulkRunRow.place).limit(_AT_ONCE)).all()


def _references(session: Session, scope: Scope, action: BulkAction, ids: Sequence[int]) -> dict[int, str]:
    connection = session.connection()
    if action is BulkAction.APPROVE_PENALTIES:
        penalties = select(Penalty.id, Penalty.reference).where(in_set(connection, Penalty.id, ids))
        query = scope.limit(penalties, unit=Penalty.unit_id, party=Penalty.party_id)
    elif action in {BulkAction.APPROVE_CREDITS, BulkAction.SEND_CREDITS}:
        query = scope.limit(
            select(Credit.id, Credit.reference).where(in_set(connection, Credit.id, ids)), unit=Credit.unit_id
        )
    elif action is BulkAction.PROVEN_CALLS:
        # A call has no number of its own; its page says so too.
        calls = select(Incident.id).where(in_set(connection, Incident.id, ids))
        found = session.scalars(scope.limit(calls, unit=Incident.unit_id))
        return {incident_id: translate(INCIDENT, {"number": incident_id}) for incident_id in found}
    else:
        query = scope.limit(
            select(Ticket.id, Ticket.reference).where(in_set(connection, Ticket.id, ids)), unit=Ticket.unit_id
        )
    return {row.id: row.reference for row in session.execute(query)}


def _callers(session: Session, incident_ids: Collection[int]) -> dict[int | None, str | None]:
    query = select(Incident.id, Incident.caller_number).where(
        in_set(session.connection(), Incident.id, list(incident_ids))
    )
    return {row.id: row.caller_number for row in session.execute(query)}


def runs_newest(session: Session, user_id: int, *, limit: int = 50) -> Sequence[BulkRun]:
    """Return the last runs that the user ordered, the newest first."""
    query = select(BulkRun).where(BulkRun.ordered_by == user_id).order_by(BulkRun.id.desc()).limit(limit)
    return session.scalars(query).all()


def purge_results(session: Session, before: dt.datetime) -> None:
    """Forget the results of runs ordered *before*; what was decided stands in the audit trail."""
    old = select(BulkRun.id).where(BulkRun.ordered_at < before)
    session.execute(delete(BulkRunRow).where(BulkRunRow.run_id.in_(old)))
