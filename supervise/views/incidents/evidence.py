"""Evidence of a call and its verification log: add, download, withdraw, hold; enter how it was verified."""

from contextlib import ExitStack

from flask import Response, flash, redirect, send_file, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution import incident_evidence
from supervise.attribution.verification import enter_verification
from supervise.desk.reach import incident_in_reach
from supervise.files import vault
from supervise.files.media import CONTENT_TYPES
from supervise.files.refusals import FileRefusedError
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.views.background import surroundings
from supervise.views.incidents.blueprint import bp
from supervise.views.incidents.evidence_forms import EvidenceForm, VerificationForm
from supervise.views.incidents.forms import ReasonForm
from supervise.views.incidents.page import incident_page


def _reached(incident_id: int, attachment_id: int | None = None) -> None:
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, current_user()), incident_id)
        if attachment_id is not None:
            incident_evidence.evidence_in(session, incident_id, attachment_id)


def _back(incident_id: int) -> ResponseReturnValue:
    return redirect(url_for(".detail", incident_id=incident_id, _anchor="evidence"), code=303)


@bp.post("/<int:incident_id>/evidence")
@require(Permission.TRIAGE, Permission.CREATE_TICKETS)
def add_evidence(incident_id: int) -> ResponseReturnValue:
    """Attach a file to a call."""
    form, around = EvidenceForm(), surroundings()
    _reached(incident_id)
    if not form.validate():
        return incident_page(incident_id, {"evidence": form})
    name = form.file.data.filename or ""
    try:
        media_type = vault.sniff(form.file.data.stream, name)
        # Outside any transaction: an upload may take minutes.
        stored = vault.store_attachment(form.file.data.stream, vault.vault_folder(around.instance), around.keyring)
    except FileRefusedError as error:
        form.file.errors = [str(error)]
        return incident_page(incident_id, {"evidence": form})
    db.decide(
        incident_evidence.attach_evidence,
        incident_id,
        stored,
        name,
        media_type,
        kind=form.evidence_kind.data,
        source=form.source.data,
        actor_id=current_user().id,
    )
    flash(_("The evidence is added"), "success")
    return _back(incident_id)


@bp.post("/<int:incident_id>/evidence/<int:attachment_id>")
@require(Permission.READ_TICKETS)
def download_evidence(incident_id: int, attachment_id: int) -> Response:
    """Hand over the file as it came, never shown in the page; who took it is in the audit trail."""
    me, around = current_user(), surroundings()
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
        attachment = incident_evidence.evidence_in(session, incident_id, attachment_id).attachment
    with ExitStack() as opened:
        folder = vault.vault_folder(around.instance)
        plain = opened.enter_context(vault.opened_attachment(attachment, folder, around.keyring))
        # Recorded before it leaves.
        db.decide(incident_evidence.record_download, incident_id, attachment_id, actor_id=me.id)
        response = send_file(
            plain,
            mimetype=CONTENT_TYPES[attachment.media_type],
            as_attachment=True,
            download_name=attachment.file_name,
        )
        response.headers["X-Content-SHA256"] = attachment.sha256
        # The file lives until the last byte is sent; a response that is passed through would never say when.
        response.direct_passthrough = False
        response.call_on_close(opened.pop_all().close)
    return response


@bp.post("/<int:incident_id>/evidence/<int:attachment_id>/withdraw")
@require(Permission.TRIAGE)
def withdraw_evidence(incident_id: int, attachment_id: int) -> ResponseReturnValue:
    """Say why a file does not count; it stays."""
    form = ReasonForm()
    _reached(incident_id, attachment_id)
    if not form.validate():
        return incident_page(incident_id, {"row": form})
    db.decide(
        incident_evidence.withdraw_evidence,
        incident_id,
        attachment_id,
        form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("The evidence is withdrawn; it stays in the file with the reason"), "success")
    return _back(incident_id)


@bp.post("/<int:incident_id>/evidence/<int:attachment_id>/hold")
@require(Permission.TRIAGE)
def hold_evidence(incident_id: int, attachment_id: int) -> ResponseReturnValue:
    """Keep a file beyond its time."""
    form = ReasonForm()
    _reached(incident_id, attachment_id)
    if not form.validate():
        return incident_page(incident_id, {"row": form})
    db.decide(incident_evidence.hold_evidence, incident_id, attachment_id, form.reason.data, actor_id=current_user().id)
    flash(_("The evidence is on hold: it is not purged"), "success")
    return _back(incident_id)


@bp.post("/<int:incident_id>/evidence/<int:attachment_id>/release")
@require(Permission.TRIAGE, Permission.CONFIRM_OVERRIDES)
def release_evidence(incident_id: int, attachment_id: int) -> ResponseReturnValue:
    """End a hold, as another person."""
    form = ReasonForm()
    _reached(incident_id, attachment_id)
    if not form.validate():
        return incident_page(incident_id, {"row": form})
    db.decide(
        incident_evidence.release_evidence,
        incident_id,
        attachment_id,
        form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("The hold is released"), "success")
    return _back(incident_id)


@bp.post("/<int:incident_id>/verifications")
@require(Permission.TRIAGE)
def enter(incident_id: int) -> ResponseReturnValue:
    """Enter how a call was verified and what it came to."""
    me = current_user()
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
        form = VerificationForm(incident_evidence.evidence_of(session, incident_id))
    if not form.validate():
        return incident_page(incident_id, {"verification": form})
    db.decide(enter_verification, incident_id, form.found, actor_id=me.id)
    flash(_("The verification is entered"), "success")
    return redirect(url_for(".detail", incident_id=incident_id, _anchor="verifications"), code=303)
