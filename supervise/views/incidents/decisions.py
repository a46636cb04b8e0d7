"""Deciding a call: the verdict, the findings, the proposal of amounts."""

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.checklists import evidence_items, items_on
from supervise.attribution.decide import OverrideWaitingError, ReasonMissingError, VerdictChangedError, decide_verdict
from supervise.attribution.findings import FindingsChangedError, record_findings
from supervise.attribution.models import AttributionState, Verdict
from supervise.desk.bulk import propose_amounts
from supervise.desk.offences import offences_on
from supervise.desk.parties import UnknownPartyError, party_named
from supervise.desk.reach import incident_in_reach
from supervise.labels import _, translate
from supervise.parties.scope import Scope
from supervise.views.incidents.blueprint import bp
from supervise.views.incidents.changed import LostRace
from supervise.views.incidents.forms import FindingsForm, VerdictForm
from supervise.views.incidents.page import incident_page
from supervise.views.refusals import record_refusal


@bp.post("/<int:incident_id>/verdict")
@require(Permission.TRIAGE)
def verdict(incident_id: int) -> ResponseReturnValue:
    """Decide who answers; against the suggestion, a second person confirms."""
    me, form = current_user(), VerdictForm()
    party_id: int | None = None
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
        if form.validate() and form.party.data:
            try:
                party_id = party_named(session, form.party.data).id
            except UnknownPartyError as error:
                form.party.errors = [str(error)]
    if form.errors:
        return incident_page(incident_id, {"verdict": form})
    try:
        decided = db.decide(
            decide_verdict,
            incident_id,
            Verdict(form.verdict.data),
            party_id,
            reason=form.reason.data or None,
            shown_id=form.shown_id,
            actor_id=me.id,
        )
    except ReasonMissingError as error:
        form.reason.errors = [str(error)]
        return incident_page(incident_id, {"verdict": form})
    except (VerdictChangedError, OverrideWaitingError) as error:
        # Not the page of every conflict: both verdicts are shown, and what was typed is kept.
        record_refusal(error)
        return incident_page(incident_id, {"verdict": form}, changed=LostRace("verdict", form.shown_id))
    if decided.state is AttributionState.WAITING:
        flash(_("It is decided against the suggestion and takes effect when a second person confirms it"), "warning")
    else:
        flash(_("The verdict is in force"), "success")
    return redirect(url_for(".detail", incident_id=incident_id), code=303)


@bp.post("/<int:incident_id>/findings")
@require(Permission.TRIAGE)
def findings(incident_id: int) -> ResponseReturnValue:
    """Record which offences are proven."""
    me = current_user()
    with db.reading() as session:
        incident = incident_in_reach(session, Scope.of(session, me), incident_id)
        items = items_on(evidence_items(session), incident.occurred_on)
        form = FindingsForm.asking(items)(offences_on(session, incident.occurred_on))
    if not form.validate():
        return incident_page(incident_id, {"findings": form})
    try:
        db.decide(record_findings, incident_id, form.proofs, actor_id=me.id, seen=form.seen)
    except FindingsChangedError as error:
        record_refusal(error)
        seen = form.seen
        race = LostRace("findings", seen.verdict_id if seen else None, form.states_seen)
        return incident_page(incident_id, {"findings": form}, changed=race)
    flash(_("The findings are recorded"), "success")
    return redirect(url_for(".detail", incident_id=incident_id), code=303)


@bp.post("/<int:incident_id>/amounts")
@require(Permission.TRIAGE)
def amounts(incident_id: int) -> ResponseReturnValue:
    """Propose what the call costs its party and earns its subscriber; each part says what became of it."""
    me = current_user()
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
    for words, [result] in db.decide(propose_amounts, [incident_id], me.id):
        if result.refusal is None:
            flash(_("%(what)s: done", what=translate(words)), "success")
        else:
            flash(_("%(what)s: no. %(why)s", what=translate(words), why=str(result.refusal)), "warning")
    return redirect(url_for(".detail", incident_id=incident_id), code=303)
