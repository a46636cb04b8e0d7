"""What is said about an objection after it was filed: additions, questions, admission of a late one, its files."""

import io

from flask import flash, redirect, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.audit.record import record_event
from supervise.errors import RefusalError
from supervise.files.refusals import FileRefusedError
from supervise.files.uploads import PurgedError
from supervise.files.vault import opened_attachment, vault_folder
from supervise.labels import _
from supervise.penalties.admission import admit_late
from supervise.penalties.exchange import add_to_objection, ask_party, file_of_objection
from supervise.penalties.models import ObjectionState
from supervise.views.background import surroundings
from supervise.views.penalties.blueprint import bp
from supervise.views.penalties.decisions import back_to, load, objection_in_reach
from supervise.views.penalties.forms import AdditionForm, AdmissionForm, QuestionForm
from supervise.views.penalties.pages import render_penalty
from supervise.views.vaulting import stored_files


@bp.post("/objections/<int:objection_id>/addition")
@require(Permission.OBJECT, Permission.OBJECT_FOR_PARTY)
def add(objection_id: int) -> ResponseReturnValue:
    """Answer a question about an objection, or add text and files to it."""
    me = current_user()
    with db.reading() as session:
        objection = objection_in_reach(session, objection_id)
        scope, story = load(session, objection.penalty_id)
    form = AdditionForm()
    if not form.validate():
        return render_penalty(me, scope, story, addition_form=form), 400
    try:
        files = stored_files(form.uploads)
    except RefusalError as error:
        form.files.errors = [str(error)]
        return render_penalty(me, scope, story, addition_form=form), error.status
    db.decide(add_to_objection, objection_id, form.addition.data, files, scope, actor_id=me.id)
    is_answer = objection.state is ObjectionState.INFO_REQUESTED
    flash(_("Your answer is recorded") if is_answer else _("It is added to the objection"), "success")
    return back_to(objection.penalty_id)


@bp.post("/objections/<int:objection_id>/question")
@require(Permission.DECIDE_APPEALS)
def ask(objection_id: int) -> ResponseReturnValue:
    """Ask the charged party something before the objection is decided."""
    me = current_user()
    with db.reading() as session:
        objection = objection_in_reach(session, objection_id)
        scope, story = load(session, objection.penalty_id)
    form = QuestionForm()
    if not form.validate():
        return render_penalty(me, scope, story, question_form=form), 400
    db.decide(ask_party, objection_id, form.question.data, actor_id=me.id)
    flash(_("The question is asked; the penalty does not become final meanwhile"), "success")
    return back_to(objection.penalty_id)


@bp.post("/objections/<int:objection_id>/admission")
@require(Permission.DECIDE_APPEALS)
def admit(objection_id: int) -> ResponseReturnValue:
    """Admit a late objection, or refuse to hear it."""
    me = current_user()
    with db.reading() as session:
        objection = objection_in_reach(session, objection_id)
        scope, story = load(session, objection.penalty_id)
    form = AdmissionForm()
    if not form.validate():
        return render_penalty(me, scope, story, admission_form=form), 400
    db.decide(admit_late, objection_id, admitted=form.is_admitted, reason=form.reason.data, actor_id=me.id)
    if form.is_admitted:
        flash(_("The late objection is admitted; it waits for a decision"), "success")
    else:
        flash(_("The late objection is not admitted"), "success")
    return back_to(objection.penalty_id)


@bp.get("/objections/<int:objection_id>/files/<int:attachment_id>")
@require(Permission.READ_PENALTIES)
def file(objection_id: int, attachment_id: int) -> ResponseReturnValue:
    """Give out a file that came with an objection; who took it is recorded."""
    me, around = current_user(), surroundings()
    with db.reading() as session:
        objection = objection_in_reach(session, objection_id)
        attachment = file_of_objection(session, objection_id, attachment_id)
    try:
        with opened_attachment(attachment, vault_folder(around.instance), around.keyring) as plain:
            content = plain.read()
    except (FileRefusedError, PurgedError) as error:
        # Purged, or damaged: what is known of it stands on the page.
        flash(str(error), "danger")
        return redirect(url_for(".detail", penalty_id=objection.penalty_id), code=303)
    db.decide(_record_download, objection.penalty_id, attachment_id, actor_id=me.id)
    return send_file(
        io.BytesIO(content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=attachment.file_name,
    )


def _record_download(session: Session, penalty_id: int, attachment_id: int, *, actor_id: int) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action="evidence.downloaded",
        subject="penalty",
        subject_id=penalty_id,
        changes={"attachment_id": attachment_id},
    )
