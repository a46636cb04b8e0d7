"""Evidence that will soon be gone: the list of undecided calls by days left, as a file, and asking for it in bulk."""

import datetime as dt
import re
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from reports.evidence import EXPIRING_COLUMNS
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.expiring import COUNT_MAX, PAGE, Place, count_expiring, every_expiring, expiring_evidence
from supervise.desk.reach import incident_in_reach
from supervise.errors import InvalidInputError
from supervise.evidence.holds import ask_holds
from supervise.evidence.models import EvidenceForm
from supervise.labels import N_, _
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.picked import picked_ids
from supervise.views.records.blueprint import bp, number_in
from supervise.views.registers import download, export_urls

#: Who works on calls of every branch, or checks the work.
READERS = (Permission.TRIAGE, Permission.CONFIRM_OVERRIDES, Permission.READ_AUDIT)
_DAYS_SHOWN = 7
_DAYS_MAX = 366
_ASKED_OF_CHARS_MAX = 100
_PLACE = re.compile(r"([01])_([0-9]{4}-[0-9]{2}-[0-9]{2})_([0-9]{1,18})", re.ASCII)


class NobodyNamedError(InvalidInputError):
    """A request must go to somebody."""

    message = N_("Say who is asked to keep it, in up to 100 characters")


def _wanted() -> dict[str, Any]:
    name = request.args.get("evidence", "")
    form = EvidenceForm(name) if name in set(EvidenceForm) else EvidenceForm.RECORDING
    days = min(number_in("days") or _DAYS_SHOWN, _DAYS_MAX)
    return {"form": form, "within_days": None if request.args.get("overdue") else days, "days": days}


def _place_of(text: str) -> Place | None:
    match = _PLACE.fullmatch(text)
    if match is None:
        return None
    try:
        return match[1] == "1", dt.date.fromisoformat(match[2]), int(match[3])
    except ValueError:
        return None


@bp.get("/expiring")
@require(*READERS)
def expiring() -> ResponseReturnValue:
    """List undecided calls whose evidence ends soon, or may be gone."""
    wanted, today = _wanted(), clock.today()
    form, after = wanted["form"], _place_of(request.args.get("after", ""))
    with db.reading() as session:
        scope, within_days = Scope.of(session, current_user()), wanted["within_days"]
        rows = expiring_evidence(session, scope, form, today, within_days=within_days, after=after, limit=PAGE + 1)
        counts = {
            one: (
                count_expiring(session, scope, one, today, within_days=wanted["days"]),
                count_expiring(session, scope, one, today, within_days=None),
            )
            for one in EvidenceForm
        }
    more, rows = len(rows) > PAGE, rows[:PAGE]
    place = f"{int(rows[-1].place[0])}_{rows[-1].place[1]}_{rows[-1].place[2]}" if more else None
    return render_template(
        "records/expiring.html",
        rows=rows,
        **wanted,
        forms=list(EvidenceForm),
        counts=counts,
        count_max=COUNT_MAX,
        today=today,
        next_url=address_with(after=place) if place else None,
        first_url=address_with(after=None) if after else None,
        exports=export_urls(".export_expiring"),
        may_ask=current_user().can(Permission.TRIAGE),
    )


@bp.get("/expiring/export")
@require(*READERS)
def export_expiring() -> ResponseReturnValue:
    """Give the list as a file."""
    wanted, today = _wanted(), clock.today()
    return download(
        "expiring-evidence",
        _("Evidence that expires"),
        EXPIRING_COLUMNS,
        lambda session, scope: every_expiring(session, scope, wanted["form"], today, within_days=wanted["within_days"]),
    )


@bp.post("/expiring/ask")
@require(Permission.TRIAGE)
def ask_selected() -> ResponseReturnValue:
    """Ask for the evidence of the chosen calls, with a result for each."""
    asked_of = request.form.get("asked_of", "").strip()
    if not 0 < len(asked_of) <= _ASKED_OF_CHARS_MAX:
        raise NobodyNamedError
    me, ids = current_user(), picked_ids()
    with db.reading() as session:
        for incident_id in ids:
            incident_in_reach(session, Scope.of(session, me), incident_id)
    results = db.decide(ask_holds, ids, asked_of=asked_of, actor_id=me.id)
    return render_template("records/asked.html", results=results, asked_of=asked_of, back_url=url_for(".expiring"))
