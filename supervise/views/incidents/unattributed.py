"""Calls that nobody answers for yet, by what the evidence says; those that a record proves are accepted at once."""

import datetime as dt
from collections.abc import Mapping, Sequence

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.unattributed import (
    PAGE,
    Says,
    UnattributedIncident,
    count_unattributed,
    proven_incident_ids,
    unattributed_incidents,
)
from supervise.complaints.models import IncidentKind
from supervise.desk.bulk_runs import ROWS_MAX, Subject
from supervise.desk.models import BulkAction
from supervise.errors import InvalidInputError
from supervise.evidence.clocks import expiry_days
from supervise.jobs.weighing import start_weighing, weighing_under_way
from supervise.labels import N_, _
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.background import wake, words_of
from supervise.views.bulk_runs import have_run
from supervise.views.incidents.blueprint import READERS, bp

#: Evidence that is kept for so long or less is marked.
_SOON_DAYS = 7


class BadPlaceError(InvalidInputError):
    """The address names no place in the list."""

    message = N_("This address names no page of the list; begin at the first one")


@bp.get("/unattributed")
@require(*READERS)
def unattributed() -> ResponseReturnValue:
    """List the calls without a verdict, the longest waiting first, with what the evidence said when last weighed."""
    after, says = _place_of(request.args.get("after")), _says_of(request.args.get("says"))
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        rows = unattributed_incidents(session, scope, says, after=after, limit=PAGE + 1)
        more, rows = len(rows) > PAGE, rows[:PAGE]
        waiting = count_unattributed(session, scope, clock.now())
        job = weighing_under_way(session)
        last_days = expiry_days(session, {(row.kind, clock.china_day(row.occurred_at)) for row in rows})
    place = f"{rows[-1].waiting_since.isoformat()}_{rows[-1].incident_id}" if more else None
    return render_template(
        "incidents/unattributed.html",
        rows=rows,
        waiting=waiting,
        days_left=_days_left(rows, last_days),
        says=says,
        every=list(Says),
        may_triage=me.can(Permission.TRIAGE),
        may_accept=says is Says.PROVEN and me.can(Permission.TRIAGE),
        job=job,
        job_words=words_of(job) if job is not None else None,
        is_own_job=job is not None and job.created_by == me.id,
        next_url=address_with(after=place) if place else None,
        first_url=address_with(after=None) if after else None,
        now=clock.now(),
    )


def _days_left(
    rows: Sequence[UnattributedIncident], last_days: Mapping[tuple[IncidentKind, dt.date], dt.date]
) -> dict[int, int]:
    """Return by incident for how many days its evidence must still be kept, where a week or less is left."""
    days = {row.incident_id: last_days.get((row.kind, clock.china_day(row.occurred_at))) for row in rows}
    left = {incident_id: (last - clock.today()).days for incident_id, last in days.items() if last is not None}
    return {incident_id: count for incident_id, count in left.items() if 0 <= count <= _SOON_DAYS}


@bp.post("/unattributed/accept")
@require(Permission.TRIAGE)
def accept_proven() -> ResponseReturnValue:
    """Accept what records prove: the chosen calls, or all of them; each is weighed anew when its turn comes."""
    if "everything" in request.form:
        with db.reading() as session:
            # One more than a run takes: then it says so.
            ids = proven_incident_ids(session, Scope.of(session, current_user()), ROWS_MAX + 1)
    else:
        ids = [int(text) for text in request.form.getlist("picked") if _is_key(text)]
    return have_run(BulkAction.PROVEN_CALLS, [Subject(incident_id) for incident_id in dict.fromkeys(ids)])


@bp.post("/unattributed/weigh")
@require(Permission.TRIAGE)
def weigh_anew() -> ResponseReturnValue:
    """Have every call without a verdict weighed anew."""
    wake(db.decide(start_weighing, actor_id=current_user().id))
    flash(_("The evidence is weighed anew; this list follows"), "success")
    return redirect(url_for(".unattributed"), code=303)


def _says_of(text: str | None) -> Says | None:
    return Says(text) if text in {one.value for one in Says} else None


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19  # noqa: PLR2004 - 64 bits


def _place_of(text: str | None) -> tuple[dt.datetime, int] | None:
    if not text:
        return None
    at, _bar, incident_id = text.partition("_")
    if not _is_key(incident_id):
        raise BadPlaceError
    try:
        moment = dt.datetime.fromisoformat(at)
    except ValueError:
        raise BadPlaceError from None
    if moment.tzinfo is None:
        raise BadPlaceError
    return moment, int(incident_id)
