"""Regulators' fines on the carrier: recorded with their decisions, claimed back from those behind them."""

import io
import re
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import MultipleFileField
from sqlalchemy import select
from sqlalchemy.orm import Session
from wtforms import DateField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import InvalidInputError, RefusalError
from supervise.files.media import SUFFIXES
from supervise.files.refusals import FileRefusedError
from supervise.files.uploads import PurgedError
from supervise.files.vault import opened_attachment, vault_folder
from supervise.labels import _, _l
from supervise.money import FEN_MAX
from supervise.parties.models import OrgUnit, Party
from supervise.penalties import fine_queries as queries
from supervise.penalties import fines, recourse
from supervise.penalties.fine_models import FineRecourse
from supervise.settlement.bank import receive_for_claim
from supervise.views.background import surroundings
from supervise.views.filters import named
from supervise.views.forms import FilterForm, Form, WordsField, YuanField
from supervise.views.registers import history_of
from supervise.views.vaulting import chosen_files, stored_files

bp = Blueprint("fines", __name__, url_prefix="/fines")

_AMOUNT = [InputRequired(_l("Enter the amount")), NumberRange(min=1, max=FEN_MAX)]
_REASON = [InputRequired(_l("Give a reason")), Length(min=4, max=500)]
_DAY = [InputRequired(_l("Enter the day"))]


class FineFilterForm(FilterForm):
    """What is looked for."""

    q = WordsField(_l("Authority or decision number"), validators=[Optional(), Length(max=80)])


class FineForm(Form):
    """What the decision says."""

    authority = StringField(_l("Authority"), validators=[InputRequired(_l("Say who decided")), Length(max=120)])
    decision_number = StringField(
        _l("Decision number"), validators=[InputRequired(_l("Enter the number")), Length(max=80)]
    )
    unit = StringField(_l("Code of the fined unit"), validators=[InputRequired(_l("Enter the unit's code"))])
    decided_on = DateField(_l("Day of the decision"), validators=_DAY)
    received_on = DateField(_l("Received on"), validators=_DAY)
    amount_fen = YuanField(_l("Fine (yuan)"), validators=_AMOUNT)
    due_on = DateField(_l("To be paid by"), validators=[Optional()])
    subject = TextAreaField(
        _l("What it is for"), validators=[InputRequired(_l("Say what it is for")), Length(max=1000)]
    )
    legal_basis = StringField(
        _l("Legal basis"), validators=[InputRequired(_l("Enter the legal basis")), Length(max=300)]
    )
    respondents = StringField(
        _l("Codes of the parties named in it"),
        description=_l("Several with commas; a branch by its own party"),
        validators=[Optional(), Length(max=500)],
    )
    files = MultipleFileField(
        _l("Scans of the decision"),
        description=_l("Up to 50 MB each"),
        render_kw={"accept": ",".join(SUFFIXES)},
    )


class ClaimForm(Form):
    """What is claimed back, from whom and on what ground."""

    party = StringField(_l("Party code"), validators=[InputRequired(_l("Enter the party's code"))])
    amount_fen = YuanField(_l("Amount (yuan)"), validators=_AMOUNT)
    ground = StringField(
        _l("Ground of the claim"),
        description=_l("Such as the clause of the contract"),
        validators=[InputRequired(_l("Say on what the claim stands")), Length(min=4, max=500)],
    )


class PaidForm(Form):
    """When the carrier paid the fine."""

    on = DateField(_l("Day of the payment"), validators=_DAY)
    reference = StringField(
        _l("Bank reference"), validators=[InputRequired(_l("Enter the bank's reference")), Length(max=80)]
    )


class ReceiptForm(PaidForm):
    """What a party paid."""

    amount_fen = YuanField(_l("Amount (yuan)"), validators=_AMOUNT)


class ReasonForm(Form):
    """Why."""

    reason = StringField(_l("Reason"), validators=_REASON)


@bp.get("/")
@require(Permission.READ_LEDGER)
def index() -> ResponseReturnValue:
    """List the fines, the newest first, a page at a time."""
    form = FineFilterForm(formdata=request.args)
    form.validate()
    before = request.args.get("before", 0, type=int)
    with db.reading() as session:
        rows = queries.fines_newest_first(session, text=(form.q.data or "").strip(), before=before)
    more = rows[-1].fine.id if len(rows) == queries.PAGE else 0
    return render_template("fines/index.html", form=form, rows=rows, more=more, me=current_user())


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.SETTLE)
def new() -> ResponseReturnValue:
    """Record a fine with the scans of its decision."""
    form = FineForm()
    if form.validate_on_submit():
        try:
            fine_id = _recorded(form)
        except FileRefusedError as error:
            form.files.errors = [str(error)]
        except RefusalError as error:
            form.form_errors = [str(error)]
        else:
            if fine_id is not None:
                flash(_("The fine is recorded"), "success")
                return redirect(url_for(".detail", fine_id=fine_id), code=303)
    return render_template("fines/form.html", form=form), 400 if form.errors or form.form_errors else 200


def _recorded(form: FineForm) -> int | None:
    """Record what *form* says; None, with the reasons at its fields, if it names nobody."""
    with db.reading() as session:
        unit_id = session.scalar(select(OrgUnit.id).where(OrgUnit.code == (form.unit.data or "").strip()))
        party_ids = _parties(session, form)
    if unit_id is None:
        form.unit.errors = [_("No unit has this code")]
    if unit_id is None or party_ids is None:
        return None
    # Outside any transaction: an upload may take minutes.
    files = stored_files(chosen_files(form.files))
    facts = fines.FineFacts(
        authority=form.authority.data or "",
        decision_number=form.decision_number.data or "",
        decided_on=form.decided_on.data,
        received_on=form.received_on.data,
        unit_id=unit_id,
        subject=form.subject.data or "",
        legal_basis=form.legal_basis.data or "",
        amount_fen=form.amount_fen.data or 0,
        due_on=form.due_on.data,
        respondent_ids=party_ids,
    )
    return db.decide(fines.record_fine, facts, files, actor_id=current_user().id).id


def _parties(session: Session, form: FineForm) -> list[int] | None:
    codes = [code.strip() for code in re.split(r"[,\uff0c]", form.respondents.data or "") if code.strip()]
    found = {row.code: row.id for row in session.execute(select(Party.code, Party.id).where(Party.code.in_(codes)))}
    missing = [code for code in codes if code not in found]
    if missing:
        form.respondents.errors = [_("No party has the code %(code)s", code=missing[0])]
        return None
    return list(found.values())


@bp.get("/<int:fine_id>")
@require(Permission.READ_LEDGER)
def detail(fine_id: int) -> ResponseReturnValue:
    """Show a fine, who is named in it, its scans, and what is claimed back."""
    return _page(fine_id)


def _page(fine_id: int, **forms: Form) -> ResponseReturnValue:
    with db.reading() as session:
        row = queries.fine_by_id(session, fine_id)
        lines = queries.recourse_of_fine(session, fine_id)
        fine = row.fine
        people = [fine.recorded_by, fine.cancelled_by]
        people += [who for one in lines for who in (one.line.maker_id, one.line.approver_id, one.line.ended_by)]
        values: dict[str, Any] = {
            "row": row,
            "fine": fine,
            "lines": lines,
            "left_fen": recourse.claimable_fen(session, fine),
            "respondents": queries.respondents_of(session, fine_id),
            "scans": queries.scans_of(session, fine_id),
            "people": display_names(session, people),
            "history": history_of(session, "regulator_fine", fine_id, Permission.SETTLE, Permission.APPROVE_MONEY),
        }
    blank = {"claim": ClaimForm, "paid": PaidForm, "cancel": ReasonForm}
    shown = {name: forms.get(name) or kind(formdata=None, prefix=f"{name}-") for name, kind in blank.items()}
    page = render_template("fines/detail.html", forms=shown, me=current_user(), named=named, **values)
    return page, 400 if any(form.errors for form in forms.values()) else 200


@bp.post("/<int:fine_id>/claims")
@require(Permission.SETTLE)
def claim(fine_id: int) -> ResponseReturnValue:
    """Propose to claim a part of a fine back."""
    form = ClaimForm(prefix="claim-")
    with db.reading() as session:
        queries.fine_by_id(session, fine_id)
        party_id = session.scalar(select(Party.id).where(Party.code == (form.party.data or "").strip()))
    if form.validate() and party_id is None:
        form.party.errors = [_("No party has this code")]
    if form.errors or party_id is None:
        return _page(fine_id, claim=form)
    ground, amount_fen = form.ground.data or "", form.amount_fen.data or 0
    db.decide(recourse.propose_recourse, fine_id, party_id, amount_fen, ground, actor_id=current_user().id)
    flash(_("Proposed; a second person approves it"), "success")
    return _back(fine_id)


@bp.post("/<int:fine_id>/paid")
@require(Permission.SETTLE)
def paid(fine_id: int) -> ResponseReturnValue:
    """Say when the carrier paid the fine."""
    form = PaidForm(prefix="paid-")
    if not form.validate():
        return _page(fine_id, paid=form)
    on, reference = form.on.data or clock.today(), form.reference.data or ""
    db.decide(fines.record_fine_payment, fine_id, on, reference, actor_id=current_user().id)
    flash(_("The payment is noted"), "success")
    return _back(fine_id)


@bp.post("/<int:fine_id>/cancel")
@require(Permission.APPROVE_MONEY)
def cancel(fine_id: int) -> ResponseReturnValue:
    """Take a wrong entry back."""
    form = ReasonForm(prefix="cancel-")
    if not form.validate():
        return _page(fine_id, cancel=form)
    db.decide(fines.cancel_fine, fine_id, form.reason.data or "", actor_id=current_user().id)
    flash(_("The entry is cancelled; it stays with the reason"), "success")
    return _back(fine_id)


@bp.post("/claims/<int:recourse_id>/decide")
@require(Permission.APPROVE_MONEY)
def decide(recourse_id: int) -> ResponseReturnValue:
    """Approve a claim as the second person, refuse it, or take an approved one back."""
    me, action, reason = current_user(), request.form.get("action"), request.form.get("reason", "")[:500]
    fine_id = _fine_of(recourse_id)
    if action == "approve":
        db.decide(recourse.approve_recourse, recourse_id, actor_id=me.id)
        flash(_("Approved and posted"), "success")
    elif action == "reject":
        db.decide(recourse.reject_recourse, recourse_id, reason, actor_id=me.id)
        flash(_("Refused; its amount can be claimed otherwise"), "success")
    elif action == "reverse":
        db.decide(recourse.reverse_recourse, recourse_id, reason, actor_id=me.id)
        flash(_("Reversed; what was paid is owed back"), "success")
    else:
        raise InvalidInputError
    return _back(fine_id)


@bp.route("/claims/<int:recourse_id>/receipt", methods=["GET", "POST"])
@require(Permission.SETTLE)
def receive(recourse_id: int) -> ResponseReturnValue:
    """Book what a party paid for a claim."""
    fine_id = _fine_of(recourse_id)
    with db.reading() as session:
        line = session.get_one(FineRecourse, recourse_id)
        party = session.get_one(Party, line.party_id)
    form = ReceiptForm(data={"amount_fen": line.open_fen, "on": clock.today()})
    if not form.validate_on_submit():
        back_url = url_for(".detail", fine_id=fine_id, _anchor="claims")
        page = render_template("fines/receipt.html", form=form, line=line, party=party, back_url=back_url)
        return page, 400 if form.errors else 200
    facts = recourse.ReceiptFacts(form.amount_fen.data or 0, form.reference.data or "", form.on.data or clock.today())
    db.decide(receive_for_claim, recourse_id, facts, actor_id=current_user().id)
    flash(_("The payment is booked"), "success")
    return _back(fine_id)


@bp.get("/papers/<int:fine_paper_id>")
@require(Permission.READ_LEDGER)
def paper(fine_paper_id: int) -> ResponseReturnValue:
    """Give out a scan; who took it is recorded."""
    around = surroundings()
    with db.reading() as session:
        found = queries.scan_by_id(session, fine_paper_id)
    try:
        with opened_attachment(found.attachment, vault_folder(around.instance), around.keyring) as plain:
            content = plain.read()
    except (FileRefusedError, PurgedError) as error:
        flash(str(error), "danger")
        return _back(found.row.fine_id)
    db.decide(fines.record_fine_download, fine_paper_id, actor_id=current_user().id)
    return send_file(
        io.BytesIO(content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=found.attachment.file_name,
    )


def _fine_of(recourse_id: int) -> int:
    with db.reading() as session:
        return recourse.fine_of(session, recourse_id)


def _back(fine_id: int) -> ResponseReturnValue:
    return redirect(url_for(".detail", fine_id=fine_id), code=303)
