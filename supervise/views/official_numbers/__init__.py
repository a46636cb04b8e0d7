"""The pages of numbers that carriers declared official: list, page with every period, declare, correct, end."""

from collections.abc import Sequence

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from reports.registers import OFFICIAL_COLUMNS, official_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.parties import officials
from supervise.parties.models import Carrier
from supervise.parties.official_queries import (
    OfficialRow,
    carriers_by_code,
    official_by_id,
    officials_by_number,
    periods_of_official,
)
from supervise.views.official_numbers.forms import (
    CorrectOfficialForm,
    DeclareForm,
    EndOfficialForm,
    OfficialFilterForm,
)
from supervise.views.register_list import RegisterList, by_text_and_id
from supervise.views.registers import changed, form_page, history_of, version_of

bp = Blueprint("official_numbers", __name__, url_prefix="/official-numbers")


def _carriers() -> Sequence[Carrier]:
    with db.reading() as session:
        return carriers_by_code(session)


OFFICIAL_NUMBERS = RegisterList(
    name="official_numbers",
    title=N_("Official numbers"),
    form=lambda: OfficialFilterForm(_carriers(), formdata=request.args),
    # Public facts: no scope narrows them.
    rows=lambda session, _scope, filters, **page: officials_by_number(session, filters, **page),
    cursor=by_text_and_id(lambda row: (row.row.digits, row.row.id)),
    columns=OFFICIAL_COLUMNS,
    lines=lambda session, _scope, filters: official_lines(session, filters),
    writes=Permission.EDIT_REFERENCE,
    imports=ImportKind.OFFICIAL_NUMBERS,
)


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """List every official number ever declared, by number, a page at a time."""
    return OFFICIAL_NUMBERS.page(today=clock.today())


@bp.get("/export")
@require(Permission.READ_REFERENCE)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return OFFICIAL_NUMBERS.download()


@bp.get("/<int:official_id>")
@require(Permission.READ_REFERENCE)
def detail(official_id: int) -> ResponseReturnValue:
    """Show a declaration, every other one of the same number, and its history."""
    with db.reading() as session:
        row = official_by_id(session, official_id)
        facts = {
            "row": row,
            "periods": periods_of_official(session, row.row.digits),
            "history": history_of(session, "official_number", official_id, Permission.EDIT_REFERENCE),
        }
    return render_template(
        "official_numbers/detail.html", may_edit=current_user().can(Permission.EDIT_REFERENCE), **facts
    )


def _page_of(official_id: int) -> str:
    return url_for(".detail", official_id=official_id)


def _load(official_id: int) -> OfficialRow:
    with db.reading() as session:
        return official_by_id(session, official_id)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def new() -> ResponseReturnValue:
    """Declare a number official."""
    form = DeclareForm(_carriers())
    if not form.validate_on_submit():
        return form_page(
            form, title=_("New official number"), words=_("Declare the number"), cancel_url=url_for(".index")
        )
    row = db.decide(
        officials.declare_official,
        carrier_code=form.carrier.data,
        digits=form.digits.data,
        use=form.use.data,
        legal_basis=form.legal_basis.data.strip(),
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        actor_id=current_user().id,
    )
    return changed(_page_of(row.id))


@bp.route("/<int:official_id>/end", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def end(official_id: int) -> ResponseReturnValue:
    """End an official use."""
    row = _load(official_id).row
    form = EndOfficialForm(on=row.valid_to)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of the official use of %(digits)s", digits=row.digits),
            words=_("Set the end"),
            cancel_url=_page_of(official_id),
        )
    db.decide(officials.end_official, official_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id)
    return changed(_page_of(official_id))


@bp.route("/<int:official_id>/correct", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def correct(official_id: int) -> ResponseReturnValue:
    """Correct a legal basis or a period that was entered wrongly; the trail keeps it as it was."""
    row = _load(official_id).row
    form = CorrectOfficialForm(obj=row)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Correct the declaration of %(digits)s", digits=row.digits),
            words=_("Save"),
            cancel_url=_page_of(official_id),
            hint=_("Verdicts on calls in between stay as they are; they are proposed to be looked at again."),
        )
    db.decide(
        officials.correct_official,
        official_id,
        legal_basis=form.legal_basis.data.strip(),
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(official_id))
