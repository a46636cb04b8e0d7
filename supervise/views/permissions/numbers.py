"""The page of one number: what holds now and what was ever said; and the form that adds the newest word."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.queries import subscribers_of_number, tickets_of_number
from supervise.complaints.subscribers import number_ids
from supervise.desk.parties import UnknownPartyError, parties_to_choose, party_named
from supervise.donotcall.models import PermissionScope, PermissionWord
from supervise.donotcall.queries import reached_number
from supervise.donotcall.record import record_consent, record_refusal
from supervise.labels import _
from supervise.views.permissions.blueprint import bp
from supervise.views.permissions.forms import RecordForm, RecordForNumberForm
from supervise.views.permissions.shown import reader_of, recordable, words_of
from supervise.views.registers import PAGE
from supervise.views.settings import current_keyring

_RECORDERS = (Permission.RECORD_REFUSALS, Permission.RECORD_CONSENTS)


@bp.get("/numbers/<int:subscriber_number_id>")
@require(Permission.READ_TICKETS)
def number(subscriber_number_id: int) -> ResponseReturnValue:
    """Show what holds for a number, and every word that was said with it."""
    with db.reading() as session:
        reader = reader_of(session)
        reached = reached_number(session, reader, subscriber_number_id)
        facts = {
            "number": reached.number,
            "is_whole": reached.is_whole,
            "words": words_of(session, subscriber_number_id, is_whole=reached.is_whole),
            "subscribers": subscribers_of_number(session, reader.scope, subscriber_number_id),
            "tickets": tickets_of_number(session, reader.scope, subscriber_number_id, limit=PAGE),
        }
    return render_template("permissions/number.html", **facts)


@bp.route("/numbers/<int:subscriber_number_id>/record", methods=["GET", "POST"])
@require(*_RECORDERS)
def record(subscriber_number_id: int) -> ResponseReturnValue:
    """Record a refusal or a consent of this number."""
    with db.reading() as session:
        found = reached_number(session, reader_of(session), subscriber_number_id).number
    return _form_page(RecordForm(recordable()), found.id, found.number_mask)


@bp.route("/new", methods=["GET", "POST"])
@require(*_RECORDERS)
def new() -> ResponseReturnValue:
    """Record a refusal or a consent of a number that is typed; it need not be one of ours (domain F70)."""
    return _form_page(RecordForNumberForm(recordable()))


def _form_page(form: RecordForm, number_id: int | None = None, mask: str = "") -> ResponseReturnValue:
    with db.reading() as session:
        parties = parties_to_choose(session)
        party_id = _party_id(session, form) if form.validate_on_submit() else None
    if not form.is_submitted() or form.errors:
        page = render_template(
            "permissions/record.html",
            form=form,
            mask=mask,
            parties=parties,
            cancel_url=url_for(".number", subscriber_number_id=number_id) if number_id else url_for(".index"),
        )
        return page, 400 if form.errors else 200
    number_id = db.decide(_record, form, number_id, party_id, actor_id=current_user().id)
    flash(_("It is recorded"), "success")
    return redirect(url_for(".number", subscriber_number_id=number_id), code=303)


def _party_id(session: Session, form: RecordForm) -> int | None:
    if not (form.party.data or "").strip():
        return None
    try:
        return party_named(session, form.party.data).id
    except UnknownPartyError as error:
        form.party.errors = [str(error)]
        return None


def _record(session: Session, form: RecordForm, number_id: int | None, party_id: int | None, *, actor_id: int) -> int:
    if number_id is None:
        digits = form.number.digits
        number_id = number_ids(session, current_keyring(), [digits])[digits]
    said = {
        "number_id": number_id,
        "party_id": party_id,
        "said_at": form.said_at.moment,
        "channel": form.channel.data,
        "source": form.source.data.strip(),
        "actor_id": actor_id,
    }
    for scope in map(PermissionScope, form.scopes.data):
        if form.word.data == PermissionWord.CONSENT:
            record_consent(session, scope=scope, purpose=form.purpose.data or "", **said)
        else:
            record_refusal(session, scope=scope, **said)
    return number_id
