"""Answering for the asked party, with files; and giving those files out to who may read the inquiry."""

import io

from flask import flash, redirect, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.answer_files import attach_files, file_of_inquiry
from supervise.attribution.inquiries import Answer, AnswerChangedError, answer_inquiry
from supervise.attribution.inquiry_models import AnswerKind
from supervise.attribution.inquiry_queries import inquiry_in_scope, parties_below
from supervise.audit.record import record_event
from supervise.clock import today
from supervise.errors import RefusalError
from supervise.files.refusals import FileRefusedError
from supervise.files.uploads import PurgedError
from supervise.files.vault import NewFile, opened_attachment, vault_folder
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.views.background import surroundings
from supervise.views.inquiries.blueprint import bp
from supervise.views.inquiries.forms import AnswerForm
from supervise.views.inquiries.page import inquiry_page
from supervise.views.refusals import record_refusal
from supervise.views.vaulting import stored_files


@bp.post("/<int:inquiry_id>/answer")
@require(Permission.ANSWER_INQUIRIES)
def answer(inquiry_id: int) -> ResponseReturnValue:
    """Answer an inquiry for the own unit or party."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        facts = inquiry_in_scope(session, scope, inquiry_id)
        form = AnswerForm(parties_below(session, facts.party, today()))
    if not form.validate():
        return inquiry_page(inquiry_id, {"answer": form})
    try:
        # Outside any transaction; what no row names in the end is swept away.
        files = stored_files(form.uploads)
    except RefusalError as error:
        form.files.errors = [str(error)]
        return inquiry_page(inquiry_id, {"answer": form})
    seen_number = int(form.shown.data)
    try:
        db.decide(
            _answer,
            inquiry_id,
            form.answer,
            scope,
            files,
            shown_number=seen_number,
            party=facts.party.name,
            actor_id=me.id,
        )
    except AnswerChangedError as error:
        record_refusal(error)
        return inquiry_page(inquiry_id, {"answer": form}, seen_number)
    if form.answer.kind in {AnswerKind.NOT_OURS, AnswerKind.HANDED_ON}:
        flash(_("Your answer is recorded; if a record says otherwise, a supervisor decides"), "success")
    else:
        flash(_("Your answer is recorded"), "success")
    return redirect(url_for(".detail", inquiry_id=inquiry_id), code=303)


def _answer(
    session: Session,
    inquiry_id: int,
    given: Answer,
    scope: Scope,
    files: list[NewFile],
    *,
    shown_number: int,
    party: str,
    actor_id: int,
) -> None:
    row = answer_inquiry(session, inquiry_id, given, scope, shown_number=shown_number, actor_id=actor_id)
    attach_files(session, row, files, source=party, actor_id=actor_id)


@bp.get("/<int:inquiry_id>/files/<int:attachment_id>")
@require(Permission.READ_INQUIRIES)
def file(inquiry_id: int, attachment_id: int) -> ResponseReturnValue:
    """Give out a file that came with an answer; who took it is recorded."""
    me, around = current_user(), surroundings()
    with db.reading() as session:
        inquiry_in_scope(session, Scope.of(session, me), inquiry_id)
        attachment = file_of_inquiry(session, inquiry_id, attachment_id)
    try:
        with opened_attachment(attachment, vault_folder(around.instance), around.keyring) as plain:
            content = plain.read()
    except (FileRefusedError, PurgedError) as error:
        # Purged, or damaged: what is known of it stands on the inquiry's page.
        flash(str(error), "danger")
        return redirect(url_for(".detail", inquiry_id=inquiry_id), code=303)
    db.decide(_record_download, inquiry_id, attachment_id, actor_id=me.id)
    return send_file(
        io.BytesIO(content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=attachment.file_name,
    )


def _record_download(session: Session, inquiry_id: int, attachment_id: int, *, actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action="evidence.downloaded",
        subject="inquiry",
        subject_id=inquiry_id,
        changes={"attachment_id": attachment_id},
    )
