"""How a file comes in: uploaded, described by a profile or mapped by hand, then read for the preview."""

from collections.abc import Sequence
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import SCOPED_ROLES, Permission
from supervise.audit.record import record_event
from supervise.complaints.fields import FIELDS
from supervise.complaints.models import Channel, ImportProfile
from supervise.complaints.profiles import (
    mapping_of,
    profile_by_id,
    profile_versions,
    profiles_in_use,
    retire_profile,
    save_profile,
)
from supervise.complaints.queries import units_to_choose
from supervise.errors import ConflictError, InvalidInputError
from supervise.files.headers import normalise_header
from supervise.files.mapping import ColumnMapping
from supervise.files.models import BatchState, ImportBatch, ImportKind, Upload
from supervise.files.reader import read_table
from supervise.files.refusals import FileRefusedError
from supervise.files.staging import open_batch, refuse_batch
from supervise.files.uploads import StoredFile, plain_file, record_upload, store_file, uploads_folder
from supervise.jobs.imports import preview_now
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.phone import NumberingPlan
from supervise.views.background import surroundings, wake
from supervise.views.imports.blueprint import bp
from supervise.views.imports.forms import MAP_IT, ComplaintUploadForm, UploadForm, mapper_form, mapping_from
from supervise.views.imports.kinds import IMPORTERS, allowed_kinds, batch_in_scope, chosen_kind, fixed_mapping

_SAMPLE_ROWS = 5


@bp.route("/new", methods=["GET", "POST"])
@require(*IMPORTERS)
def new() -> ResponseReturnValue:
    """Upload a file; ``?kind=`` says of what."""
    kind = chosen_kind(request.args.get("kind"))
    form, options = _upload_form(kind)
    if not form.validate_on_submit():
        page = render_template(
            "imports/new.html", form=form, kind=kind, kinds=allowed_kinds(), columns=fixed_mapping(kind)
        )
        return page, 400 if form.errors else 200
    around = surroundings()
    profile_id = None
    if isinstance(form, ComplaintUploadForm):
        profile_id = None if form.profile.data == MAP_IT else int(form.profile.data)
        options = {"unit_id": int(form.unit_id.data)} if form.unit_id.data else {}
    # Outside any transaction: an upload may take minutes.
    stored = store_file(form.file.data.stream, uploads_folder(around.instance), around.keyring)
    batch_id = db.decide(
        _open,
        kind,
        stored,
        form.file.data.filename or "",
        profile_id=profile_id,
        options=options,
        actor_id=current_user().id,
    )
    if kind is ImportKind.COMPLAINTS and profile_id is None:
        return redirect(url_for(".mapping", batch_id=batch_id), code=303)
    wake(preview_now(around, batch_id, actor_id=current_user().id))
    return redirect(url_for(".detail", batch_id=batch_id), code=303)


def _upload_form(kind: ImportKind) -> tuple[UploadForm, dict[str, Any]]:
    if kind is not ImportKind.COMPLAINTS:
        return UploadForm(), {}
    me = current_user()
    with db.reading() as session:
        profiles = profiles_in_use(session)
        units = units_to_choose(session, Scope.of(session, me))
    return ComplaintUploadForm(profiles, units, needs_unit=me.role in SCOPED_ROLES), {}


def _open(
    session: Session,
    kind: ImportKind,
    stored: StoredFile,
    file_name: str,
    *,
    profile_id: int | None,
    options: dict[str, Any],
    actor_id: int,
) -> int:
    upload = record_upload(session, stored, file_name, actor_id=actor_id)
    batch = open_batch(
        session, kind=kind, upload_id=upload.id, profile_id=profile_id, options=options, actor_id=actor_id
    )
    record_event(
        session,
        actor_id=actor_id,
        action="import.uploaded",
        subject="import_batch",
        subject_id=batch.id,
        changes={"kind": kind, "sha256": stored.sha256, "bytes": stored.size_bytes},
    )
    return batch.id


@bp.route("/<int:batch_id>/mapping", methods=["GET", "POST"])
@require(Permission.IMPORT_TICKETS)
def mapping(batch_id: int) -> ResponseReturnValue:
    """Say which column of an unknown file means what; it is kept as a new profile."""
    with db.reading() as session:
        batch = batch_in_scope(session, batch_id)
        if batch.kind is not ImportKind.COMPLAINTS or batch.state is not BatchState.UPLOADED:
            raise ConflictError
        upload = session.get_one(Upload, batch.upload_id)
        profiles = profiles_in_use(session)
    try:
        header, sample = _look(upload)
    except FileRefusedError as error:
        db.decide(refuse_batch, batch_id, error)
        return redirect(url_for(".detail", batch_id=batch_id), code=303)
    form = mapper_form(
        header,
        _guessed(header, [mapping_of(profile) for profile in profiles]),
        channel=Channel.HOTLINE,
        plan=NumberingPlan.CHINA,
    )
    if form.validate_on_submit():
        try:
            db.decide(_map, batch_id, form.name.data, form.channel.data, mapping_from(form), current_user().id)
        except InvalidInputError as error:
            form.form_errors.append(str(error))
        else:
            wake(preview_now(surroundings(), batch_id, actor_id=current_user().id))
            return redirect(url_for(".detail", batch_id=batch_id), code=303)
    page = render_template("imports/mapping.html", form=form, batch=batch, upload=upload, header=header, sample=sample)
    return page, 400 if form.errors else 200


def _look(upload: Upload) -> tuple[list[str], list[list[str]]]:
    """Return the header of an uploaded file and its first rows."""
    around = surroundings()
    with (
        plain_file(upload, uploads_folder(around.instance), around.keyring) as file,
        read_table(file) as table,
    ):
        rows = [row.cells for row, _place in zip(table.rows, range(_SAMPLE_ROWS), strict=False)]
    return table.header, rows


def _guessed(header: Sequence[str], mappings: Sequence[ColumnMapping]) -> dict[str, str]:
    """Return the columns that the headings of known profiles suggest, each column once."""
    by_name = {normalise_header(heading): heading for heading in header if heading}
    guessed: dict[str, str] = {}
    for known in mappings:
        for name, headings in known.fields.items():
            for heading in headings:
                column = by_name.get(normalise_header(heading))
                if column is not None and name not in guessed and column not in guessed.values():
                    guessed[name] = column
    return guessed


def _map(  # noqa: PLR0917 - a decision takes them in order
    session: Session, batch_id: int, name: str, channel: Channel, columns: ColumnMapping, actor_id: int
) -> ImportProfile:
    profile = save_profile(session, name=name, channel=channel, mapping=columns, actor_id=actor_id)
    batch = session.get_one(ImportBatch, batch_id, with_for_update=True, populate_existing=True)
    if batch.state is not BatchState.UPLOADED:
        raise ConflictError
    batch.profile_id = profile.id
    return profile


@bp.get("/profiles")
@require(Permission.IMPORT_TICKETS, Permission.READ_REFERENCE)
def profiles() -> ResponseReturnValue:
    """List the profiles in use."""
    with db.reading() as session:
        rows = profiles_in_use(session)
    return render_template("imports/profiles.html", rows=rows)


@bp.get("/profiles/<int:profile_id>")
@require(Permission.IMPORT_TICKETS, Permission.READ_REFERENCE)
def profile(profile_id: int) -> ResponseReturnValue:
    """Show which headings a profile knows for each field, and its versions."""
    with db.reading() as session:
        found = profile_by_id(session, profile_id)
        versions = profile_versions(session, found.code)
    return render_template(
        "imports/profile.html",
        profile=found,
        columns=mapping_of(found),
        fields=FIELDS,
        versions=versions,
        may_retire=current_user().can(Permission.IMPORT_TICKETS) and found.retired_at is None,
    )


@bp.post("/profiles/<int:profile_id>/retire")
@require(Permission.IMPORT_TICKETS)
def retire(profile_id: int) -> ResponseReturnValue:
    """Offer a profile no more."""
    db.decide(retire_profile, profile_id, actor_id=current_user().id)
    flash(_("The profile is retired"), "success")
    return redirect(url_for(".profiles"), code=303)
