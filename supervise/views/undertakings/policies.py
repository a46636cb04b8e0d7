"""The general compensation policy: what every subscriber without an undertaking of their own is credited."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.compensation import promise_queries as queries
from supervise.compensation.giving_up import give_up_policy
from supervise.compensation.models import CallUnit, CreditNature
from supervise.compensation.promises import draft_policy
from supervise.desk.approvals import agree_policy_within_authority
from supervise.labels import _
from supervise.views.undertakings.blueprint import bp
from supervise.views.undertakings.forms import GiveUpForm, PolicyForm


@bp.get("/policies")
@require(Permission.READ_CONTRACTS)
def policies() -> ResponseReturnValue:
    """List the general policies, the newest first."""
    with db.reading() as session:
        rows = queries.all_policies(session)
        people = display_names(session, [person for row in rows for person in (row.drafted_by, row.agreed_by)])
    return render_template(
        "undertakings/policies.html",
        rows=rows,
        people=people,
        give_up_form=GiveUpForm(formdata=None),
        me=current_user(),
    )


@bp.route("/policies/new", methods=["GET", "POST"])
@require(Permission.DRAFT_CONTRACTS)
def new_policy() -> ResponseReturnValue:
    """Draft a general policy."""
    form = PolicyForm(
        starts_at=clock.start_of_day(clock.month_bounds(clock.next_month(clock.month_of(clock.today())))[0]),
        call_unit=CallUnit.ANSWERED.value,
        nature=CreditNature.COMPENSATION.value,
    )
    if not form.validate_on_submit():
        return render_template("undertakings/new_policy.html", form=form), 400 if form.errors else 200
    db.decide(draft_policy, form.code.data.strip(), form.name.data.strip(), form.terms(), actor_id=current_user().id)
    flash(_("Drafted; it has no effect before a second person agrees"), "success")
    return redirect(url_for(".policies"), code=303)


@bp.post("/policies/<int:policy_id>/agree")
@require(Permission.AGREE_UNDERTAKINGS)
def agree_to_policy(policy_id: int) -> ResponseReturnValue:
    """Put a general policy into force, as the second person."""
    with db.reading() as session:
        queries.policy_by_id(session, policy_id)
    version = request.form.get("version", type=int) or 0
    db.decide(agree_policy_within_authority, policy_id, version, actor_id=current_user().id)
    flash(_("In force; the policy before it ends where this one begins"), "success")
    return redirect(url_for(".policies"), code=303)


@bp.post("/policies/<int:policy_id>/give-up")
@require(Permission.DRAFT_CONTRACTS, Permission.AGREE_UNDERTAKINGS)
def give_up_draft_policy(policy_id: int) -> ResponseReturnValue:
    """Give up the draft of a policy: its author takes it back, a colleague turns it down."""
    with db.reading() as session:
        queries.policy_by_id(session, policy_id)
    db.decide(give_up_policy, policy_id, GiveUpForm().because.data or "", actor_id=current_user().id)
    flash(_("The draft is given up; it never had an effect"), "success")
    return redirect(url_for(".policies"), code=303)
