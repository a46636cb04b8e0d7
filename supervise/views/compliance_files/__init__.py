"""The pages of compliance files: parties and what is on file, the file of one, an entry with its scan, a striking out.

What the carrier knew and did about a party is its own case: the party does not read it.
"""

import io

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.compliance_files import FILE_COLUMNS, file_lines
from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.audit.record import record_event
from supervise.errors import NotFoundError, RefusalError
from supervise.files.models import Attachment
from supervise.files.refusals import FileRefusedError
from supervise.files.uploads import PurgedError
from supervise.files.vault import opened_attachment, vault_folder
from supervise.labels import N_, _
from supervise.parties.capability_queries import capabilities_of_party
from supervise.parties.compliance_file import (
    enter,
    entries_of_party,
    entry_by_id,
    files_by_party,
    knew_on,
    strike_out,
)
from supervise.parties.file_models import FileEntryKind
from supervise.parties.models import Party, PartyKind
from supervise.parties.queries import party_in_scope
from supervise.views.background import surroundings
from supervise.views.compliance_files.forms import EntryForm, FileFilterForm, StrikeForm
from supervise.views.register_list import RegisterList, by_text
from supervise.views.registers import scope_of
from supervise.views.vaulting import stored_files

bp = Blueprint("compliance_files", __name__, url_prefix="/compliance-files")

FILES = RegisterList(
    name="compliance_files",
    title=N_("Compliance files"),
    form=lambda: FileFilterForm(formdata=request.args),
    rows=files_by_party,
    cursor=by_text(lambda row: row.party.code),
    columns=FILE_COLUMNS,
    lines=file_lines,
    new="",
)


@bp.get("/")
@require(Permission.READ_CONTRACTS)
def index() -> ResponseReturnValue:
    """List the parties outside the carrier, and what is on file of each."""
    return FILES.page()


@bp.get("/export")
@require(Permission.READ_CONTRACTS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return FILES.download()


@bp.get("/<int:party_id>")
@require(Permission.READ_CONTRACTS)
def detail(party_id: int) -> ResponseReturnValue:
    """Show the file of a party, and what it may do."""
    return _page(_party(party_id), EntryForm(formdata=None))


def _party(party_id: int) -> Party:
    """Return the party; the carrier keeps no file of its own branches and employees.

    Raises:
        NotFoundError: for one of those, or if there is no such party.
    """
    with db.reading() as session:
        party = party_in_scope(session, scope_of(session), party_id)
    if party.kind in (PartyKind.ORG_UNIT, PartyKind.EMPLOYEE_CALLER):
        raise NotFoundError
    return party


def _page(party: Party, form: EntryForm) -> str:
    with db.reading() as session:
        entries = entries_of_party(session, party.id)
        writers = [one.entered_by for entry in entries for one in (entry.row, entry.strike) if one is not None]
        return render_template(
            "compliance_files/detail.html",
            party=party,
            entries=entries,
            knew_on=knew_on(session, party.id),
            capabilities=capabilities_of_party(session, party.id),
            people=display_names(session, writers),
            form=form,
            strike_form=StrikeForm(formdata=None),
            writes=current_user().can(Permission.WRITE_REGISTERS),
        )


@bp.post("/<int:party_id>")
@require(Permission.WRITE_REGISTERS)
def add(party_id: int) -> ResponseReturnValue:
    """Add an entry, with a scan or without."""
    party = _party(party_id)
    form = EntryForm()
    if not form.validate():
        return _page(party, form), 400
    try:
        files = stored_files(form.uploads)
    except RefusalError as error:
        form.files.errors = [str(error)]
        return _page(party, form), error.status
    db.decide(
        enter,
        party_id,
        FileEntryKind(form.kind.data),
        happened_on=form.happened_on.data,
        body=form.body.data,
        file=files[0] if files else None,
        actor_id=current_user().id,
    )
    flash(_("It is on file"), "success")
    return redirect(url_for(".detail", party_id=party_id), code=303)


@bp.post("/entries/<int:file_entry_id>/strike")
@require(Permission.WRITE_REGISTERS)
def strike(file_entry_id: int) -> ResponseReturnValue:
    """Strike a wrong entry out; it stays to be read."""
    party_id = _party_of(file_entry_id)
    form = StrikeForm()
    if form.validate():
        db.decide(strike_out, file_entry_id, form.reason.data, actor_id=current_user().id)
        flash(_("The entry is struck out"), "success")
    else:
        flash(_("Give a reason"), "danger")
    return redirect(url_for(".detail", party_id=party_id), code=303)


@bp.get("/entries/<int:file_entry_id>/file")
@require(Permission.READ_CONTRACTS)
def file(file_entry_id: int) -> ResponseReturnValue:
    """Give out the scan of an entry; who took it is recorded."""
    party_id, around = _party_of(file_entry_id), surroundings()
    with db.reading() as session:
        attachment = session.get(Attachment, entry_by_id(session, file_entry_id).attachment_id or 0)
    if attachment is None:
        raise NotFoundError
    try:
        with opened_attachment(attachment, vault_folder(around.instance), around.keyring) as plain:
            content = plain.read()
    except (FileRefusedError, PurgedError) as error:
        flash(str(error), "danger")
        return redirect(url_for(".detail", party_id=party_id), code=303)
    db.decide(_record_download, party_id, attachment.id, actor_id=current_user().id)
    return send_file(
        io.BytesIO(content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=attachment.file_name,
    )


def _party_of(entry_id: int) -> int:
    with db.reading() as session:
        return party_in_scope(session, scope_of(session), entry_by_id(session, entry_id).party_id).id


def _record_download(session: Session, party_id: int, attachment_id: int, *, actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action="evidence.downloaded",
        subject="party",
        subject_id=party_id,
        changes={"attachment_id": attachment_id},
    )
