"""Verifying the whole ledger on somebody's wish, and telling what was found."""

from sqlalchemy.orm import Session

from supervise import db
from supervise.audit.record import record_event
from supervise.jobs.records import Outcome, Progress, create_job
from supervise.jobs.surroundings import Surroundings
from supervise.labels import N_
from supervise.ledger.seal import AnchorError, read_anchors
from supervise.ledger.verify import VerifyReport, verify

VERIFY = "ledger.verify"
HOLDS = N_("Every row holds: %(entries)s journal entries, %(seals)s seals, %(anchors)s anchors")
BROKEN = N_("The ledger does not hold: %(table)s %(row)s")
ANCHORS_DAMAGED = N_("The file of anchors is damaged: a line of it is no anchor")


def start_verification(session: Session, *, actor_id: int) -> int:
    """Write down that the ledger is to be verified; return the job to run or wake."""
    job = create_job(session, VERIFY, {}, actor_id=actor_id)
    record_event(session, actor_id=actor_id, action="ledger.verification_asked", subject="job", subject_id=job.id)
    return job.id


def verify_ledger(surroundings: Surroundings, progress: Progress, actor_id: int | None) -> Outcome:
    """Compute the whole ledger again; the kind of job ``ledger.verify``. The outcome names the first bad row."""
    del progress  # how many rows there are to read is known at the end only
    try:
        anchors = read_anchors(surroundings.anchor_file)
    except AnchorError:
        return db.decide(_told, Outcome(ANCHORS_DAMAGED, {"holds": 0}), actor_id=actor_id)
    with db.reading() as session:
        report = verify(session, surroundings.keyring, anchors)
    return db.decide(_told, _outcome(report, len(anchors)), actor_id=actor_id)


def _outcome(report: VerifyReport, anchors: int) -> Outcome:
    facts: dict[str, str | int | None] = {
        "holds": int(report.holds),
        "entries": report.entries,
        "seals": report.seals,
        "anchors": anchors,
        "unsealed": report.unsealed,
        "oldest": report.oldest_unsealed_at.isoformat() if report.oldest_unsealed_at else None,
    }
    if report.fault is None:
        return Outcome(HOLDS, facts)
    fault = report.fault
    return Outcome(BROKEN, facts | {"table": fault.table, "row": fault.row, "why": fault.message})


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
