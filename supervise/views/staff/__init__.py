"""The pages of staff numbers: list, page with every period, assign, end."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from reports.registers import STAFF_COLUMNS, staff_lines
from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.labels import _
from supervise.parties import staff, staff_queries
from supervise.parties.codes import party_named
from supervise.parties.officials import carriers_by_code
from supervise.parties.staff_queries import StaffFilters, StaffRow
from supervise.views.addresses import address_with
from supervise.views.navigation import url_of
from supervise.views.registers import (
    PAGE,
    download,
    export_urls,
    first_page,
    form_page,
    history_of,
    may_propose,
    may_write,
    named,
    saved,
    scope_of,
)
from supervise.views.staff.forms import AssignForm, EndStaffForm, StaffFilterForm
from supervise.views.typed_numbers import asked

bp = Blueprint("staff", __name__, url_prefix="/staff")


def _filters() -> tuple[StaffFilterForm, StaffFilters]:
    with db.reading() as session:
        carriers = carriers_by_code(session)
    form = StaffFilterForm(carriers, formdata=request.args)
    form.validate()
    carrier_code = form.carrier.data if not form.carrier.errors else ""
    return form, StaffFilters(
        text=(form.q.data or "").strip(), carrier_code=carrier_code or "", present=bool(form.present.data)
    )


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List the staff numbers, each period a row, a page at a time."""
    form, filters = _filters()
    number, staff_id = asked("after"), request.args.get("after_id", type=int)
    with db.reading() as session:
        found = staff_queries.staff_by_number(
            session,
            scope_of(session),
            filters,
            after=(number, staff_id) if staff_id is not None else None,
            limit=PAGE + 1,
        )
    rows, more = first_page(found)
    return render_template(
        "staff/index.html",
        form=form,
        rows=rows,
        next_url=address_with(after=rows[-1].row.staff_number, after_id=rows[-1].row.id) if more else None,
        exports=export_urls(),
        import_url=url_of("imports.new", kind="staff") if may_write() else None,
        new_url=url_for(".new") if may_write() else None,
        propose_url=url_for("register_proposals.new", register="staff") if may_propose() else None,
    )


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    _form, filters = _filters()
    return download(
        "staff-numbers", _("Staff numbers"), STAFF_COLUMNS, lambda session, scope: staff_lines(session, scope, filters)
    )


@bp.get("/<int:staff_id>")
@require(Permission.READ_REGISTERS)
def detail(staff_id: int) -> ResponseReturnValue:
    """Show a staff number, every period of it, and its history."""
    with db.reading() as session:
        scope = scope_of(session)
        row = staff_queries.staff_in_scope(session, scope, staff_id)
        facts = {
            "row": row,
            "periods": staff_queries.periods_of_staff_number(session, scope, row.row),
            "visible": scope,
            "history": history_of(session, "staff_number", staff_id),
            "may_write": may_write(),
            "may_propose": may_propose(),
        }
    return render_template("staff/detail.html", **facts)


def _load(staff_id: int) -> StaffRow:
    with db.reading() as session:
        return staff_queries.staff_in_scope(session, scope_of(session), staff_id)


def _done(staff_id: int) -> Response:
    flash(saved(), "success")
    return redirect(url_for(".detail", staff_id=staff_id), code=303)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Give a staff number to a worker."""
    with db.reading() as session:
        carriers = carriers_by_code(session)
    form = AssignForm(carriers)
    employer = place = None
    if form.validate_on_submit():
        employer = named(form.employer, party_named)
        place = named(form.place, party_named) if form.place.data else None
    if employer is None or form.errors:
        return form_page(
            form, title=_("New staff number"), words=_("Assign the staff number"), cancel_url=url_for(".index")
        )
    row = db.decide(
        staff.assign_staff_number,
        carrier_code=form.carrier.data,
        staff_number=form.staff_number.data.strip(),
        alias=form.alias.data or None,
        employer_id=employer.id,
        placed_at_id=place.id if place is not None else None,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        actor_id=current_user().id,
    )
    return _done(row.id)


@bp.route("/<int:staff_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end(staff_id: int) -> ResponseReturnValue:
    """End a worker's period."""
    row = _load(staff_id)
    form = EndStaffForm(on=row.row.valid_to)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of staff number %(number)s", number=row.row.staff_number),
            words=_("Set the end"),
            cancel_url=url_for(".detail", staff_id=staff_id),
        )
    db.decide(staff.end_staff_number, staff_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id)
    return _done(staff_id)
