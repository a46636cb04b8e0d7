"""Verifying the ledger, the audit trail and the cases, by night or on somebody's wish; telling what was found."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.audit.record import record_event
from supervise.audit.seal import TrailReport, anchor_file_beside, verify_trail
from supervise.desk.consistency import Discrepancy, discrepancies
from supervise.jobs.models import Job, JobState
from supervise.jobs.records import Outcome, Progress, create_job, finish_job
from supervise.jobs.surroundings import Surroundings
from supervise.labels import N_
from supervise.ledger.verify import VerifyReport, verify
from supervise.penalties.queries import count_unpriced
from supervise.sealing import AnchorError, read_anchors

VERIFY = "ledger.verify"
HOLDS = N_("Every row holds: %(entries)s journal entries, %(seals)s seals, %(anchors)s anchors")
BROKEN = N_("The ledger does not hold: %(table)s %(row)s")
TRAIL_BROKEN = N_("The ledger holds, the audit trail does not: %(table)s %(row)s")
CASES_DIFFER = N_("The ledger holds, but cases do not agree with it or with each other")
ANCHORS_DAMAGED = N_("The file of anchors is damaged: a line of it is no anchor")
#: Whoever proved an offence has had time to propose its amount by then.
UNPRICED_AFTER = dt.timedelta(days=7)


def start_verification(session: Session, *, actor_id: int) -> int:
    """Write down that the ledger is to be verified; return the job to run or wake."""
    job = create_job(session, VERIFY, {}, actor_id=actor_id)
    record_event(session, actor_id=actor_id, action="ledger.verification_asked", subject="job", subject_id=job.id)
    return job.id


def verify_ledger(surroundings: Surroundings, progress: Progress, actor_id: int | None) -> Outcome:
    """Compute the whole ledger again, and the cases against it; the kind of job ``ledger.verify``.

    The outcome names the first bad row of the ledger, and the first rows of each discrepancy between cases.
    """
    del progress  # how many rows there are to read is known at the end only
    return db.decide(_told, _look(surroundings), actor_id=actor_id)


def verify_by_night(surroundings: Surroundings) -> None:
    """Verify unasked, and keep what was found where the pages find it."""
    db.decide(_kept, _look(surroundings))


def last_verification(session: Session) -> Job | None:
    """Return the newest verification that ended, whoever asked for it."""
    ended = select(Job).where(Job.kind == VERIFY, Job.state == JobState.DONE)
    return session.scalars(ended.order_by(Job.id.desc()).limit(1)).one_or_none()


def discrepancies_of(job: Job) -> list[Discrepancy]:
    """Return the discrepancies between cases that a verification found."""
    return [Discrepancy.stored(row) for row in (job.message_parameters or {}).get("cases", ())]


def _look(surroundings: Surroundings) -> Outcome:
    with db.reading_one_moment() as session:
        cases = discrepancies(session)
        unpriced = count_unpriced(session, clock.now() - UNPRICED_AFTER)
    facts = {"cases": cases, "unpriced": unpriced}
    try:
        anchors = read_anchors(surroundings.anchor_file)
        trail_anchors = read_anchors(anchor_file_beside(surroundings.anchor_file))
    except AnchorError:
        return Outcome(ANCHORS_DAMAGED, facts | {"holds": 0})
    with db.reading() as session:
        report = verify(session, surroundings.keyring, anchors)
        trail = verify_trail(session, surroundings.keyring, trail_anchors)
    return _outcome(report, trail, len(anchors), cases, facts)


def _outcome(
    report: VerifyReport, trail: TrailReport, anchors: int, cases: Sequence[Discrepancy], facts: dict[str, Any]
) -> Outcome:
    facts |= {
        "holds": int(report.holds and trail.fault is None and not cases),
        "events": trail.events,
        "entries": report.entries,
        "seals": report.seals,
        "anchors": anchors,
        "unsealed": report.unsealed,
        "oldest": report.oldest_unsealed_at.isoformat() if report.oldest_unsealed_at else None,
    }
    for fault, words in ((report.fault, BROKEN), (trail.fault, TRAIL_BROKEN)):
        if fault is not None:
            return Outcome(words, facts | {"table": fault.table, "row": fault.row, "why": fault.message})
    return Outcome(CASES_DIFFER if cases else HOLDS, facts)


def _told(session: Session, outcome: Outcome, *, actor_id: int | None) -> Outcome:
    record_event(
        session,
        actor_id=actor_id,
        action="ledger.verified",
        subject="ledger",
        subject_id=None,
        changes=dict(outcome.parameters),
    )
    return outcome


def _kept(session: Session, outcome: Outcome) -> None:
    job = create_job(session, VERIFY, {}, actor_id=None)
    job.started_at = clock.now()
    _told(session, outcome, actor_id=None)
    finish_job(session, job.id, outcome=outcome)
