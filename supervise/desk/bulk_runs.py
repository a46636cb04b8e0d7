"""One action over many rows, slice by slice: a slice is one transaction, and every row keeps what became of it.

A slice is decided, its results are written and the run's place moves on together: a worker that was killed left
whole slices behind it, and the next one begins where it ended.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import bulk, clock
from supervise.access.deputies import permissions_today
from supervise.access.models import User
from supervise.access.roles import Permission
from supervise.attribution.decide import accept_suggestions
from supervise.attribution.findings import Proof
from supervise.attribution.proof_models import VerificationKind
from supervise.audit.record import record_event
from supervise.compensation.approve import Shown as ShownCredit
from supervise.complaints.models import Incident, TicketState
from supervise.desk import bulk as desk_bulk
from supervise.desk.approval_runs import places_by_charged, rest_of_charged
from supervise.desk.approvals import approve_credits_within_authority
from supervise.desk.bulk import Outcome
from supervise.desk.models import BulkAction, BulkRun, BulkRunRow
from supervise.errors import InvalidInputError, NotFoundError, NotPermittedError, RefusalError, RowResult
from supervise.labels import N_
from supervise.parties.scope import Scope, Viewer
from supervise.penalties.approve import Shown as ShownPenalty
from supervise.penalties.approve import approve

#: Half of what a request may decide at once: a run lasts, and colleagues who want its locks wait at every slice.
SLICE_ROWS = 500
#: The rows are written down while the user waits; so many take about a second.
ROWS_MAX = 100_000

#: What became of one part of a row, as it is stored: an incident's id or None, message ids, parameters.
Stored = dict[str, Any]


class TooManyForRunError(InvalidInputError):
    """Even in the background there is an end."""

    message = N_("At most %(limit)d rows at once; narrow the view and do it in parts")


class Subject(NamedTuple):
    """A chosen row, and the SHA-256 of what was shown of it where that matters."""

    id: int
    content_sha256: str | None = None


class Standing(NamedTuple):
    """How far a run is."""

    rows_done: int
    rows_total: int
    rows_refused: int


#: Which permission an action needs, when it is ordered and again at every slice.
NEEDED: Mapping[BulkAction, Permission] = {
    BulkAction.ACCEPT: Permission.ANSWER_TICKETS,
    BulkAction.INVESTIGATE: Permission.ANSWER_TICKETS,
    BulkAction.SUGGESTIONS: Permission.TRIAGE,
    BulkAction.FINDINGS: Permission.TRIAGE,
    BulkAction.AMOUNTS: Permission.TRIAGE,
    BulkAction.PROVEN_CALLS: Permission.TRIAGE,
    BulkAction.APPROVE_PENALTIES: Permission.APPROVE_MONEY,
    BulkAction.APPROVE_CREDITS: Permission.APPROVE_MONEY,
    BulkAction.SEND_CREDITS: Permission.EXPORT_CREDITS,
}


def rows_sha256(subjects: Sequence[Subject]) -> str:
    """Return by which a second click on the same rows is known."""
    return hashlib.sha256(repr([tuple(subject) for subject in subjects]).encode()).hexdigest()


def write_run(
    session: Session,
    action: BulkAction,
    subjects: Sequence[Subject],
    *,
    job_id: int,
    locale: str,
    actor_id: int,
    proofs: Sequence[Proof] = (),
) -> BulkRun:
    """Write down that *action* shall be done with *subjects*, in their order; nothing is decided yet.

    Penalties of one charged party are put together, so that one notice tells of all of them.
    """
    run = BulkRun(
        action=action,
        offences=[proof.offence_code for proof in proofs],
        checklists={proof.offence_code: dict(proof.checklist) for proof in proofs if proof.checklist} or None,
        note=proofs[0].evidence_note if proofs else None,
        verified_by=proofs[0].verified_by.value if proofs and proofs[0].verified_by else None,
        locale=locale,
        rows_total=len(subjects),
        rows_sha256=rows_sha256(subjects),
        job_id=job_id,
        ordered_by=actor_id,
        ordered_at=clock.now(),
    )
    session.add(run)
    session.flush()  # the rows name it
    rows = [
        {"run_id": run.id, "place": place, "subject_id": subject.id, "content_sha256": subject.content_sha256}
        for place, subject in enumerate(_in_order(session, action, subjects), start=1)
    ]
    bulk.insert_rows(session, BulkRunRow.__table__, rows)
    record_event(
        session,
        actor_id=actor_id,
        action="bulk_run.ordered",
        subject="bulk_run",
        subject_id=run.id,
        changes={"action": action, "rows": len(subjects)},
    )
    return run


def _in_order(session: Session, action: BulkAction, subjects: Sequence[Subject]) -> Sequence[Subject]:
    if action is not BulkAction.APPROVE_PENALTIES:
        return subjects
    return [subjects[place] for place in places_by_charged(session, [subject.id for subject in subjects])]


def run_of(session: Session, run_id: int, *, actor_id: int) -> BulkRun:
    """Return a run of one's own.

    Raises:
        NotFoundError: if there is none, or it is somebody else's.
    """
    run = session.get(BulkRun, run_id)
    if run is None or run.ordered_by != actor_id:
        raise NotFoundError
    return run


def lock_run(session: Session, run_id: int) -> BulkRun:
    """Return the run, its row locked: two workers that have the same job take their slices one after the other.

    Raises:
        NotFoundError: if there is none.
        NotPermittedError: if who ordered it may not do it any more.
    """
    run = session.get(BulkRun, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFoundError
    if NEEDED[run.action] not in permissions_today(session, run.ordered_by):
        raise NotPermittedError
    return run


def subject_ids(session: Session, run_id: int) -> Sequence[int]:
    """Return the chosen rows in their order."""
    return session.scalars(
        select(BulkRunRow.subject_id).where(BulkRunRow.run_id == run_id).order_by(BulkRunRow.place)
    ).all()


def take_slice(session: Session, run_id: int) -> Standing:
    """Decide the next rows of a run and write down what became of each; nothing if all are done.

    A slice of penalties ends with the last one of a charged party, however many it has: one notice tells of them.

    Raises:
        NotFoundError: if there is no such run.
        NotPermittedError: if who ordered it may not do it any more.
    """
    run = lock_run(session, run_id)
    rows = session.scalars(
        select(BulkRunRow)
        .where(BulkRunRow.run_id == run_id, BulkRunRow.place > run.rows_done)
        .order_by(BulkRunRow.place)
        .limit(SLICE_ROWS)
        .execution_options(populate_existing=True)
    ).all()
    if rows and run.action is BulkAction.APPROVE_PENALTIES:
        rows = [*rows, *rest_of_charged(session, rows[-1])]
    if rows:
        outcomes = _DECISIONS[run.action](session, run, rows)
        for row in rows:
            row.outcomes = outcomes[row.subject_id]
        run.rows_done = rows[-1].place
        run.rows_refused += sum(any(part["refusal"] for part in outcomes[row.subject_id]) for row in rows)
    return Standing(run.rows_done, run.rows_total, run.rows_refused)


def _stored(what: str, refusal: RefusalError | None, incident_id: int | None = None) -> Stored:
    return {
        "incident": incident_id,
        "what": what,
        "refusal": None if refusal is None else refusal.message_id,
        "parameters": {} if refusal is None else dict(refusal.parameters),
    }


def act_on_tickets(
    session: Session, viewer: Viewer, action: BulkAction, ticket_ids: Sequence[int], proofs: Sequence[Proof] = ()
) -> list[Outcome]:
    """Do *action* with the tickets in *viewer*'s scope, in this transaction; *proofs* are what findings record.

    Raises:
        NoRowsError: without a ticket.
        TooManyRowsError: for more than one transaction takes.
    """
    if action in _MOVES:
        return desk_bulk.move_many(session, viewer, ticket_ids, _MOVES[action], actor_id=viewer.id)
    decision = desk_bulk.finding_decision(proofs) if action is BulkAction.FINDINGS else _CALLS[action]
    return desk_bulk.decide_many(session, viewer, ticket_ids, decision, actor_id=viewer.id)


def _decide_tickets(session: Session, run: BulkRun, rows: Sequence[BulkRunRow]) -> dict[int, list[Stored]]:
    answers = run.checklists or {}
    how = VerificationKind(run.verified_by) if run.verified_by else None
    proofs = [
        Proof(code, proven=True, evidence_note=run.note or "", checklist=answers.get(code), verified_by=how)
        for code in run.offences
    ]
    viewer, ids = session.get_one(User, run.ordered_by), [row.subject_id for row in rows]
    found: dict[int, list[Stored]] = {}
    for one in act_on_tickets(session, viewer, run.action, ids, proofs):
        found.setdefault(one.ticket_id, []).append(_stored(one.what, one.refusal, one.incident_id))
    return found


def _approve_penalties(session: Session, run: BulkRun, rows: Sequence[BulkRunRow]) -> dict[int, list[Stored]]:
    shown = [ShownPenalty(row.subject_id, row.content_sha256 or "") for row in rows]
    return _by_subject(N_("Approved and posted"), approve(session, shown, actor_id=run.ordered_by))


def _approve_credits(session: Session, run: BulkRun, rows: Sequence[BulkRunRow]) -> dict[int, list[Stored]]:
    shown = [ShownCredit(row.subject_id, row.content_sha256 or "") for row in rows]
    results = approve_credits_within_authority(session, shown, actor_id=run.ordered_by)
    return _by_subject(N_("Approved; it can be sent to billing"), results)


def _accept_proven(session: Session, run: BulkRun, rows: Sequence[BulkRunRow]) -> dict[int, list[Stored]]:
    """Accept what records prove; each call is weighed anew, and what left the scope meanwhile is not there."""
    ids = [row.subject_id for row in rows]
    scope = Scope.of(session, session.get_one(User, run.ordered_by))
    reached = set(session.scalars(scope.limit(select(Incident.id).where(Incident.id.in_(ids)), unit=Incident.unit_id)))
    accepted = {
        result.subject_id: result.refusal
        for result in accept_suggestions(
            session, [incident_id for incident_id in ids if incident_id in reached], actor_id=run.ordered_by
        )
    }
    what = N_("Suggestion accepted")
    return {
        incident_id: [_stored(what, accepted.get(incident_id, NotFoundError()), incident_id)] for incident_id in ids
    }


def _by_subject(what: str, results: Sequence[RowResult]) -> dict[int, list[Stored]]:
    return {result.subject_id: [_stored(what, result.refusal)] for result in results}


_MOVES = {BulkAction.ACCEPT: TicketState.ACCEPTED, BulkAction.INVESTIGATE: TicketState.INVESTIGATING}
_CALLS: Mapping[BulkAction, desk_bulk.Decision] = {
    BulkAction.SUGGESTIONS: desk_bulk.accept_suggested,
    BulkAction.AMOUNTS: desk_bulk.propose_amounts,
}
_Decision = Callable[[Session, BulkRun, Sequence[BulkRunRow]], dict[int, list[Stored]]]
#: Sending credits is one transaction, not slices: ``jobs.sending`` does it.
_DECISIONS: Mapping[BulkAction, _Decision] = {
    BulkAction.ACCEPT: _decide_tickets,
    BulkAction.INVESTIGATE: _decide_tickets,
    BulkAction.SUGGESTIONS: _decide_tickets,
    BulkAction.FINDINGS: _decide_tickets,
    BulkAction.AMOUNTS: _decide_tickets,
    BulkAction.PROVEN_CALLS: _accept_proven,
    BulkAction.APPROVE_PENALTIES: _approve_penalties,
    BulkAction.APPROVE_CREDITS: _approve_credits,
}
