"""Weighing undecided incidents in the background, and looking again at decided ones where something changed."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.attribution.recheck import changed_incidents, propose_again
from supervise.attribution.rounds import EVERYTHING, RECHECK, WEIGH, changed_since_round, note_round
from supervise.attribution.weighing import WholeRegisters, weigh, whole_registers
from supervise.attribution.weighing_run import PART, keep_suggestions, suggestion_rows, to_weigh_by_day
from supervise.bulk import slices
from supervise.jobs.models import Job
from supervise.jobs.records import UNFINISHED, Outcome, Progress, create_job
from supervise.jobs.surroundings import Surroundings
from supervise.labels import N_

KIND = "attribution.weigh"
WEIGHED = N_("%(incidents)s incidents without a verdict were weighed")
#: For fewer incidents only the rows of the registers that concern them are read.
_WHOLE_FROM = 2_000
#: Proposals written in one transaction.
_PROPOSED_AT_ONCE = 1_000


def start_weighing(session: Session, *, actor_id: int) -> int:
    """Write down that every incident without a verdict is to be weighed anew; return the job to wake.

    Whoever asks while that is under way gets the same job.
    """
    db.take_turn(session, KIND)
    under_way = weighing_under_way(session)
    if under_way is not None:
        return under_way.id
    return create_job(session, KIND, {"before": clock.now().isoformat()}, actor_id=actor_id).id


def weighing_under_way(session: Session) -> Job | None:
    """Return the job that weighs every incident, if one is under way."""
    query = select(Job).where(Job.kind == KIND, Job.state.in_(UNFINISHED)).order_by(Job.id)
    return session.scalars(query.limit(1)).first()


def weigh_incidents(_surroundings: Surroundings, progress: Progress, _actor_id: int | None, *, before: str) -> Outcome:
    """Weigh every undecided incident that was not weighed since *before*; the kind of job ``attribution.weigh``.

    Each part is kept by itself: a worker that was killed goes on after the last one.
    """
    moment = dt.datetime.fromisoformat(before)
    with db.reading() as session:
        ids = to_weigh_by_day(session, EVERYTHING, moment)
    weigh_parts(ids, progress)
    db.decide(note_round, WEIGH, moment)
    return Outcome(WEIGHED, {"incidents": len(ids)})


def weigh_parts(incident_ids: Sequence[int], progress: Progress) -> None:
    """Weigh these incidents part by part and keep what comes of each part."""
    done = 0
    whole = _whole(len(incident_ids))
    for part in slices(incident_ids, PART):
        with db.reading() as session:
            rows = suggestion_rows(weigh(session, part, whole=whole).outcomes)
        db.decide(keep_suggestions, rows)
        done += len(part)
        progress(done, len(incident_ids))


def _whole(incidents: int) -> WholeRegisters | None:
    if incidents < _WHOLE_FROM:
        return None
    with db.reading() as session:
        return whole_registers(session)


def weigh_what_changed(_surroundings: Surroundings) -> None:
    """Weigh incidents that are new, and those that a changed register, new records or an answer may concern."""
    begun_at = clock.now()
    with db.reading() as session:
        ids = to_weigh_by_day(session, changed_since_round(session, WEIGH), begun_at)
    weigh_parts(ids, _tell_nobody)
    db.decide(note_round, WEIGH, begun_at)


def recheck_attribution(_surroundings: Surroundings) -> None:
    """Propose a second look at incidents that today's evidence would attribute otherwise, if any of it changed."""
    begun_at = clock.now()
    with db.reading() as session:
        changed = changed_since_round(session, RECHECK)
    if not changed.anything:
        return
    whole = _whole(_WHOLE_FROM)
    after_id: int | None = 0
    while after_id is not None:
        with db.reading() as session:
            ids, after_id = changed_incidents(session, changed, after_id=after_id, whole=whole)
        for some in slices(ids, _PROPOSED_AT_ONCE):
            db.decide(propose_again, some)
    db.decide(note_round, RECHECK, begun_at)


def _tell_nobody(_done: int, _total: int) -> None:
    """A duty has no page."""
