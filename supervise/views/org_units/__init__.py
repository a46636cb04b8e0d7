"""The pages of the carrier's own units: list, page, found, rename, move, merge, close."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from reports.registers import UNIT_COLUMNS, unit_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.labels import _
from supervise.parties import queries, units
from supervise.parties.codes import unit_named
from supervise.parties.models import OrgUnit
from supervise.parties.queries import UnitFilters
from supervise.parties.tree import path_to_root
from supervise.views.addresses import address_with
from supervise.views.navigation import url_of
from supervise.views.org_units.forms import (
    CloseUnitForm,
    FoundUnitForm,
    MergeUnitForm,
    MoveUnitForm,
    RenameUnitForm,
    UnitFilterForm,
)
from supervise.views.registers import (
    PAGE,
    download,
    export_urls,
    first_page,
    form_page,
    history_of,
    may_write,
    named,
    saved,
    scope_of,
    version_of,
)
from supervise.views.typed_numbers import asked

bp = Blueprint("org_units", __name__, url_prefix="/org-units")


def _filters() -> tuple[UnitFilterForm, UnitFilters]:
    form = UnitFilterForm(formdata=request.args)
    form.validate()
    kind = form.kind.data if not form.kind.errors else None
    return form, UnitFilters(text=(form.q.data or "").strip(), kind=kind, with_gone=bool(form.gone.data))


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List the units by code, a page at a time."""
    form, filters = _filters()
    with db.reading() as session:
        found = queries.units_by_code(session, scope_of(session), filters, after=asked("after"), limit=PAGE + 1)
    rows, more = first_page(found)
    return render_template(
        "org_units/index.html",
        form=form,
        rows=rows,
        next_url=address_with(after=rows[-1].unit.code) if more else None,
        exports=export_urls(),
        import_url=url_of("imports.new", kind="org_units") if may_write() else None,
        new_url=url_for(".new") if may_write() else None,
    )


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    _form, filters = _filters()
    return download(
        "org-units", _("Org units"), UNIT_COLUMNS, lambda session, scope: unit_lines(session, scope, filters)
    )


@bp.get("/<int:unit_id>")
@require(Permission.READ_REGISTERS)
def detail(unit_id: int) -> ResponseReturnValue:
    """Show a unit, its place in time, what stands below it, and its history."""
    with db.reading() as session:
        scope = scope_of(session)
        unit = queries.unit_in_scope(session, scope, unit_id)
        merged_into = session.get(OrgUnit, unit.merged_into_id) if unit.merged_into_id else None
        facts = {
            "unit": unit,
            "merged_into": merged_into,
            "party": units.party_of_unit(session, unit_id),
            "path": path_to_root(session, unit_id, clock.today()),
            "placements": queries.placements_of(session, unit_id),
            "below": queries.units_below(session, unit_id),
            "visible": scope,
            "history": history_of(session, "org_unit", unit_id),
            "may_write": may_write(),
        }
    return render_template("org_units/detail.html", **facts)


def _load(unit_id: int) -> OrgUnit:
    with db.reading() as session:
        return queries.unit_in_scope(session, scope_of(session), unit_id)


def _done(unit_id: int) -> Response:
    flash(saved(), "success")
    return redirect(url_for(".detail", unit_id=unit_id), code=303)


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
    return _done(unit.id)


@bp.route("/<int:unit_id>/edit", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def edit(unit_id: int) -> ResponseReturnValue:
    """Give the unit another name or cost centre."""
    unit = _load(unit_id)
    form = RenameUnitForm(obj=unit)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Edit %(name)s", name=unit.name),
            words=_("Save"),
            cancel_url=url_for(".detail", unit_id=unit_id),
        )
    db.decide(
        units.rename_unit,
        unit_id,
        name=form.name.data.strip(),
        cost_centre=form.cost_centre.data or None,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return _done(unit_id)


@bp.route("/<int:unit_id>/move", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def move(unit_id: int) -> ResponseReturnValue:
    """Hang the unit below another from a day on."""
    unit = _load(unit_id)
    form = MoveUnitForm()
    parent = named(form.parent, unit_named) if form.validate_on_submit() and form.parent.data else None
    if not form.is_submitted() or form.errors:
        return form_page(
            form,
            title=_("Move %(name)s", name=unit.name),
            words=_("Move the unit"),
            cancel_url=url_for(".detail", unit_id=unit_id),
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
    return _done(unit_id)


@bp.route("/<int:unit_id>/merge", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def merge(unit_id: int) -> ResponseReturnValue:
    """Let the unit go up in another from a day on."""
    unit = _load(unit_id)
    form = MergeUnitForm()
    into = named(form.into, unit_named) if form.validate_on_submit() else None
    if into is None:
        return form_page(
            form,
            title=_("Merge %(name)s into another unit", name=unit.name),
            words=_("Merge the units"),
            cancel_url=url_for(".detail", unit_id=unit_id),
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
    return _done(unit_id)


@bp.route("/<int:unit_id>/close", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def close(unit_id: int) -> ResponseReturnValue:
    """End the unit."""
    unit = _load(unit_id)
    form = CloseUnitForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Close %(name)s", name=unit.name),
            words=_("Close the unit"),
            cancel_url=url_for(".detail", unit_id=unit_id),
        )
    db.decide(units.close_unit, unit_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id)
    return _done(unit_id)
