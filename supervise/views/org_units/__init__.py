"""The pages of the carrier's own units: list, page, found, rename, move, merge, close."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from reports.registers import UNIT_COLUMNS, unit_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.parties import units
from supervise.parties.codes import unit_named
from supervise.parties.models import OrgUnit
from supervise.parties.queries import placements_of, unit_in_scope, units_below, units_by_code
from supervise.parties.tree import path_to_root
from supervise.views.org_units.forms import (
    CloseUnitForm,
    FoundUnitForm,
    MergeUnitForm,
    MoveUnitForm,
    RenameUnitForm,
    UnitFilterForm,
)
from supervise.views.register_list import RegisterList, by_text
from supervise.views.registers import (
    changed,
    form_page,
    history_of,
    in_scope,
    may_write,
    named,
    scope_of,
    version_of,
)

bp = Blueprint("org_units", __name__, url_prefix="/org-units")

ORG_UNITS = RegisterList(
    name="org_units",
    title=N_("Org units"),
    form=lambda: UnitFilterForm(formdata=request.args),
    rows=units_by_code,
    cursor=by_text(lambda row: row.unit.code),
    columns=UNIT_COLUMNS,
    lines=unit_lines,
    imports=ImportKind.ORG_UNITS,
)


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List the units by code, a page at a time."""
    return ORG_UNITS.page()


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return ORG_UNITS.download()


@bp.get("/<int:unit_id>")
@require(Permission.READ_REGISTERS)
def detail(unit_id: int) -> ResponseReturnValue:
    """Show a unit, its place in time, what stands below it, and its history."""
    with db.reading() as session:
        scope = scope_of(session)
        unit = unit_in_scope(session, scope, unit_id)
        merged_into = session.get(OrgUnit, unit.merged_into_id) if unit.merged_into_id else None
        facts = {
            "unit": unit,
            "merged_into": merged_into,
            "party": units.party_of_unit(session, unit_id),
            "path": path_to_root(session, unit_id, clock.today()),
            "placements": placements_of(session, unit_id),
            "below": units_below(session, unit_id),
            "visible": scope,
            "history": history_of(session, "org_unit", unit_id),
            "may_write": may_write(),
        }
    return render_template("org_units/detail.html", **facts)


def _page_of(unit_id: int) -> str:
    return url_for(".detail", unit_id=unit_id)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Add a unit below another."""
    form = FoundUnitForm()
    parent = named(form.parent, unit_named) if form.validate_on_submit() and form.parent.data else None
    if not form.is_submitted() or form.errors:
        return form_page(form, title=_("New org unit"), words=_("Add the unit"), cancel_url=url_for(".index"))
    unit = db.decide(
        units.found_unit,
        code=form.code.data.strip(),
        name=form.name.data.strip(),
        kind=form.kind.data,
        parent_id=parent.id if parent is not None else None,
        valid_from=form.valid_from.data,
        cost_centre=form.cost_centre.data or None,
        actor_id=current_user().id,
    )
    return changed(_page_of(unit.id))


@bp.route("/<int:unit_id>/edit", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def edit(unit_id: int) -> ResponseReturnValue:
    """Give the unit another name or cost centre."""
    unit = in_scope(unit_in_scope, unit_id)
    form = RenameUnitForm(obj=unit)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Edit %(name)s", name=unit.name),
            words=_("Save"),
            cancel_url=_page_of(unit_id),
        )
    db.decide(
        units.rename_unit,
        unit_id,
        name=form.name.data.strip(),
        cost_centre=form.cost_centre.data or None,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(unit_id))


@bp.route("/<int:unit_id>/move", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def move(unit_id: int) -> ResponseReturnValue:
    """Hang the unit below another from a day on."""
    unit = in_scope(unit_in_scope, unit_id)
    form = MoveUnitForm()
    parent = named(form.parent, unit_named) if form.validate_on_submit() and form.parent.data else None
    if not form.is_submitted() or form.errors:
        return form_page(
            form,
            title=_("Move %(name)s", name=unit.name),
            words=_("Move the unit"),
            cancel_url=_page_of(unit_id),
            hint=_("What happened before that day stays where it was; who sees its rows follows the present tree."),
        )
    db.decide(
        units.move_unit,
        unit_id,
        parent_id=parent.id if parent is not None else None,
        from_on=form.from_on.data,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    return changed(_page_of(unit_id))


@bp.route("/<int:unit_id>/merge", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def merge(unit_id: int) -> ResponseReturnValue:
    """Let the unit go up in another from a day on."""
    unit = in_scope(unit_in_scope, unit_id)
    form = MergeUnitForm()
    into = named(form.into, unit_named) if form.validate_on_submit() else None
    if into is None:
        return form_page(
            form,
            title=_("Merge %(name)s into another unit", name=unit.name),
            words=_("Merge the units"),
            cancel_url=_page_of(unit_id),
            hint=_("Numbers, workers, sponsored parties and units below go over on that day; the past stays here."),
        )
    db.decide(
        units.merge_unit,
        unit_id,
        into_id=into.id,
        on=form.on.data,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    return changed(_page_of(unit_id))


@bp.route("/<int:unit_id>/close", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def close(unit_id: int) -> ResponseReturnValue:
    """End the unit."""
    unit = in_scope(unit_in_scope, unit_id)
    form = CloseUnitForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Close %(name)s", name=unit.name),
            words=_("Close the unit"),
            cancel_url=_page_of(unit_id),
        )
    db.decide(units.close_unit, unit_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id)
    return changed(_page_of(unit_id))
