"""What the worker does by the clock, unasked; each duty may be done twice without harm."""

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

from huey import crontab
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.attribution.conflicts import recheck_conflicts
from supervise.attribution.inquiries import deem_silent
from supervise.audit.record import record_event
from supervise.audit.seal import anchor_file_beside, seal_events
from supervise.desk.run_results import purge_results
from supervise.donotcall.push import push_refusals, remind_silent
from supervise.files.exports import exports_folder, sweep_exports
from supervise.files.staging import purge_cells
from supervise.files.uploads import purge_uploads, sweep_files, uploads_folder
from supervise.files.vault import purge_attachments, sweep_vault, vault_folder
from supervise.jobs.checking import verify_by_night
from supervise.jobs.consequences import draw_consequences
from supervise.jobs.evidence import clear_away_imports
from supervise.jobs.settling import deem_notices
from supervise.jobs.surroundings import Surroundings
from supervise.jobs.watching import watch_records
from supervise.jobs.weighing import recheck_attribution, weigh_what_changed
from supervise.ledger.periods import open_period, periods
from supervise.ledger.seal import seal_closed_entries
from supervise.penalties.finalise import finalise_due
from supervise.penalties.kept_evidence import files_in_dispute
from supervise.sealing import append_anchor

#: Uploaded files and staged cells hold what people wrote: they go when nobody needs them to mend a row any more.
#: Results of bulk runs go with them; decisions stand in the audit trail.
KEEP_UPLOADS = dt.timedelta(days=30)


#: As long as call records: a regulator's appeal may come two years after the event, and takes its course.
KEEP_EVIDENCE = dt.timedelta(days=3 * 366)


class Duty(NamedTuple):
    """A duty, its hour (huey's crontab, in UTC) and what does it."""

    name: str
    schedule: Callable[..., bool]
    perform: Callable[[Surroundings], None]


def seal_ledger(surroundings: Surroundings) -> None:
    """Seal what was posted since the last time, and write the newest seal outside the database."""
    for anchor in db.decide(seal_closed_entries, surroundings.keyring):
        append_anchor(surroundings.anchor_file, anchor)


def seal_audit_trail(surroundings: Surroundings) -> None:
    """Seal what the audit trail was told since the last time, and write the newest seal outside the database."""
    for anchor in db.decide(seal_events, surroundings.keyring):
        append_anchor(anchor_file_beside(surroundings.anchor_file), anchor)


def open_month(_surroundings: Surroundings) -> None:
    """Open the present month for entries, so that nobody's approval fails on the first of a month."""
    db.decide(_open_month)


def _open_month(session: Session) -> None:
    month = clock.month_of(clock.today())
    if month not in {period.month for period in periods(session)}:
        open_period(session, month, actor_id=None)


def finalise_penalties(_surroundings: Surroundings) -> None:
    """Make final every penalty whose window has ended without an open objection."""
    while db.decide(finalise_due, clock.today()):
        pass


def push_to_callers(_surroundings: Surroundings) -> None:
    """Push what entered the do-not-call register to every branch and partner, and remind the silent."""
    db.decide(push_refusals, actor_id=None)
    db.decide(remind_silent, clock.today())


def follow_inquiries(_surroundings: Surroundings) -> None:
    """Note who was silent until the deadline, and which answers a register or a verdict now contradicts."""
    while db.decide(deem_silent, clock.today()):
        pass
    after_id: int | None = 0
    while after_id is not None:
        after_id = db.decide(recheck_conflicts, after_id=after_id)


def purge(surroundings: Surroundings) -> None:
    """Delete uploads, staged cells, exports and results of bulk runs that have served."""
    before = clock.now() - KEEP_UPLOADS
    db.decide(purge_cells, before)
    db.decide(purge_uploads, before)
    db.decide(purge_results, before)
    db.decide(_purge_evidence, clock.now() - KEEP_EVIDENCE)
    with db.reading() as session:
        sweep_files(session, uploads_folder(surroundings.instance))
        sweep_vault(session, vault_folder(surroundings.instance))
    sweep_exports(exports_folder(surroundings.instance))


def _purge_evidence(session: Session, before: dt.datetime) -> None:
    purged = purge_attachments(session, before, kept=files_in_dispute())
    if purged:
        record_event(
            session,
            actor_id=None,
            action="evidence.purged",
            subject="attachment",
            subject_id=None,
            changes={"attachment_ids": purged},
        )


#: 16:00 UTC is midnight in China: what falls due on a day is done as the day begins.
DUTIES = (
    Duty("seal_ledger", crontab(minute="*/5"), seal_ledger),
    Duty("seal_audit_trail", crontab(minute="20"), seal_audit_trail),
    Duty("open_month", crontab(minute="0"), open_month),
    Duty("finalise_penalties", crontab(minute="10"), finalise_penalties),
    Duty("draw_consequences", crontab(hour="16", minute="20"), draw_consequences),
    Duty("push_to_callers", crontab(hour="16", minute="5"), push_to_callers),
    Duty("deem_notices", crontab(hour="16", minute="15"), deem_notices),
    Duty("weigh_what_changed", crontab(minute="7-59/15"), weigh_what_changed),
    Duty("recheck_attribution", crontab(minute="*/15"), recheck_attribution),
    Duty("follow_inquiries", crontab(minute="25"), follow_inquiries),
    Duty("clear_away_imports", crontab(minute="40"), clear_away_imports),
    Duty("watch_records", crontab(minute="3-59/10"), watch_records),
    Duty("purge", crontab(hour="18", minute="30"), purge),
    Duty("verify", crontab(hour="19", minute="0"), verify_by_night),
)
