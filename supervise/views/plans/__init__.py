"""The pages of the plan catalogue: list, page with every period of the code, publish, correct, end."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from reports.plans import PLAN_COLUMNS, plan_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.contracts import plans
from supervise.contracts.plan_queries import PlanLine, periods_of_plan, plan_by_id, plans_by_code
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.views.plans.forms import CorrectPlanForm, EndPlanForm, PlanFilterForm, PublishForm, shown
from supervise.views.register_list import RegisterList, by_text_and_id
from supervise.views.registers import changed, form_page, history_of, version_of

bp = Blueprint("plans", __name__, url_prefix="/plans")

PLANS = RegisterList(
    name="plans",
    title=N_("Plan catalogue"),
    form=lambda: PlanFilterForm(formdata=request.args),
    # Published facts: no scope narrows them.
    rows=lambda session, _scope, filters, **page: plans_by_code(session, filters, **page),
    cursor=by_text_and_id(lambda row: (row.plan.code, row.plan.id)),
    columns=PLAN_COLUMNS,
    lines=lambda session, _scope, filters: plan_lines(session, filters),
    writes=Permission.EDIT_REFERENCE,
    imports=ImportKind.PLANS,
)


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """List the plans by code, each period a row, a page at a time."""
    return PLANS.page(today=clock.today())


@bp.get("/export")
@require(Permission.READ_REFERENCE)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return PLANS.download()


@bp.get("/<int:plan_id>")
@require(Permission.READ_REFERENCE)
def detail(plan_id: int) -> ResponseReturnValue:
    """Show a plan, every period of its code, and its history."""
    with db.reading() as session:
        line = plan_by_id(session, plan_id)
        facts = {
            "line": line,
            "periods": periods_of_plan(session, line.plan.code),
            "history": history_of(session, "plan", plan_id, Permission.EDIT_REFERENCE),
        }
    return render_template("plans/detail.html", may_edit=current_user().can(Permission.EDIT_REFERENCE), **facts)


def _page_of(plan_id: int) -> str:
    return url_for(".detail", plan_id=plan_id)


def _load(plan_id: int) -> PlanLine:
    with db.reading() as session:
        return plan_by_id(session, plan_id)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def new() -> ResponseReturnValue:
    """Enter a plan in the catalogue."""
    form = PublishForm()
    if not form.validate_on_submit():
        return form_page(form, title=_("New plan"), words=_("Publish the plan"), cancel_url=url_for(".index"))
    row = db.decide(plans.publish_plan, form.code.data.strip(), form.terms(), actor_id=current_user().id)
    return changed(_page_of(row.id))


@bp.route("/<int:plan_id>/end", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def end(plan_id: int) -> ResponseReturnValue:
    """Let a plan be published no more, or correct the end."""
    plan = _load(plan_id).plan
    form = EndPlanForm(on=plan.published_to)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of the publication of %(code)s", code=plan.code),
            words=_("Set the end"),
            cancel_url=_page_of(plan_id),
            hint=plan.name,
        )
    db.decide(plans.end_publication, plan_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id)
    return changed(_page_of(plan_id))


@bp.route("/<int:plan_id>/correct", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def correct(plan_id: int) -> ResponseReturnValue:
    """Correct what was entered wrongly of a plan; the trail keeps it as it was."""
    line = _load(plan_id)
    form = CorrectPlanForm(data=shown(line))
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Correct plan %(code)s", code=line.plan.code),
            words=_("Save"),
            cancel_url=_page_of(plan_id),
            hint=_("If the price or the channels really changed, set the end of this period and add the next one."),
        )
    db.decide(
        plans.correct_plan,
        plan_id,
        form.terms(),
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(plan_id))
