"""The register as a list: filtered, looked up by a number that is never in an address, exported."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.permissions import PERMISSION_COLUMNS
from supervise import db, phone
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.complaints.subscribers import find_number_id
from supervise.desk.parties import UnknownPartyError, party_named
from supervise.donotcall.models import PermissionWord
from supervise.donotcall.queries import (
    PermissionFilters,
    Reader,
    permission_lines,
    permissions_by_time,
    reached_number,
)
from supervise.errors import NotFoundError
from supervise.labels import _
from supervise.views.addresses import address_with
from supervise.views.navigation import url_of
from supervise.views.permissions.blueprint import bp
from supervise.views.permissions.forms import FindForm, PermissionFilterForm
from supervise.views.permissions.shown import reader_of, recordable
from supervise.views.registers import PAGE, download, export_urls, first_page
from supervise.views.settings import current_keyring

#: No party has this id: an unknown one finds nothing.
_NOBODY = 0


def _filters(session: Session) -> tuple[PermissionFilterForm, PermissionFilters]:
    form = PermissionFilterForm(formdata=request.args)
    form.validate()
    good = {field.name: field.data for field in form if not field.errors}
    word = good.get("word")
    return form, PermissionFilters(
        scope=good.get("scope"),
        given=None if word is None else word is PermissionWord.CONSENT,
        party_id=_party_id(session, form),
        first_on=good.get("first_on"),
        last_on=good.get("last_on"),
    )


def _party_id(session: Session, form: PermissionFilterForm) -> int | None:
    if not form.party.data:
        return None
    try:
        return party_named(session, form.party.data).id
    except UnknownPartyError as error:
        form.party.errors = [phone.mask_in_text(str(error))]
        return _NOBODY


@bp.get("/")
@require(Permission.READ_TICKETS)
def index() -> ResponseReturnValue:
    """List what subscribers refused and allowed, the last said first."""
    before = request.args.get("before", "")
    with db.reading() as session:
        form, filters = _filters(session)
        after_id = int(before[:18]) if before.isdecimal() else 0
        found = permissions_by_time(session, reader_of(session), filters, before=after_id, limit=PAGE + 1)
        rows, more = first_page(found)
        names = display_names(session, [row.event.recorded_by for row in rows])
    return render_template(
        "permissions/index.html",
        form=form,
        find_form=FindForm(formdata=None),
        rows=rows,
        names=names,
        is_narrowed=filters != PermissionFilters(),
        next_url=address_with(before=rows[-1].event.id) if more else None,
        exports=export_urls(),
        **_actions(),
    )


def _actions() -> dict[str, str | None]:
    may_import = current_user().can(Permission.RECORD_CONSENTS)
    return {
        "import_url": url_of("imports.new", kind="permissions") if may_import else None,
        "new_url": url_for(".new") if recordable() else None,
    }


@bp.get("/export")
@require(Permission.READ_TICKETS)
def export() -> ResponseReturnValue:
    """Give the filtered register as a file; numbers stay masked."""
    user_id = current_user().id
    with db.reading() as session:
        _form, filters = _filters(session)
    return download(
        "refusals-and-consents",
        _("Refusals and consents"),
        PERMISSION_COLUMNS,
        lambda session, scope: permission_lines(session, Reader(scope, user_id), filters),
    )


@bp.post("/find")
@require(Permission.READ_TICKETS)
def find() -> ResponseReturnValue:
    """Look up a full number: it is sent, and only its row's id stands in an address."""
    form = FindForm()
    if not form.validate():
        flash(" ".join(map(str, form.number.errors)), "danger")
        return redirect(url_for(".index"), code=303)
    with db.reading() as session:
        number_id = find_number_id(session, current_keyring(), form.number.digits)
        try:
            number = reached_number(session, reader_of(session), number_id or 0).number
        except NotFoundError:
            # Unknown here and known elsewhere look the same.
            flash(_("Nothing is recorded of this number: no record means no consent"), "info")
            return redirect(url_for(".index"), code=303)
    return redirect(url_for(".number", subscriber_number_id=number.id), code=303)
