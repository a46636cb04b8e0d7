"""Lists of calls: overrides for a second person, second looks after something changed, calls without an amount."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.attribution import queries
from supervise.attribution.decide import OverrideDecidedError, confirm_override, reject_override
from supervise.attribution.recheck import dismiss_proposal
from supervise.desk.parties import names_of
from supervise.desk.reach import incident_of_attribution, incident_of_proposal
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.penalties.queries import unpriced_incidents
from supervise.views.incidents.blueprint import READERS, SPARERS, bp
from supervise.views.incidents.changed import LostRace
from supervise.views.incidents.forms import ReasonForm
from supervise.views.incidents.page import incident_page
from supervise.views.refusals import record_refusal


@bp.get("/unpriced")
@require(*SPARERS)
def unpriced() -> ResponseReturnValue:
    """List the calls with a proven offence that nobody has proposed an amount for."""
    after_id = request.args.get("after", default=0, type=int)
    with db.reading() as session:
        scope = Scope.of(session, current_user())
        rows = unpriced_incidents(session, scope, after_id=after_id, limit=queries.PAGE + 1)
        more, rows = len(rows) > queries.PAGE, rows[: queries.PAGE]
        names = names_of(session, {row.party_id for row in rows if row.party_id is not None})
    return render_template(
        "incidents/unpriced.html",
        rows=rows,
        names=names,
        next_url=url_for(".unpriced", after=rows[-1].incident_id) if more else None,
        first_url=url_for(".unpriced") if after_id else None,
    )


@bp.get("/overrides")
@require(*READERS)
def overrides() -> ResponseReturnValue:
    """List the decisions against the suggestion that wait for a second person."""
    return _overrides_page(ReasonForm(formdata=None), None)


def _overrides_page(form: ReasonForm, refused_id: int | None) -> ResponseReturnValue:
    me = current_user()
    with db.reading() as session:
        rows = queries.waiting_overrides(session)
        names = display_names(session, [row.decided_by for row in rows])
    page = render_template(
        "incidents/overrides.html",
        rows=rows,
        names=names,
        form=form,
        refused_id=refused_id,
        may_confirm=me.can(Permission.CONFIRM_OVERRIDES),
        me_id=me.id,
    )
    return page, 400 if form.errors else 200


@bp.post("/overrides/<int:attribution_id>/confirm")
@require(Permission.CONFIRM_OVERRIDES)
def confirm(attribution_id: int) -> ResponseReturnValue:
    """Put an override into force, as the second person."""
    me = current_user()
    with db.reading() as session:
        incident_id = incident_of_attribution(session, Scope.of(session, me), attribution_id).id
    try:
        db.decide(confirm_override, attribution_id, actor_id=me.id)
    except OverrideDecidedError as error:
        return _decided_meanwhile(error, incident_id, attribution_id)
    flash(_("The override is in force"), "success")
    return redirect(url_for(".overrides"), code=303)


@bp.post("/overrides/<int:attribution_id>/reject")
@require(Permission.CONFIRM_OVERRIDES)
def reject(attribution_id: int) -> ResponseReturnValue:
    """Reject an override; the verdict before it stays in force."""
    me, form = current_user(), ReasonForm()
    with db.reading() as session:
        incident_id = incident_of_attribution(session, Scope.of(session, me), attribution_id).id
    if not form.validate():
        return _overrides_page(form, attribution_id)
    try:
        db.decide(reject_override, attribution_id, form.reason.data, actor_id=me.id)
    except OverrideDecidedError as error:
        return _decided_meanwhile(error, incident_id, attribution_id)
    flash(_("The override is rejected"), "success")
    return redirect(url_for(".overrides"), code=303)


def _decided_meanwhile(error: OverrideDecidedError, incident_id: int, attribution_id: int) -> ResponseReturnValue:
    """Show the override that was seen beside what became of it."""
    record_refusal(error)
    return incident_page(incident_id, changed=LostRace("override", attribution_id))


@bp.get("/proposals")
@require(*READERS)
def proposals() -> ResponseReturnValue:
    """List the calls that the registers of today would attribute otherwise."""
    return _proposals_page(ReasonForm(formdata=None), None)


def _proposals_page(form: ReasonForm, refused_id: int | None) -> ResponseReturnValue:
    after_id = request.args.get("after", default=0, type=int)
    with db.reading() as session:
        rows = queries.open_proposals(session, after_id=after_id, limit=queries.PAGE + 1)
        more, rows = len(rows) > queries.PAGE, rows[: queries.PAGE]
        names = names_of(session, {row.party_id for row in rows if row.party_id is not None})
    page = render_template(
        "incidents/proposals.html",
        rows=rows,
        names=names,
        form=form,
        refused_id=refused_id,
        may_triage=current_user().can(Permission.TRIAGE),
        next_url=url_for(".proposals", after=rows[-1].proposal_id) if more else None,
    )
    return page, 400 if form.errors else 200


@bp.post("/proposals/<int:proposal_id>/dismiss")
@require(Permission.TRIAGE)
def dismiss(proposal_id: int) -> ResponseReturnValue:
    """Leave the verdict as it is."""
    me, form = current_user(), ReasonForm()
    with db.reading() as session:
        incident_of_proposal(session, Scope.of(session, me), proposal_id)
    if not form.validate():
        return _proposals_page(form, proposal_id)
    db.decide(dismiss_proposal, proposal_id, form.reason.data, actor_id=me.id)
    flash(_("The verdict stays as it is"), "success")
    return redirect(url_for(".proposals"), code=303)
