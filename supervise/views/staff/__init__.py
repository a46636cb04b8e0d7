"""The pages of staff numbers: list, page with every period, assign, end."""

from collections.abc import Sequence

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from reports.registers import STAFF_COLUMNS, staff_lines
from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.parties import staff
from supervise.parties.codes import party_named
from supervise.parties.models import Carrier
from supervise.parties.official_queries import carriers_by_code
from supervise.parties.staff_queries import periods_of_staff_number, staff_by_number, staff_in_scope
from supervise.views.register_list import RegisterList, by_text_and_id
from supervise.views.registers import (
    changed,
    form_page,
    history_of,
    in_scope,
    may_propose,
    may_write,
    named,
    scope_of,
    version_of,
)
from supervise.views.staff.forms import AssignForm, CorrectStaffForm, EndStaffForm, StaffFilterForm

bp = Blueprint("staff", __name__, url_prefix="/staff")


def _carriers() -> Sequence[Carrier]:
    with db.reading() as session:
        return carriers_by_code(session)


STAFF = RegisterList(
    name="staff",
    title=N_("Staff numbers"),
    form=lambda: StaffFilterForm(_carriers(), formdata=request.args),
    rows=staff_by_number,
    cursor=by_text_and_id(lambda row: (row.row.staff_number, row.row.id)),
    columns=STAFF_COLUMNS,
    lines=staff_lines,
    imports=ImportKind.STAFF,
)


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List the staff numbers, each period a row, a page at a time."""
    return STAFF.page(propose_url=url_for("register_proposals.new", register="staff") if may_propose() else None)


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return STAFF.download()


@bp.get("/<int:staff_id>")
@require(Permission.READ_REGISTERS)
def detail(staff_id: int) -> ResponseReturnValue:
    """Show a staff number, every period of it, and its history."""
    with db.reading() as session:
        scope = scope_of(session)
        row = staff_in_scope(session, scope, staff_id)
        facts = {
            "row": row,
            "periods": periods_of_staff_number(session, scope, row.row),
            "visible": scope,
            "history": history_of(session, "staff_number", staff_id),
            "may_write": may_write(),
            "may_propose": may_propose(),
        }
    return render_template("staff/detail.html", **facts)


def _page_of(staff_id: int) -> str:
    return url_for(".detail", staff_id=staff_id)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Give a staff number to a worker."""
    form = AssignForm(_carriers())
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
    return changed(_page_of(row.id))


@bp.route("/<int:staff_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end(staff_id: int) -> ResponseReturnValue:
    """End a worker's period."""
    row = in_scope(staff_in_scope, staff_id)
    form = EndStaffForm(on=row.row.valid_to)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of staff number %(number)s", number=row.row.staff_number),
            words=_("Set the end"),
            cancel_url=_page_of(staff_id),
        )
    db.decide(staff.end_staff_number, staff_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id)
    return changed(_page_of(staff_id))


@bp.route("/<int:staff_id>/correct", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def correct(staff_id: int) -> ResponseReturnValue:
    """Correct alias, place or period that were entered wrongly; the trail keeps them as they were."""
    row = in_scope(staff_in_scope, staff_id)
    form = CorrectStaffForm(obj=row.row, place=row.place.code if row.place else "")
    place = named(form.place, party_named) if form.validate_on_submit() and form.place.data else None
    if not form.is_submitted() or form.errors:
        return form_page(
            form,
            title=_("Correct staff number %(number)s", number=row.row.staff_number),
            words=_("Save"),
            cancel_url=_page_of(staff_id),
            hint=_("Another employer is another period: set the end of this one and assign the number again."),
        )
    db.decide(
        staff.correct_staff_number,
        staff_id,
        alias=form.alias.data or None,
        placed_at_id=place.id if place is not None else None,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(staff_id))
