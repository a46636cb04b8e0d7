"""Asking a party about one call or several at once, with a result for each."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.inquiries import ask
from supervise.attribution.inquiry_queries import term_on
from supervise.complaints.models import Incident
from supervise.desk.parties import UnknownPartyError, parties_to_choose, party_named
from supervise.desk.reach import incident_in_reach
from supervise.errors import InvalidInputError
from supervise.labels import N_, ngettext
from supervise.parties.scope import Scope
from supervise.views.inquiries.blueprint import bp
from supervise.views.inquiries.forms import AskForm
from supervise.views.picked import picked_ids

#: As many as an address can carry.
CALLS_MAX = 200


class TooManyCallsError(InvalidInputError):
    """The chosen calls travel in the address."""

    message = N_("At most %(limit)d calls at once; do it in parts")


@bp.post("/choose")
@require(Permission.TRIAGE)
def choose() -> ResponseReturnValue:
    """Go on with the calls that were chosen in a list."""
    ids = picked_ids()
    if len(ids) > CALLS_MAX:
        raise TooManyCallsError(limit=CALLS_MAX)
    return redirect(url_for(".new", call=ids), code=303)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.TRIAGE)
def new() -> ResponseReturnValue:
    """Ask a party about the calls that the address names."""
    me, today = current_user(), clock.today()
    ids = _calls()
    if not ids:
        # The page belongs to a choice of calls; without one, the way is through their list.
        return redirect(url_for("incidents.unattributed"), code=303)
    party_id: int | None = None
    with db.reading() as session:
        calls = _in_reach(session, me, ids)
        form = AskForm(party=request.args.get("party", ""), working_days=term_on(session, today))
        if form.validate_on_submit():
            try:
                party_id = party_named(session, form.party.data).id
            except UnknownPartyError as error:
                form.party.errors = [str(error)]
        parties = parties_to_choose(session)
    if party_id is None:
        page = render_template("inquiries/new.html", form=form, calls=calls, parties=parties)
        return page, 400 if form.errors else 200
    results = db.decide(
        ask, [call.id for call in calls], party_id, form.question.data, form.working_days.data, actor_id=me.id
    )
    asked = sum(result.refusal is None for result in results)
    if asked == len(results):
        flash(ngettext("The party is asked about %(n)d call", "The party is asked about %(n)d calls", asked), "success")
        if asked == 1:
            return redirect(url_for("incidents.detail", incident_id=ids[0], _anchor="inquiries"), code=303)
        return redirect(url_for(".index"), code=303)
    refused = {result.subject_id: result.refusal for result in results}
    return render_template("inquiries/results.html", calls=calls, refused=refused, asked=asked)


def _calls() -> list[int]:
    texts = request.args.getlist("call")
    ids = [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 19]  # noqa: PLR2004 - 64 bits
    if len(ids) > CALLS_MAX:
        raise TooManyCallsError(limit=CALLS_MAX)
    return list(dict.fromkeys(ids))


def _in_reach(session: Session, me: CurrentUser, ids: list[int]) -> list[Incident]:
    scope = Scope.of(session, me)
    return [incident_in_reach(session, scope, incident_id) for incident_id in ids]
